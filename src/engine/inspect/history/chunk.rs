//! A few histories at once: what stands under their name, and the rows where reading them runs no tenant's code.

use std::collections::BTreeMap;
use std::sync::Arc;

use postgres::Transaction;
use postgres::binary_copy::BinaryCopyOutIter;
use postgres::fallible_iterator::FallibleIterator;
use postgres::types::Type;

use super::found::Histories;
use crate::core::model::{Acl, Applied, Column, Distrust, History, qualified};
use crate::engine::database::{Ask, Record, acl, columns};
use crate::engine::error::{Context, Error};

/// No fleet has as many migrations; a tenant that owns its history could fill it, and our memory.
const MOST: usize = 100_000;

/// The owner could put another table in its place between the look and the read: lock, look again, then read. A tenant
/// that does not own it may hold a function that runs as the owner, left there by code that rode a migration.
pub(super) fn read(transaction: &mut Transaction<'_>, table: &str, chunk: &[(&str, &str)]) -> Result<Histories, Error> {
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
                    || History::Untrusted(Distrust::new(format!("it holds more than {MOST} rows"))),
                    |applied| History::Read { applied: applied.into(), acl, columns },
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
    Distrusted(Distrust),
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
            Self::Table { acl, columns, .. } => History::Read { applied: Arc::default(), acl, columns },
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
        .ask(include_str!("../sql/history_tables.sql"), &[&schemas, &table])
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

/// What kind of thing stands under a history's name.
pub(super) struct Kind {
    relkind: String,
    row_security: bool,
}

impl Kind {
    pub fn of(row: &Record) -> Self {
        Self { relkind: row.get("kind"), row_security: row.get("row_security") }
    }
}

/// Reading anything else would run somebody's code.
pub(super) fn not_a_table(kind: &Kind) -> Option<Distrust> {
    if kind.relkind == "r" {
        return kind.row_security.then(|| Distrust::new("row security is on: its policies are code"));
    }
    let word = match kind.relkind.as_str() {
        "v" => "a view",
        "m" => "a materialized view",
        "f" => "a foreign table",
        "p" => "a partitioned table",
        "S" => "a sequence",
        _ => "something else",
    };
    Some(Distrust::new(format!("it is {word}, not an ordinary table")))
}

fn distrust(row: &Record, expected_owner: &str) -> Option<Distrust> {
    if let Some(why) = not_a_table(&Kind::of(row)) {
        return Some(why);
    }
    let owner: &str = row.get("owner");
    if owner != expected_owner {
        let why = format!("it belongs to {owner:?}, not to {expected_owner:?}");
        return Some(Distrust { why, is_only_anothers: true });
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
        return Some(Distrust::new("its columns are not refinery's"));
    }
    None
}
