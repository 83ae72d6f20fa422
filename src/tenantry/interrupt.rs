//! Ending what is running, in order.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use crate::engine::apply::Underway;
use crate::engine::workers::lock;

/// A handle on what is running, for a signal handler or another thread. Clones are handles on the same.
#[derive(Clone, Default)]
pub struct Interrupt(Arc<Inner>);

#[derive(Default)]
struct Inner {
    stop: AtomicBool,
    underway: Underway,
    waits: Mutex<BTreeMap<String, Instant>>,
}

impl Interrupt {
    /// Nothing more is started; what is running finishes.
    pub fn stop(&self) {
        self.0.stop.store(true, Ordering::Relaxed);
    }

    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.0.stop.load(Ordering::Relaxed)
    }

    /// Has the server cancel what is running, so that it is rolled back. A COMMIT that is on its way is not stopped.
    pub fn cancel(&self) {
        self.0.underway.cancel();
    }

    /// One line for each tenant that is being changed: what is done, and for how long.
    #[must_use]
    pub fn underway(&self) -> Vec<String> {
        self.0.underway.lines()
    }

    /// What was asked of a server that has not answered yet, and when: a server that took the login and then says nothing looks
    /// like work.
    #[must_use]
    pub fn waits(&self) -> Vec<(String, Instant)> {
        lock(&self.0.waits).iter().map(|(what, begun)| (what.clone(), *begun)).collect()
    }

    pub(super) fn begins(&self, what: String) {
        lock(&self.0.waits).insert(what, Instant::now());
    }

    pub(super) fn ends(&self, what: &str) {
        lock(&self.0.waits).remove(what);
    }

    pub(super) fn waiting<T>(&self, what: &str, work: impl FnOnce() -> T) -> T {
        self.begins(what.to_owned());
        let done = work();
        self.ends(what);
        done
    }

    pub(super) fn flag(&self) -> &AtomicBool {
        &self.0.stop
    }

    pub(super) fn work(&self) -> &Underway {
        &self.0.underway
    }
}

impl fmt::Debug for Interrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interrupt").field("is_stopped", &self.is_stopped()).finish_non_exhaustive()
    }
}
