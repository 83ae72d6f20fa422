//! After a tenant's code may have run: the session is ours again, and nothing of the tenant's is left to run at COMMIT.
//!
//! COMMIT runs two kinds of code, both as the role of the session, which is ours: deferred triggers and the queries of
//! cursors WITH HOLD (`CommitTransaction`: `AfterTriggerFireDeferred`, `PreCommit_Portals`). Neither may be left over.

use postgres::Transaction;

use crate::core::model::qualified;
use crate::core::report::TenantError;
use crate::engine::database::{Ask, take_back};
use crate::engine::registry::guard::tables;

/// # Errors
/// As [`take_back`]; which temporary table has work left to run, in words of ours.
pub(super) fn back_to_ours(transaction: &mut Transaction<'_>, preamble: &str) -> Result<(), TenantError> {
    take_back(transaction, preamble).map_err(|error| match error.server() {
        Some(answer) if answer.sqlstate == "55006" => {
            // No field names it.
            let name = answer.message.split('"').nth(1).map(|name| format!(" {name:?}")).unwrap_or_default();
            put_off(&format!("the temporary table{name}"))
        }
        _ => super::failure::database_error("resetting the session", &error),
    })
}

fn put_off(name: &str) -> TenantError {
    TenantError {
        message: format!("a trigger on {name} defers its work to COMMIT, where it would run as tenantry"),
        sqlstate: Some("55006".to_owned()),
        hint: Some(format!(
            "look for triggers that use SET CONSTRAINTS and drop them, starting with those on {name}; nothing was changed"
        )),
    }
}

/// `SET CONSTRAINTS ALL IMMEDIATE` ran the deferred triggers inside the owner's function, so that legitimate ones are done; one
/// that defers itself again gets past that, and would run at COMMIT. Up to PostgreSQL 17 it runs as us. From 18 on it
/// runs as the role that queued it (release notes 18), but a cursor WITH HOLD that it declares then runs as us.
///
/// A table with events pending refuses ALTER TABLE (`CheckTableNotInUse`, SQLSTATE 55006), so one that changes nothing
/// tells whether any are left. Which triggers there are is not asked: also PostgreSQL's own can run a tenant's code (a
/// foreign key over types with an implicit cast, an exclusion constraint on an expression), and one can change, or pass
/// to a table of another owner or schema, once its events are queued.
///
/// RESET of an option that does not exist changes nothing, and of all forms of ALTER TABLE it takes the weakest lock,
/// SHARE UPDATE EXCLUSIVE: nobody who reads or writes the table waits.
///
/// # Errors
/// Which table has work left to run, or what PostgreSQL answered.
pub(super) fn nothing_is_deferred(transaction: &mut Transaction<'_>) -> Result<(), TenantError> {
    let doing = "looking for work deferred to COMMIT";
    let failed = |error: postgres::Error| super::failure::database_error(doing, &error.into());
    let rows = transaction.ask(include_str!("written_tables.sql"), &[&tables()]).map_err(failed)?;
    let tables: Vec<(String, String)> = rows.iter().map(|row| (row.get("schema"), row.get("name"))).collect();
    let ask: Vec<_> = tables
        .iter()
        .map(|(schema, name)| format!("ALTER TABLE {} RESET (tenantry)", qualified(schema, name)))
        .collect();
    let Err(error) = transaction.batch_execute(&ask.join("; ")) else { return Ok(()) };
    let Some(answer) = error.as_db_error() else { return Err(failed(error)) };
    // PostgreSQL names the table without its schema.
    let named = tables.iter().filter(|(_, name)| answer.message().contains(name));
    let named = named.map(|(schema, name)| qualified(schema, name));
    let name = named.collect::<Vec<_>>().join(" or ");
    let code = answer.code().code();
    let (message, hint) = match code {
        "55006" => return Err(put_off(&name)),
        // Who is not a superuser can ask this of the owner's tables only.
        "42501" => (
            format!(
                "the migrations wrote to {name}, which does not belong to the tenant's owner role: what it defers to COMMIT cannot be checked"
            ),
            format!("look for triggers that write to {name}, or apply as a superuser; nothing was changed"),
        ),
        _ => return Err(failed(error)),
    };
    Err(TenantError { message, sqlstate: Some(code.to_owned()), hint: Some(hint) })
}
