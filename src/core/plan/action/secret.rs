//! What happens in the secret store.

use super::view::{Action, Kind};
use crate::core::model::{FormerSecret, SecretFields};
use crate::core::plan::bookkeeping::forget_secret;
use crate::core::plan::statement::{Sql, statements};

/// Written just before COMMIT, by check-and-set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteSecret {
    pub path: String,
    /// The version that is there; `None`: none is.
    pub expected: Option<String>,
    pub before: Option<SecretBefore>,
    /// All that it will say, but for the password.
    pub fields: SecretFields,
}

/// What a secret says that is written over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretBefore {
    Says(SecretFields),
    /// Its url says something else.
    WithAnotherUrl(SecretFields),
    /// It was not read.
    Version(String),
}

impl Action for WriteSecret {
    fn kind(&self) -> Kind {
        Kind::WriteSecret
    }

    fn what(&self) -> String {
        format!("secret {}", self.path)
    }

    fn before(&self) -> Option<String> {
        self.before.as_ref().map(|before| match before {
            SecretBefore::Says(fields) => spell(fields),
            SecretBefore::WithAnotherUrl(fields) => format!("{}, with a url that does not match", spell(fields)),
            SecretBefore::Version(version) => format!("version {version}"),
        })
    }

    fn after(&self) -> Option<String> {
        Some(spell(&self.fields))
    }
}

pub(in crate::core::plan) fn spell(fields: &SecretFields) -> String {
    let SecretFields { username, schema, host, port, database, sslmode } = fields;
    let sslmode = sslmode.map(|mode| format!(", sslmode {mode}")).unwrap_or_default();
    format!("{username}@{host}:{port}/{database}{sslmode}, schema {schema}")
}

/// Deleted after COMMIT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeleteSecret {
    pub path: String,
    /// The version that is there.
    pub expected: String,
}

impl Action for DeleteSecret {
    fn kind(&self) -> Kind {
        Kind::DeleteSecret
    }

    fn what(&self) -> String {
        format!("secret {}", self.path)
    }

    fn before(&self) -> Option<String> {
        Some("delivered".into())
    }
}

/// It is deleted already, and the registry still names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForgetSecret(pub FormerSecret);

impl Action for ForgetSecret {
    fn kind(&self) -> Kind {
        Kind::DeleteSecret
    }

    fn what(&self) -> String {
        format!("secret {}", self.0.path)
    }

    fn before(&self) -> Option<String> {
        Some("deleted already".into())
    }

    fn sql(&self) -> Vec<Sql> {
        statements([forget_secret(&self.0)])
    }
}
