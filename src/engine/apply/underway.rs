//! What is being done right now, for whoever interrupts it.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use postgres::{CancelToken, Client};

use super::blockers::Blocker;
use crate::core::report::TenantError;
use crate::engine::database::Target;
use crate::engine::workers::lock;

/// SQLSTATE `query_canceled`.
const CANCELLED: &str = "57014";

/// How long CREATE INDEX CONCURRENTLY and the like wait for transactions that began before them, while nobody waits behind
/// them. Who is waited for is named; an interrupt ends it.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(60 * 60);

/// Shared by the threads that work and whoever watches them. An interrupt lets what has started finish; a second one
/// does not wait: [`Self::cancel`].
#[derive(Default)]
pub struct Underway {
    now: Mutex<BTreeMap<String, Work>>,
    cancelled: AtomicBool,
    watched: AtomicBool,
    /// Why it could not be asked who blocks.
    blind: Mutex<Option<String>>,
}

struct Work {
    since: Instant,
    doing: String,
    session: Option<(CancelToken, Target)>,
    /// The number of that session's backend, once it is known.
    backend: Option<i32>,
    /// The role that a program logs in as for it.
    deputy: Option<String>,
    /// The session's own lock_timeout is not the configured one: whoever watches sees to that.
    patient: bool,
    /// For a lock that it waited for too long.
    gave_up: bool,
    met: Met,
}

/// Who was in the way.
#[derive(Clone, Default)]
pub(super) struct Met {
    /// At the last look.
    pub blockers: Vec<Blocker>,
    /// Sessions that were ended for it.
    pub ended: Vec<String>,
}

/// One of our own backends, for whoever watches them.
pub(super) struct Backend {
    pub who: String,
    /// How long what it works on has taken.
    pub since: Duration,
    pub patient: bool,
}

impl Underway {
    #[must_use]
    pub const fn new() -> Self {
        Self {
            now: Mutex::new(BTreeMap::new()),
            cancelled: AtomicBool::new(false),
            watched: AtomicBool::new(false),
            blind: Mutex::new(None),
        }
    }

    /// One line for each tenant that has started and not ended: what is done for it, and for how long.
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
        let work = Work {
            since: Instant::now(),
            doing: doing.to_owned(),
            session: None,
            backend: None,
            deputy: None,
            patient: false,
            gave_up: false,
            met: Met::default(),
        };
        lock(&self.now).insert(who.to_owned(), work);
    }

    /// On this session, from now on.
    pub(crate) fn session(&self, who: &str, client: &Client, target: &Target) {
        if let Some(work) = lock(&self.now).get_mut(who) {
            work.session = Some((client.cancel_token(), target.clone()));
            (work.backend, work.patient) = (None, false);
        }
    }

    /// The backend of that session.
    pub(super) fn backend(&self, who: &str, pid: i32) {
        self.of(who, |work| work.backend = Some(pid));
    }

    /// A program logs in as this role for it.
    pub(crate) fn deputy(&self, who: &str, role: &str) {
        self.of(who, |work| work.deputy = Some(role.to_owned()));
    }

    /// For whom which role is logged in, and for how long what it works on has taken.
    pub(super) fn deputies(&self) -> BTreeMap<String, (String, Duration)> {
        let now = lock(&self.now);
        let of = |(who, work): (&String, &Work)| Some((work.deputy.clone()?, (who.clone(), work.since.elapsed())));
        now.iter().filter_map(of).collect()
    }

    /// Whether the next statements wait for as long as they must where nobody waits behind them.
    pub(super) fn patient(&self, who: &str, patient: bool) {
        self.of(who, |work| (work.patient, work.gave_up) = (patient, false));
    }

    /// Our own backends, by number.
    pub(super) fn backends(&self) -> BTreeMap<i32, Backend> {
        let now = lock(&self.now);
        let of = |(who, work): (&String, &Work)| {
            let backend = Backend { who: who.clone(), since: work.since.elapsed(), patient: work.patient };
            Some((work.backend?, backend))
        };
        now.iter().filter_map(of).collect()
    }

    pub(super) fn blocked(&self, who: &str, blockers: &[Blocker]) {
        self.of(who, |work| work.met.blockers = blockers.to_vec());
    }

    /// Who is in the way may not be ended by us; what a superuser types for that.
    pub(super) fn refused(&self, who: &str, pid: i32, grant: &str) {
        self.of(who, |work| {
            let refused = work.met.blockers.iter_mut().filter(|blocker| blocker.pid == pid);
            refused.for_each(|blocker| blocker.refused = Some(grant.to_owned()));
        });
    }

    pub(super) fn ended(&self, who: &str, session: String) {
        self.of(who, |work| work.met.ended.push(session));
    }

    /// What a lock_timeout of its session's would do.
    pub(super) fn gives_up(&self, who: &str) {
        let mut session = None;
        self.of(who, |work| {
            work.gave_up = true;
            session.clone_from(&work.session);
        });
        if let Some((token, target)) = session {
            std::thread::spawn(move || drop(target.cancel(&token)));
        }
    }

    pub(super) fn gave_up(&self, who: &str) -> bool {
        lock(&self.now).get(who).is_some_and(|work| work.gave_up)
    }

    pub(super) fn is_watched(&self, watched: bool) {
        self.watched.store(watched, Ordering::Relaxed);
    }

    pub(super) fn has_a_watch(&self) -> bool {
        self.watched.load(Ordering::Relaxed)
    }

    /// Why it cannot be asked who blocks; `None`: it can.
    pub(super) fn sees_nobody(&self, why: Option<String>) {
        *lock(&self.blind) = why;
    }

    pub(super) fn why_nobody_was_seen(&self) -> Option<String> {
        lock(&self.blind).clone()
    }

    fn of(&self, who: &str, change: impl FnOnce(&mut Work)) {
        if let Some(work) = lock(&self.now).get_mut(who) {
            change(work);
        }
    }

    /// # Errors
    /// When no more of it should be started.
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
        self.ends_with(who);
    }

    /// What it met meanwhile.
    pub(super) fn ends_with(&self, who: &str) -> Met {
        lock(&self.now).remove(who).map(|work| work.met).unwrap_or_default()
    }

    /// What PostgreSQL says of a statement that was cancelled for an interrupt is said in our words.
    pub(super) fn explain(&self, error: &mut TenantError) {
        if self.is_cancelled() && error.sqlstate.as_deref() == Some(CANCELLED) {
            error.message = format!("interrupted: {}", error.message);
        }
    }
}
