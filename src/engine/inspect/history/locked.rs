//! Reading many histories past those that somebody holds locked.

use std::collections::BTreeMap;

use postgres::{Client, Transaction};

use super::found::{Found, Owned};
use crate::core::model::{Desired, Distrust, LockedBy};
use crate::engine::database::{Ask, Gid, Record, giving_way};
use crate::engine::error::{Context, Error};
use crate::engine::inspect::apart::{is_in_the_way, once};

/// One transaction locks at most this many histories: a long one would exhaust the lock table.
const CHUNK: usize = 200;

/// Reads a few of them in one transaction.
pub(super) type Read<'a, T> =
    &'a mut dyn FnMut(&mut Transaction<'_>, &[Owned<'_>]) -> Result<BTreeMap<String, T>, Error>;

/// Those of these histories that are there. A tenant that holds its history locked, or changes it while we look, must not keep
/// others from being planned: those that are locked are read last, and waited for all together for as long as `lock_timeout`.
pub(super) fn read_all<T: Found>(
    client: &mut Client,
    desired: &Desired,
    table: &str,
    tenants: &[Owned<'_>],
    read: Read<'_, T>,
) -> Result<BTreeMap<String, T>, Error> {
    let mut histories = BTreeMap::new();
    let mut locked = Vec::new();
    for many in tenants.chunks(CHUNK) {
        match together(client, many, read) {
            Ok(found) => histories.extend(found),
            Err(error) if error.is_of_the_line() => return Err(error),
            Err(_) => locked.extend(one_by_one(client, many, &mut histories, read)?),
        }
    }
    if locked.is_empty() {
        return Ok(histories);
    }
    let is_left = |left: &Result<Vec<Owned<'_>>, Error>| left.as_ref().is_ok_and(|left| !left.is_empty());
    let left = giving_way(desired.lock_timeout, is_left, || {
        locked = one_by_one(client, &locked, &mut histories, read)?;
        Ok(locked.clone())
    })?;
    histories.extend(by_whom(client, table, &left)?);
    Ok(histories)
}

/// Those that were locked.
fn one_by_one<'t, T: Found>(
    client: &mut Client,
    tenants: &[Owned<'t>],
    histories: &mut BTreeMap<String, T>,
    read: Read<'_, T>,
) -> Result<Vec<Owned<'t>>, Error> {
    let mut locked = Vec::new();
    for one in tenants {
        match together(client, std::slice::from_ref(one), read) {
            Ok(found) => histories.extend(found),
            Err(error) if error.is_of_the_line() => return Err(error),
            Err(error) if is_in_the_way(&error) => locked.push(*one),
            Err(error) => {
                let why = match error {
                    Error::Database { source, .. } => format!("reading it failed: {source}"),
                    other => other.to_string(),
                };
                histories.insert(one.0.to_owned(), T::distrusted(Distrust::new(why)));
            }
        }
    }
    Ok(locked)
}

fn together<T>(client: &mut Client, tenants: &[Owned<'_>], read: Read<'_, T>) -> Result<BTreeMap<String, T>, Error> {
    once(client, "reading the histories", |transaction| read(transaction, tenants))
}

fn by_whom<T: Found>(client: &mut Client, table: &str, tenants: &[Owned<'_>]) -> Result<BTreeMap<String, T>, Error> {
    let schemas: Vec<&str> = tenants.iter().map(|(schema, _)| *schema).collect();
    let doing = "asking who holds the histories locked";
    let rows = client.ask(include_str!("../sql/history_locks.sql"), &[&schemas, &table]).doing(doing)?;
    let gone = |schema: &&str| {
        let by = LockedBy { who: "another session, which has just released it".into(), hint: "plan again".into() };
        ((*schema).to_owned(), T::locked(by))
    };
    let mut histories: BTreeMap<String, T> = schemas.iter().map(gone).collect();
    histories.extend(rows.iter().map(|row| (row.get("schema"), T::locked(locked_by(row)))));
    Ok(histories)
}

fn locked_by(row: &Record) -> LockedBy {
    let role = row.get::<_, Option<String>>("role").unwrap_or_default();
    match (row.get::<_, Option<i32>>("pid"), row.get::<_, Option<Vec<u8>>>("gid").map(Gid)) {
        (Some(pid), _) => LockedBy {
            who: if role.is_empty() { format!("PID {pid}") } else { format!("PID {pid}, role {role}") },
            hint: format!("wait for it, or end it: SELECT pg_terminate_backend({pid})"),
        },
        (None, Some(gid)) => LockedBy {
            who: format!("the prepared transaction {gid} of role {role}"),
            hint: format!("end it, as {role} or a superuser: {}", gid.rollback()),
        },
        (None, None) => LockedBy {
            who: "a prepared transaction".into(),
            hint: "find it in pg_prepared_xacts, and ROLLBACK PREPARED 'gid'".into(),
        },
    }
}
