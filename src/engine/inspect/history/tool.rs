//! The histories that other tools keep in schemas to be adopted: read as refinery's are, since their tables are tenants' too.

use std::collections::BTreeMap;
use std::io::{BufRead, Read};

use postgres::Transaction;

use super::chunk::{Kind, not_a_table};
use super::found::{Found, Owned};
use super::locked;
use crate::core::migrations::foreign::Row;
use crate::core::migrations::{ForeignTable, Format, history_of};
use crate::core::model::{Desired, Distrust, LockedBy, ToolHistory, ident, qualified};
use crate::engine::copy_text::fields;
use crate::engine::database::{Ask, DatabaseError, Record};
use crate::engine::error::{Context, Error};

/// No tool leaves as much; whoever owns the table could fill it, and our memory.
const MOST_BYTES: u64 = 32 * 1024 * 1024;

type Histories = BTreeMap<String, ToolHistory>;

impl Found for ToolHistory {
    fn distrusted(why: Distrust) -> Self {
        Self::Untrusted(why)
    }

    fn locked(by: LockedBy) -> Self {
        Self::Locked(by)
    }
}

/// Of these schemas those that have one, each with its owner.
///
/// # Errors
/// What PostgreSQL answered.
pub(super) fn read_all(
    client: &mut postgres::Client,
    desired: &Desired,
    schemas: &[Owned<'_>],
) -> Result<Histories, Error> {
    let Some(table) = history_of(desired.migrations.format) else { return Ok(Histories::new()) };
    locked::read_all(client, desired, table.table, schemas, &mut |transaction, chunk| {
        let schemas: Vec<&str> = chunk.iter().map(|(schema, _)| *schema).collect();
        read(transaction, &table, &schemas)
    })
}

/// The one of this schema, inside a transaction that is about to rely on it.
///
/// # Errors
/// What PostgreSQL answered.
pub(crate) fn tool_history_of(
    transaction: &mut Transaction<'_>,
    format: Format,
    schema: &str,
) -> Result<Option<ToolHistory>, Error> {
    let Some(table) = history_of(format) else { return Ok(None) };
    Ok(read(transaction, &table, &[schema])?.remove(schema))
}

/// Looked at, locked, looked at again and then read: another table could be put in its place meanwhile.
fn read(transaction: &mut Transaction<'_>, table: &ForeignTable, schemas: &[&str]) -> Result<Histories, Error> {
    let found = classify(transaction, table, schemas)?;
    let readable = found.iter().filter(|(_, look)| look.is_none());
    let to_lock: Vec<String> = readable.map(|(schema, _)| format!("ONLY {}", qualified(schema, table.table))).collect();
    if to_lock.is_empty() {
        return Ok(found.into_iter().filter_map(|(schema, look)| Some((schema, look?))).collect());
    }
    transaction
        .batch_execute(&format!("LOCK TABLE {} IN ACCESS SHARE MODE", to_lock.join(", ")))
        .doing(format!("locking the tables {}", table.table))?;
    let mut histories = Histories::new();
    for (schema, look) in classify(transaction, table, schemas)? {
        let history = match look {
            Some(look) => look,
            None => rows(transaction, table, &schema)?,
        };
        histories.insert(schema, history);
    }
    Ok(histories)
}

/// What stands there; `None`: the tool's own form of table, which may be read.
fn classify(
    transaction: &mut Transaction<'_>,
    table: &ForeignTable,
    schemas: &[&str],
) -> Result<BTreeMap<String, Option<ToolHistory>>, Error> {
    let columns: Vec<&str> = table.columns.iter().map(|(name, _)| *name).collect();
    let rows = transaction
        .ask(include_str!("../sql/tool_history.sql"), &[&schemas, &table.table, &columns])
        .doing(format!("looking at the tables {}", table.table))?;
    Ok(rows.iter().map(|row| (row.get("schema"), unread(row, table))).collect())
}

fn unread(row: &Record, table: &ForeignTable) -> Option<ToolHistory> {
    let distrusted = |why: String| Some(ToolHistory::Untrusted(Distrust::new(why)));
    if let Some(why) = not_a_table(&Kind::of(row)) {
        return Some(ToolHistory::Untrusted(why));
    }
    let types: Vec<String> = row.get("types");
    for ((name, kind), found) in table.columns.iter().zip(&types) {
        if found.is_empty() {
            return distrusted(format!("it has no column {name} of a type of PostgreSQL's own"));
        }
        if !kind.is(found) {
            return distrusted(format!("its column {name} is of type {found}"));
        }
    }
    (!row.get::<_, bool>("readable")).then(|| ToolHistory::Unseen(row.get("owner")))
}

/// COPY, for the reasons that refinery's histories have for it.
fn rows(transaction: &mut Transaction<'_>, table: &ForeignTable, schema: &str) -> Result<ToolHistory, Error> {
    let name = qualified(schema, table.table);
    let doing = || format!("reading {name}");
    let columns: Vec<String> = table.columns.iter().map(|(name, _)| ident(name)).collect();
    let copy = format!("COPY {name} ({}) TO STDOUT", columns.join(", "));
    let mut reader = transaction.copy_out(&copy).doing(doing())?.take(MOST_BYTES);
    let (mut rows, mut line): (Vec<Row>, _) = (Vec::new(), Vec::new());
    loop {
        line.clear();
        let read = reader.read_until(b'\n', &mut line).map_err(DatabaseError::of_copy);
        if read.map_err(|source| Error::Database { doing: doing(), source })? == 0 {
            break;
        }
        rows.push(fields(line.strip_suffix(b"\n").unwrap_or(&line)));
    }
    if reader.limit() == 0 {
        return Ok(ToolHistory::Untrusted(Distrust::new(format!("it holds more than {} MB", MOST_BYTES >> 20))));
    }
    Ok(ToolHistory::Read(rows))
}
