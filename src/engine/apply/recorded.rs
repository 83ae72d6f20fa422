//! What the migrations make, remembered from the first tenant that is made with them: nobody but they made anything there yet.

use std::collections::BTreeSet;
use std::sync::Mutex;

use crate::engine::workers::lock;

/// The sets of migrations that the registry knows, or that some tenant's transaction of this run is about to tell it: the others
/// need not, and do not wait for it.
#[derive(Debug, Default)]
pub struct Recorded(Mutex<BTreeSet<String>>);

impl Recorded {
    #[must_use]
    pub fn new(known: BTreeSet<String>) -> Self {
        Self(Mutex::new(known))
    }

    /// Whether nobody has told, or is about to tell, the registry of this set: from now on whoever asked is.
    pub(super) fn is_new(&self, digest: &str) -> bool {
        lock(&self.0).insert(digest.to_owned())
    }
}
