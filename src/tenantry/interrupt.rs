//! Ending what is running, in order.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::engine::apply::Underway;

/// A handle on what is running, for a signal handler or another thread. Clones are handles on the same.
#[derive(Clone, Default)]
pub struct Interrupt(Arc<Inner>);

#[derive(Default)]
struct Inner {
    stop: AtomicBool,
    underway: Underway,
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
