//! Waiting for locks without standing in anybody's way.
//!
//! Who waits for a lock while holding others can be part of a circle, and PostgreSQL cancels whichever of its members happens
//! to look first (`deadlock_timeout` after its own wait began): often the application's transaction. What only looks must
//! not cost an application anything. So it hardly waits: where somebody else has a lock it lets go of everything it
//! holds, and comes again.

use std::time::Duration;

use crate::engine::retry::retry_for;

/// So short that hardly any other session looks for a deadlock within it.
pub(crate) const HARDLY_WAIT: &str = "SET LOCAL lock_timeout = '10ms'";

/// Between two attempts, at first and at most.
const PAUSES: [Duration; 2] = [Duration::from_millis(20), Duration::from_millis(250)];

/// Attempts until it comes to something other than a lock that was not to be had, or for as long as `patience` lasts. Each
/// attempt says [`HARDLY_WAIT`] in a transaction or a savepoint of its own, which ends with it.
pub(crate) fn giving_way<T>(
    patience: Duration,
    is_in_the_way: impl Fn(&T) -> bool,
    mut attempt: impl FnMut() -> T,
) -> T {
    let attempt = || {
        let came = attempt();
        if is_in_the_way(&came) { Err(came) } else { Ok(came) }
    };
    retry_for(patience, PAUSES, attempt, |_| true).unwrap_or_else(|came| came)
}
