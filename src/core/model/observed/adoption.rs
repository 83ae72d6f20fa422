//! A tenant that is there and that the registry does not know, for a plan that takes it over.

use std::collections::BTreeSet;

use super::registry::Registered;
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
    pub password: AdoptedPassword,
    /// Whether the password in its secret, or the given one, opens the database; `None`: there is none to try.
    pub opens: Option<Result<bool, String>>,
}

impl Adoption {
    /// The versions that the baseline takes as applied.
    #[must_use]
    pub fn versions(&self, set: &MigrationSet) -> BTreeSet<Version> {
        let Some(baseline) = self.baseline else { return BTreeSet::new() };
        set.iter().map(|file| file.version()).filter(|version| *version <= baseline).collect()
    }
}
