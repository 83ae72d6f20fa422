//! What the files of this directory hand each other.

use std::collections::BTreeMap;

use crate::core::model::{Distrust, History, LockedBy};

/// By schema.
pub(super) type Histories = BTreeMap<String, History>;

/// A schema and the role that its history should belong to.
pub(super) type Owned<'a> = (&'a str, &'a str);

/// What a look at one table that may be a tenant's came to.
pub(super) trait Found {
    fn distrusted(why: Distrust) -> Self;
    fn locked(by: LockedBy) -> Self;
}

impl Found for History {
    fn distrusted(why: Distrust) -> Self {
        Self::Untrusted(why)
    }

    fn locked(by: LockedBy) -> Self {
        Self::Locked(by)
    }
}
