//! Why there is no throw-away server.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SandboxError {
    #[error("no PostgreSQL server programs are installed here")]
    NoBinaries,
    #[error("{} holds no PostgreSQL server: {missing} is missing", dir.display())]
    Incomplete { dir: PathBuf, missing: &'static str },
    #[error("PostgreSQL refuses to run as root, and there is no user postgres to run it as")]
    NoUser,
    #[error("{doing} failed: {output}")]
    Failed { doing: &'static str, output: String },
    #[error("the server did not start: {log}")]
    NotStarted { log: String },
    #[error("the server did not stop within {seconds} s")]
    NotStopped { seconds: u64 },
    #[error("cannot {doing}")]
    Io { doing: &'static str, source: io::Error },
}

impl SandboxError {
    /// What to type.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoBinaries => Some(
                "apt-get install postgresql (dnf install postgresql-server, brew install postgresql), or set TENANTRY_PG_BINDIR \
                 to the directory with initdb and postgres",
            ),
            Self::Incomplete { .. } => Some(
                "apt-get install postgresql (dnf install postgresql-server), or name another directory in TENANTRY_PG_BINDIR",
            ),
            Self::NoUser => Some(
                "useradd --system --no-create-home postgres (apt-get install postgresql makes one too), or run as another user",
            ),
            _ => None,
        }
    }
}

/// For `map_err`: what was being done when the system refused.
pub(super) fn io(doing: &'static str) -> impl FnOnce(io::Error) -> SandboxError {
    move |source| SandboxError::Io { doing, source }
}
