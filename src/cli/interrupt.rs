//! Ctrl-C: what is under way is ended in order, and then the command says so with its exit code.

use std::io::Write;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU8, Ordering};

use tenantry::Interrupt;

use super::args::Global;
use super::exit::Exit;
use super::failure::Failure;

/// What Ctrl-C stops, and a second one cancels.
static HANDLE: LazyLock<Interrupt> = LazyLock::new(Interrupt::default);

static PRESSED: AtomicU8 = AtomicU8::new(0);

/// For the library, which knows no signals.
pub fn handle() -> Interrupt {
    HANDLE.clone()
}

pub fn watch() {
    // A second handler in one process is an error of its own; then Ctrl-C ends the process as it always did.
    let _ = ctrlc::set_handler(pressed);
}

/// Of a command that changes nothing: what is running is cancelled at once.
pub fn watch_reading() {
    let _ = ctrlc::set_handler(|| {
        HANDLE.stop();
        match PRESSED.fetch_add(1, Ordering::Relaxed) {
            0 => say("Interrupted: cancelling what is running."),
            _ => std::process::exit(i32::from(Exit::Interrupted.code())),
        }
    });
}

/// Of a command that runs other programs: they are told each time.
pub fn watch_programs() {
    let _ = ctrlc::set_handler(|| {
        HANDLE.stop();
        match PRESSED.fetch_add(1, Ordering::Relaxed) {
            0 => say(
                "Interrupted: no more are started; those that run are interrupted. Press Ctrl-C again to terminate them.",
            ),
            1 => say("Interrupted again: terminating them. Press Ctrl-C once more to kill them."),
            _ => say("Killing them."),
        }
    });
}

/// How often Ctrl-C was pressed.
pub fn pressed_times() -> usize {
    usize::from(PRESSED.load(Ordering::Relaxed))
}

/// In a thread of its own (ctrlc's documentation), so that it may print and wait.
fn pressed() {
    HANDLE.stop();
    match PRESSED.fetch_add(1, Ordering::Relaxed) {
        0 => say(&first(&HANDLE.underway())),
        1 => {
            say("Interrupted again: cancelling and rolling back. Press Ctrl-C once more to quit immediately.");
            HANDLE.cancel();
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
        Err(failure) if HANDLE.is_stopped() => {
            failure.print(global);
            Ok(Exit::Interrupted)
        }
        other => other,
    }
}
