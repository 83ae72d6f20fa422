//! Ending a role's sessions.

use postgres::GenericClient;

/// How long one backend may take to go, in milliseconds (manual, `pg_terminate_backend`).
const TIMEOUT: i64 = 5_000;

/// Ends every session of the role, in any database, and waits until they are gone.
///
/// # Errors
/// What PostgreSQL answered.
pub(super) fn end(client: &mut impl GenericClient, role: &str) -> Result<usize, postgres::Error> {
    let rows = client.query(
        "SELECT pg_catalog.pg_terminate_backend(pid, $2) FROM pg_catalog.pg_stat_activity WHERE usename = $1::text::name",
        &[&role, &TIMEOUT],
    )?;
    Ok(rows.len())
}

/// The same by OID: a session that slipped in before the role was gone has no name any more.
///
/// # Errors
/// What PostgreSQL answered.
pub(super) fn end_by_oid(client: &mut impl GenericClient, oid: u32) -> Result<(), postgres::Error> {
    client
        .query(
            "SELECT pg_catalog.pg_terminate_backend(pid, $2) FROM pg_catalog.pg_stat_activity WHERE usesysid = $1",
            &[&oid, &TIMEOUT],
        )
        .map(drop)
}
