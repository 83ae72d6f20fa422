//! What is being done right now, for whoever interrupts it.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use postgres::{CancelToken, Client};

use super::outcome::TenantError;
use crate::database::Target;
use crate::workers::lock;

/// SQLSTATE `query_canceled`.
const CANCELLED: &str = "57014";

/// Shared by the threads that work and whoever watches them. An interrupt lets what has begun come to its end; a second one
/// does not wait: [`Self::cancel`].
#[derive(Default)]
pub struct Underway {
    now: Mutex<BTreeMap<String, Work>>,
    cancelled: AtomicBool,
}

struct Work {
    since: Instant,
    doing: String,
    session: Option<(CancelToken, Target)>,
}

impl Underway {
    #[must_use]
    pub const fn new() -> Self {
        Self { now: Mutex::new(BTreeMap::new()), cancelled: AtomicBool::new(false) }
    }

    /// One line for each tenant that has begun and has not ended: what is done for it, and for how long.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let now = lock(&self.now);
        let line = |(who, work): (&String, &Work)| {
            let doing = if work.doing.is_empty() { String::new() } else { format!("{}, ", work.doing) };
            format!("{who}: {doing}for {} s", work.since.elapsed().as_secs())
        };
        now.iter().map(line).collect()
    }

    /// Has the server cancel what is being done, so that it is rolled back; nothing more of it is begun. A COMMIT that is on
    /// its way is not stopped, and what takes back a half is not refused.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
        let sessions: Vec<_> = lock(&self.now).values().filter_map(|work| work.session.clone()).collect();
        for (token, target) in sessions {
            // At once, and none for another: whoever cannot be reached is waited for, as after the first interrupt.
            std::thread::spawn(move || drop(target.cancel(&token)));
        }
    }

    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    pub(crate) fn begins(&self, who: &str, doing: &str) {
        let work = Work { since: Instant::now(), doing: doing.to_owned(), session: None };
        lock(&self.now).insert(who.to_owned(), work);
    }

    /// On this session, from now on.
    pub(crate) fn session(&self, who: &str, client: &Client, target: &Target) {
        if let Some(work) = lock(&self.now).get_mut(who) {
            work.session = Some((client.cancel_token(), target.clone()));
        }
    }

    /// # Errors
    /// When no more of it is to be begun.
    pub(super) fn doing(&self, who: &str, what: &str) -> Result<(), TenantError> {
        if self.is_cancelled() {
            return Err(TenantError::new(format!("interrupted before: {what}")));
        }
        if let Some(work) = lock(&self.now).get_mut(who) {
            what.clone_into(&mut work.doing);
        }
        Ok(())
    }

    pub(crate) fn ends(&self, who: &str) {
        lock(&self.now).remove(who);
    }

    /// What PostgreSQL says of a statement that was cancelled for an interrupt is said in our words.
    pub(super) fn explain(&self, error: &mut TenantError) {
        if self.is_cancelled() && error.sqlstate.as_deref() == Some(CANCELLED) {
            error.message = format!("interrupted: {}", error.message);
        }
    }
}
