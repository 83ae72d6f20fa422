//! Nobody else's code runs when we write to the registry: a trigger or a rule on one of its tables would run as us.
//!
//! A plan shows what was found there, and apply takes it away first of all. Between that look and our own writing somebody
//! may add another: so each transaction that writes begins with [`check`].

use super::embedded::{self, HISTORY_TABLE};
use super::text::uncommented;
use crate::core::model::literal;

/// SQLSTATE, of no class of PostgreSQL's own: something on the registry's tables is not tenantry's.
pub(crate) const NOT_OURS: &str = "TNREG";

/// What the function behind the audit log's trigger does; as V1__registry.sql makes it.
pub(crate) const REFUSAL: &str =
    "\nBEGIN\n    RAISE EXCEPTION 'tenantry.audit_log is append-only' USING ERRCODE = 'insufficient_privilege';\nEND ";

/// The tables that the registry's migrations make, sorted. Others in schema tenantry are somebody else's.
pub(crate) fn tables() -> Vec<String> {
    let mut tables: Vec<String> = tables_made().into_iter().map(|(_, table)| table).collect();
    tables.push(HISTORY_TABLE.to_owned());
    tables.sort();
    tables.dedup();
    tables
}

/// Each of them with the version of the migration that makes it.
pub(crate) fn tables_made() -> Vec<(i32, String)> {
    const MAKES: &str = "CREATE TABLE tenantry.";
    let ends = |c: char| !c.is_ascii_alphanumeric() && c != '_';
    let mut made = Vec::new();
    for migration in embedded::migrations::runner().get_migrations() {
        let sql = migration.sql().unwrap_or_default();
        let named = sql.split(MAKES).skip(1).filter_map(|rest| rest.split(ends).next());
        made.extend(named.map(|table| (migration.version(), table.to_owned())));
    }
    made
}

/// SQL that fails when writing to the registry would run somebody else's code.
pub(crate) fn check() -> String {
    check_of(&tables(), "nothing was written; tenantry plan shows it, and tenantry apply removes it")
}

/// The same of the one table that is written to before anything can be looked at.
pub(super) fn check_of_lock() -> String {
    check_of(&["apply_lock".to_owned()], "nothing was written; look at \\d tenantry.apply_lock, and drop it by hand")
}

/// The lock is the one that writing takes anyway, taken before the look and kept until COMMIT: CREATE TRIGGER, CREATE RULE, a
/// foreign key and row security all wait for it. A table that is not there yet is one of a form still to come.
fn check_of(names: &[String], hint: &str) -> String {
    let tables = literal(&format!("{{{}}}", names.join(",")));
    let foreign = uncommented(include_str!("sql/foreign.sql"));
    let foreign = foreign.replace("$1", &tables).replace("$2", &literal(REFUSAL));
    // No name of ours holds the quote's tag, and nothing in the text is anybody else's.
    uncommented(include_str!("sql/guard.sql"))
        .replace("{tables}", &tables)
        .replace("{foreign}", &foreign)
        .replace("{not_ours}", NOT_OURS)
        .replace("{hint}", &literal(hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_those_of_the_migrations() {
        let tables = tables();
        for name in ["audit_log", "former_owners", "former_secrets", "identity", "refinery_schema_history", "tenants"] {
            assert!(tables.iter().any(|table| table == name), "{tables:?}");
        }
    }

    #[test]
    fn the_body_of_the_refusal_is_the_first_migrations() {
        let sql = include_str!("migrations/V1__registry.sql");
        assert!(sql.contains(&format!("SET search_path = pg_catalog AS $${REFUSAL}$$;")), "{sql}");
    }
}
