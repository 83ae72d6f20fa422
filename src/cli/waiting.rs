//! A word to whoever waits for a server that took the login and then says nothing: without it that looks like work.

use std::io::Write;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

/// Nothing that is asked takes so long on a server that answers, but in a very large fleet.
pub const SOON: Duration = Duration::from_secs(10);

/// How often it is looked whether anything takes long.
const LOOK: Duration = Duration::from_secs(1);

/// Between two words about the same.
const AGAIN: Duration = Duration::from_secs(60);

/// Does the work, and says on stderr what is waited for once it has taken long. `what`: a line for each thing, or none.
pub fn aloud<T>(quiet: bool, what: impl Fn() -> Vec<String> + Send, work: impl FnOnce() -> T) -> T {
    std::thread::scope(|scope| {
        let (working, over) = mpsc::channel::<()>();
        if !quiet {
            scope.spawn(move || {
                let mut wait = LOOK;
                while over.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
                    let lines = what();
                    wait = if lines.is_empty() { LOOK } else { AGAIN };
                    lines.iter().for_each(|line| drop(writeln!(anstream::stderr(), "{line}")));
                }
            });
        }
        let done = work();
        drop(working);
        done
    })
}

/// The line about it, once it has taken long.
pub fn line(what: &str, begun: Instant) -> Option<String> {
    let took = begun.elapsed();
    (took >= SOON)
        .then(|| format!("{what}: {} s so far, still waiting for the server; Ctrl-C gives up", took.as_secs()))
}
