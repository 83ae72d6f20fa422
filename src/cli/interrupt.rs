//! Ctrl-C: what is under way is ended in order, and then the command says so with its exit code.

use std::sync::atomic::{AtomicBool, Ordering};

use super::args::Global;
use super::exit::Exit;
use super::failure::Failure;

/// Set by Ctrl-C.
pub static STOP: AtomicBool = AtomicBool::new(false);

pub fn watch() {
    // A second handler in one process is an error of its own; then Ctrl-C ends the process as it always did.
    let _ = ctrlc::set_handler(|| STOP.store(true, Ordering::Relaxed));
}

/// pg_dump and pg_restore are interrupted with us and fail; what was made until then is taken back like after any failure.
pub fn or_interrupted(result: Result<Exit, Failure>, global: &Global) -> Result<Exit, Failure> {
    match result {
        Err(failure) if STOP.load(Ordering::Relaxed) => {
            failure.print(global);
            Ok(Exit::Interrupted)
        }
        other => other,
    }
}
