//! Ending a role's sessions.

use postgres::GenericClient;

use super::text::Ask;

/// How long one backend may take to go, in milliseconds (manual, `pg_terminate_backend`).
const TIMEOUT: i64 = 5_000;

/// Ends every session of the role, in any database, and waits until they are gone.
///
/// # Errors
/// What PostgreSQL answered.
pub(crate) fn end_sessions(client: &mut impl GenericClient, role: &str) -> Result<usize, postgres::Error> {
    let rows = client.ask(
        "SELECT pg_catalog.pg_terminate_backend(pid, $2) FROM pg_catalog.pg_stat_activity WHERE usename = $1::text::name",
        &[&role, &TIMEOUT],
    )?;
    Ok(rows.len())
}
