//! The row that says who may change tenants now.
//!
//! Every statement is a simple query: a statement prepared behind a pooler may be carried out where it was not prepared.

use postgres::{Client, GenericClient, SimpleQueryMessage, SimpleQueryRow, Transaction};

use super::text::uncommented;
use crate::engine::error::{Context, Error};

/// "tenantry" in ASCII: the advisory lock of whoever changes tenants. Advisory locks are per database.
pub(crate) const LOCK_KEY: i64 = i64::from_be_bytes(*b"tenantry");

/// SQLSTATE, of no class of PostgreSQL's own: the session that took the lock no longer holds it.
pub(crate) const LOST: &str = "TNLCK";

const HOLDER: &str = include_str!("sql/lock_holder.sql");
const PUT_BACK: &str = include_str!("sql/lock_empty.sql");
const TAKE: &str = include_str!("sql/lock_take.sql");

/// A session that has the lock, and is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Holder {
    pub backend: i32,
    pub username: String,
    pub client_address: String,
    pub application_name: String,
    pub since: String,
}

/// How an attempt to take the lock ended.
pub(crate) enum Taken {
    /// By us, as the holder of this number.
    Ours(i64),
    Theirs(Holder),
}

/// A registry of an older form has no such row.
///
/// # Errors
/// What PostgreSQL answered; or that it is not ours, such as a view, whose code would run as us.
pub(crate) fn has_lock(client: &mut Client) -> Result<bool, Error> {
    let answers = client.simple_query(include_str!("sql/lock_there.sql")).doing("looking for the lock of apply")?;
    let Some(row) = first(answers) else { return Ok(false) };
    if is_true(&row, "is_trusted") {
        return Ok(true);
    }
    let owner = row.get("owner").unwrap_or_default();
    Err(Error::refused(
        format!(
            "tenantry.apply_lock, or its schema, belongs to {owner:?}, who is neither an administrator nor the connected role: nothing in it is trusted, and nothing was changed"
        ),
        "look at \\d tenantry.apply_lock and \\dn+ tenantry; drop or rename what is not tenantry's",
    ))
}

/// Takes the lock, if nobody has it whose session is there. Waits for the transactions of whoever worked under it last,
/// which hold the row. `token`: the key of an advisory lock that this session holds.
///
/// # Errors
/// What PostgreSQL answered; 55P03 when those transactions take longer than `patience`, a value of `lock_timeout`.
pub(crate) fn take(client: &mut Client, token: i64, patience: &str) -> Result<Taken, postgres::Error> {
    let mut transaction = client.transaction()?;
    transaction.batch_execute(&format!("SET LOCAL lock_timeout = '{patience}'; {}", super::guard::check_of_lock()))?;
    // Those who work under a lock hold its row: who has it is asked before they are waited for, and once more afterwards.
    for waits in ["", " FOR UPDATE"] {
        let mut holder = first(transaction.simple_query(&format!("{HOLDER}{waits}"))?);
        if holder.is_none() {
            // Waits for another session that does the same.
            transaction.batch_execute(PUT_BACK)?;
            holder = first(transaction.simple_query(&format!("{HOLDER}{waits}"))?);
        }
        if let Some(row) = holder.filter(|row| is_true(row, "is_alive") && !is_true(row, "is_ours")) {
            return Ok(Taken::Theirs(read(&row)));
        }
    }
    let fence =
        number(first(transaction.simple_query(&TAKE.replace("{token}", &token.to_string()))?).as_ref(), "fence");
    transaction.commit()?;
    Ok(Taken::Ours(fence))
}

/// The number under which this session holds the lock.
///
/// # Errors
/// What PostgreSQL answered.
pub(crate) fn held_as(client: &mut Client) -> Result<Option<i64>, postgres::Error> {
    let row = first(client.simple_query(HOLDER)?);
    Ok(row.filter(|row| is_true(row, "is_ours") && is_true(row, "is_alive")).map(|row| number(Some(&row), "fence")))
}

/// Somebody else's session that has the lock now, and is there.
///
/// # Errors
/// What PostgreSQL answered.
pub(super) fn is_held_by_another(transaction: &mut Transaction<'_>) -> Result<bool, postgres::Error> {
    let row = first(GenericClient::simple_query(transaction, HOLDER)?);
    Ok(row.is_some_and(|row| is_true(&row, "is_alive") && !is_true(&row, "is_ours")))
}

/// SQL for a session other than the holder's, that fails with [`LOST`] when that session (`backend`, which has the advisory lock of
/// key `token`) has ended, or somebody has taken the lock since. `fence`: the holder's number, once there is a registry; then
/// it also keeps everybody else from taking the lock until the transaction ends.
pub(crate) fn check_held(backend: i32, token: i64, fence: Option<i64>) -> String {
    let kept = fence.map_or_else(String::new, |fence| format!("{}; held := FOUND; ", kept(fence)));
    uncommented(include_str!("sql/lock_check_held.sql"))
        .replace("{kept}", &kept)
        .replace("{backend}", &backend.to_string())
        .replace("{token}", &token.to_string())
        .replace("{lost}", LOST)
}

/// The same that fails only when somebody else has taken the lock since.
pub(crate) fn check_not_taken(fence: i64) -> String {
    uncommented(include_str!("sql/lock_check_not_taken.sql")).replace("{kept}", &kept(fence)).replace("{lost}", LOST)
}

/// The row that only the lock's holder of this number has, kept as it is until the transaction ends.
fn kept(fence: i64) -> String {
    uncommented(include_str!("sql/lock_kept.sql")).replace("{fence}", &fence.to_string())
}

fn read(row: &SimpleQueryRow) -> Holder {
    let text = |column: &str| row.get(column).unwrap_or_default().to_owned();
    Holder {
        backend: text("backend").parse().unwrap_or_default(),
        username: text("username"),
        client_address: text("client_address"),
        application_name: text("application_name"),
        since: text("since"),
    }
}

fn first(answers: Vec<SimpleQueryMessage>) -> Option<SimpleQueryRow> {
    answers.into_iter().find_map(|answer| if let SimpleQueryMessage::Row(row) = answer { Some(row) } else { None })
}

fn is_true(row: &SimpleQueryRow, column: &str) -> bool {
    row.get(column) == Some("t")
}

fn number(row: Option<&SimpleQueryRow>, column: &str) -> i64 {
    row.and_then(|row| row.get(column)).and_then(|text| text.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #[test]
    fn who_makes_the_tables_holds_the_lock_by_the_advisory_lock_of_older_versions() {
        let sql = include_str!("migrations/V9__apply_lock.sql");
        assert!(sql.contains(&format!(", {}, session_user,", crate::engine::registry::LOCK_KEY)), "{sql}");
    }
}
