//! Work in a thread of its own, while this one waits without the GIL and answers signals: Python runs its handlers, that of
//! Ctrl-C among them, only in the main thread and only when it is asked to.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use tenantry::report::TenantOutcome;
use tenantry::{Error, Events, Interrupt};

use crate::raised;

/// Between two looks for a signal. What is done ends the waiting at once.
const PATIENCE: Duration = Duration::from_millis(50);

/// What is interrupted while it only reads is left to itself, and must not begin to write.
#[derive(Clone, Default)]
pub struct Phase(Arc<AtomicU8>);

const READING: u8 = 0;
const WRITING: u8 = 1;
const LEFT: u8 = 2;

impl Phase {
    /// Of work that writes from its beginning.
    pub fn writing() -> Self {
        Self(Arc::new(AtomicU8::new(WRITING)))
    }

    /// Whether it may write: nobody has gone away.
    pub fn may_write(&self) -> bool {
        self.0.compare_exchange(READING, WRITING, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }

    fn may_leave(&self) -> bool {
        self.0.compare_exchange(READING, LEFT, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }
}

/// What the work says before it is done.
pub struct Telling(Sender<Said>);

struct Said {
    level: &'static str,
    words: String,
}

impl Telling {
    fn say(&self, level: &'static str, words: String) {
        // Whoever left does not listen.
        let _ = self.0.send(Said { level, words });
    }
}

impl Events for Telling {
    fn says(&self, tenant: &str, words: &str) {
        self.say("info", format!("{tenant}: {words}"));
    }

    fn tenant_ended(&self, outcome: &TenantOutcome) {
        let ended = format!("{:?}", outcome.outcome).to_lowercase();
        match &outcome.error {
            Some(error) => self.say("warning", format!("{}: {ended}: {error}", outcome.tenant)),
            None => self.say("info", format!("{}: {ended}", outcome.tenant)),
        }
    }

    fn note(&self, words: &str) {
        self.say("warning", words.to_owned());
    }
}

/// What came of the work, and what a signal's handler raised meanwhile.
pub struct Ended<T, E = Error> {
    pub result: Result<T, E>,
    pub interrupted: Option<PyErr>,
}

impl<T> Ended<T> {
    /// Of work that changes nothing.
    pub fn read(self, py: Python<'_>) -> PyResult<T> {
        match self.interrupted {
            Some(interrupted) => Err(interrupted),
            None => self.result.map_err(|error| raised::of_library(py, &error)),
        }
    }
}

/// Runs it. A signal whose handler raises ends the waiting at once while nothing is written. While something is, a first one
/// starts no more tenants, a second has the running ones cancelled and rolled back, and a third leaves them to PostgreSQL.
pub fn run<T: Send + 'static, E: Send + 'static>(
    py: Python<'_>,
    interrupt: &Interrupt,
    phase: &Phase,
    work: impl FnOnce(&Telling) -> Result<T, E> + Send + 'static,
) -> PyResult<Ended<T, E>> {
    let (tell, told) = channel();
    // A receiver is one thread's, and waits in the part without the GIL.
    let told = Mutex::new(told);
    let working = thread::Builder::new().name("tenantry".into()).spawn(move || work(&Telling(tell)))?;
    let mut interrupted: Vec<PyErr> = Vec::new();
    while let Some(said) = next(py, &told) {
        let mut heard =
            said.map_or(Ok(()), |Said { level, words }| log(py, level, &words)).and_then(|()| py.check_signals());
        while let Err(raised) = heard {
            interrupt.stop();
            if phase.may_leave() {
                return Err(raised);
            }
            interrupted.push(raised);
            heard = match interrupted.len() {
                1 => log(py, "warning", &first(&interrupt.underway())),
                2 => {
                    py.detach(|| interrupt.cancel());
                    log(py, "warning", "interrupted again: cancelling and rolling back; once more leaves at once")
                }
                _ => return Err(interrupted.swap_remove(0)),
            };
        }
    }
    let interrupted = interrupted.into_iter().next();
    match py.detach(|| working.join()) {
        Ok(result) => Ok(Ended { result, interrupted }),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// `None`: the work has ended. `Some(None)`: time to look for signals.
fn next(py: Python<'_>, told: &Mutex<Receiver<Said>>) -> Option<Option<Said>> {
    let wait = || told.lock().unwrap_or_else(PoisonError::into_inner).recv_timeout(PATIENCE);
    match py.detach(wait) {
        Ok(said) => Some(Some(said)),
        Err(RecvTimeoutError::Timeout) => Some(None),
        Err(RecvTimeoutError::Disconnected) => None,
    }
}

/// As `logging.getLogger("tenantry")` has it: a warning that nobody asked for goes to stderr.
///
/// # Errors
/// What a signal's handler raised meanwhile: Python runs it within whatever Python code comes first.
fn log(py: Python<'_>, level: &str, words: &str) -> PyResult<()> {
    py.import("logging")?.call_method1("getLogger", ("tenantry",))?.call_method1(level, ("%s", words)).map(drop)
}

fn first(underway: &[String]) -> String {
    if underway.is_empty() {
        return "interrupted: nothing more is started; interrupt again to cancel what is running".into();
    }
    format!(
        "interrupted: no more tenants are started; waiting for {}; interrupt again to cancel them and roll them back",
        underway.join("; ")
    )
}

pub fn seconds(seconds: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(seconds).map_err(|error| PyValueError::new_err(error.to_string()))
}
