//! Ctrl-C: what is under way is ended in order, and then the command says so with its exit code.

use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use super::args::Global;
use super::exit::Exit;
use super::failure::Failure;
use crate::engine::apply::Underway;

/// Set by Ctrl-C.
pub static STOP: AtomicBool = AtomicBool::new(false);

/// What an interrupt waits for, and a second one cancels.
pub static UNDERWAY: Underway = Underway::new();

static PRESSED: AtomicU8 = AtomicU8::new(0);

pub fn watch() {
    // A second handler in one process is an error of its own; then Ctrl-C ends the process as it always did.
    let _ = ctrlc::set_handler(pressed);
}

/// In a thread of its own (ctrlc's documentation), so that it may print and wait.
fn pressed() {
    STOP.store(true, Ordering::Relaxed);
    match PRESSED.fetch_add(1, Ordering::Relaxed) {
        0 => say(&first(&UNDERWAY.lines())),
        1 => {
            say("Interrupted again: cancelling and rolling back. Press Ctrl-C once more to quit immediately.");
            UNDERWAY.cancel();
        }
        _ => {
            // PostgreSQL rolls back what no longer has a client, and the next apply converges the rest.
            say("Quit immediately: the next apply finds out what was done, and continues from there.");
            std::process::exit(i32::from(Exit::Interrupted.code()));
        }
    }
}

fn first(lines: &[String]) -> String {
    if lines.is_empty() {
        return "Interrupted: nothing more is started. Press Ctrl-C again to cancel what is running.".into();
    }
    let list: String = lines.iter().map(|line| format!("  {line}\n")).collect();
    format!(
        "Interrupted: no more tenants are started; waiting for those in progress:\n{list}Press Ctrl-C again to cancel them and roll them back."
    )
}

fn say(words: &str) {
    // A terminal shows ^C at the beginning of the line.
    let _ = writeln!(anstream::stderr(), "\n{words}");
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
