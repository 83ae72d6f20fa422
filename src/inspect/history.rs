//! The refinery histories: read only where reading runs no tenant's code.

use std::collections::{BTreeMap, BTreeSet};

use postgres::{Client, Row, Transaction};

use super::database::acl;
use super::{LOCK_NOT_AVAILABLE, LOCK_TIMEOUT};
use crate::error::{Doing, Error};
use crate::model::{Access, Applied, Desired, History, Observed, State, ident, qualified};

/// One transaction locks at most this many histories: a long one would exhaust the lock table.
const CHUNK: usize = 200;

/// A schema, the role that should own its history, and what the tenant may do there.
type Place = (String, String, Access);

pub(super) fn read(client: &mut Client, desired: &Desired, observed: &mut Observed) -> Result<(), Error> {
    let table = &desired.migrations.table;
    // Unregistered schemas are not ours to look into.
    let registered: Vec<Place> = observed
        .registry
        .iter()
        .flat_map(|registry| registry.tenants.values())
        .filter(|row| row.state != State::Removed && observed.schemas.contains_key(&row.schema))
        .map(|row| (row.schema.clone(), row.owner.clone(), row.access))
        .collect();
    for chunk in registered.chunks(CHUNK) {
        for (schema, history) in chunk_or_each(client, table, chunk)? {
            if let Some(found) = observed.schemas.get_mut(&schema) {
                found.history = history;
            }
        }
    }
    Ok(())
}

/// A chunk at once; one by one when a tenant that owns its history holds it locked, so that only that one is blocked.
fn chunk_or_each(client: &mut Client, table: &str, chunk: &[Place]) -> Result<BTreeMap<String, History>, Error> {
    match in_transaction(client, table, chunk) {
        Err(error) if is_locked(&error) => {}
        other => return other,
    }
    let mut histories = BTreeMap::new();
    for one in chunk {
        match in_transaction(client, table, std::slice::from_ref(one)) {
            Ok(found) => histories.extend(found),
            Err(error) if is_locked(&error) => {
                let why = "somebody holds it locked (look at pg_locks); plan again when they are done";
                histories.insert(one.0.clone(), History::Untrusted(why.into()));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(histories)
}

fn in_transaction(client: &mut Client, table: &str, chunk: &[Place]) -> Result<BTreeMap<String, History>, Error> {
    let starting = "starting to read the refinery histories";
    let mut transaction = client.build_transaction().read_only(true).start().doing(starting)?;
    transaction.batch_execute(LOCK_TIMEOUT).doing(starting)?;
    let histories = read_chunk(&mut transaction, table, chunk)?;
    transaction.commit().doing("reading the refinery histories")?;
    Ok(histories)
}

fn is_locked(error: &Error) -> bool {
    matches!(error, Error::Database { source, .. } if source.sqlstate() == Some(LOCK_NOT_AVAILABLE))
}

/// One tenant's history, inside a transaction that is about to write it.
///
/// # Errors
/// What PostgreSQL answered.
pub(crate) fn history_of(
    transaction: &mut Transaction<'_>,
    table: &str,
    schema: &str,
    owner: &str,
) -> Result<History, Error> {
    let one = [(schema.to_owned(), owner.to_owned(), Access::Owner)];
    Ok(read_chunk(transaction, table, &one)?.remove(schema).unwrap_or_default())
}

fn read_chunk(
    transaction: &mut Transaction<'_>,
    table: &str,
    chunk: &[Place],
) -> Result<BTreeMap<String, History>, Error> {
    let owners: BTreeMap<&str, &str> =
        chunk.iter().map(|(schema, owner, _)| (schema.as_str(), owner.as_str())).collect();
    let mut found = classify(transaction, table, &owners)?;
    // Where the tenant owns the table it could put another in its place between the look and the read: lock, look again.
    let own: BTreeSet<&str> = chunk.iter().filter(|c| c.2 == Access::Owner).map(|c| c.0.as_str()).collect();
    let to_lock: Vec<String> = found
        .iter()
        .filter(|(schema, history)| own.contains(schema.as_str()) && matches!(history, History::Read { .. }))
        .map(|(schema, _)| format!("ONLY {}", qualified(schema, table)))
        .collect();
    if !to_lock.is_empty() {
        transaction
            .batch_execute(&format!("LOCK TABLE {} IN ACCESS SHARE MODE", to_lock.join(", ")))
            .doing("locking the refinery histories")?;
        found = classify(transaction, table, &owners)?;
    }
    let trusted: Vec<&String> =
        found.iter().filter(|(_, history)| matches!(history, History::Read { .. })).map(|(schema, _)| schema).collect();
    let mut rows: BTreeMap<String, Vec<Applied>> = BTreeMap::new();
    if !trusted.is_empty() {
        let selects: Vec<String> = trusted
            .iter()
            .enumerate()
            .map(|(n, schema)| {
                format!(
                    "SELECT {n} AS n, version::int8 AS version, name, checksum FROM ONLY {}",
                    qualified(schema, table)
                )
            })
            .collect();
        let query = format!("{} ORDER BY n, version", selects.join(" UNION ALL "));
        for row in transaction.query(&query, &[]).doing("reading the refinery histories")? {
            let n = usize::try_from(row.get::<_, i32>("n")).unwrap_or_default();
            rows.entry(trusted[n].clone()).or_default().push(Applied {
                version: row.get("version"),
                name: row.get::<_, Option<String>>("name").unwrap_or_default(),
                checksum: row.get::<_, Option<String>>("checksum").unwrap_or_default(),
            });
        }
    }
    for (schema, history) in &mut found {
        if let History::Read { applied, .. } = history {
            *applied = rows.remove(schema).unwrap_or_default();
        }
    }
    Ok(found)
}

/// What stands under the history's name, with no row read yet.
fn classify(
    transaction: &mut Transaction<'_>,
    table: &str,
    owners: &BTreeMap<&str, &str>,
) -> Result<BTreeMap<String, History>, Error> {
    let schemas: Vec<&str> = owners.keys().copied().collect();
    let rows = transaction
        .query(include_str!("sql/history_tables.sql"), &[&schemas, &table])
        .doing("looking at the refinery histories")?;
    rows.iter()
        .map(|row| {
            let schema: String = row.get("schema");
            let history = match distrust(row, owners[schema.as_str()]) {
                Some(why) => History::Untrusted(why),
                None => History::Read { applied: Vec::new(), acl: acl(&row.get::<_, Vec<String>>("acl"))? },
            };
            Ok((schema, history))
        })
        .collect()
}

fn distrust(row: &Row, expected_owner: &str) -> Option<String> {
    let kind: &str = row.get("kind");
    if kind != "r" {
        let word = match kind {
            "v" => "a view",
            "m" => "a materialized view",
            "f" => "a foreign table",
            "p" => "a partitioned table",
            "S" => "a sequence",
            _ => "no table",
        };
        return Some(format!("it is {word}, not an ordinary table"));
    }
    let owner: &str = row.get("owner");
    if owner != expected_owner {
        return Some(format!("it belongs to {owner:?}, not to {expected_owner:?}"));
    }
    if row.get("row_security") {
        return Some("row security is on: its policies are code".into());
    }
    let columns: Vec<String> = row.get("columns");
    let fits = matches!(
        columns.iter().map(String::as_str).collect::<Vec<_>>().as_slice(),
        [
            "applied_on character varying",
            "checksum character varying",
            "name character varying",
            "version integer" | "version bigint"
        ]
    );
    if !fits {
        return Some("its columns are not refinery's".into());
    }
    if !row.get::<_, bool>("readable") {
        let schema: &str = row.get("schema");
        return Some(format!(
            "we may not read it; GRANT USAGE ON SCHEMA {0} and SELECT on its history to us",
            ident(schema)
        ));
    }
    None
}
