//! A tenant that is there and that the registry does not know, for a plan that takes it over.

use std::collections::BTreeSet;

use super::history::{Distrust, LockedBy};
use super::registry::Registered;
use crate::core::migrations::foreign::{self, ForeignFault};
use crate::core::migrations::{MigrationSet, Version};

/// What becomes of the password of a role that exists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AdoptedPassword {
    /// Nobody has said: it stays, if the secret there is opens the database; otherwise somebody must say.
    #[default]
    Unsaid,
    /// It stays, and where there is no secret none is written.
    Kept,
    /// It is replaced.
    Rotated,
}

/// A tenant that is there and that the registry does not know.
#[derive(Clone, Debug)]
pub struct Adoption {
    /// What the registry would say of it, if it knew it. With access "owner" where another role than the declared one owns the schema.
    pub row: Registered,
    /// The owner of the history that is there.
    pub history_owner: Option<String>,
    /// What stands for a history where there is none: the migrations up to this version are taken as applied.
    pub baseline: Option<Version>,
    /// Otherwise: the history that the tool whose files the migrations are keeps in the schema.
    pub tool_history: Option<ToolHistory>,
    pub password: AdoptedPassword,
    /// Whether the password in its secret, or the given one, opens the database; `None`: there is none to try.
    pub opens: Option<Result<bool, String>>,
}

/// The history that another tool keeps in a tenant's schema.
#[derive(Clone, Debug)]
pub enum ToolHistory {
    /// It cannot be read without running the tenant's code, or is not that tool's.
    Untrusted(Distrust),
    Locked(LockedBy),
    /// We may not read it; its owner may.
    Unseen(String),
    /// In no order.
    Read(Vec<foreign::Row>),
}

impl Adoption {
    /// The versions that are taken as applied where there is no history.
    #[must_use]
    pub fn versions(&self, set: &MigrationSet) -> BTreeSet<Version> {
        if let Some(baseline) = self.baseline {
            return set.iter().map(|file| file.version()).filter(|version| *version <= baseline).collect();
        }
        self.tool_history.as_ref().and_then(|history| history.versions(set).ok()).unwrap_or_default()
    }
}

impl ToolHistory {
    /// The versions that it says are applied; none where it was not read.
    ///
    /// # Errors
    /// Why it cannot be taken over.
    pub fn versions(&self, set: &MigrationSet) -> Result<BTreeSet<Version>, ForeignFault> {
        let Self::Read(rows) = self else { return Ok(BTreeSet::new()) };
        Ok(foreign::baseline(set.format, set, rows)?.applied)
    }
}
