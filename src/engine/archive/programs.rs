//! pg_dump and pg_restore: what is installed, and new enough for the server.

use std::ffi::OsString;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use secrecy::ExposeSecret;

use super::deputy::LET_IT_IN;
use crate::core::render::escape::visible;
use crate::engine::database::{TOO_MANY_CONNECTIONS, Target};
use crate::engine::error::{Context, Error, MAKE_ROOM, RAISE_THE_LIMIT};
use crate::engine::installed::{directories_with, major};

/// A directory with pg_dump and pg_restore, and their version.
#[derive(Clone, Debug)]
pub struct Programs {
    dir: PathBuf,
    major: u32,
    /// As pg_dump prints it: `15.18 (Debian 15.18-0+deb12u1)`.
    pub version: String,
    /// What they are started with.
    environment: Vec<(&'static str, OsString)>,
}

/// A variable of the caller's environment, by its name.
pub type Variables<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// What such a program may need of the environment. That may hold the administrator's password, a token, tenants'
/// passwords; and the caller's PG* are about the caller's own login.
const ENVIRONMENT: [&str; 9] = [
    "PATH",
    "HOME",
    "TMPDIR",
    "TZ",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "OPENSSL_CONF",
];

impl Programs {
    /// Those of TENANTRY_PG_BINDIR; otherwise, of those on the PATH and where distributions put them, the oldest that are
    /// new enough. A pg_dump reads older servers, and none that is newer than itself (manual, "pg_dump", Notes); what it
    /// writes, older servers may not take back.
    ///
    /// # Errors
    /// When none is at least of `major`, with what to install.
    pub fn find(major: u32, env: Variables<'_>) -> Result<Self, Error> {
        let environment: Vec<_> = ENVIRONMENT.iter().filter_map(|name| Some((*name, env(name)?))).collect();
        let at = |dir: &Path| Self::at(dir, &environment);
        let mut found: Vec<Self> = match env("TENANTRY_PG_BINDIR").filter(|dir| !dir.is_empty()) {
            Some(dir) => at(Path::new(&dir)).into_iter().collect(),
            None => directories_with("pg_dump", env).iter().filter_map(|dir| at(dir)).collect(),
        };
        found.sort_by_key(|programs| programs.major);
        match found.iter().find(|programs| programs.major >= major) {
            Some(programs) => Ok(programs.clone()),
            None => Err(missing(major, found.last())),
        }
    }

    /// From 17 on, pg_restore begins with a setting that older servers do not know.
    pub(super) fn says_too_much_to(&self, server: u32) -> bool {
        self.major >= 17 && server < 17
    }

    fn at(dir: &Path, environment: &[(&'static str, OsString)]) -> Option<Self> {
        if !dir.join("pg_restore").is_file() {
            return None;
        }
        let output = bare(&dir.join("pg_dump"), environment).arg("--version").output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let version = text.split_once("(PostgreSQL) ")?.1.trim().to_owned();
        let environment = environment.to_vec();
        Some(Self { dir: dir.to_owned(), major: major(&text)?, version, environment })
    }

    /// One of the programs, which will log in as `target` says: everything, the password too, is in its environment.
    pub(super) fn command(&self, program: &str, target: Option<&Target>) -> Command {
        let mut command = bare(&self.dir.join(program), &self.environment);
        for (name, value) in target.map(Target::environment).unwrap_or_default() {
            command.env(name, value.expose_secret());
        }
        command.env("PGCLIENTENCODING", "UTF8").env("LC_ALL", "C");
        command
    }
}

fn bare(program: &Path, environment: &[(&'static str, OsString)]) -> Command {
    let mut command = Command::new(program);
    command.env_clear().envs(environment.iter().map(|(name, value)| (name, value))).stdin(Stdio::null());
    command
}

/// Whether the session is there for whose sake a program runs.
pub(crate) type Session<'s> = &'s mut dyn FnMut() -> Result<(), postgres::Error>;

/// How often that is asked.
const ASK: Duration = Duration::from_secs(3);

/// Runs it to its end, or to the end of our own session: a program whose server is gone may wait for it forever. `drain` reads what it
/// writes to stdout.
///
/// # Errors
/// What it said on stderr, and how it ended; how our session did; or why what it wrote could not be read.
pub(super) fn run_drained(
    command: &mut Command,
    doing: &str,
    session: Session<'_>,
    drain: impl FnOnce(ChildStdout) -> io::Result<()> + Send + 'static,
) -> Result<(), Error> {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().doing(doing)?;
    fail_point!("after_program_is_started");
    let drained = child.stdout.take().map(|stdout| std::thread::spawn(move || drain(stdout)));
    let (said, status) = ended(&mut child, doing, session)?;
    match drained.and_then(|drained| drained.join().ok()).unwrap_or(Ok(())) {
        // One that ended early says itself why.
        Err(error) if status.success() || error.kind() != io::ErrorKind::UnexpectedEof => Err(error).doing(doing),
        _ if status.success() => Ok(()),
        _ => Err(failed(doing, &said, status)),
    }
}

/// The same of one that writes nothing to stdout; `harmless` is one error that may be reported, if it is the only one, and `feed` writes what it
/// reads.
///
/// # Errors
/// As of [`run_drained`]; or why it could not be fed.
pub(super) fn run_fed(
    command: &mut Command,
    doing: &str,
    session: Session<'_>,
    harmless: Option<&str>,
    feed: impl FnOnce(&mut ChildStdin) -> io::Result<()> + Send + 'static,
) -> Result<(), Error> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().doing(doing)?;
    fail_point!("after_program_is_started");
    let fed = child.stdin.take().map(|mut stdin| std::thread::spawn(move || feed(&mut stdin)));
    let (said, status) = ended(&mut child, doing, session)?;
    // One that ended early no longer reads, and says itself why.
    match fed.and_then(|fed| fed.join().ok()) {
        Some(Err(error)) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error).doing(doing),
        _ => {}
    }
    let fine = status.success() || harmless.is_some_and(|harmless| is_only(harmless, &String::from_utf8_lossy(&said)));
    if fine { Ok(()) } else { Err(failed(doing, &said, status)) }
}

/// What it said on stderr, and how it ended.
///
/// # Errors
/// How our own session ended, and it with it.
fn ended(child: &mut Child, doing: &str, session: Session<'_>) -> Result<(Vec<u8>, ExitStatus), Error> {
    let said = read_to_end(child.stderr.take());
    let mut asked = Instant::now();
    let mut pause = Duration::from_millis(5);
    loop {
        if let Some(status) = child.try_wait().doing(doing)? {
            return Ok((said.join().unwrap_or_default(), status));
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(100));
        if asked.elapsed() >= ASK {
            if let Err(error) = session() {
                // It may have ended by itself meanwhile.
                let _ = child.kill();
                child.wait().doing(doing)?;
                return Err(error).doing(format!("{doing} was terminated, because our own session was"));
            }
            asked = Instant::now();
        }
    }
}

/// In a thread: a full pipe would block the program forever.
pub(super) fn read_to_end(pipe: Option<ChildStderr>) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut said = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.read_to_end(&mut said);
        }
        said
    })
}

/// pg_restore counts its errors in its last line, when it went to its end.
fn is_only(harmless: &str, said: &str) -> bool {
    let errors: Vec<&str> = said.lines().filter(|line| line.contains("error:")).collect();
    let last = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
    matches!(errors.as_slice(), [only] if only.contains(harmless)) && last.ends_with("errors ignored on restore: 1")
}

pub(super) fn failed(doing: &str, stderr: &[u8], status: ExitStatus) -> Error {
    let said = String::from_utf8_lossy(stderr);
    // pg_dump names itself before each line; the first line with an error is what went wrong.
    let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let first = lines.iter().position(|line| line.contains("error:")).unwrap_or_default();
    let words = lines.iter().skip(first).take(4).copied().collect::<Vec<_>>().join("; ");
    let words = if words.is_empty() { status.to_string() } else { words };
    // Names in it are the tenant's to choose, and a terminal obeys some characters.
    Error::Refused { message: format!("{doing}: {}", visible(&words)), hint: hint(&words) }
}

/// Whether pg_dump gave up waiting for a table. It prints the statement, and the server's words in whatever language.
pub(crate) fn is_for_a_lock(error: &Error) -> bool {
    matches!(error, Error::Refused { message, .. } if message.contains("LOCK TABLE"))
}

fn hint(said: &str) -> Option<String> {
    let hint = if said.contains("row-level security") {
        "apply as a superuser, or set NO FORCE ROW LEVEL SECURITY on that table: its policies keep rows out of a dump"
    } else if said.contains("no pg_hba.conf entry") || said.contains("authentication failed") {
        LET_IT_IN
    } else if said.contains("too many connections") || said.contains("remaining connection slots") {
        TOO_MANY_CONNECTIONS
    } else if said.contains("permission denied") {
        "give that object to the tenant's owner role: ALTER … OWNER TO"
    } else if said.contains("LOCK TABLE") {
        "another session has held a lock on one of its tables for longer than [migrations] lock_timeout; pg_locks shows which"
    } else if said.contains("No space left") || said.contains("quota exceeded") {
        MAKE_ROOM
    } else if said.contains("File too large") || said.contains("SIGXFSZ") {
        RAISE_THE_LIMIT
    } else if said.starts_with("signal: ") {
        "it was killed, or the system ran out of memory (see the system's log): try again"
    } else if said.contains("server closed the connection") || said.contains("connection to server") {
        "check that the server is up, and try again"
    } else if said.contains("out of shared memory") {
        "raise max_locks_per_transaction and restart the server"
    } else {
        return None;
    };
    Some(hint.into())
}

fn missing(major: u32, found: Option<&Programs>) -> Error {
    let found = match found {
        None => "no pg_dump was found".to_owned(),
        Some(found) => format!("the newest pg_dump found is {} in {}", found.version, found.dir.display()),
    };
    Error::refused(
        format!("archives of this server need pg_dump {major} or newer, but {found}; nothing was changed"),
        format!(
            "Debian, Ubuntu: apt-get install postgresql-client-{major}   RHEL, Fedora: dnf install postgresql{major}   \
             macOS: brew install postgresql@{major}   (from apt.postgresql.org or yum.postgresql.org where the \
             distribution is older); or set TENANTRY_PG_BINDIR to the directory that holds it"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_harmless_error_is_no_failure_and_two_are() {
        let harmless = "pg_restore: error: could not execute query: ERROR:  unrecognized configuration parameter \"transaction_timeout\"\n\
                        Command was: SET transaction_timeout = 0;\n";
        let other = "pg_restore: error: could not execute query: ERROR:  permission denied\n";
        let end = |n: usize| format!("pg_restore: warning: errors ignored on restore: {n}\n");
        assert!(is_only("transaction_timeout", &format!("{harmless}{}", end(1))));
        assert!(!is_only("transaction_timeout", harmless), "it did not come to its end");
        assert!(!is_only("transaction_timeout", &format!("{harmless}{other}{}", end(2))));
        assert!(!is_only("transaction_timeout", &format!("{other}{}", end(1))));
    }
}
