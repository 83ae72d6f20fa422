//! Why the library goes no further.

use super::consent::NeedsConsent;
use crate::core::model::TenantKey;
use crate::core::plan::Stale;
use crate::engine::error::{Error as RunError, error_chain};

/// Nothing was changed, unless the error is of [`Approved::apply`](super::Approved::apply) and says so.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A guard says no, and no consent makes it say yes.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The plan needs a consent that was not given.
    #[error(transparent)]
    Consent(#[from] NeedsConsent),
    /// The configuration is at fault, or PostgreSQL, the secret store or the file system said no.
    #[error(transparent)]
    Run(#[from] RunError),
}

impl Error {
    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Refused(refusal) => refusal.hint.clone(),
            Self::Consent(needs) => Some(needs.hint.clone()),
            Self::Run(error) => error.hint(),
        }
    }

    /// PostgreSQL's code for what it answered, where it was PostgreSQL that did.
    #[must_use]
    pub fn sqlstate(&self) -> Option<&str> {
        match self {
            Self::Run(error) => error.sqlstate(),
            Self::Refused(_) | Self::Consent(_) => None,
        }
    }

    /// With everything behind it.
    #[must_use]
    pub fn in_one_line(&self) -> String {
        error_chain(self)
    }

    /// Which guard it was.
    #[must_use]
    pub fn guard(&self) -> Option<&Guard> {
        match self {
            Self::Refused(refusal) => Some(&refusal.guard),
            Self::Consent(_) | Self::Run(_) => None,
        }
    }
}

/// A guard's no. Display is its message.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    pub guard: Guard,
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
}

/// What is asked before anything is changed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Guard {
    /// A target is no glob. `why`: what is wrong with it.
    Glob { glob: String, why: String },
    /// A target matches no tenant, declared or registered: it may be a typing error.
    MatchesSome { glob: String },
    /// The targets leave out the tenant that was named.
    Selected { tenant: TenantKey },
    /// That a database has moved is true of the whole of it, and was said of some tenants.
    MovedAsAWhole,
    /// A tenant that was named is not declared.
    Declared { tenant: String },
    /// A tenant that was named is not registered.
    Registered { tenant: String },
    /// A tenant is not as the registry has it.
    Whole { tenant: TenantKey },
    /// One apply at a time, by whoever may write to the registry.
    Lock,
    /// The role we are connected as may look and not apply.
    MayApply,
    /// What was not seen is not known to be as declared.
    SeesEverything,
    /// A saved plan is not what would be applied now.
    AsSaved(Vec<Stale>),
    /// The registry has lost tenants that tenantry made.
    NoneLost,
    /// The secrets may be another database's.
    ItsSecrets,
    /// Nobody else's code may run as us, nor the registry be of an older version.
    Registry,
    /// An extension that no tenant would find.
    Extensions,
    /// A right that the role we are connected as lacks.
    Admin,
    /// What only the server can tell.
    Server,
    /// pg_dump and pg_restore, and the directory of archives.
    Archives,
    /// The secrets may be written.
    Store,
    /// A tenant is restored only where there is none, and from an archive that fits.
    Restorable,
    /// A tenant becomes a copy only where there is none, and only of one that is there.
    Copyable,
    /// Only what is there, and not registered, is adopted.
    Adoptable,
    /// A program creates a tenant only where there is none, and changes only those that programs created.
    OneTenant(Clash),
}

/// Why a tenant is not created, or changed, for a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Clash {
    /// There is a schema of this name.
    Schema,
    /// There is a role of this name.
    User,
    /// No tenant has this schema.
    NoTenant,
    /// The tenant of this schema has another username.
    AnotherUser,
    /// tenants.toml, or its source, declares the tenant.
    OfAFile,
    /// It cannot be changed as it is.
    Blocked,
}

impl Refusal {
    pub(super) fn new(guard: Guard, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { guard, message: message.into(), hint: Some(hint.into()) }
    }
}

/// What is asked of the engine, as the guard that asks.
pub(super) trait Guarded<T> {
    fn guarded(self, guard: Guard) -> Result<T, Error>;
}

impl<T> Guarded<T> for Result<T, RunError> {
    /// A connection that failed meanwhile is no refusal.
    fn guarded(self, guard: Guard) -> Result<T, Error> {
        self.map_err(|error| match error {
            RunError::Refused { message, hint } => Refusal { guard, message, hint }.into(),
            // What a store or a disk answers is its refusal.
            error @ (RunError::Secrets { .. } | RunError::Io { .. }) => {
                Refusal { guard, message: error_chain(&error), hint: error.hint() }.into()
            }
            error => Error::Run(error),
        })
    }
}
