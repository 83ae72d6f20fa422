//! Who may read the secrets, where the store has policies.

use std::collections::BTreeMap;

use super::error::SecretError;
use crate::core::model::{VaultContents, VaultObject};

/// Policies and roles, to be looked at. Called from many threads at once.
pub trait AccessStore: Send + Sync {
    /// What the path of a secret begins with in a policy: `secret/data`.
    fn secrets_at(&self) -> Result<String, SecretError>;

    /// What these are, absent ones left out. Set-based where the store can.
    fn objects(&self, objects: &[VaultObject]) -> Result<BTreeMap<VaultObject, VaultContents>, SecretError>;

    /// What this one is now; `None`: there is none.
    fn object(&self, object: &VaultObject) -> Result<Option<VaultContents>, SecretError>;

    /// Whether our own policy allows to make these, and to delete those.
    fn may_change(&self, set: &[&VaultObject], deleted: &[&VaultObject]) -> Result<(), SecretError>;

    /// Makes it, or makes it again. What of a role is not in the contents stays as it is.
    fn set(&self, object: &VaultObject, contents: &VaultContents) -> Result<(), SecretError>;

    /// Fine when it is gone already.
    fn remove(&self, object: &VaultObject) -> Result<(), SecretError>;
}
