//! How far a removal got.

use std::path::PathBuf;

use crate::engine::archive::{Deputy, Locked};

/// What stands between a tenant's data and their drop.
pub(super) struct Archived {
    pub manifest: PathBuf,
    pub locked: Locked,
}

/// How far a removal got, whether or not it then failed.
#[derive(Default)]
pub(super) struct Progress {
    /// Who logs in for the archive.
    pub deputy: Option<Deputy>,
    pub archived: Option<Archived>,
    /// A part is dropped and committed: there is no way back.
    pub begun: bool,
}

impl Progress {
    /// The manifest's path.
    pub fn archive(&self) -> Option<PathBuf> {
        self.archived.as_ref().map(|archived| archived.manifest.clone())
    }
}
