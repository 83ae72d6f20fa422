//! Opening one store or the other.

use std::path::Path;

use super::error::SecretError;
use super::file::FileStore;
use super::vault::VaultStore;
use crate::core::model::vault::VaultSettings;

pub fn open_file(dir: &Path) -> FileStore {
    FileStore::new(dir)
}

/// Checks the settings and reads the certificates they name; the server is not asked anything yet.
pub fn open_vault(settings: VaultSettings) -> Result<VaultStore, SecretError> {
    VaultStore::new(settings)
}
