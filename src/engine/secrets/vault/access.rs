//! Policies, and the roles of AppRole and Kubernetes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use vaultrs::api;

use super::endpoints::Ask;
use super::mount::Kind;
use super::session::{Access, PROBE, Refusal};
use super::{AT_ONCE, VaultStore};
use crate::core::model::{Bound, VaultContents, VaultObject, VaultRole};
use crate::engine::secrets::access::{AccessStore, Wrapped, WritableAccess};
use crate::engine::secrets::error::SecretError;
use crate::engine::secrets::store::components;
use crate::engine::workers;

#[derive(Deserialize)]
struct Policy {
    policy: String,
}

#[derive(Deserialize)]
struct DetailedPolicies {
    key_info: BTreeMap<String, Policy>,
}

#[derive(Deserialize)]
struct Names {
    keys: BTreeSet<String>,
}

/// Lists that are empty come as null from some versions.
#[derive(Deserialize)]
struct Role {
    token_policies: Option<BTreeSet<String>>,
    bound_service_account_names: Option<BTreeSet<String>>,
    bound_service_account_namespaces: Option<BTreeSet<String>>,
    bound_service_account_namespace_selector: Option<String>,
}

impl AccessStore for VaultStore {
    fn secrets_at(&self) -> Result<String, SecretError> {
        Ok(match self.kind()? {
            Kind::V1 => self.mount.clone(),
            Kind::V2 => format!("{}/data", self.mount),
        })
    }

    fn lists_at(&self) -> Result<String, SecretError> {
        Ok(match self.kind()? {
            Kind::V1 => self.mount.clone(),
            Kind::V2 => format!("{}/metadata", self.mount),
        })
    }

    fn objects(&self, objects: &[VaultObject]) -> Result<BTreeMap<VaultObject, VaultContents>, SecretError> {
        let mut found = BTreeMap::new();
        let mut folders: BTreeMap<String, Vec<&VaultObject>> = BTreeMap::new();
        for object in objects {
            folders.entry(folder(object)).or_default().push(object);
        }
        for (folder, mut objects) in folders {
            if objects.iter().all(|object| object.is_policy())
                && let Some(mut texts) = self.policies()?
            {
                let text = |object: &&VaultObject| {
                    let text = texts.remove(object.name())?;
                    Some(((*object).clone(), VaultContents::Policy(text)))
                };
                found.extend(objects.iter().filter_map(text));
                continue;
            }
            if let Some(names) = self.names(&folder)? {
                objects.retain(|object| names.contains(object.name()));
            }
            let read = workers::each(&objects, AT_ONCE, None, |object| {
                Ok::<_, SecretError>(self.object(object)?.map(|contents| ((*object).clone(), contents)))
            })?;
            found.extend(read.into_iter().flatten());
        }
        Ok(found)
    }

    fn object(&self, object: &VaultObject) -> Result<Option<VaultContents>, SecretError> {
        let path = checked(object)?;
        let access = Access { path: &path, capability: "read" };
        let contents = match object {
            VaultObject::Policy { .. } => {
                let asked = || Ask::<Policy>::get(path.clone());
                let answer = self.session.call(access, async |client| api::exec_with_result(client, asked()).await)?;
                answer.map(|Policy { policy }| VaultContents::Policy(policy))
            }
            VaultObject::AppRole { .. } | VaultObject::Kubernetes { .. } => {
                let asked = || Ask::<Role>::get(path.clone());
                let answer = self.session.call(access, async |client| api::exec_with_result(client, asked()).await)?;
                answer.map(|role| VaultContents::Role(role.of(object)))
            }
        };
        match contents {
            Ok(contents) => Ok(Some(contents)),
            Err(Refusal { code: 404, reasons }) if reasons.is_empty() => Ok(None),
            Err(refusal) => Err(self.refused_access(object, refusal)),
        }
    }

    fn may_change(&self, set: &[&VaultObject], deleted: &[&VaultObject]) -> Result<(), SecretError> {
        let mut needed = Vec::new();
        for object in set {
            let path = checked(object)?;
            // A policy is always an update, a role also a create.
            needed.push((path.clone(), "update"));
            if !object.is_policy() {
                needed.push((path, "create"));
            }
        }
        for object in deleted {
            needed.push((checked(object)?, "delete"));
        }
        self.may(&needed)
    }

    fn try_role(&self, role: &VaultObject, paths: &[String]) -> Result<Vec<bool>, SecretError> {
        checked(role)?;
        self.read_as(role, paths)
    }

    fn wrap(&self, path: &str, ttl: Duration) -> Result<Wrapped, SecretError> {
        self.wrap_secret(path, ttl)
    }
}

impl WritableAccess for VaultStore {
    fn set(&self, object: &VaultObject, contents: &VaultContents) -> Result<(), SecretError> {
        let body = match contents {
            VaultContents::Policy(text) => json!({ "policy": text }),
            VaultContents::Role(VaultRole { policies, bound: None }) => json!({ "token_policies": policies }),
            VaultContents::Role(VaultRole { policies, bound: Some(bound) }) => bound_body(policies, bound),
        };
        let path = checked(object)?;
        let access = Access { path: &path, capability: "update" };
        let asked = || Ask::<Value>::post(path.clone(), &body);
        let answer = self.session.call(access, async |client| api::exec_with_empty(client, asked()).await)?;
        answer.map_err(|refusal| self.refused_access(object, refusal))
    }

    fn remove(&self, object: &VaultObject) -> Result<(), SecretError> {
        let path = checked(object)?;
        let access = Access { path: &path, capability: "delete" };
        let asked = || Ask::<Value>::delete(path.clone());
        match self.session.call(access, async |client| api::exec_with_empty(client, asked()).await)? {
            Ok(()) => Ok(()),
            // The auth method itself is gone, and its roles with it.
            Err(Refusal { code: 404, .. }) => Ok(()),
            Err(refusal) => Err(self.refused_access(object, refusal)),
        }
    }
}

impl VaultStore {
    /// All policies with their texts, of OpenBao; `None` where they cannot be had in one request.
    fn policies(&self) -> Result<Option<BTreeMap<String, String>>, SecretError> {
        let path = "sys/policies/detailed/acl";
        let access = Access { path, capability: PROBE };
        let asked = || Ask::<DetailedPolicies>::list(path.to_owned());
        let answer = self.session.call(access, async |client| api::exec_with_result(client, asked()).await)?;
        Ok(answer
            .ok()
            .map(|found| found.key_info.into_iter().map(|(name, Policy { policy })| (name, policy)).collect()))
    }

    /// `None` where the policy does not let us list.
    fn names(&self, folder: &str) -> Result<Option<BTreeSet<String>>, SecretError> {
        let access = Access { path: folder, capability: PROBE };
        let asked = || Ask::<Names>::list(folder.to_owned());
        match self.session.call(access, async |client| api::exec_with_result(client, asked()).await)? {
            Ok(Names { keys }) => Ok(Some(keys)),
            Err(Refusal { code: 404, reasons }) if reasons.is_empty() => Ok(Some(BTreeSet::new())),
            // Those that are asked for by name say what is wrong.
            Err(_) => Ok(None),
        }
    }

    fn refused_access(&self, object: &VaultObject, refusal: Refusal) -> SecretError {
        if !object.is_policy() && (refusal.says("no handler for route") || refusal.says("unsupported path")) {
            return SecretError::NoAuthMethod { mount: object.mount().to_owned(), method: object.kind() };
        }
        refusal.into_error(&object.path())
    }
}

impl Role {
    fn of(self, object: &VaultObject) -> VaultRole {
        let bound = matches!(object, VaultObject::Kubernetes { .. }).then(|| Bound {
            service_accounts: self.bound_service_account_names.unwrap_or_default(),
            namespaces: self.bound_service_account_namespaces.unwrap_or_default(),
            selector: self.bound_service_account_namespace_selector.unwrap_or_default(),
        });
        VaultRole { policies: self.token_policies.unwrap_or_default(), bound }
    }
}

/// An older version ignores the selector, with a warning.
fn bound_body(policies: &BTreeSet<String>, bound: &Bound) -> Value {
    json!({
        "token_policies": policies,
        "bound_service_account_names": bound.service_accounts,
        "bound_service_account_namespaces": bound.namespaces,
        "bound_service_account_namespace_selector": bound.selector,
    })
}

fn folder(object: &VaultObject) -> String {
    match object {
        VaultObject::Policy { .. } => "sys/policies/acl".to_owned(),
        VaultObject::AppRole { mount, .. } | VaultObject::Kubernetes { mount, .. } => format!("auth/{mount}/role"),
    }
}

/// What the registry names is in a table, and tables are edited.
fn checked(object: &VaultObject) -> Result<String, SecretError> {
    let path = object.path();
    components(&path)?;
    Ok(path)
}
