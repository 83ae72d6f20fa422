//! Between the dump and the drop nobody writes: not the tenant, who is locked out, nor an administrator or another grantee.

use std::collections::BTreeSet;

use postgres::{Client, Transaction};

use super::names::readable;
use super::relations;
use crate::engine::database::Ask;
use crate::engine::error::{Context, Error};

/// Tables named in one LOCK statement.
const AT_ONCE: usize = 200;

/// How often tables that somebody makes meanwhile are locked too, before giving up.
const ROUNDS: usize = 5;

/// A schema whose tables are all locked by the open transaction.
pub(crate) struct Locked {
    oid: u32,
    tables: BTreeSet<u32>,
}

/// EXCLUSIVE: readers continue, including pg_dump's ACCESS SHARE; we wait for those who wrote, and those who want to write wait.
///
/// # Errors
/// What PostgreSQL answered: 55P03 when somebody writes for longer than lock_timeout.
pub(crate) fn lock(transaction: &mut Transaction<'_>, schema: &str) -> Result<Locked, Error> {
    let doing = || format!("locking the tables of schema {schema} against writes");
    let oid = transaction
        .ask_one("SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = $1::text::name", &[&schema])
        .doing(doing())?
        .get(0);
    let mut locked = Locked { oid, tables: BTreeSet::new() };
    for _ in 0..ROUNDS {
        let found = transaction.ask(&tables(), &[&oid]).doing(doing())?;
        let new: Vec<u32> = found.iter().map(|row| row.get("oid")).filter(|oid| !locked.tables.contains(oid)).collect();
        if new.is_empty() {
            return Ok(locked);
        }
        for some in new.chunks(AT_ONCE) {
            relations::at_once(transaction, some, "LOCK TABLE % IN EXCLUSIVE MODE", "ONLY ").doing(doing())?;
        }
        locked.tables.extend(new);
    }
    Err(Error::refused(
        format!("a session keeps creating tables in schema {schema}"),
        "pg_stat_activity shows which; apply again when it is done",
    ))
}

/// The name as bytes: that they are text is not known everywhere.
fn tables() -> String {
    format!(
        "SELECT oid, pg_catalog.convert_to(relname::text, {}) AS name FROM pg_catalog.pg_class \
         WHERE relnamespace = $1 AND relkind IN ('r', 'p') ORDER BY oid",
        relations::ENCODING
    )
}

impl Locked {
    /// By OID.
    pub fn tables(&self) -> &BTreeSet<u32> {
        &self.tables
    }

    /// Asked on another session, once the drop is done and not committed: that session still sees the schema as everybody
    /// else does, and from the drop on nobody can add to it (DROP SCHEMA locks it against CREATE). What is there and was
    /// not locked, and so not dumped, would be lost.
    ///
    /// # Errors
    /// When the drop would take a table with it that is in no archive.
    pub fn is_still_all(&self, other: &mut Client) -> Result<(), Error> {
        let doing = "checking that everything to be dropped is in the archive";
        let rows = other.ask(&tables(), &[&self.oid]).doing(doing)?;
        let mut new = rows.iter().filter(|row| !self.tables.contains(&row.get("oid")));
        match new.next() {
            None => Ok(()),
            Some(row) => Err(Error::refused(
                format!(
                    "table {} was created after the archive was started and is not in it; it was not dropped",
                    readable(row.get("name"))
                ),
                "apply again: a new archive will contain it",
            )),
        }
    }
}
