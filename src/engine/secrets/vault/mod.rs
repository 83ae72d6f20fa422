//! Secrets in the KV engine of HashiCorp Vault or OpenBao, by vaultrs.
//!
//! [`session`] keeps a token alive and repeats what may pass, [`kv2`] and [`kv1`] know the two engines.

mod access;
mod as_tenant;
mod endpoints;
mod failure;
mod http;
mod kv1;
mod kv2;
mod login;
mod mount;
mod session;
mod wrap;

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;

use serde_json::Value;
use vaultrs::api;

use self::mount::Kind;
use self::session::{Access, PROBE, Refusal, Session};
use super::access::{AccessStore, WritableAccess};
use super::error::SecretError;
use super::store::{Found, SecretStore, WritableStore, components};
use crate::core::model::secret::{Mark, Secret, SecretHead};
use crate::core::model::vault::VaultSettings;
use crate::engine::workers;

/// Requests at once for a set of secrets: many more only queue up in the server's storage.
const AT_ONCE: usize = 8;

pub struct VaultStore {
    session: Session,
    mount: String,
    kind: OnceLock<Kind>,
    /// Whether the server is known to lack OpenBao's `detailed-metadata`, or to deny it.
    lists_names_only: AtomicBool,
}

impl VaultStore {
    pub fn new(settings: VaultSettings) -> Result<Self, SecretError> {
        components(&settings.mount).map_err(|_| SecretError::WrongMount {
            mount: settings.mount.clone(),
            reason: "that is not a valid mount path".to_owned(),
        })?;
        let mount = settings.mount.clone();
        let session = Session::new(settings)?;
        Ok(Self { session, mount, kind: OnceLock::new(), lists_names_only: AtomicBool::new(false) })
    }

    fn kind(&self) -> Result<Kind, SecretError> {
        if let Some(kind) = self.kind.get() {
            return Ok(*kind);
        }
        let kind = mount::kind(&self.session, &self.mount)?;
        Ok(*self.kind.get_or_init(|| kind))
    }

    /// What becomes of an answer that is neither success nor "nothing there".
    fn refused(&self, refusal: Refusal, path: &str) -> SecretError {
        if refusal.says("no handler for route") || refusal.says("unsupported path") {
            let reason = "nothing answers there".to_owned();
            return SecretError::WrongMount { mount: self.mount.clone(), reason };
        }
        refusal.into_error(path)
    }
}

impl SecretStore for VaultStore {
    fn preflight(&self) -> Result<(), SecretError> {
        self.session.check_ready()?;
        self.session.login()?;
        self.kind()?;
        Ok(())
    }

    fn heads(&self, paths: &[String]) -> Result<BTreeMap<String, SecretHead>, SecretError> {
        for path in paths {
            components(path)?;
        }
        match self.kind()? {
            Kind::V1 => self.v1_heads(paths),
            Kind::V2 => self.v2_heads(paths),
        }
    }

    fn reads_whole(&self) -> Result<bool, SecretError> {
        Ok(matches!(self.kind()?, Kind::V1))
    }

    fn read(&self, path: &str) -> Result<Found, SecretError> {
        components(path)?;
        match self.kind()? {
            Kind::V1 => self.v1_read(path),
            Kind::V2 => self.v2_read(path),
        }
    }

    fn read_version(&self, path: &str, version: &str) -> Result<Option<Secret>, SecretError> {
        components(path)?;
        match (self.kind()?, version.parse()) {
            (Kind::V2, Ok(version)) => self.v2_read_version(path, version),
            _ => Ok(None),
        }
    }

    fn may_write(&self, paths: &[String]) -> Result<(), SecretError> {
        let mount = &self.mount;
        let mut needed: Vec<(String, &'static str)> = Vec::new();
        for path in paths {
            components(path)?;
            match self.kind()? {
                Kind::V1 => {
                    needed.push((format!("{mount}/{path}"), "create"));
                    needed.push((format!("{mount}/{path}"), "update"));
                }
                Kind::V2 => {
                    for capability in ["create", "update"] {
                        needed.push((format!("{mount}/data/{path}"), capability));
                        needed.push((format!("{mount}/metadata/{path}"), capability));
                    }
                }
            }
        }
        self.may(&needed)
    }

    fn locate(&self, path: &str) -> String {
        format!("vault {} {}/{path}", self.session.address(), self.mount)
    }

    fn access(&self) -> Option<&dyn AccessStore> {
        Some(self)
    }
}

impl VaultStore {
    /// Whether the token has all these capabilities, each on its path.
    fn may(&self, needed: &[(String, &'static str)]) -> Result<(), SecretError> {
        // In one request for many tenants, yet not one of megabytes.
        for needed in needed.chunks(1000) {
            let mut asked: Vec<_> = needed.iter().map(|(path, _)| path.clone()).collect();
            asked.dedup();
            let access = Access { path: "sys/capabilities-self", capability: PROBE };
            let answer = self.session.call(access, async |client| {
                api::exec_with_result(client, endpoints::capabilities_self(&asked)).await
            })?;
            // Every token with the policy "default" may ask. One that may not is found out by writing.
            let Ok(answer) = answer else { return Ok(()) };
            for (path, capability) in needed {
                let granted = answer.get(path).and_then(Value::as_array);
                let allows = |granted: &Value| granted == "root" || granted == "sudo" || granted == *capability;
                if granted.is_some_and(|granted| !granted.iter().any(allows)) {
                    return Err(SecretError::Forbidden { path: path.clone(), capability });
                }
            }
        }
        Ok(())
    }
}

impl WritableStore for VaultStore {
    fn writable_access(&self) -> Option<&dyn WritableAccess> {
        Some(self)
    }

    fn write(&self, path: &str, secret: &Secret, expected: Option<&str>) -> Result<SecretHead, SecretError> {
        components(path)?;
        match self.kind()? {
            Kind::V1 => self.v1_write(path, secret, expected),
            Kind::V2 => self.v2_write(path, secret, expected),
        }
    }

    fn mark(&self, path: &str, mark: &Mark, expected: &str) -> Result<(), SecretError> {
        components(path)?;
        match self.kind()? {
            Kind::V1 => self.v1_mark(path, mark, expected),
            Kind::V2 => self.v2_mark(path, mark, expected),
        }
    }

    fn delete(&self, path: &str, expected: Option<&str>) -> Result<(), SecretError> {
        components(path)?;
        match self.kind()? {
            Kind::V1 => self.v1_delete(path, expected),
            Kind::V2 => self.v2_delete(path, expected),
        }
    }
}

/// The folder of a path, and its name there.
fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

/// Asks for many paths, a few at a time; what is absent is left out. Stops at the first error.
fn each<T: Send>(
    paths: &[String],
    ask: impl Fn(&str) -> Result<Option<T>, SecretError> + Sync,
) -> Result<BTreeMap<String, T>, SecretError> {
    let found = workers::each(paths, AT_ONCE, None, |path| Ok(ask(path)?.map(|found| (path.clone(), found))))?;
    Ok(found.into_iter().flatten().collect())
}
