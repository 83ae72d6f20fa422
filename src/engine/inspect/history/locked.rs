//! Reading many histories past those that somebody holds locked.

use std::collections::HashSet;
use std::sync::Arc;

use postgres::Client;

use super::chunk;
use super::found::{Histories, Owned};
use crate::core::model::{Applied, Desired, Distrust, History, LockedBy};
use crate::engine::database::{Ask, Gid, Record, giving_way};
use crate::engine::error::{Context, Error};
use crate::engine::inspect::apart::{is_in_the_way, once};

/// One transaction locks at most this many histories: a long one would exhaust the lock table.
const CHUNK: usize = 200;

/// Those of these histories that are there. A tenant that holds its history locked, or changes it while we look, must not keep
/// others from being planned: those that are locked are read last, and waited for all together for as long as `lock_timeout`.
pub(super) fn read_all(
    client: &mut Client,
    desired: &Desired,
    table: &str,
    tenants: &[Owned<'_>],
) -> Result<Histories, Error> {
    let (mut histories, mut known) = (Histories::new(), HashSet::new());
    let mut locked = Vec::new();
    for many in tenants.chunks(CHUNK) {
        match together(client, table, many) {
            Ok(found) => histories.extend(shared(found, &mut known)),
            Err(error) if error.is_of_the_line() => return Err(error),
            Err(_) => locked.extend(one_by_one(client, table, many, &mut histories)?),
        }
    }
    if locked.is_empty() {
        return Ok(histories);
    }
    let is_left = |left: &Result<Vec<Owned<'_>>, Error>| left.as_ref().is_ok_and(|left| !left.is_empty());
    let left = giving_way(desired.lock_timeout, is_left, || {
        locked = one_by_one(client, table, &locked, &mut histories)?;
        Ok(locked.clone())
    })?;
    histories.extend(by_whom(client, table, &left)?);
    Ok(histories)
}

/// Equal lists of migrations, of which a fleet has a few, are held once.
fn shared(mut histories: Histories, known: &mut HashSet<Arc<[Applied]>>) -> Histories {
    for history in histories.values_mut() {
        if let History::Read { applied, .. } = history {
            match known.get(applied) {
                Some(same) => *applied = Arc::clone(same),
                None => drop(known.insert(Arc::clone(applied))),
            }
        }
    }
    histories
}

/// Those that were locked.
fn one_by_one<'t>(
    client: &mut Client,
    table: &str,
    tenants: &[Owned<'t>],
    histories: &mut Histories,
) -> Result<Vec<Owned<'t>>, Error> {
    let mut locked = Vec::new();
    for one in tenants {
        match together(client, table, std::slice::from_ref(one)) {
            Ok(found) => histories.extend(found),
            Err(error) if error.is_of_the_line() => return Err(error),
            Err(error) if is_in_the_way(&error) => locked.push(*one),
            Err(Error::Database { source, .. }) => {
                histories.insert(
                    one.0.to_owned(),
                    History::Untrusted(Distrust::new(format!("reading it failed: {source}"))),
                );
            }
            Err(other) => {
                histories.insert(one.0.to_owned(), History::Untrusted(Distrust::new(other.to_string())));
            }
        }
    }
    Ok(locked)
}

fn together(client: &mut Client, table: &str, tenants: &[Owned<'_>]) -> Result<Histories, Error> {
    once(client, "reading the refinery histories", |transaction| chunk::read(transaction, table, tenants))
}

fn by_whom(client: &mut Client, table: &str, tenants: &[Owned<'_>]) -> Result<Histories, Error> {
    let schemas: Vec<&str> = tenants.iter().map(|(schema, _)| *schema).collect();
    let doing = "asking who holds the refinery histories locked";
    let rows = client.ask(include_str!("../sql/history_locks.sql"), &[&schemas, &table]).doing(doing)?;
    let gone = |schema: &&str| {
        let by = LockedBy { who: "another session, which has just released it".into(), hint: "plan again".into() };
        ((*schema).to_owned(), History::Locked(by))
    };
    let mut histories: Histories = schemas.iter().map(gone).collect();
    histories.extend(rows.iter().map(|row| (row.get("schema"), History::Locked(locked_by(row)))));
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
