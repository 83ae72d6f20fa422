//! Who may do what in the schema `tenantry`, and what of others is there.

use std::collections::BTreeSet;

use postgres::Transaction;

use super::embedded::HISTORY_TABLE;
use super::form::{MadeColumn, columns_made};
use super::guard::{REFUSAL, tables, tables_made};
use super::read::applied;
use crate::core::model::{Foreign, RegistryObject, RegistrySchema};
use crate::engine::database::{Ask, Record, acl, columns};
use crate::engine::error::{Context, Error};

const WAY_BACK: &str = "ALTER SCHEMA tenantry RENAME TO ...   and then: tenantry recover   prints the SQL that makes it anew and registers the tenants again (docs/recovery.md)";

/// Whether schema tenantry is there and holds tenantry's tables. An empty one of ours does not, and is as good as none.
///
/// # Errors
/// When it holds something else, or lacks those of its tables without which nothing more is known.
pub(crate) fn is_there(row: &Record) -> Result<bool, Error> {
    if !row.get::<_, bool>("has_tenantry_schema") || row.get("tenantry_schema_is_empty") {
        return Ok(false);
    }
    let missing: Vec<String> = row.get("missing_tables");
    if missing.len() == tables().len() {
        return Err(Error::refused(
            "the database has a schema tenantry that does not hold tenantry's tables",
            format!("tenantry keeps its own tables under this name: {WAY_BACK}"),
        ));
    }
    let needed = ["tenants", HISTORY_TABLE];
    if missing.iter().any(|table| needed.contains(&table.as_str())) { Err(lacks(&missing)) } else { Ok(true) }
}

/// # Errors
/// When it lacks tables or columns that its own history says it has, or one has another type. One of an older version may have
/// fewer than this version makes.
pub(crate) fn is_whole(transaction: &mut Transaction<'_>, row: &Record) -> Result<(), Error> {
    let altered = altered_columns(transaction)?;
    // Without these nothing tells which migrations made what there should be.
    refuse(&[], altered.iter().filter(|(column, _)| column.table == HISTORY_TABLE))?;
    let applied = applied(transaction)?;
    let made: BTreeSet<String> =
        tables_made().into_iter().filter(|(version, _)| applied.contains(version)).map(|(_, table)| table).collect();
    let mut missing: Vec<String> = row.get("missing_tables");
    missing.retain(|table| made.contains(table));
    refuse(&missing, altered.iter().filter(|(column, _)| applied.contains(&column.version)))
}

/// With the type that each has; those that are gone have none.
type Altered = (MadeColumn, Option<String>);

fn altered_columns(transaction: &mut Transaction<'_>) -> Result<Vec<Altered>, Error> {
    let columns = columns_made();
    let all = |text: fn(&MadeColumn) -> &str| columns.iter().map(text).collect::<Vec<_>>();
    let [tables, names, kinds] = [all(|c| &c.table), all(|c| &c.name), all(|c| &c.kind)];
    let rows = transaction.ask(include_str!("sql/columns.sql"), &[&tables, &names, &kinds]);
    let rows = rows.doing("looking at the columns of tenantry's own tables")?;
    let altered = |row: &Record| {
        let column = columns.get(usize::try_from(row.get::<_, i32>("n")).ok()?)?;
        Some((column.clone(), row.get("found")))
    };
    Ok(rows.iter().filter_map(altered).collect())
}

fn refuse<'a>(tables: &[String], columns: impl Iterator<Item = &'a Altered>) -> Result<(), Error> {
    let (gone, retyped): (Vec<_>, Vec<_>) = columns.partition(|(_, found)| found.is_none());
    if !tables.is_empty() {
        return Err(lacks(tables));
    }
    let names = |columns: &[&Altered]| {
        let name = |(column, found): &Altered| match found {
            None => format!("tenantry.{}.{}", column.table, column.name),
            Some(found) => format!("tenantry.{}.{} is {found}, not {}", column.table, column.name, column.kind),
        };
        columns.iter().map(|column| name(column)).collect::<Vec<_>>().join(", ")
    };
    let what = match (gone.as_slice(), retyped.as_slice()) {
        ([], []) => return Ok(()),
        ([], _) => format!("columns of tenantry's own tables were altered: {}", names(&retyped)),
        ([_], _) => format!("schema tenantry lacks a column of tenantry's own: {}", names(&gone)),
        _ => format!("schema tenantry lacks columns of tenantry's own: {}", names(&gone)),
    };
    Err(Error::refused(format!("{what}; nothing was changed"), restore()))
}

fn lacks(missing: &[String]) -> Error {
    let names: Vec<String> = missing.iter().map(|table| format!("tenantry.{table}")).collect();
    Error::refused(
        format!(
            "schema tenantry lacks {} of tenantry's own: {}; nothing was changed",
            if names.len() == 1 { "a table" } else { "tables" },
            names.join(", ")
        ),
        restore(),
    )
}

fn restore() -> String {
    format!("restore the schema from a dump (docs/recovery.md); or without one: {WAY_BACK}")
}

/// `admin`: the role that applies.
pub(crate) fn schema(transaction: &mut Transaction<'_>, admin: &str) -> Result<RegistrySchema, Error> {
    let doing = "looking at schema tenantry";
    let names = tables();
    let mut found = RegistrySchema::default();
    for row in transaction.ask(include_str!("sql/objects.sql"), &[&names, &admin]).doing(doing)? {
        let owner: String = row.get("owner");
        found.objects.push(RegistryObject {
            kind: row.get("kind"),
            name: row.get("name"),
            acl: acl(&row.get::<_, Vec<String>>("acl"), &owner)?,
            columns: columns(row.get("columns"), row.get("column_items"), &owner)?,
            ours: row.get("ours"),
            owner,
        });
    }
    let foreign = concat!(include_str!("sql/foreign.sql"), include_str!("sql/foreign_found.sql"));
    for row in transaction.ask(foreign, &[&names, &REFUSAL, &admin]).doing(doing)? {
        found.foreign.push(Foreign {
            what: row.get("what"),
            remedy: row.get("remedy"),
            runs: row.get("runs"),
            hides: row.get("hides"),
            ours: row.get("ours"),
        });
    }
    let rows = transaction.ask(include_str!("sql/strangers.sql"), &[&names]).doing(doing)?;
    found.strangers = rows.iter().map(|row| (row.get("what"), row.get("owner"))).collect();
    Ok(found)
}

/// Row security that is forced upon the tables' owner keeps it from reading them: that is for a person to take away first.
pub(crate) fn unreadable(error: Error, schema: &RegistrySchema) -> Error {
    let secured = schema.foreign.iter().find(|found| found.hides);
    match (&error, secured) {
        (Error::Database { source, .. }, Some(found)) if source.sqlstate() == Some("42501") => Error::refused(
            format!("{} prevents tenantry from reading its own tables", found.what),
            format!(
                "it is not tenantry's; as the tables' owner, or a superuser: {};",
                found.remedy.clone().unwrap_or_default()
            ),
        ),
        _ => error,
    }
}
