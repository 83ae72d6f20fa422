//! The secret store: files, or the KV secrets engine of HashiCorp Vault or OpenBao.
//!
//! The store holds the password of record; PostgreSQL is converged to it. So every write is check-and-set: it names
//! the version it means to replace, and fails if someone else was faster.

mod error;
mod file;
mod vault;

use std::collections::BTreeMap;
use std::path::Path;

pub use error::SecretError;
pub use file::FileStore;
pub use vault::VaultStore;

use crate::core::model::secret::{Mark, Secret, SecretHead};
use crate::core::model::vault::VaultSettings;

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

/// Where secrets are kept. Called from many threads at once.
///
/// Paths are relative to the store, without a leading slash: `tenants/acme`.
pub trait SecretStore: Send + Sync {
    /// Reachable, unsealed, logged in, the mount present and its kind known. Changes nothing. Call it before anything
    /// changes in PostgreSQL.
    fn preflight(&self) -> Result<(), SecretError>;

    /// Deletes what writes that were interrupted left behind: it may hold a password. For those who hold apply's lock.
    fn tidy(&self) -> Result<(), SecretError> {
        Ok(())
    }

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

    /// Check-and-set. `expected` is the live version to replace; `None` means that there must be none.
    fn write(&self, path: &str, secret: &Secret, expected: Option<&str>) -> Result<SecretHead, SecretError>;

    /// Says whose the secret is, when the live version is `expected`: that stays, with its number and all it holds.
    fn mark(&self, path: &str, mark: &Mark, expected: &str) -> Result<(), SecretError>;

    /// Removes the secret with all its versions and its metadata, if given only when the live version is `expected`.
    /// Fine when it is gone already.
    fn delete(&self, path: &str, expected: Option<&str>) -> Result<(), SecretError>;

    /// Whether the policy allows to write at these paths; asked before tenants are made that could not be handed over.
    /// A store that cannot tell says yes.
    fn may_write(&self, _paths: &[String]) -> Result<(), SecretError> {
        Ok(())
    }

    /// Where a person finds the secret: `vault https://… secret/tenants/acme`.
    fn locate(&self, path: &str) -> String;
}

pub fn open_file(dir: &Path) -> FileStore {
    FileStore::new(dir)
}

/// Checks the settings and reads the certificates they name; the server is not asked anything yet.
pub fn open_vault(settings: VaultSettings) -> Result<VaultStore, SecretError> {
    VaultStore::new(settings)
}

/// The components of a path, none of which leads anywhere but down.
fn components(path: &str) -> Result<Vec<&str>, SecretError> {
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

/// What stands in a document of ours where the store keeps no versions and no metadata of its own.
mod document {
    use serde_json::{Map, Value};

    use super::Found;
    use crate::core::model::secret::{Mark, Secret, SecretHead};

    /// The secret's document with who wrote it and a counter.
    pub(super) fn counted(secret: &Secret, version: u64) -> Map<String, Value> {
        let mut document = secret.to_json();
        document.insert("managed_by".to_owned(), Secret::MANAGED_BY.into());
        document.insert("version".to_owned(), version.into());
        mark(&mut document, &secret.mark);
        document
    }

    pub(super) fn mark(document: &mut Map<String, Value>, mark: &Mark) {
        document.extend(mark.entries().map(|(key, value)| (key.to_owned(), value.into())));
    }

    /// The counter; 0 for a document that somebody else wrote.
    pub(super) fn version(document: &Value) -> u64 {
        document.get("version").and_then(Value::as_u64).unwrap_or(0)
    }

    pub(super) fn head(document: &Value) -> SecretHead {
        let text = |key: &str| document.get(key).and_then(Value::as_str).map(str::to_owned);
        SecretHead {
            version: version(document).to_string(),
            created: None,
            managed_by: text("managed_by"),
            tenant: text("tenant"),
            database: text("database"),
            mark: Mark::read(text),
        }
    }

    pub(super) fn found(head: SecretHead, document: &Value) -> Found {
        match Secret::from_json(document) {
            Ok(mut secret) => {
                // Ours, and counted again at the next write: not keys that others added.
                if document.get("managed_by").is_some_and(|by| by == Secret::MANAGED_BY) {
                    let written = ["managed_by", "version"].into_iter().chain(Mark::KEYS);
                    written.for_each(|key| drop(secret.others.shift_remove(key)));
                }
                Found::Readable(head, secret)
            }
            Err(fault) => Found::Foreign { head, reason: fault.to_string() },
        }
    }
}
