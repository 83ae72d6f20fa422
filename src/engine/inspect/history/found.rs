//! What the files of this directory hand each other.

use std::collections::BTreeMap;

use crate::core::model::History;

/// By schema.
pub(super) type Histories = BTreeMap<String, History>;

/// A schema and the role that its history should belong to.
pub(super) type Owned<'a> = (&'a str, &'a str);
