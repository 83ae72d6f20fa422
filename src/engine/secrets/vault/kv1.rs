//! KV version 1: one document per path, without versions or check-and-set. The document carries both.
//!
//! Reading, comparing and writing are three steps here, and another writer fits between them. tenantry's own lock on
//! the database keeps a second tenantry out; nothing keeps out others.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::{Map, Value};
use vaultrs::kv1;

use super::session::{Access, Refusal};
use super::{PROBE, VaultStore, each, split};
use crate::core::model::secret::{Mark, Secret, SecretHead};
use crate::engine::secrets::{Found, SecretError, document};

impl VaultStore {
    pub(super) fn v1_heads(&self, paths: &[String]) -> Result<BTreeMap<String, SecretHead>, SecretError> {
        let folders: BTreeSet<&str> = paths.iter().map(|path| split(path).0).collect();
        let mut listed = BTreeMap::new();
        for folder in folders {
            listed.insert(folder, self.v1_list(folder)?);
        }
        let there = |path: &&String| {
            let (folder, name) = split(path);
            listed.get(folder).is_none_or(|names| names.as_ref().is_none_or(|names| names.contains(name)))
        };
        let asked: Vec<String> = paths.iter().filter(there).cloned().collect();
        each(&asked, |path| Ok(self.v1_get(path)?.map(|value| document::head(&value))))
    }

    /// `None` where the policy does not let us list.
    fn v1_list(&self, folder: &str) -> Result<Option<BTreeSet<String>>, SecretError> {
        let mount = &self.mount;
        let path = format!("{mount}/{folder}/");
        let access = Access { path: &path, capability: PROBE };
        match self.session.call(access, async |client| kv1::list(client, mount, folder).await)? {
            Ok(list) => Ok(Some(list.data.keys.into_iter().collect())),
            Err(Refusal { code: 404, reasons }) if reasons.is_empty() => Ok(Some(BTreeSet::new())),
            Err(Refusal { code: 403, .. }) => Ok(None),
            Err(refusal) => Err(self.refused(refusal, &path)),
        }
    }

    fn v1_get(&self, path: &str) -> Result<Option<Value>, SecretError> {
        let mount = &self.mount;
        let asked = format!("{mount}/{path}");
        let access = Access { path: &asked, capability: "read" };
        match self.session.call(access, async |client| kv1::get::<Value>(client, mount, path).await)? {
            Ok(value) => Ok(Some(value)),
            Err(Refusal { code: 404, reasons }) if reasons.is_empty() => Ok(None),
            Err(refusal) => Err(self.refused(refusal, &asked)),
        }
    }

    pub(super) fn v1_read(&self, path: &str) -> Result<Found, SecretError> {
        let value = self.v1_get(path)?;
        Ok(value.map_or(Found::Absent, |value| document::found(document::head(&value), &value)))
    }

    fn v1_check(&self, path: &str, found: Option<&Value>, expected: Option<&str>) -> Result<(), SecretError> {
        let live = found.map(|value| document::version(value).to_string());
        if live.as_deref() == expected {
            return Ok(());
        }
        Err(SecretError::CheckAndSet { path: path.to_owned(), expected: expected.map(str::to_owned), found: live })
    }

    pub(super) fn v1_write(
        &self,
        path: &str,
        secret: &Secret,
        expected: Option<&str>,
    ) -> Result<SecretHead, SecretError> {
        let found = self.v1_get(path)?;
        self.v1_check(path, found.as_ref(), expected)?;
        let value = document::counted(secret, found.as_ref().map_or(0, document::version) + 1);
        let head = document::head(&Value::Object(value.clone()));
        self.v1_set(path, &value, found.is_some())?;
        Ok(head)
    }

    pub(super) fn v1_mark(&self, path: &str, mark: &Mark, expected: &str) -> Result<(), SecretError> {
        let found = self.v1_get(path)?;
        self.v1_check(path, found.as_ref(), Some(expected))?;
        let Some(Value::Object(mut document)) = found else { return Ok(()) };
        document::mark(&mut document, mark);
        self.v1_set(path, &document, true)
    }

    fn v1_set(&self, path: &str, value: &Map<String, Value>, replaces: bool) -> Result<(), SecretError> {
        let fields: HashMap<&str, &Value> = value.iter().map(|(key, value)| (key.as_str(), value)).collect();
        let mount = &self.mount;
        let asked = format!("{mount}/{path}");
        let access = Access { path: &asked, capability: if replaces { "update" } else { "create" } };
        match self.session.call(access, async |client| kv1::set(client, mount, path, &fields).await)? {
            Ok(()) => Ok(()),
            Err(refusal) => Err(self.refused(refusal, &asked)),
        }
    }

    pub(super) fn v1_delete(&self, path: &str, expected: Option<&str>) -> Result<(), SecretError> {
        if expected.is_some() {
            let Some(found) = self.v1_get(path)? else { return Ok(()) };
            self.v1_check(path, Some(&found), expected)?;
        }
        let mount = &self.mount;
        let asked = format!("{mount}/{path}");
        let access = Access { path: &asked, capability: "delete" };
        match self.session.call(access, async |client| kv1::delete(client, mount, path).await)? {
            Ok(()) | Err(Refusal { code: 404, .. }) => Ok(()),
            Err(refusal) => Err(self.refused(refusal, &asked)),
        }
    }
}
