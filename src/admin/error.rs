//! Why a tenant was not created, or not removed.

use std::fmt;
use std::ops::Deref;

use crate::core::report::TenantError;
use crate::engine::database::DatabaseError;
use crate::engine::error::{Error as RunError, error_chain};
use crate::tenantry::{Clash, Error, Guard, Refusal};

/// Nothing was changed, unless the message says so.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AdminError {
    /// PostgreSQL, or the secret store, did not do what every change begins with: look, and take the lock.
    #[error("Database error: {0}")]
    Database(Cause),
    /// There was no connection, or it was lost.
    #[error("Connection error: {0}")]
    Pool(Cause),
    /// What was asked for could not be done: a name is taken, a right is missing, a migration failed.
    #[error("SQL execution error: {message}")]
    SqlExecution { message: Cause },
    /// What was asked for makes no sense.
    #[error("Invalid configuration: {message}")]
    InvalidConfig { message: Cause },
}

/// What happened, in words; with PostgreSQL's code for it, and what to do next, where there is any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cause {
    text: String,
    sqlstate: Option<String>,
    hint: Option<String>,
}

impl AdminError {
    /// The five characters of PostgreSQL's error code, such as `42710`.
    #[must_use]
    pub fn sqlstate(&self) -> Option<&str> {
        self.cause().sqlstate.as_deref()
    }

    /// What to do next. What it leaves to the next apply, the same call does when it is made again.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.cause().hint.as_deref()
    }

    /// What happened, without the words for the kind of error.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.cause().text
    }

    fn cause(&self) -> &Cause {
        match self {
            Self::Database(cause)
            | Self::Pool(cause)
            | Self::SqlExecution { message: cause }
            | Self::InvalidConfig { message: cause } => cause,
        }
    }

    pub(super) fn invalid(text: impl Into<String>) -> Self {
        Self::InvalidConfig { message: Cause { text: text.into(), ..Cause::default() } }
    }

    /// There is no such tenant.
    pub(super) fn missing(text: String) -> Self {
        Self::SqlExecution { message: Cause::new(text, Some("3F000".into()), None) }
    }

    pub(super) fn with_hint(mut self, hint: Option<String>) -> Self {
        match &mut self {
            Self::Database(cause)
            | Self::Pool(cause)
            | Self::SqlExecution { message: cause }
            | Self::InvalidConfig { message: cause } => cause.hint = hint,
        }
        self
    }

    /// `failed`: such as "Failed to create user 'acme_user'".
    pub(super) fn of(failed: &str, error: Error) -> Self {
        match error {
            Error::Refused(refusal) => refused(failed, refusal),
            Error::Consent(needs) => {
                Self::SqlExecution { message: Cause::new(format!("{failed}: {needs}"), None, Some(needs.hint.clone())) }
            }
            Error::Run(error) => run(failed, &error),
        }
    }

    /// Of one that was begun.
    pub(super) fn of_tenant(failed: &str, error: TenantError) -> Self {
        let TenantError { message, sqlstate, hint } = error;
        Self::SqlExecution { message: Cause::new(format!("{failed}: {message}"), sqlstate, hint) }
    }
}

fn refused(failed: &str, refusal: Refusal) -> AdminError {
    let Refusal { guard, message, hint } = refusal;
    let (sqlstate, said) = match guard {
        Guard::OneTenant(clash) => (sqlstate(clash), message),
        Guard::Admin | Guard::MayApply => (Some("42501"), format!("permission denied: {message}")),
        // Somebody else is at work, and was waited for.
        Guard::Lock => {
            let longer = "try again once it has finished, or have more patience";
            let hint = Some(longer.to_owned());
            return AdminError::Database(Cause::new(format!("{failed}: {message}"), Some("55P03".into()), hint));
        }
        _ => (None, message),
    };
    AdminError::SqlExecution { message: Cause::new(format!("{failed}: {said}"), sqlstate.map(str::to_owned), hint) }
}

/// What PostgreSQL would have answered.
fn sqlstate(clash: Clash) -> Option<&'static str> {
    match clash {
        // duplicate_schema, duplicate_object, invalid_schema_name, undefined_object.
        Clash::Schema => Some("42P06"),
        Clash::User => Some("42710"),
        Clash::NoTenant => Some("3F000"),
        Clash::AnotherUser => Some("42704"),
        Clash::OfAFile | Clash::Blocked => None,
    }
}

fn run(failed: &str, error: &RunError) -> AdminError {
    let (text, hint) = (format!("{failed}: {}", error_chain(error)), error.hint());
    let of_server = |source: &DatabaseError| source.sqlstate().map(str::to_owned);
    match error {
        RunError::Config(_) | RunError::Migrations(_) | RunError::Target(_) => {
            AdminError::InvalidConfig { message: Cause::new(text, None, hint) }
        }
        RunError::Connect(source) => AdminError::Pool(Cause::new(text, source.sqlstate().map(str::to_owned), hint)),
        RunError::Database { source, .. } if source.is_closed() => {
            AdminError::Pool(Cause::new(text, of_server(source), hint))
        }
        RunError::Database { source, .. } => AdminError::Database(Cause::new(text, of_server(source), hint)),
        RunError::Secrets { .. } | RunError::Io { .. } | RunError::Refused { .. } => {
            AdminError::Database(Cause::new(text, None, hint))
        }
    }
}

impl Cause {
    fn new(text: String, sqlstate: Option<String>, hint: Option<String>) -> Self {
        Self { text, sqlstate, hint }
    }
}

impl Deref for Cause {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<Cause> for String {
    fn from(cause: Cause) -> Self {
        cause.text
    }
}
