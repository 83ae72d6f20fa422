//! How one try of a tenant's ended when it did not end well, and what is told of it.

use crate::core::report::TenantError;
use crate::engine::database::{DatabaseError, ServerError, is_retryable};

/// Names what was being done, and all that PostgreSQL answered.
pub(super) fn database_error(doing: &str, error: &DatabaseError) -> TenantError {
    // The SQLSTATE has a field of its own; whoever prints the error adds it.
    let said = match error.server() {
        Some(ServerError { message, detail: Some(detail), .. }) => format!("{message}; {}", detail.replace('\n', "; ")),
        Some(server) => server.message.clone(),
        None => error.to_string(),
    };
    let message = if doing.is_empty() { said } else { format!("{doing}: {said}") };
    let waited = error.sqlstate() == Some("55P03");
    let hint = error.hint().or(waited.then_some(WHO_HOLDS_IT)).map(str::to_owned);
    TenantError { message, sqlstate: error.sqlstate().map(str::to_owned), hint }
}

/// A tenant's prepared transaction outlives its sessions, which a removal ends, and keeps its locks.
const WHO_HOLDS_IT: &str = "another session holds a lock on it; to see which: SELECT pid, pg_blocking_pids(pid), query FROM pg_stat_activity, while it waits; \
     0 is a prepared transaction: SELECT gid, owner FROM pg_prepared_xacts, and ROLLBACK PREPARED 'gid'";

/// How one try ended, when not well.
pub(super) enum Ended {
    /// Rolled back. Worth another try when the cause was a lock.
    Failed(TenantError, Retry),
    Unknown(TenantError),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Retry {
    Yes,
    No,
}

impl Retry {
    pub fn when(is_retryable: bool) -> Self {
        if is_retryable { Self::Yes } else { Self::No }
    }
}

pub(super) fn of_database(error: postgres::Error) -> Ended {
    let error = DatabaseError::from(error);
    Ended::Failed(database_error("", &error), Retry::when(error.is_retryable()))
}

pub(super) fn is_worth_another_try(error: &TenantError) -> bool {
    error.sqlstate.as_deref().is_some_and(|sqlstate| is_retryable(sqlstate, &error.message, error.hint.as_deref()))
}

pub(super) fn retried(error: TenantError) -> Ended {
    let retry = Retry::when(is_worth_another_try(&error));
    Ended::Failed(error, retry)
}

/// Never again: it would fail in the same way, or more was done than can be done twice.
pub(super) fn rolled_back(error: TenantError) -> Ended {
    Ended::Failed(error, Retry::No)
}
