//! No store: whoever has a tenant created is told its password, and nobody else.

use std::collections::BTreeMap;

use super::error::SecretError;
use super::store::{Found, SecretStore, WritableStore};
use crate::core::model::secret::{Mark, Secret, SecretHead};

struct NoStore;

/// It holds nothing, and no plan writes to it.
pub fn no_store() -> impl WritableStore {
    NoStore
}

impl SecretStore for NoStore {
    fn preflight(&self) -> Result<(), SecretError> {
        Ok(())
    }

    fn heads(&self, _paths: &[String]) -> Result<BTreeMap<String, SecretHead>, SecretError> {
        Ok(BTreeMap::new())
    }

    fn reads_whole(&self) -> Result<bool, SecretError> {
        Ok(false)
    }

    fn read(&self, _path: &str) -> Result<Found, SecretError> {
        Ok(Found::Absent)
    }

    fn locate(&self, _path: &str) -> String {
        "no secret store".to_owned()
    }
}

impl WritableStore for NoStore {
    fn write(&self, path: &str, _secret: &Secret, _expected: Option<&str>) -> Result<SecretHead, SecretError> {
        Err(SecretError::BadPath { path: path.to_owned(), reason: "is in no secret store" })
    }

    fn mark(&self, path: &str, _mark: &Mark, _expected: &str) -> Result<(), SecretError> {
        Err(SecretError::BadPath { path: path.to_owned(), reason: "is in no secret store" })
    }

    fn delete(&self, _path: &str, _expected: Option<&str>) -> Result<(), SecretError> {
        Ok(())
    }
}
