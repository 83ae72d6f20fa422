//! The refinery histories: read only where reading runs no tenant's code.

use std::collections::{BTreeMap, BTreeSet};

use postgres::binary_copy::BinaryCopyOutIter;
use postgres::fallible_iterator::FallibleIterator;
use postgres::types::Type;
use postgres::{Client, Transaction};

use super::apart::apart;
use crate::core::model::{Acl, Applied, Column, Desired, History, Observed, Server, State, Unseen, ident, qualified};
use crate::engine::database::{Ask, Record, acl, columns};
use crate::engine::error::{Doing, Error};

/// One transaction locks at most this many histories: a long one would exhaust the lock table.
const CHUNK: usize = 200;

/// No fleet has as many migrations; a tenant that owns its history could fill it, and our memory.
const MOST: usize = 100_000;

/// The names that histories have: the configured one, and what the registry remembers.
pub(super) fn names(desired: &Desired, observed: &Observed) -> Vec<String> {
    let rows = observed.registry.iter().flat_map(|registry| registry.tenants.values());
    let remembered = rows.filter_map(|row| row.history_table.as_ref());
    let names: BTreeSet<&String> = remembered.chain([&desired.migrations.table]).collect();
    names.into_iter().cloned().collect()
}

/// A schema and the role that its history should belong to.
type Owned<'a> = (&'a str, &'a str);

/// Under the name that the registry remembers, or else the configured one.
pub(super) fn read(client: &mut Client, desired: &Desired, observed: &mut Observed) -> Result<(), Error> {
    // Unregistered schemas are not ours to look into.
    let rows = observed.registry.iter().flat_map(|registry| registry.tenants.values());
    let rows = rows.filter(|row| row.state != State::Removed && observed.schemas.contains_key(&row.schema));
    let (mut registered, mut renamed): (Vec<Owned<'_>>, BTreeMap<&str, Vec<Owned<'_>>>) = Default::default();
    let configured = desired.migrations.table.as_str();
    for row in rows {
        let owned = (row.schema.as_str(), row.owner.as_str());
        registered.push(owned);
        if let Some(remembered) = row.history_table.as_deref().filter(|remembered| *remembered != configured) {
            renamed.entry(remembered).or_default().push(owned);
        }
    }
    let mut histories = read_all(client, desired, configured, &registered)?;
    let (mut called, mut like) = (BTreeMap::new(), Vec::new());
    for (table, tenants) in renamed {
        for (schema, history) in read_all(client, desired, table, &tenants)? {
            called.insert(schema.clone(), table.to_owned());
            if histories.insert(schema.clone(), history).is_some() {
                like.push((schema, configured.to_owned()));
            }
        }
    }
    registered.retain(|(schema, _)| !histories.contains_key(*schema));
    like.extend(like_histories(client, desired, &registered)?);
    observed.unseen.extend(unseen(&histories, &observed.server));
    for (schema, history) in histories {
        if let Some(found) = observed.schemas.get_mut(&schema) {
            found.history = history;
            found.history_called = called.remove(&schema);
        }
    }
    for (schema, table) in like {
        if let Some(found) = observed.schemas.get_mut(&schema) {
            found.like_history.push(table);
        }
    }
    Ok(())
}

/// Those of these histories that are there.
fn read_all(client: &mut Client, desired: &Desired, table: &str, tenants: &[Owned<'_>]) -> Result<Histories, Error> {
    let mut histories = BTreeMap::new();
    for chunk in tenants.chunks(CHUNK) {
        match read_apart(client, desired, table, chunk) {
            Ok(found) => histories.extend(found),
            Err(error) if error.is_of_the_line() => return Err(error),
            // A tenant that holds its history locked, or changes it while we look, must not keep others from being planned.
            Err(_) => {
                for one in chunk {
                    let found = read_apart(client, desired, table, &[*one]);
                    histories.extend(found.or_else(|error| unreadable(error, one.0))?);
                }
            }
        }
    }
    Ok(histories)
}

/// Where there is no history: what may be one under another name.
fn like_histories(
    client: &mut Client,
    desired: &Desired,
    tenants: &[Owned<'_>],
) -> Result<Vec<(String, String)>, Error> {
    if tenants.is_empty() {
        return Ok(Vec::new());
    }
    let doing = "looking for the refinery histories under other names";
    let (schemas, owners): (Vec<&str>, Vec<&str>) = tenants.iter().copied().unzip();
    let rows = apart(client, desired, doing, |transaction| {
        transaction.ask(include_str!("sql/like_history.sql"), &[&schemas, &owners]).doing(doing)
    })?;
    Ok(rows.iter().map(|row| (row.get("schema"), row.get("name"))).collect())
}

/// What the role of the session would have to be granted.
fn unseen(histories: &Histories, server: &Server) -> Option<Unseen> {
    let reader = server.reader.as_ref().unwrap_or(&server.admin.name);
    let hidden = histories.iter().filter(|(_, history)| matches!(history, History::Unseen { .. }));
    let schemas: Vec<&str> = hidden.map(|(schema, _)| schema.as_str()).collect();
    let first = schemas.first()?;
    let more = if schemas.len() > 1 { format!(" and {} more", schemas.len() - 1) } else { String::new() };
    Some(Unseen {
        what: format!("which migrations were applied: the history in schema {first}{more}"),
        // Grants on the tables themselves would be somebody's that a plan takes away.
        hint: Some(format!("GRANT pg_read_all_data TO {};", ident(reader))),
    })
}

fn read_apart(client: &mut Client, desired: &Desired, table: &str, chunk: &[Owned<'_>]) -> Result<Histories, Error> {
    apart(client, desired, "reading the refinery histories", |transaction| read_chunk(transaction, table, chunk))
}

fn unreadable(error: Error, schema: &str) -> Result<Histories, Error> {
    let why = match &error {
        _ if error.is_of_the_line() => return Err(error),
        Error::Database { source, .. } if source.sqlstate() == Some("55P03") => {
            "another session has held a lock on it for longer than lock_timeout; pg_locks shows which".to_owned()
        }
        Error::Database { source, .. } => format!("reading it failed: {source}"),
        other => other.to_string(),
    };
    Ok([(schema.to_owned(), History::Untrusted(why))].into())
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
    Ok(read_chunk(transaction, table, &[(schema, owner)])?.remove(schema).unwrap_or_default())
}

type Histories = BTreeMap<String, History>;

/// The owner could put another table in its place between the look and the read: lock, look again, then read. A tenant
/// that does not own it may hold a function that runs as the owner, left there by code that rode a migration.
fn read_chunk(transaction: &mut Transaction<'_>, table: &str, chunk: &[(&str, &str)]) -> Result<Histories, Error> {
    let owners: BTreeMap<&str, &str> = chunk.iter().copied().collect();
    let found = classify(transaction, table, &owners)?;
    let to_lock: Vec<String> = found
        .iter()
        .filter(|(_, look)| matches!(look, Look::Table { .. }))
        .map(|(schema, _)| format!("ONLY {}", qualified(schema, table)))
        .collect();
    if to_lock.is_empty() {
        return Ok(found.into_iter().map(|(schema, look)| (schema, look.unread())).collect());
    }
    transaction
        .batch_execute(&format!("LOCK TABLE {} IN ACCESS SHARE MODE", to_lock.join(", ")))
        .doing("locking the refinery histories")?;
    let mut histories = BTreeMap::new();
    for (schema, look) in classify(transaction, table, &owners)? {
        let history = match look {
            look @ (Look::Distrusted(_) | Look::Unseen { .. }) => look.unread(),
            Look::Table { acl, columns, version } => rows(transaction, &qualified(&schema, table), version)?
                .map_or_else(
                    || History::Untrusted(format!("it holds more than {MOST} rows")),
                    |applied| History::Read { applied, acl, columns },
                ),
        };
        histories.insert(schema, history);
    }
    Ok(histories)
}

/// COPY, not SELECT: planning a SELECT folds the constants in the table's index expressions, index predicates and
/// extended statistics, which calls the functions of whoever made those, as us; and CREATE INDEX gets past our lock.
/// COPY of a table plans nothing and refuses whatever is not a table.
fn rows(transaction: &mut Transaction<'_>, table: &str, version: Type) -> Result<Option<Vec<Applied>>, Error> {
    let doing = || format!("reading {table}");
    let is_long = version == Type::INT8;
    let copy = format!("COPY {table} (version, name, checksum) TO STDOUT (FORMAT binary)");
    let reader = transaction.copy_out(&copy).doing(doing())?;
    let mut rows = BinaryCopyOutIter::new(reader, &[version, Type::VARCHAR, Type::VARCHAR]);
    let mut applied = Vec::new();
    while let Some(row) = rows.next().doing(doing())? {
        if applied.len() == MOST {
            return Ok(None);
        }
        let version = if is_long { row.try_get(0) } else { row.try_get::<i32>(0).map(i64::from) };
        let text = |n: usize| row.try_get::<Option<String>>(n).map(Option::unwrap_or_default);
        applied.push(Applied {
            version: version.doing(doing())?,
            name: text(1).doing(doing())?,
            checksum: text(2).doing(doing())?,
        });
    }
    applied.sort_by_key(|row| row.version);
    Ok(Some(applied))
}

enum Look {
    Distrusted(String),
    /// We may not read it.
    Unseen {
        acl: Acl,
        columns: Vec<Column>,
    },
    /// Of the expected owner and refinery's form. `version`: refinery makes it int4 or int8.
    Table {
        acl: Acl,
        columns: Vec<Column>,
        version: Type,
    },
}

impl Look {
    fn unread(self) -> History {
        match self {
            Self::Distrusted(why) => History::Untrusted(why),
            Self::Unseen { acl, columns } => History::Unseen { acl, columns },
            Self::Table { acl, columns, .. } => History::Read { applied: Vec::new(), acl, columns },
        }
    }
}

/// What stands under the history's name, with no row read yet.
fn classify(
    transaction: &mut Transaction<'_>,
    table: &str,
    owners: &BTreeMap<&str, &str>,
) -> Result<BTreeMap<String, Look>, Error> {
    let schemas: Vec<&str> = owners.keys().copied().collect();
    let rows = transaction
        .ask(include_str!("sql/history_tables.sql"), &[&schemas, &table])
        .doing("looking at the refinery histories")?;
    rows.iter()
        .map(|row| {
            let schema: String = row.get("schema");
            let look = match distrust(row, owners.get(schema.as_str()).copied().unwrap_or_default()) {
                Some(why) => Look::Distrusted(why),
                None if !row.get::<_, bool>("readable") => Look::Unseen {
                    acl: acl(&row.get::<_, Vec<String>>("acl"), row.get("owner"))?,
                    columns: columns(row.get("grants_on"), row.get("column_items"), row.get("owner"))?,
                },
                None => Look::Table {
                    acl: acl(&row.get::<_, Vec<String>>("acl"), row.get("owner"))?,
                    columns: columns(row.get("grants_on"), row.get("column_items"), row.get("owner"))?,
                    version: if row.get("is_long") { Type::INT8 } else { Type::INT4 },
                },
            };
            Ok((schema, look))
        })
        .collect()
}

fn distrust(row: &Record, expected_owner: &str) -> Option<String> {
    let kind: &str = row.get("kind");
    if kind != "r" {
        let word = match kind {
            "v" => "a view",
            "m" => "a materialized view",
            "f" => "a foreign table",
            "p" => "a partitioned table",
            "S" => "a sequence",
            _ => "something else",
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
    None
}
