//! A tenant's secret, handed over without being shown.

use std::time::Duration;

use super::error::Error;
use super::looked::Looked;
use crate::core::model::{SecretState, TenantKey};
use crate::engine::error::{Context, Error as EngineError};
use crate::engine::secrets::Wrapped;

impl Looked {
    /// Vault's response-wrapping token for the tenant's secret: whoever unwraps it first, within that time, reads the secret, once.
    /// The secret itself does not come here.
    ///
    /// # Errors
    /// When secrets are not in Vault, or the tenant has none that is this database's; or what Vault answered.
    pub fn wrap(&self, key: &TenantKey, ttl: Duration) -> Result<Wrapped, Error> {
        let ground = &self.session.ground;
        let Some(access) = ground.store.access() else {
            let hint = "set [secrets] store = \"vault\"; a program reads its secret from the file's own path";
            return Err(EngineError::refused("the secrets are in files; only Vault can wrap one", hint).into());
        };
        let desired = &ground.project.desired;
        let registered = self.observed.registry.as_ref().and_then(|registry| registry.tenants.get(key));
        let declared = desired.tenants.get(key).map(|tenant| &tenant.secret_path);
        let path = declared.or_else(|| registered.map(|row| &row.secret.path));
        let is_its = |path: &&String| matches!(self.observed.secrets.get(*path), Some(SecretState::Ours { .. }));
        let Some(path) = path.filter(is_its) else {
            return Err(EngineError::refused(
                format!("tenant {key} has no secret of this database's to hand over"),
                format!("see what is there: tenantry show {key}"),
            )
            .into());
        };
        Ok(access.wrap(path, ttl).doing(format!("wrapping the secret of {key}"))?)
    }
}
