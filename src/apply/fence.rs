//! After a tenant's code may have run: the session is ours again, and nothing of the tenant's is left to run at COMMIT.

use postgres::Transaction;

use super::outcome::TenantError;
use crate::database::{DatabaseError, session};
use crate::model::{ident, qualified};

/// Undoes what code inside a migration may have SET for the rest of the transaction and of the session.
///
/// Constant ASCII text, sent as one simple query: it reads the same under any client_encoding and any
/// standard_conforming_strings, and looks nothing up through a search_path that is not ours.
const BACK_TO_OURS: &str = "RESET ROLE; RESET ALL";

/// # Errors
/// What PostgreSQL answered.
pub(super) fn back_to_ours(transaction: &mut Transaction<'_>, lock_timeout: &str) -> Result<(), DatabaseError> {
    transaction.batch_execute(BACK_TO_OURS)?;
    session::prepare(transaction)?;
    transaction.batch_execute(lock_timeout)?;
    Ok(())
}

/// Up to PostgreSQL 17 deferred triggers run at COMMIT as the session's role, ours. `SET CONSTRAINTS ALL IMMEDIATE` ran
/// them inside the fence, but one that defers itself again gets past that. A table with events pending refuses ALTER
/// TABLE (`CheckTableNotInUse`, SQLSTATE 55006), so a no-op ALTER tells whether any are left: legitimate deferrable
/// triggers pass, whoever owns their functions.
///
/// # Errors
/// Which table's trigger is left to run, or what PostgreSQL answered.
pub(super) fn nothing_is_deferred(
    transaction: &mut Transaction<'_>,
    major: i32,
    schema: &str,
    roles: &[&str],
) -> Result<(), TenantError> {
    // From 18 on a deferred trigger runs as the role that queued it (release notes 18, "AFTER triggers").
    if major >= 18 {
        return Ok(());
    }
    let failed = |error: postgres::Error| super::tenant::database_error("looking for deferred triggers", &error.into());
    let rows = transaction.query(include_str!("deferrable_tables.sql"), &[&schema, &roles]).map_err(failed)?;
    for row in rows {
        let (schema, table, owner, why): (String, String, String, String) =
            (row.get("schema"), row.get("name"), row.get("owner"), row.get("why"));
        let name = qualified(&schema, &table);
        match transaction.batch_execute(&format!("ALTER TABLE {name} OWNER TO {}", ident(&owner))) {
            Ok(()) => {}
            Err(error) if error.code().is_some_and(|code| code.code() == "55006") => {
                return Err(TenantError {
                    message: format!(
                        "{name} has {why} that put its work off to COMMIT, where it would run with tenantry's own rights"
                    ),
                    sqlstate: Some("55006".into()),
                    hint: Some(format!(
                        "look at what stands on {name} and drop it if it is not yours; nothing was changed"
                    )),
                });
            }
            Err(error) => return Err(failed(error)),
        }
    }
    Ok(())
}
