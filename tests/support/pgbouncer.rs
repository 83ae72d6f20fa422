//! A real pgbouncer before a test's server: `#[path = "support/pgbouncer.rs"] mod pgbouncer;`.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tenantry::sandbox::Server;

pub struct PgBouncer {
    pub port: u16,
    /// Ends pgbouncer when its input ends, which is when we do.
    shell: Child,
    _dir: tempfile::TempDir,
}

impl PgBouncer {
    /// `mode` is "session" or "transaction"; `more` are further lines of its configuration.
    pub fn before(server: &Server, mode: &str, more: &str) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/pgbouncer.sh");
        let output = Command::new(script).stderr(Stdio::inherit()).output().unwrap();
        assert!(output.status.success(), "scripts/pgbouncer.sh finds none; it said why above");
        let program = String::from_utf8(output.stdout).unwrap();
        let (dir, port) = (tempfile::tempdir().unwrap(), free_port());
        let file = |name: &str| dir.path().join(name);
        fs::write(file("users"), format!("\"postgres\" \"{}\"\n", server.password())).unwrap();
        let text = format!(
            "[databases]\n* = host=127.0.0.1 port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
             auth_type = scram-sha-256\nauth_file = {}\npool_mode = {mode}\nlogfile = {}\n{more}\n",
            server.port(),
            file("users").display(),
            file("log").display()
        );
        fs::write(file("pgbouncer.ini"), text).unwrap();
        // It refuses to be root, as PostgreSQL does.
        let start = "[ \"$(id -u)\" = 0 ] && { chown -R postgres \"$2\"; set -- \"$1\" \"$2\" -u postgres; }\n\
                     program=$1 dir=$2; shift 2\n\"$program\" -q \"$@\" \"$dir/pgbouncer.ini\" & read -r _; kill -9 $!; wait";
        let mut shell = Command::new("sh");
        shell.args(["-c", start, "sh", program.trim()]).arg(dir.path());
        let shell = shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let log = || fs::read_to_string(file("log")).unwrap_or_default();
            assert!(begun.elapsed() < Duration::from_secs(60), "pgbouncer does not start; it says:\n{}", log());
            sleep(Duration::from_millis(20));
        }
        Self { port, shell, _dir: dir }
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}
