//! What PostgreSQL and the way to it say when something fails, as plain data.
//!
//! A tokio-postgres error prints "db error" and keeps the rest in its sources; here the chain is walked once.

use std::error::Error as _;
use std::{fmt, io};

use postgres::error::{DbError, ErrorPosition};
use thiserror::Error;

/// An error that the server reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerError {
    pub message: String,
    /// Five characters, such as `42501`.
    pub sqlstate: String,
    pub detail: Option<String>,
    pub hint: Option<String>,
    /// The server's CONTEXT: which function, which statement of it.
    pub where_: Option<String>,
    pub position: Option<Position>,
}

/// Where in a statement the server saw the error; counted in characters, from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Position {
    Original(u32),
    /// In a statement that the server made itself, such as one inside a function.
    Internal {
        position: u32,
        query: String,
    },
}

impl Position {
    /// The line and column, from 1, in `sql`: the statement sent, which an internal position ignores for its own.
    pub fn line_and_column(&self, sql: &str) -> (usize, usize) {
        let (position, text) = match self {
            Self::Original(position) => (*position, sql),
            Self::Internal { position, query } => (*position, query.as_str()),
        };
        let before = text.chars().take((position as usize).saturating_sub(1));
        before.fold((1, 1), |(line, column), c| if c == '\n' { (line + 1, 1) } else { (line, column + 1) })
    }
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (SQLSTATE {})", self.message, self.sqlstate)
    }
}

impl From<&DbError> for ServerError {
    fn from(error: &DbError) -> Self {
        Self {
            message: error.message().to_owned(),
            sqlstate: error.code().code().to_owned(),
            detail: error.detail().map(str::to_owned),
            hint: error.hint().map(str::to_owned),
            where_: error.where_().map(str::to_owned),
            position: error.position().map(|position| match position {
                ErrorPosition::Original(position) => Position::Original(*position),
                ErrorPosition::Internal { position, query } => {
                    Position::Internal { position: *position, query: query.clone() }
                }
            }),
        }
    }
}

/// Any failure in talking to PostgreSQL. Its Display says all there is in one line; it has no source to walk.
#[derive(Clone, Debug, Error)]
#[error("{message}")]
pub struct DatabaseError {
    message: String,
    server: Option<Box<ServerError>>,
    closed: bool,
}

impl DatabaseError {
    /// What neither the server nor the driver said.
    pub(crate) fn other(message: String) -> Self {
        Self { message, server: None, closed: false }
    }

    /// Of a COPY that is read.
    pub(crate) fn of_copy(error: io::Error) -> Self {
        match error.into_inner().map(|inner| inner.downcast::<postgres::Error>()) {
            Some(Ok(error)) => Self::from(*error),
            Some(Err(other)) => Self::other(other.to_string()),
            None => Self::other("the connection ended".to_owned()),
        }
    }

    pub fn server(&self) -> Option<&ServerError> {
        self.server.as_deref()
    }

    pub fn sqlstate(&self) -> Option<&str> {
        self.server().map(|error| error.sqlstate.as_str())
    }

    /// The connection is gone; whether a COMMIT that was under way took effect is unknown.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// The server answered what the driver cannot read: text that is no UTF-8.
    pub fn is_unreadable(&self) -> bool {
        self.server.is_none() && self.message.starts_with("error parsing response from server")
    }

    /// Whether the same transaction may well succeed when it is run again.
    pub fn is_retryable(&self) -> bool {
        self.server().is_some_and(ServerError::is_retryable)
    }

    /// The server's own hint.
    pub fn hint(&self) -> Option<&str> {
        self.server().and_then(|error| error.hint.as_deref())
    }
}

impl ServerError {
    pub fn is_retryable(&self) -> bool {
        is_retryable(&self.sqlstate, &self.message, self.hint.as_deref())
    }
}

/// The message may have words of ours before the server's. PostgreSQL speaks other languages too: of its words only those
/// of internal errors, which are never translated, and names of parameters count.
pub(crate) fn is_retryable(sqlstate: &str, message: &str, hint: Option<&str>) -> bool {
    match sqlstate {
        // lock_not_available, deadlock_detected, serialization_failure.
        "55P03" | "40P01" | "40001" => true,
        // Out of shared memory, not of memory: others hold the locks now.
        "53200" => hint.is_some_and(|hint| hint.contains("max_locks_per_transaction")),
        // Concurrent GRANTs on one object meet in its catalog row; the server has no code of its own for that.
        // So it is with a row that the other one deleted: two tenants of one owner role take the same default privilege away.
        "XX000" => {
            ["tuple concurrently updated", "tuple concurrently deleted"].iter().any(|met| message.ends_with(met))
                || message.contains("could not find tuple for default ACL")
        }
        _ => false,
    }
}

impl From<postgres::Error> for DatabaseError {
    fn from(error: postgres::Error) -> Self {
        if let Some(server) = error.as_db_error().map(ServerError::from) {
            // 57P01..57P03: an administrator or a crash ended the session.
            let closed = error.is_closed() || ["57P01", "57P02", "57P03"].contains(&server.sqlstate.as_str());
            return Self { message: server.to_string(), server: Some(Box::new(server)), closed };
        }
        let mut message = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            let cause_text = cause.to_string();
            // Several layers repeat the one below them.
            if !message.ends_with(&cause_text) {
                message = format!("{message}: {cause_text}");
            }
            source = cause.source();
        }
        let closed = error.is_closed() || message.starts_with("error communicating with the server");
        Self { message, server: None, closed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server_error(sqlstate: &str, message: &str) -> ServerError {
        ServerError {
            message: message.into(),
            sqlstate: sqlstate.into(),
            detail: None,
            hint: None,
            where_: None,
            position: None,
        }
    }

    #[test]
    fn a_server_error_prints_its_message_and_sqlstate() {
        let error = server_error("42501", "permission denied for schema x");
        assert_eq!(error.to_string(), "permission denied for schema x (SQLSTATE 42501)");
    }

    #[test]
    fn only_what_may_pass_next_time_is_retryable() {
        for (sqlstate, message, retryable) in [
            ("55P03", "canceling statement due to lock timeout", true),
            ("40P01", "deadlock detected", true),
            ("40001", "could not serialize access", true),
            ("XX000", "tuple concurrently updated", true),
            ("53200", "out of memory", false),
            ("XX000", "tuple concurrently deleted", true),
            ("XX000", "future tables of o: could not find tuple for default ACL 28000", true),
            ("XX000", "cache lookup failed for relation 1", false),
            ("42P01", "relation \"x\" does not exist", false),
        ] {
            assert_eq!(server_error(sqlstate, message).is_retryable(), retryable, "{sqlstate} {message}");
        }
    }

    #[test]
    fn a_full_lock_table_is_known_in_every_language() {
        let mut error = server_error("53200", "Shared Memory aufgebraucht");
        assert!(!error.is_retryable());
        error.hint = Some("Sie m\u{fc}ssen m\u{f6}glicherweise max_locks_per_transaction erh\u{f6}hen.".into());
        assert!(error.is_retryable());
    }

    #[test]
    fn a_position_is_counted_in_characters() {
        let sql = "SELECT 'é'\n  FROM nowhere";
        assert_eq!(Position::Original(19).line_and_column(sql), (2, 8));
        assert_eq!(Position::Original(1).line_and_column(sql), (1, 1));
        let internal = Position::Internal { position: 3, query: "a\nb".into() };
        assert_eq!(internal.line_and_column(sql), (2, 1));
    }
}
