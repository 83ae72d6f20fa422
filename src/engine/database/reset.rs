//! A session that ran a tenant's code, made ours again inside the open transaction.

use postgres::Transaction;

use super::error::DatabaseError;
use super::session;

/// Undoes what code inside a migration may have left for the rest of the transaction and of the session.
///
/// CLOSE ALL before all: the query of a cursor WITH HOLD runs at COMMIT, as us, on every version. DISCARD TEMP: what follows
/// fires an administrator's event triggers, and a table that they name without its schema is looked for in pg_temp too,
/// where one of the tenant's would have the tenant's triggers; it drops them without asking or firing any. DEALLOCATE ALL:
/// its prepared statements may have the names that the driver is about to use. RESET ALL: settings.
///
/// Constant ASCII text, sent as one simple query: it reads the same under any client_encoding and any
/// standard_conforming_strings, and looks nothing up through a search_path that is not ours.
const BACK_TO_OURS: &str = "CLOSE ALL; DISCARD TEMP; DEALLOCATE ALL; UNLISTEN *; RESET ROLE; RESET ALL";

/// # Errors
/// What PostgreSQL answered; 55006 when a temporary table has work left to run.
pub(crate) fn take_back(transaction: &mut Transaction<'_>, preamble: &str) -> Result<(), DatabaseError> {
    transaction.batch_execute(BACK_TO_OURS)?;
    session::prepare(transaction)?;
    Ok(transaction.batch_execute(preamble)?)
}
