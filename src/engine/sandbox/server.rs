//! The throw-away server itself: made, started, stopped, and gone when we are.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{self, Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rand::RngExt;
use rand::distr::Alphanumeric;
use rustix::process::{Pid, Signal};

use super::binaries::Binaries;
use super::builder::Builder;
use super::conf;
use super::error::{SandboxError, io};
use super::guard::Guard;
use super::owner::Owner;

/// A running PostgreSQL whose data nobody will miss. Dropping it stops it and deletes everything; so does the end of this
/// process, however it ends.
///
/// Root starts the server as another user, who must gain nothing by it. So the directory stays root's, with all that root
/// writes in it, and only one inside of it is that user's: whatever lies there, root neither writes to nor follows.
pub struct Server {
    root: PathBuf,
    binaries: Binaries,
    owner: Owner,
    builder: Builder,
    port: u16,
    password: String,
    child: Option<Child>,
    guard: Guard,
    /// Whose it is. A forked child has this value too, and ends without ending the server.
    process: u32,
}

/// The server's own directory inside of ours, for its data and its socket. Short: a socket's path has little room.
const ITS_OWN: &str = "pg";

/// A socket's path may have 107 bytes on Linux and 103 on macOS, where TMPDIR is long; this leaves room for ours.
const LONGEST_TEMP: usize = 60;
/// A busy machine takes seconds; only a server that hangs takes this long.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between choosing a free port and listening on it somebody else may take it.
const PORTS_TO_TRY: usize = 5;

impl Builder {
    pub fn start(self) -> Result<Server, SandboxError> {
        Server::create(&self)
    }
}

impl Server {
    pub fn builder() -> Builder {
        Builder::default()
    }

    fn create(builder: &Builder) -> Result<Self, SandboxError> {
        let owner = Owner::find()?;
        let binaries = builder.binaries.clone().map_or_else(Binaries::find, Ok)?;
        let temp = Some(std::env::temp_dir()).filter(|temp| temp.as_os_str().len() <= LONGEST_TEMP && is_ours(temp));
        let root = tempfile::Builder::new()
            .prefix("tenantry-pg-")
            .tempdir_in(temp.unwrap_or_else(|| "/tmp".into()))
            .map_err(io("make a temporary directory"))?
            .keep();
        let guard = Guard::start(owner, &root, &root.join(ITS_OWN).join("data/postmaster.pid"))?;
        owner.let_in(&root)?;
        fs::create_dir(root.join(ITS_OWN)).map_err(io("make the server's directory"))?;
        owner.give_directory(&root.join(ITS_OWN))?;
        let password = rand::rng().sample_iter(Alphanumeric).take(24).map(char::from).collect();
        // From here on Drop cleans up, whatever fails.
        let mut server = Self {
            root,
            binaries,
            owner,
            builder: builder.clone(),
            port: 0,
            password,
            child: None,
            guard,
            process: process::id(),
        };
        server.make_reachable()?;
        server.initdb()?;
        server.start_on_a_free_port()?;
        Ok(server)
    }

    /// Root's programs may be where the user postgres cannot go, such as below /root; then it gets a copy.
    fn make_reachable(&mut self) -> Result<(), SandboxError> {
        let run = self.owner.command(self.binaries.program("postgres"), &self.its_own()).arg("--version").output();
        if run.is_ok_and(|output| output.status.success()) {
            return Ok(());
        }
        let (tree, inside) = self.binaries.tree();
        let copy = self.root.join("programs");
        run_to_end("copying the server programs", Command::new("cp").arg("-RL").arg(&tree).arg(&copy))?;
        run_to_end("copying the server programs", Command::new("chmod").args(["-R", "a+rX"]).arg(&copy))?;
        self.binaries = Binaries::at(&copy.join(inside))?;
        Ok(())
    }

    fn initdb(&self) -> Result<(), SandboxError> {
        self.write("password", &self.password)?;
        let mut initdb = self.owner.command(self.binaries.program("initdb"), &self.its_own());
        initdb.args([
            "--username=postgres",
            "--auth=scram-sha-256",
            "--pwfile=../password",
            "--encoding=UTF8",
            "--locale=C",
        ]);
        if !self.builder.durable {
            initdb.arg("--no-sync");
        }
        run_to_end("initdb", initdb.args(["--no-instructions", "--pgdata=data"]))?;
        fs::remove_file(self.root.join("password")).map_err(io("delete the password file"))?;
        if let Some(tls) = &self.builder.tls {
            self.write("server.crt", &tls.certificate)?;
            self.write("server.key", &tls.key)?;
            tls.client_ca.iter().try_for_each(|ca| self.write("client_ca.crt", ca))?;
        }
        self.write("pg_hba.conf", &conf::hba(&self.builder))
    }

    fn start_on_a_free_port(&mut self) -> Result<(), SandboxError> {
        for tries_left in (0..PORTS_TO_TRY).rev() {
            self.port = free_port()?;
            let text = conf::settings(&self.builder, &self.root, &self.its_own(), self.port);
            // A second try replaces the first.
            let _ = fs::remove_file(self.root.join(conf::FILE));
            self.write(conf::FILE, &text)?;
            match self.start_again() {
                // If one of the two addresses is taken, the server continues with the other.
                Ok(()) if tries_left > 0 && self.log().contains("could not bind IPv4") => self.stop()?,
                Err(SandboxError::NotStarted { log }) if tries_left > 0 && log.contains("could not bind") => {}
                result => return result,
            }
            fs::remove_file(self.root.join("log")).map_err(io("delete the server's log"))?;
        }
        Err(SandboxError::NotStarted { log: self.log() })
    }

    /// Starts the server on the same port and data, after one of the stops.
    pub fn start_again(&mut self) -> Result<(), SandboxError> {
        if self.child.is_some() {
            return Ok(());
        }
        let log = File::options()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(self.root.join("log"))
            .map_err(io("write the server's log"))?;
        // The shell becomes the server once it has told the guard its number, so that no moment is without a guard.
        let mut postgres = self.owner.command("sh", &self.its_own());
        postgres.args(["-c", "echo $$; exec \"$@\" >&2", "sh"]).arg(self.binaries.program("postgres"));
        postgres.args(["-D", "data", "-c"]).arg(format!("config_file={}", self.root.join(conf::FILE).display()));
        let mut child = postgres.stdout(self.guard.told()?).stderr(log).spawn().map_err(io("start postgres"))?;
        let status_file = self.its_own().join("data/postmaster.pid");
        let started = Instant::now();
        // The server writes its state into the file's eighth line.
        while !read_a_little(&status_file)
            .is_ok_and(|text| text.lines().nth(7).is_some_and(|state| ["ready", "standby"].contains(&state.trim())))
        {
            let ended = child.try_wait().map_err(io("wait for postgres"))?;
            if ended.is_some() || started.elapsed() > PATIENCE {
                signal(Signal::KILL, &child);
                self.guard.forget();
                child.wait().map_err(io("wait for postgres"))?;
                return Err(SandboxError::NotStarted { log: self.log() });
            }
            thread::sleep(Duration::from_millis(20));
        }
        self.child = Some(child);
        Ok(())
    }

    /// Ends the sessions and shuts down in good order.
    pub fn stop(&mut self) -> Result<(), SandboxError> {
        self.stop_by(Signal::INT)
    }

    /// Stops as a crash would; the next start recovers.
    pub fn stop_immediate(&mut self) -> Result<(), SandboxError> {
        self.stop_by(Signal::QUIT)
    }

    fn stop_by(&mut self, by: Signal) -> Result<(), SandboxError> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        // Its number is ours alone until it was waited for.
        self.guard.forget();
        signal(by, &child);
        let asked = Instant::now();
        while child.try_wait().map_err(io("wait for postgres"))?.is_none() {
            if asked.elapsed() > PATIENCE {
                signal(Signal::KILL, &child);
                child.wait().map_err(io("wait for postgres"))?;
                return Err(SandboxError::NotStopped { seconds: PATIENCE.as_secs() });
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where the unix socket is. The user that the server runs as may write there.
    pub fn socket_dir(&self) -> PathBuf {
        self.its_own()
    }

    /// What is below it is deleted when the server is, and also when this process is killed. Ours alone to write to.
    pub fn dir(&self) -> &Path {
        &self.root
    }

    pub fn binaries(&self) -> &Binaries {
        &self.binaries
    }

    /// The superuser postgres's password.
    pub fn password(&self) -> &str {
        &self.password
    }

    pub fn url(&self, database: &str, user: &str, password: &str) -> String {
        let encode = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
        format!("postgresql://{}:{}@127.0.0.1:{}/{}", encode(user), encode(password), self.port, encode(database))
    }

    pub fn admin_url(&self) -> String {
        self.url("postgres", "postgres", &self.password)
    }

    /// What to type to look around; the password is not an argument.
    pub fn psql_line(&self) -> String {
        format!("PGPASSWORD={} psql -h 127.0.0.1 -p {} -U postgres", self.password, self.port)
    }

    /// What the server has logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.root.join("log")).unwrap_or_default()
    }

    fn its_own(&self) -> PathBuf {
        self.root.join(ITS_OWN)
    }

    /// A file only the server's user may read, as the server demands of keys; in a directory where nobody else can put
    /// anything in its place.
    fn write(&self, name: &str, text: &str) -> Result<(), SandboxError> {
        let path = self.root.join(name);
        let mut file = File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(io("write a file for the server"))?;
        file.write_all(text.as_bytes()).map_err(io("write a file for the server"))?;
        self.owner.give(&file)
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Server({}, port {})", self.root.display(), self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.process != process::id() {
            return;
        }
        // There is nobody to report a failure to here, and the guard tries again.
        let _ = self.stop_immediate();
        let _ = fs::remove_dir_all(&self.root);
        self.guard.end();
    }
}

/// Nobody but root and ourselves can put another directory in the place of ours there.
fn is_ours(directory: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    const STICKY: u32 = 0o1000;
    const OTHERS_WRITE: u32 = 0o022;
    fs::metadata(directory).is_ok_and(|found| {
        let trusted = [0, rustix::process::geteuid().as_raw()].contains(&found.uid());
        trusted && (found.mode() & OTHERS_WRITE == 0 || found.mode() & STICKY != 0)
    })
}

/// The beginning of a file that another user may have replaced: no link is followed, no pipe is waited for.
fn read_a_little(path: &Path) -> std::io::Result<String> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let file = File::options().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
    let mut text = String::new();
    file.take(4096).read_to_string(&mut text)?;
    Ok(text)
}

/// A port that is free on both loopback addresses, where the machine has both.
fn free_port() -> Result<u16, SandboxError> {
    let mut last = 0;
    for _ in 0..100 {
        let socket = TcpListener::bind(("127.0.0.1", 0)).map_err(io("find a free port"))?;
        last = socket.local_addr().map_err(io("find a free port"))?.port();
        let six = TcpListener::bind(("::1", last));
        if !six.is_err_and(|error| error.kind() == std::io::ErrorKind::AddrInUse) {
            break;
        }
    }
    Ok(last)
}

/// It may be gone already.
fn signal(signal: Signal, child: &Child) {
    let _ = rustix::process::kill_process(Pid::from_child(child), signal);
}

fn run_to_end(doing: &'static str, command: &mut Command) -> Result<(), SandboxError> {
    let output = command.output().map_err(io(doing))?;
    if output.status.success() {
        return Ok(());
    }
    let text = [output.stdout, output.stderr].concat();
    Err(SandboxError::Failed { doing, output: String::from_utf8_lossy(&text).trim().to_owned() })
}
