//! The sessions of ours that work.

use std::time::Duration;

use postgres::Client;

use super::context::Apply;
use super::failure::database_error;
use crate::core::report::TenantError;
use crate::engine::database::{DatabaseError, session};
use crate::engine::error::error_chain;
use crate::engine::retry::retry_for;

pub(super) const MY_BACKEND: &str = "SELECT pg_catalog.pg_backend_pid()";

pub(super) fn clean(client: &mut Client) -> Result<(), DatabaseError> {
    client.batch_execute("DISCARD ALL")?;
    session::prepare(client)
}

pub(super) fn is_connected(apply: &Apply<'_>, session: &mut Option<Client>) -> Result<(), TenantError> {
    connected(apply, session).map(drop)
}

pub(super) fn connected<'s>(apply: &Apply<'_>, session: &'s mut Option<Client>) -> Result<&'s mut Client, TenantError> {
    if session.as_ref().is_none_or(Client::is_closed) {
        *session = Some(connect(apply)?);
    }
    session.as_mut().ok_or_else(|| TenantError::new("no session"))
}

pub(super) fn connect(apply: &Apply<'_>) -> Result<Client, TenantError> {
    apply.target.connect_admin().map_err(|error| {
        let message = match error.database() {
            Some(cause) => database_error(&error.to_string(), cause).message,
            None => error_chain(&error),
        };
        let mut failure = TenantError::new(message);
        failure.sqlstate = error.sqlstate().map(str::to_owned);
        failure.hint = error.hint().map(str::to_owned);
        failure
    })
}

/// How long a crashed server is given to restart: what it did must be known, and no tenant may stay locked out.
const PATIENCE: Duration = Duration::from_secs(30);

/// Between two tries to connect.
const PAUSE: Duration = Duration::from_millis(500);

/// Tries until it gives something, or patience ends.
pub(super) fn retry_briefly<T>(mut attempt: impl FnMut() -> Option<T>) -> Option<T> {
    retry_for(PATIENCE, [PAUSE, PAUSE], || attempt().ok_or(()), |()| true).ok()
}

/// The session may have been lost to what failed: to let a role in again takes another.
pub(super) fn connect_again(apply: &Apply<'_>, client: &mut Client) {
    if client.is_closed()
        && let Some(session) = retry_briefly(|| connect(apply).ok())
    {
        *client = session;
    }
}
