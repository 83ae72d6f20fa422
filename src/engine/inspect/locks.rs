//! Who fills the lock table, which all sessions share: when it is full nobody can connect, let alone change anything.

use postgres::Client;
use schemars::JsonSchema;
use serde::Serialize;

use crate::core::model::{Observed, TenantKey};
use crate::engine::database::Ask;
use crate::engine::error::{Doing, Error};

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

/// Those with the most first.
///
/// # Errors
/// What PostgreSQL answered.
pub fn many_locks(client: &mut Client, observed: &Observed) -> Result<Vec<ManyLocks>, Error> {
    let doing = "counting locks";
    let rows = client.ask(include_str!("sql/many_locks.sql"), &[&MANY_LOCKS]).doing(doing)?;
    let tenants = observed.registry.iter().flat_map(|registry| &registry.tenants);
    let tenant_of = |role: &str| tenants.clone().find(|(_, row)| row.username == role).map(|(key, _)| key.clone());
    let found = rows.iter().map(|row| {
        let role: String = row.get("role");
        ManyLocks {
            tenant: tenant_of(&role),
            locks: row.get("locks"),
            advisory: row.get("advisory"),
            sessions: row.get("sessions"),
            of: observed.server.lock_slots,
            role,
        }
    });
    Ok(found.collect())
}
