//! A history of migrations.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::column::Column;
use crate::core::model::acl::Acl;

/// The refinery history of a tenant.
#[derive(Clone, Debug, Default)]
pub enum History {
    #[default]
    Absent,
    /// What stands in its place cannot be read without running the tenant's code.
    Untrusted(Distrust),
    /// Another session keeps us from it.
    Locked(LockedBy),
    /// We may not read its rows.
    Unseen { acl: Acl, columns: Vec<Column> },
    /// Its rows in version order, and what roles hold on it.
    /// Most tenants have applied the same: equal lists are held once.
    Read { applied: Arc<[Applied]>, acl: Acl, columns: Vec<Column> },
}

/// Who holds a lock for longer than we wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockedBy {
    /// Such as "PID 4711, role acme_user".
    pub who: String,
    /// What to type.
    pub hint: String,
}

/// Why a history is not read.
#[derive(Clone, PartialEq, Eq)]
pub struct Distrust {
    /// Such as "it is a view, not an ordinary table".
    pub why: String,
    /// It is all that a history should be, but for whose it is.
    pub is_only_anothers: bool,
}

impl Distrust {
    #[must_use]
    pub fn new(why: impl Into<String>) -> Self {
        Self { why: why.into(), is_only_anothers: false }
    }
}

/// As the words alone: a saved plan holds a digest of what was observed, and was saved perhaps when that was all there was.
impl std::fmt::Debug for Distrust {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(&self.why, f)
    }
}

impl std::fmt::Display for Distrust {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.why)
    }
}

impl History {
    #[must_use]
    pub fn applied(&self) -> &[Applied] {
        match self {
            Self::Read { applied, .. } => applied,
            _ => &[],
        }
    }
}

/// A row of a refinery history.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Applied {
    pub version: i64,
    pub name: String,
    pub checksum: String,
}

impl Applied {
    /// The row that this file leaves once it is applied.
    #[must_use]
    pub fn of(file: &crate::core::migrations::MigrationFile) -> Self {
        Self { version: file.version(), name: file.name().into(), checksum: file.checksum() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_that_were_saved_before_know_a_distrusted_history_again() {
        let history = History::Untrusted(Distrust { why: "it is a view".into(), is_only_anothers: true });
        assert_eq!(format!("{history:?}"), r#"Untrusted("it is a view")"#);
    }
}
