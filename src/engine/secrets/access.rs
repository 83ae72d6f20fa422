//! Who may read the secrets, where the store has policies.

use std::collections::BTreeMap;
use std::time::Duration;

use secrecy::SecretString;

use super::error::SecretError;
use crate::core::model::{VaultContents, VaultObject};

/// A response-wrapping token: the secret is read with it once, and by nobody afterwards.
#[derive(Debug)]
pub struct Wrapped {
    pub token: SecretString,
    /// With it the token can be looked up and revoked, and not unwrapped.
    pub accessor: String,
    pub ttl: Duration,
    /// Where Vault has the secret.
    pub path: String,
}

/// Policies and roles, to be looked at. Called from many threads at once.
pub trait AccessStore: Send + Sync {
    /// What the path of a secret begins with in a policy: `secret/data`.
    fn secrets_at(&self) -> Result<String, SecretError>;

    /// Where the names of secrets are listed: `secret/metadata`.
    fn lists_at(&self) -> Result<String, SecretError>;

    /// What these are, absent ones left out. Set-based where the store can.
    fn objects(&self, objects: &[VaultObject]) -> Result<BTreeMap<VaultObject, VaultContents>, SecretError>;

    /// What this one is now; `None`: there is none.
    fn object(&self, object: &VaultObject) -> Result<Option<VaultContents>, SecretError>;

    /// Whether our own policy allows to make these, and to delete those.
    fn may_change(&self, set: &[&VaultObject], deleted: &[&VaultObject]) -> Result<(), SecretError>;

    /// Logs in with this AppRole, by a SecretID that is destroyed afterwards, and reads these paths, or lists those that end
    /// in a slash: for each, whether it may.
    fn try_role(&self, role: &VaultObject, paths: &[String]) -> Result<Vec<bool>, SecretError>;

    /// The secret at this path in a token that unwraps to it once, for so long.
    fn wrap(&self, path: &str, ttl: Duration) -> Result<Wrapped, SecretError>;
}

/// The same for who carries out a plan.
pub trait WritableAccess: AccessStore {
    /// Makes it, or makes it again. What of a role is not in the contents stays as it is.
    fn set(&self, object: &VaultObject, contents: &VaultContents) -> Result<(), SecretError>;

    /// Fine when it is gone already.
    fn remove(&self, object: &VaultObject) -> Result<(), SecretError>;
}
