//! Roles that crowd the lock table.

use schemars::JsonSchema;
use serde::Serialize;

use super::TenantKey;

/// Locks of one role that are worth a word: a session of an application holds a few dozens, a pg_dump one for each table.
pub const MANY_LOCKS: i64 = 1_000;

/// A role that holds [`MANY_LOCKS`] or more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ManyLocks {
    pub role: String,
    /// Whose role it is, if it is a tenant's.
    pub tenant: Option<TenantKey>,
    pub locks: i64,
    /// Of these, advisory ones, which any role may take as many of as there is room for.
    pub advisory: i64,
    /// Sessions that hold them; a prepared transaction is none.
    pub sessions: i64,
    /// How many locks the server has room for, about.
    pub of: i64,
}
