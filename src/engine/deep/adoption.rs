//! Of a tenant that is adopted: whether the password that is there for it opens the database, before anybody relies on it.

use std::collections::BTreeMap;

use postgres::Client;
use secrecy::SecretString;

use super::Deep;
use super::password::verifiers;
use crate::core::model::{Delivered, SecretState, Tenant, TenantKey};
use crate::engine::error::Error;
use crate::engine::secrets::Found;
use crate::engine::workers::each_of;

impl Deep<'_> {
    /// Of each tenant to be adopted that has a password which can be tried, whether it opens the database, or why nobody knows.
    ///
    /// # Errors
    /// What PostgreSQL answered.
    pub fn adopted_passwords(&self, client: &mut Client) -> Result<BTreeMap<TenantKey, Result<bool, String>>, Error> {
        let observed = self.observed;
        let is_tried = |tenant: &&Tenant| {
            let has_secret = matches!(observed.secrets.get(&tenant.secret_path), Some(SecretState::Ours { .. }));
            let can_login = observed.roles.get(&tenant.username).is_some_and(|role| role.can_login);
            can_login && (has_secret || tenant.password.is_some())
        };
        let tenants = self.desired.tenants.values().filter(|tenant| observed.adoptions.contains_key(&tenant.key));
        let tenants: Vec<&Tenant> = tenants.filter(is_tried).collect();
        let verifiers = verifiers(client, &tenants.iter().map(|tenant| tenant.username.clone()).collect::<Vec<_>>())?;
        let found = each_of(&tenants, self.parallelism, None, |tenant| {
            let password = self.password_there(tenant)?;
            Ok(self.opens(tenant, password, verifiers.as_ref())? == Delivered::Opens)
        });
        Ok(tenants.iter().map(|tenant| tenant.key.clone()).zip(found).collect())
    }

    fn password_there(&self, tenant: &Tenant) -> Result<SecretString, String> {
        if let Some(given) = &tenant.password {
            return Ok(given.clone());
        }
        match self.store.read(&tenant.secret_path) {
            Ok(Found::Readable(_, secret)) => Ok(secret.password),
            Ok(_) => Err("its secret changed while it was being checked".into()),
            Err(error) => Err(format!("reading its secret: {error}")),
        }
    }
}
