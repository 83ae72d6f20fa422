//! What can go wrong for a run as a whole. A failing tenant is not such an error: it is an outcome in the report.

use std::io::ErrorKind;

use crate::core::config::ConfigError;
use crate::core::migrations::MigrationFault;
use crate::engine::database::{ConnectError, DatabaseError, TargetError};
use crate::engine::secrets::SecretError;

/// Only archives are large enough to fill a disk.
pub(crate) const MAKE_ROOM: &str = "free some space, or point [archive] dir at another disk";
pub(crate) const RAISE_THE_LIMIT: &str =
    "files there may not grow that large: raise the limit (ulimit -f), or point [archive] dir at another disk";

/// A run that could not continue. Display is a fragment; walk `source()` for the causes.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Migrations(Vec<MigrationFault>),
    #[error(transparent)]
    Target(#[from] TargetError),
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error("{doing}")]
    Database { doing: String, source: DatabaseError },
    #[error("{doing}")]
    Secrets { doing: String, source: SecretError },
    #[error("{doing}")]
    Io { doing: String, source: std::io::Error },
    #[error("{message}")]
    Refused { message: String, hint: Option<String> },
}

impl Error {
    /// What a person types next.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Target(error) => error.hint(),
            Self::Connect(error) => error.hint().map(str::to_owned),
            Self::Database { source, .. } => source.hint().map(str::to_owned),
            Self::Secrets { source, .. } => source.hint(),
            Self::Migrations(faults) => faults.first().and_then(|fault| fault.hint.clone()),
            Self::Refused { hint, .. } => hint.clone(),
            Self::Io { source, .. } => match source.kind() {
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Some(MAKE_ROOM.into()),
                ErrorKind::FileTooLarge => Some(RAISE_THE_LIMIT.into()),
                _ => None,
            },
            Self::Config(_) => None,
        }
    }

    /// PostgreSQL's code for what it answered, where it was PostgreSQL that did.
    #[must_use]
    pub fn sqlstate(&self) -> Option<&str> {
        match self {
            Self::Connect(error) => error.sqlstate(),
            Self::Database { source, .. } => source.sqlstate(),
            _ => None,
        }
    }

    /// The connection or the store failed: not what was asked, and asking again of another tenant is of no use.
    #[must_use]
    pub fn is_of_the_line(&self) -> bool {
        !matches!(self, Self::Database { source, .. } if !source.is_closed())
    }

    pub(crate) fn refused(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Refused { message: message.into(), hint: Some(hint.into()) }
    }
}

/// The error and everything behind it, in one line.
#[must_use]
pub fn error_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// Says what was being done when the database or the store failed.
pub(crate) trait Context<T> {
    fn doing(self, what: impl Into<String>) -> Result<T, Error>;
}

impl<T> Context<T> for Result<T, postgres::Error> {
    fn doing(self, what: impl Into<String>) -> Result<T, Error> {
        self.map_err(|source| Error::Database { doing: what.into(), source: source.into() })
    }
}

impl<T> Context<T> for Result<T, SecretError> {
    fn doing(self, what: impl Into<String>) -> Result<T, Error> {
        self.map_err(|source| Error::Secrets { doing: what.into(), source })
    }
}

impl<T> Context<T> for Result<T, std::io::Error> {
    fn doing(self, what: impl Into<String>) -> Result<T, Error> {
        self.map_err(|source| Error::Io { doing: what.into(), source })
    }
}
