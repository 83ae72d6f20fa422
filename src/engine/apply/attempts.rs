//! Trying again what a lock, or another session's change, kept from succeeding.

use std::time::Duration;

use postgres::Client;
use rand::RngExt;

use super::context::Apply;
use super::failure::{Ended, Failure, Retry};
use super::session::{clean, connected};
use crate::core::report::Outcome;

/// How often a tenant's transaction is tried again after 55P03, 40P01, 40001 or "tuple concurrently updated".
pub(super) const ATTEMPTS: u32 = 5;

/// Waits 50 ms doubled each time, and up to as much again, so that those who met do not meet again.
pub(super) fn back_off(attempt: u32) {
    let base = 50 * 2_u64.pow(attempt);
    std::thread::sleep(Duration::from_millis(base + rand::rng().random_range(0..=base)));
}

/// Tries until it succeeds or another try would not help. `used`: code of a tenant's runs in this session.
pub(super) fn attempts<T>(
    apply: &Apply<'_>,
    slot: &mut Option<Client>,
    used: bool,
    once: impl Fn(&mut Client) -> Result<T, Ended>,
) -> Result<T, Failure> {
    let mut attempt = 0;
    loop {
        let client = match connected(apply, slot) {
            Ok(client) => client,
            Err(error) => return Err((Outcome::Failed, error)),
        };
        let result = once(client);
        // Temporary tables, settings and prepared names of a tenant's making go.
        if (used || result.is_err()) && clean(client).is_err() {
            *slot = None;
        }
        match result {
            Ok(done) => return Ok(done),
            Err(Ended::Failed(_, Retry::Yes)) if attempt < ATTEMPTS && !apply.underway.is_cancelled() => {
                back_off(attempt)
            }
            Err(Ended::Failed(error, _)) => return Err((Outcome::Failed, error)),
            Err(Ended::Unknown(error)) => return Err((Outcome::Unknown, error)),
        }
        attempt += 1;
    }
}
