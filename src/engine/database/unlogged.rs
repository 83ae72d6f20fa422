//! Statements that hold a SCRAM verifier, kept out of the server's own log.

use postgres::Transaction;

/// What writes a statement's text somewhere (manual, "Error Reporting and Logging"; pg_stat_statements keeps the text of
/// utility statements). Sent before the statement, as a message of its own: `log_statement` looks at whole messages.
pub(crate) const QUIET: &str = "\
SET LOCAL log_statement = none;
SET LOCAL log_min_error_statement = panic;
SET LOCAL log_min_duration_statement = -1;
SET LOCAL log_min_duration_sample = -1;
SET LOCAL log_duration = off;
SET LOCAL pg_stat_statements.track_utility = off";
const AS_BEFORE: &str = "\
SET LOCAL log_statement TO DEFAULT;
SET LOCAL log_min_error_statement TO DEFAULT;
SET LOCAL log_min_duration_statement TO DEFAULT;
SET LOCAL log_min_duration_sample TO DEFAULT;
SET LOCAL log_duration TO DEFAULT;
SET LOCAL pg_stat_statements.track_utility TO DEFAULT";

/// Runs the statement. Only a superuser may keep its own statements out of the log; for others the log is as the server is
/// set up (docs/secrets.md says what to set).
///
/// # Errors
/// What PostgreSQL answered.
pub(crate) fn execute_unlogged(
    transaction: &mut Transaction<'_>,
    sql: &str,
    superuser: bool,
) -> Result<(), postgres::Error> {
    if !superuser {
        return transaction.batch_execute(sql);
    }
    transaction.batch_execute(QUIET)?;
    transaction.batch_execute(sql)?;
    transaction.batch_execute(AS_BEFORE)
}
