//! What a secret store does, whichever it is.

use std::collections::BTreeMap;

use super::access::{AccessStore, WritableAccess};
use super::error::SecretError;
use crate::core::model::secret::{Mark, Secret, SecretHead};

/// What is at a path.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "one at a time, on its way to whoever asked")]
pub enum Found {
    /// Nothing, or nothing that lives: a soft-deleted version counts as gone.
    Absent,
    /// A tenant's credentials. Whose, the secret says itself.
    Readable(SecretHead, Secret),
    /// Something that does not have our format, so it belongs to someone else. `reason` names keys, never values.
    Foreign { head: SecretHead, reason: String },
}

/// Where secrets are kept, to be looked at. Called from many threads at once.
///
/// Paths are relative to the store, without a leading slash: `tenants/acme`.
pub trait SecretStore: Send + Sync {
    /// Reachable, unsealed, logged in, the mount present and its kind known. Changes nothing. Call it before anything
    /// changes in PostgreSQL.
    fn preflight(&self) -> Result<(), SecretError>;

    /// The heads of the secrets at these paths, absent ones left out. Set-based where the store can.
    fn heads(&self, paths: &[String]) -> Result<BTreeMap<String, SecretHead>, SecretError>;

    /// Whether a head is found only by reading the whole secret. Then its version is a key like any other, which stays as it
    /// is when somebody edits the rest: whoever looks compares all of it.
    fn reads_whole(&self) -> Result<bool, SecretError>;

    fn read(&self, path: &str) -> Result<Found, SecretError>;

    /// An earlier version, where the store keeps them and still has this one.
    fn read_version(&self, _path: &str, _version: &str) -> Result<Option<Secret>, SecretError> {
        Ok(None)
    }

    /// Whether the policy allows to write at these paths; asked before tenants are made that could not be handed over.
    /// A store that cannot tell says yes.
    fn may_write(&self, _paths: &[String]) -> Result<(), SecretError> {
        Ok(())
    }

    /// Who may read the secrets, where the store has policies that say so.
    fn access(&self) -> Option<&dyn AccessStore> {
        None
    }

    /// Where a person finds the secret: `vault https://… secret/tenants/acme`.
    fn locate(&self, path: &str) -> String;
}

/// The same for who carries out a plan.
pub trait WritableStore: SecretStore {
    /// Deletes what writes that were interrupted left behind: it may hold a password. For those who hold apply's lock.
    fn tidy(&self) -> Result<(), SecretError> {
        Ok(())
    }

    /// Who may read the secrets, to be changed, where the store has policies.
    fn writable_access(&self) -> Option<&dyn WritableAccess> {
        None
    }

    /// Check-and-set. `expected` is the live version to replace; `None` means that there must be none.
    fn write(&self, path: &str, secret: &Secret, expected: Option<&str>) -> Result<SecretHead, SecretError>;

    /// Says whose the secret is, when the live version is `expected`: that stays, with its number and all it holds.
    fn mark(&self, path: &str, mark: &Mark, expected: &str) -> Result<(), SecretError>;

    /// Removes the secret with all its versions and its metadata, if given only when the live version is `expected`.
    /// Fine when it is gone already.
    fn delete(&self, path: &str, expected: Option<&str>) -> Result<(), SecretError>;
}

/// The components of a path, none of which leads anywhere but down.
pub(super) fn components(path: &str) -> Result<Vec<&str>, SecretError> {
    let refuse = |reason| Err(SecretError::BadPath { path: path.to_owned(), reason });
    if path.contains(['\0', '\\']) {
        return refuse("contains a backslash or a NUL");
    }
    let parts: Vec<_> = path.split('/').collect();
    if parts.contains(&"") {
        return refuse("is absolute or contains an empty component");
    }
    if parts.contains(&".") || parts.contains(&"..") {
        return refuse("contains \".\" or \"..\"");
    }
    Ok(parts)
}
