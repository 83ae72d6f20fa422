//! Who may read the tenant's secret in Vault: made after COMMIT, and taken away before the secret goes.

use postgres::{Client, Transaction};

use super::failure::database_error;
use super::job::Job;
use crate::core::model::{RegisteredVaultObject, VaultContents, VaultObject};
use crate::core::plan::Action;
use crate::core::plan::action::{DeleteVault, SetVault};
use crate::core::report::TenantError;
use crate::engine::registry;
use crate::engine::secrets::{SecretError, WritableAccess};

impl Job<'_> {
    /// What is to be made is noted with the tenant's row, so that a crash leaves nothing that nobody knows of.
    pub(super) fn note_access(&self, transaction: &mut Transaction<'_>) -> Result<(), postgres::Error> {
        for SetVault { object, .. } in self.plan.phases.sets_vault() {
            registry::note_access(transaction, &self.plan.tenant, &self.as_registered(object))?;
        }
        Ok(())
    }

    /// # Errors
    /// What Vault or PostgreSQL answered; the next apply resumes.
    pub(super) fn change_access(&self, client: &mut Client) -> Result<(), TenantError> {
        let phases = &self.plan.phases;
        let deleted: Vec<&DeleteVault> = phases.deletes_vault().collect();
        if deleted.is_empty() && phases.sets_vault().next().is_none() {
            return Ok(());
        }
        let of_database = |error: postgres::Error| database_error("", &error.into());
        // Whoever has the lock now may have another mind.
        self.still_holds_the_lock(client).map_err(of_database)?;
        let Some(access) = self.apply.store.writable_access() else {
            return Err(TenantError::new("the plan changes policies, which this secret store does not have"));
        };
        for set in phases.sets_vault() {
            self.set(access, set)?;
            fail_point!("after_vault_set");
        }
        for delete in &deleted {
            self.delete(access, delete)?;
            fail_point!("after_vault_deleted");
        }
        if deleted.is_empty() {
            return Ok(());
        }
        let mut transaction = self.begin(client).map_err(of_database)?;
        for DeleteVault { object, .. } in deleted {
            let gone = self.as_registered(object);
            registry::forget_access(&mut transaction, &self.plan.tenant, &gone).map_err(of_database)?;
        }
        transaction.commit().map_err(of_database)
    }

    fn set(&self, access: &dyn WritableAccess, set: &SetVault) -> Result<(), TenantError> {
        let SetVault { object, before, after } = set;
        // It is committed, so that an interrupt keeps nobody from it.
        drop(self.apply.underway.doing(self.plan.tenant.as_str(), &set.what()));
        self.is_as_planned_in_vault(access, object, before.as_ref(), Some(after))?;
        access.set(object, after).map_err(|error| failed("setting", object, &error))
    }

    fn delete(&self, access: &dyn WritableAccess, delete: &DeleteVault) -> Result<(), TenantError> {
        let DeleteVault { object, before } = delete;
        let Some(before) = before else { return Ok(()) };
        drop(self.apply.underway.doing(self.plan.tenant.as_str(), &delete.what()));
        self.is_as_planned_in_vault(access, object, Some(before), None)?;
        access.remove(object).map_err(|error| failed("deleting", object, &error))
    }

    /// The plan may be old. Vault has no check-and-set for these: this is as close as one gets.
    fn is_as_planned_in_vault(
        &self,
        access: &dyn WritableAccess,
        object: &VaultObject,
        before: Option<&VaultContents>,
        after: Option<&VaultContents>,
    ) -> Result<(), TenantError> {
        let now = access.object(object).map_err(|error| failed("reading", object, &error))?;
        if now.as_ref() == before || now.as_ref() == after {
            return Ok(());
        }
        Err(TenantError::new(format!("{object} changed since the plan was made")).hint("plan again: tenantry plan"))
    }

    fn as_registered(&self, object: &VaultObject) -> RegisteredVaultObject {
        RegisteredVaultObject { namespace: self.apply.desired.secrets.vault_namespace(), object: object.clone() }
    }
}

fn failed(doing: &str, object: &VaultObject, error: &SecretError) -> TenantError {
    let mut failure = TenantError::new(format!("{doing} {object}: {error}"));
    failure.hint = error.hint();
    failure
}
