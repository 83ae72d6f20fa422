//! The secret of a tenant for which two users log in, or did: it names another user once that one can log in.

use postgres::{Client, Transaction};

use super::failure::{Ended, database_error};
use super::job::Job;
use super::secret::{self, Delivery};
use super::sessions::end_with_rights;
use crate::core::model::RegisteredSecret;
use crate::core::plan::action::Rights;
use crate::core::plan::{Change, EndOld, EndState, Switch};
use crate::core::report::TenantError;
use crate::engine::registry;

fn taken(rights: Option<&Rights>) -> String {
    rights.map(|rights| rights.take().join("; ")).unwrap_or_default()
}

impl Job<'_> {
    /// After COMMIT: whom the secret names until here can log in until the last of this is done.
    ///
    /// # Errors
    /// What is left to do; the next apply, or the next rotation, does it.
    pub fn switch(&self, client: &mut Client, switch: &Switch, delivery: Option<&Delivery>) -> Result<(), TenantError> {
        let of_database = |error: postgres::Error| database_error("", &error.into());
        // Whoever has the lock now may have switched it to the other one.
        self.still_holds_the_lock(client).map_err(of_database)?;
        if let Some(EndOld { earlier: Some(earlier), rights, .. }) = &switch.end {
            end_with_rights(client, &earlier.roles, &taken(rights.as_ref())).map_err(of_database)?;
        }
        let written = secret::write_as(self.apply, self.plan, &switch.secret, delivery)?;
        fail_point!("after_secret_is_switched");
        let mut transaction = self.begin(client).map_err(of_database)?;
        if let EndState::Declared { tenant, .. } | EndState::Rotated { tenant, .. } = &self.plan.target {
            let secret = secret::registered(self.apply, tenant, &switch.secret.fields, Some(written.version.clone()));
            self.note(&mut transaction, &secret, switch).map_err(of_database)?;
        }
        for change in &switch.then {
            self.late_change(&mut transaction, change)?;
        }
        fail_point!("before_switch_is_noted");
        transaction.commit().map_err(of_database)?;
        fail_point!("after_switch_is_noted");
        match &switch.end {
            None => Ok(()),
            Some(EndOld { sessions, rights, .. }) => {
                end_with_rights(client, &sessions.roles, &taken(rights.as_ref())).map_err(of_database)
            }
        }
    }

    fn note(
        &self,
        transaction: &mut Transaction<'_>,
        secret: &RegisteredSecret,
        switch: &Switch,
    ) -> Result<(), postgres::Error> {
        registry::switch(transaction, &self.plan.tenant, secret, switch.rotation)
    }

    fn late_change(&self, transaction: &mut Transaction<'_>, change: &Change) -> Result<(), TenantError> {
        self.statements(transaction, change.view(), None).map_err(|ended| match ended {
            Ended::Failed(error, _) | Ended::Unknown(error) => error,
        })
    }
}
