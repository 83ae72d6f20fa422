//! Who fills the lock table, which all sessions share: when it is full nobody can connect, let alone change anything.

use postgres::Client;

use crate::core::model::{MANY_LOCKS, ManyLocks, Observed};
use crate::engine::database::Ask;
use crate::engine::error::{Context, Error};

/// Those with the most first.
///
/// # Errors
/// What PostgreSQL answered.
pub fn many_locks(client: &mut Client, observed: &Observed) -> Result<Vec<ManyLocks>, Error> {
    let doing = "counting locks";
    let rows = client.ask(include_str!("sql/many_locks.sql"), &[&MANY_LOCKS]).doing(doing)?;
    let usernames = observed.usernames();
    let tenant_of = |role: &str| usernames.get(role).map(|key| (*key).clone());
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
