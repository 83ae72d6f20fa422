//! Ending a role's sessions.

use std::time::{Duration, Instant};

use postgres::{Client, GenericClient};

use super::Apply;
use super::tenant::connect;
use crate::model::ident;

/// How long one backend may take to go, in milliseconds (manual, `pg_terminate_backend`).
const TIMEOUT: i64 = 5_000;

/// Ends every session of the role, in any database, and waits until they are gone.
///
/// # Errors
/// What PostgreSQL answered.
pub(crate) fn end(client: &mut impl GenericClient, role: &str) -> Result<usize, postgres::Error> {
    let rows = client.query(
        "SELECT pg_catalog.pg_terminate_backend(pid, $2) FROM pg_catalog.pg_stat_activity WHERE usename = $1::text::name",
        &[&role, &TIMEOUT],
    )?;
    Ok(rows.len())
}

/// From here on nobody logs in as the role, and nobody is: committed at once, because a client that reconnects in a loop
/// would else be back, with its locks, before the transaction that follows is through.
///
/// Says whether the role could log in until now, for [`let_in`] when that transaction comes to nothing. A process that
/// dies in between leaves the role asleep; the next apply goes on with the removal, or wakes it up.
///
/// # Errors
/// What PostgreSQL answered.
pub(super) fn lock_out(client: &mut Client, role: &str, take_rights: &str) -> Result<bool, postgres::Error> {
    let row =
        client.query_opt("SELECT rolcanlogin FROM pg_catalog.pg_roles WHERE rolname = $1::text::name", &[&role])?;
    let Some(row) = row else { return Ok(false) };
    let could_log_in: bool = row.get(0);
    if could_log_in {
        client.batch_execute(&format!("ALTER ROLE {} NOLOGIN", ident(role)))?;
    }
    fail_point!("after_locked_out");
    let ended = end_with_rights(client, role, take_rights);
    if ended.is_err() && could_log_in {
        // Best effort: the first error is the one to tell.
        drop(let_in(client, role));
    }
    ended.map(|()| could_log_in)
}

/// Ending sessions takes the role's rights and changes nothing, so the rights go back with a ROLLBACK.
fn end_with_rights(client: &mut Client, role: &str, take_rights: &str) -> Result<(), postgres::Error> {
    let mut transaction = client.transaction()?;
    transaction.batch_execute(take_rights)?;
    end(&mut transaction, role)?;
    transaction.rollback()
}

/// How long a server that crashed is given to start itself anew: what it did is to be known, and no tenant left locked out.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// Between two tries to connect.
pub(super) const PAUSE: Duration = Duration::from_millis(500);

/// The session may have been lost to what failed: to let a role in again takes another.
pub(super) fn connect_again(apply: &Apply<'_>, client: &mut Client) {
    let begun = Instant::now();
    while client.is_closed() && begun.elapsed() < PATIENCE {
        match connect(apply) {
            Ok(session) => *client = session,
            Err(_) => std::thread::sleep(PAUSE),
        }
    }
}

/// # Errors
/// What PostgreSQL answered.
pub(super) fn let_in(client: &mut Client, role: &str) -> Result<(), postgres::Error> {
    client.batch_execute(&format!("ALTER ROLE {} LOGIN", ident(role)))
}
