//! What a tenant's own programs can read, found out by logging in as they do.

use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};
use vaultrs::api;

use super::VaultStore;
use super::endpoints::Ask;
use super::session::{Access, PROBE, Refusal, Session};
use crate::core::model::VaultObject;
use crate::core::model::vault::VaultAuth;
use crate::engine::secrets::error::SecretError;

#[derive(Deserialize)]
struct RoleId {
    role_id: String,
}

#[derive(Deserialize)]
struct SecretId {
    secret_id: String,
    secret_id_accessor: String,
}

impl VaultStore {
    /// The SecretID is made for this, and destroyed, whatever comes of it.
    pub(super) fn read_as(&self, role: &VaultObject, paths: &[String]) -> Result<Vec<bool>, SecretError> {
        let at = role.path();
        let path = format!("{at}/role-id");
        let RoleId { role_id } = self.asked(&path, "read", || Ask::get(path.clone()))?;
        let path = format!("{at}/secret-id");
        let made: SecretId = self.asked(&path, "update", || Ask::post(path.clone(), &json!({})))?;
        let mount = Some(role.mount().to_owned());
        let tenant = self.session.as_another(VaultAuth::AppRole {
            role_id,
            secret_id: Some(SecretString::from(made.secret_id)),
            mount,
        });
        let read = paths.iter().map(|path| may_read(&tenant, path)).collect();
        tenant.revoke();
        let path = format!("{at}/secret-id-accessor/destroy");
        let body = json!({ "secret_id_accessor": made.secret_id_accessor });
        let access = Access { path: &path, capability: "update" };
        let asked = || Ask::<Value>::post(path.clone(), &body);
        let ended = self.session.call(access, async |client| api::exec_with_empty(client, asked()).await)?;
        ended.map_err(|refusal| refusal.into_error(&path))?;
        read
    }

    fn asked<T>(&self, path: &str, capability: &'static str, ask: impl Fn() -> Ask<T>) -> Result<T, SecretError>
    where
        T: serde::de::DeserializeOwned + Send + Sync,
    {
        let access = Access { path, capability };
        let answer = self.session.call(access, async |client| api::exec_with_result(client, ask()).await)?;
        answer.map_err(|refusal| refusal.into_error(path))
    }
}

/// A path that ends in a slash is listed.
fn may_read(tenant: &Session, path: &str) -> Result<bool, SecretError> {
    let asked =
        || if path.ends_with('/') { Ask::<Value>::list(path.to_owned()) } else { Ask::<Value>::get(path.to_owned()) };
    let access = Access { path, capability: PROBE };
    match tenant.call(access, async |client| api::exec_with_result(client, asked()).await)? {
        // Nothing is there, but the policy let it look.
        Ok(_) | Err(Refusal { code: 404, .. }) => Ok(true),
        Err(Refusal { code: 403, .. }) => Ok(false),
        Err(refusal) => Err(refusal.into_error(path)),
    }
}
