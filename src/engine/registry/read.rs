//! What the registry says.

use std::collections::BTreeSet;

use postgres::Transaction;

use super::embedded;
use super::lock::LOCK_KEY;
use super::{access, home, leftovers, lock, rows, sets};
use crate::core::model::{Registry, Scope};
use crate::engine::database::Ask;
use crate::engine::error::{Context, Error};

/// So many of the migrations make what [`super::leftovers::read_leftovers`] reads.
const LEFTOVERS_SINCE: usize = 3;

/// The registry as it stands; of the tenants those that `scope` is about.
///
/// # Errors
/// What PostgreSQL answered, or a row that this version does not know how to read.
pub fn read(transaction: &mut Transaction<'_>, scope: &Scope) -> Result<Registry, Error> {
    let versions = applied(transaction)?;
    let (applied, has_home) = (versions.len(), versions.contains(&home::SINCE));
    let pending = embedded::migrations::runner().get_migrations().len().saturating_sub(applied);
    let identity = home::identity(transaction)?;
    let others_at_work = others_at_work(transaction).doing("looking up who holds the lock")?;
    let mut tenants = rows::read(transaction, others_at_work, scope)?;
    if identity.as_ref().is_some_and(|identity| !identity.is_of_here) {
        // It came with a dump, or is of a copy. There every object has another OID, and what has one of these by chance is
        // something else.
        tenants.values_mut().for_each(|row| row.schema_oid = None);
    }
    let came_from =
        identity.filter(|identity| identity.is_of_another_cluster).map(|identity| identity.system_identifier);
    let home = if has_home { home::read(transaction)? } else { None };
    // One of an older form does not say who declared its tenants: a file did.
    let mut registry =
        Registry { version: applied, pending, tenants, came_from, home, is_of_a_file: true, ..Registry::default() };
    // One of an older form has none of these yet.
    if applied >= LEFTOVERS_SINCE {
        leftovers::read_leftovers(transaction, &mut registry)?;
    }
    if versions.contains(&access::SINCE) {
        access::read(transaction, &mut registry)?;
    }
    if pending == 0 {
        registry.recorded_sets = sets::recorded_sets(transaction)?;
        registry.is_of_a_file = rows::is_of_a_file(transaction).doing("reading tenantry.tenants")?;
    }
    Ok(registry)
}

/// The versions of the registry's own migrations that are applied.
///
/// # Errors
/// What PostgreSQL answered.
pub(super) fn applied(transaction: &mut Transaction<'_>) -> Result<BTreeSet<i32>, Error> {
    let rows = transaction.ask(include_str!("sql/applied.sql"), &[]).doing("reading the registry's own history")?;
    Ok(rows.iter().map(|row| row.get("version")).collect())
}

/// Whether somebody else holds the lock. Who may not read it, because it was granted the other tables before there was this
/// one, takes it for held: then nothing is told as left over that may be in use.
fn others_at_work(transaction: &mut Transaction<'_>) -> Result<bool, postgres::Error> {
    let row = transaction.ask_one(include_str!("sql/lock_readable.sql"), &[&LOCK_KEY])?;
    match row.get::<_, Option<bool>>("is_readable") {
        Some(true) => lock::is_held_by_another(transaction),
        Some(false) => Ok(true),
        None => Ok(row.get("advisory")),
    }
}
