//! `[source] query`: tenants that a table of the database names.
//!
//! It is the administrator's query, over tables that no tenant may write to, and it runs none but PostgreSQL's own code: what is in a
//! view, a function or an operator of somebody else's would run with our rights, and already while a plan for it is made. So PostgreSQL
//! first takes it apart and no more, as a view that is never committed, and the query is run once everything that it stands on is known.

use postgres::{Client, Transaction};

use crate::core::config::{Text, tenant_keys};
use crate::core::model::{Origin, ident};
use crate::core::plan::{group_role, owners_role};
use crate::core::words::few;
use crate::engine::database::{Ask, Record};
use crate::engine::error::{Context, Error};
use crate::engine::registry;

/// As faults name it.
const NAME: &str = "[source] query";
const DOING: &str = "running [source] query";

/// More than any fleet has.
const MOST: usize = 1_000_000;

/// Whatever the query holds, it ends; and what row security hides from us is an error, not a tenant less.
const LIMITS: &str = "SET LOCAL statement_timeout = '60s'; SET LOCAL lock_timeout = '10s'; SET LOCAL row_security = off; \
                      SET LOCAL search_path = pg_catalog, pg_temp";

/// The rows, each a tenant on a line of its own, as tenants.toml would have it.
///
/// # Errors
/// When the query is no single SELECT, stands on something that a tenant could change, or names what is no tenant's key.
pub fn source_rows(client: &mut Client, query: &str) -> Result<Text, Error> {
    let mut transaction = client.transaction().doing(DOING)?;
    transaction.batch_execute(LIMITS).doing(DOING)?;
    let view = taken_apart(&mut transaction, query)?;
    stands_on_nothing_of_a_tenants(&mut transaction, &view)?;
    let keys = columns(&mut transaction, &view)?;
    transaction.batch_execute("SET TRANSACTION READ ONLY").doing(DOING)?;
    let sql = format!(
        "SELECT pg_catalog.row_to_json(v)::pg_catalog.text AS row FROM {view} v ORDER BY v.tenant::pg_catalog.text COLLATE \"C\" LIMIT {}",
        MOST + 1
    );
    let rows = transaction.ask(&sql, &[]).doing(DOING)?;
    transaction.rollback().doing(DOING)?;
    if rows.len() > MOST {
        return Err(Error::refused(format!("{NAME} returns more than {MOST} rows"), "add a WHERE to it"));
    }
    let lines: Vec<String> = rows
        .iter()
        .enumerate()
        .map(|(at, row)| line(1 + at, &row.get::<_, String>("row"), &keys))
        .collect::<Result<_, _>>()?;
    Ok(Text { path: NAME.into(), source: named_once(&lines)?, origin: Origin::Source })
}

/// The query as a view of this transaction's: parsed and rewritten, not planned and not run. Whoever may make no temporary table may
/// perhaps make a schema.
fn taken_apart(transaction: &mut Transaction<'_>, query: &str) -> Result<String, Error> {
    let may = "SELECT pg_catalog.has_database_privilege(d.oid, 'TEMPORARY') AS temporary, pg_catalog.has_database_privilege(d.oid, 'CREATE') AS make, \
               d.datname::pg_catalog.text AS name FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()";
    let row = transaction.ask_one(may, &[]).doing(DOING)?;
    let view = match (row.get("temporary"), row.get("make")) {
        (true, _) => "pg_temp.tenantry_source",
        (false, true) => {
            transaction.batch_execute("CREATE SCHEMA tenantry_source").doing(DOING)?;
            "tenantry_source.tenantry_source"
        }
        (false, false) => {
            let name: String = row.get("name");
            let hint = format!("GRANT TEMPORARY ON DATABASE {} TO ...", ident(&name));
            return Err(Error::refused(
                format!("{NAME} is checked as a temporary view, which needs TEMPORARY on the database"),
                hint,
            ));
        }
    };
    // Not by the simple protocol, which takes several statements.
    transaction.execute(&format!("CREATE VIEW {view} AS {query}"), &[]).doing(format!("reading {NAME}"))?;
    Ok(view.to_owned())
}

fn stands_on_nothing_of_a_tenants(transaction: &mut Transaction<'_>, view: &str) -> Result<(), Error> {
    let view: u32 = transaction
        .ask_one("SELECT $1::pg_catalog.text::pg_catalog.regclass::pg_catalog.oid AS oid", &[&view])
        .doing(DOING)?
        .get("oid");
    let found = transaction.ask(include_str!("sql/source_holds.sql"), &[&view]).doing(DOING)?;
    let name = |row: &Record| row.get::<_, String>("name");
    let kind = |row: &Record| row.get::<_, String>("kind");
    if let Some(row) = found.iter().find(|row| kind(row) == "code") {
        let message = format!("{NAME} uses {}, which is none of PostgreSQL's own", name(row));
        return Err(Error::refused(
            message,
            "write it with what is in pg_catalog: its code would run as the administrator",
        ));
    }
    if let Some(row) = found.iter().find(|row| kind(row) == "f") {
        let message = format!("{NAME} reads {}: who may write there PostgreSQL cannot say", name(row));
        return Err(Error::refused(message, "copy what it holds into a table of this database"));
    }
    let relations: Vec<u32> = found.iter().map(|row| row.get("relation")).collect();
    let database: String = transaction
        .ask_one("SELECT pg_catalog.current_database()::pg_catalog.text AS name", &[])
        .doing(DOING)?
        .get("name");
    let groups = [group_role(&database), owners_role(&database)];
    // One that was taken out of its group is still a tenant's.
    let known = registry::roles_of_tenants(transaction).doing(DOING)?;
    let writers =
        transaction.ask(include_str!("sql/source_writers.sql"), &[&relations, &&groups[..], &known]).doing(DOING)?;
    match writers.first() {
        Some(row) => Err(writable(row)),
        None => Ok(()),
    }
}

fn writable(row: &Record) -> Error {
    let (table, role, tenant): (String, String, String) = (row.get("name"), row.get("role"), row.get("tenant"));
    let quoted = if role == "PUBLIC" { role.clone() } else { ident(&role) };
    let through = if tenant == role { String::new() } else { format!(" (so {tenant} may)") };
    if row.get("owns") {
        let message = format!(
            "{NAME} reads {table}, and role {role}{through} owns it or its schema: a tenant could declare tenants"
        );
        return Error::refused(message, format!("ALTER TABLE {table} OWNER TO ...;   in a schema that no tenant owns"));
    }
    let message = format!(
        "{NAME} reads {table}, and role {role}{through} may write to it: a tenant could declare tenants, or remove others"
    );
    Error::refused(message, format!("REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON {table} FROM {quoted};"))
}

/// The columns, which are keys of a tenant.
fn columns(transaction: &mut Transaction<'_>, view: &str) -> Result<Vec<String>, Error> {
    let sql = "SELECT a.attname::pg_catalog.text AS name, t.typcategory IN ('B', 'E', 'N', 'S') OR t.typname IN ('json', 'jsonb') AS simple, \
               pg_catalog.format_type(a.atttypid, NULL) AS type \
               FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid \
               WHERE a.attrelid = $1::pg_catalog.text::pg_catalog.regclass AND a.attnum > 0 ORDER BY a.attnum";
    let found = transaction.ask(sql, &[&view]).doing(DOING)?;
    let names: Vec<String> = found.iter().map(|row| row.get("name")).collect();
    if !names.iter().any(|name| name == "tenant") {
        let found: Vec<&str> = names.iter().map(String::as_str).collect();
        let message = format!("{NAME} has no column \"tenant\", but {}", few(&found));
        return Err(Error::refused(message, "as in: SELECT slug AS tenant, plan AS class FROM public.customers"));
    }
    let mut known = tenant_keys();
    known.retain(|key| key != "password_from");
    for row in &found {
        let name: String = row.get("name");
        if name != "tenant" && !known.contains(&name) {
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            let hint =
                format!("columns are tenant and the keys of a tenant, but for password_from: {}", known.join(", "));
            return Err(Error::refused(format!("{NAME} has a column {name:?}"), hint));
        }
        if !row.get::<_, bool>("simple") {
            let kind: String = row.get("type");
            return Err(Error::refused(
                format!("{NAME}: column {name:?} is of type {kind}"),
                "text, boolean, a number, or jsonb for settings",
            ));
        }
    }
    Ok(names)
}

/// A row on one line of TOML: what is NULL is not said.
fn line(number: usize, row: &str, keys: &[String]) -> Result<String, Error> {
    let bad = |what: String| {
        Error::refused(
            format!("row {number} of {NAME}: {what}; nothing was planned"),
            "correct the row, or leave it out of the query",
        )
    };
    let value: serde_json::Value = serde_json::from_str(row).map_err(|error| bad(error.to_string()))?;
    let tenant = value["tenant"].as_str().ok_or_else(|| bad("its tenant is not text".into()))?;
    let said = keys.iter().filter(|key| *key != "tenant" && !value[key.as_str()].is_null());
    let said: Vec<String> = said.map(|key| format!("{key} = {}", toml(&value[key.as_str()]))).collect();
    Ok(format!("tenants.{} = {{ {} }}", quoted(tenant), said.join(", ")))
}

/// JSON's escapes are TOML's, but for one character.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}

fn toml(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Object(fields) => {
            let fields: Vec<String> =
                fields.iter().map(|(key, value)| format!("{} = {}", quoted(key), toml(value))).collect();
            format!("{{ {} }}", fields.join(", "))
        }
        serde_json::Value::Array(items) => format!("[{}]", items.iter().map(toml).collect::<Vec<_>>().join(", ")),
        serde_json::Value::String(text) => quoted(text),
        other => other.to_string(),
    }
}

/// Two rows of one tenant are next to each other.
fn named_once(lines: &[String]) -> Result<String, Error> {
    let key = |line: &str| line.split(" = ").next().map(str::to_owned);
    for (at, pair) in lines.windows(2).enumerate() {
        if key(&pair[0]) == key(&pair[1]) {
            let tenant = key(&pair[0]).unwrap_or_default();
            let message = format!(
                "rows {} and {} of {NAME} are of the same tenant: {}",
                at + 1,
                at + 2,
                tenant.trim_start_matches("tenants.")
            );
            return Err(Error::refused(message, "make it one row, such as with SELECT DISTINCT ON (tenant)"));
        }
    }
    Ok(lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_a_line_whatever_it_holds() {
        let keys = ["tenant", "class", "settings", "suspended"].map(str::to_owned);
        let row = r#"{"tenant":"a\"\n]b","class":null,"settings":{"jit":false},"suspended":true}"#;
        let expected = r#"tenants."a\"\n]b" = { settings = { "jit" = false }, suspended = true }"#;
        assert_eq!(line(1, row, &keys).unwrap(), expected);
        assert!(line(1, r#"{"tenant":null}"#, &keys).is_err());
        let twice =
            [line(1, r#"{"tenant":"a"}"#, &keys).unwrap(), line(2, r#"{"tenant":"a","class":"b"}"#, &keys).unwrap()];
        assert!(named_once(&twice).unwrap_err().to_string().contains("rows 1 and 2"));
    }
}
