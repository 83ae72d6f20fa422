//! A column that has privileges of its own.

use crate::core::model::acl::Acl;

/// A column with privileges of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    pub acl: Acl,
}
