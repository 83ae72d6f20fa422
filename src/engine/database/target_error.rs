//! Why the place to connect to could not be made out.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TargetError {
    /// Without its name where that may be a piece of a password.
    #[error("unknown connection parameter{} in {origin}", .name.as_ref().map(|name| format!(" {name}")).unwrap_or_default())]
    UnknownParameter { name: Option<String>, origin: String },
    #[error("connection parameter {name} in {origin} is not supported")]
    Unsupported { name: &'static str, origin: String, fine: &'static [&'static str] },
    #[error("{name} in {origin} holds more than the {name}")]
    WholeAddress { name: &'static str, origin: String },
    /// Without its value where that may be a password.
    #[error("{name} from {origin} {}", .value.as_ref().map_or("is not valid".into(), |value| format!("cannot be {:?}", shown(value))))]
    InvalidValue { name: &'static str, value: Option<String>, origin: String, expected: &'static str },
    #[error("cannot read {origin}: {problem}")]
    Malformed { origin: String, problem: String },
    #[error("{hosts} hosts are named, but {count} {name}s")]
    Counts { name: &'static str, count: usize, hosts: usize },
    #[error("service {:?} is not in any service file", shown(.service))]
    NoService { service: String, looked_in: Vec<PathBuf> },
    #[error("service file {}, line {line}: {problem}", shown(&path.to_string_lossy()))]
    ServiceFile { path: PathBuf, line: usize, problem: String },
    #[error("cannot read {}", shown(&path.to_string_lossy()))]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("no user name is given, and the operating system does not say who runs this")]
    NoUser,
}

/// Left of an `@` a password may stand, whatever the text was meant to be.
fn shown(text: &str) -> String {
    text.rfind('@').map_or_else(|| text.to_owned(), |at| format!("…{}", &text[at..]))
}

impl TargetError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::UnknownParameter { .. } => {
                "the parameters are libpq's: https://www.postgresql.org/docs/current/libpq-connect.html".into()
            }
            Self::Unsupported { name, fine: [], .. } => format!("omit {name}"),
            Self::Unsupported { name, fine, .. } => format!("omit {name}, or set it to {}", fine.join(" or ")),
            Self::InvalidValue { expected, .. } => format!("it takes {expected}"),
            Self::WholeAddress { .. } => {
                "a whole postgresql:// URL goes into --database-url, TENANTRY_DATABASE_URL or [database] url".into()
            }
            Self::Malformed { .. } => {
                "write postgresql://user@host:5432/database, with @ : / ? # % in names and passwords as %40 %3A %2F %3F %23 %25"
                    .into()
            }
            Self::Counts { name, .. } => format!("give one {name} for all hosts, or one for each"),
            Self::NoService { looked_in, .. } => {
                let places: Vec<_> = looked_in.iter().map(|path| shown(&path.to_string_lossy())).collect();
                format!("add it to {}", places.join(" or "))
            }
            Self::NoUser => "add user= to the URL, or set PGUSER".into(),
            Self::ServiceFile { .. } | Self::Unreadable { .. } => return None,
        })
    }
}
