//! What comes after one tenant's COMMIT.

use postgres::Client;

use super::failure::database_error;
use super::job::Job;
use super::secret::Delivery;
use super::{concurrently, secret};
use crate::core::plan::action::ForgetSecret;
use crate::core::plan::{Action, EndState};
use crate::core::report::TenantError;
use crate::engine::registry;

impl Job<'_> {
    /// What cannot be part of the transaction. A crash before its end is mended by the next apply.
    ///
    /// # Errors
    /// What is left to do. It is never tried again from the start: what is committed would be done twice.
    pub fn after_commit(&self, client: &mut Client, delivery: Option<&Delivery>) -> Result<(), TenantError> {
        self.finish(client, delivery).map_err(|error| TenantError {
            message: format!("it is committed, but a later step failed: {}", error.message),
            hint: error.hint.or_else(|| Some("the next apply does the rest".into())),
            ..error
        })
    }

    fn finish(&self, client: &mut Client, delivery: Option<&Delivery>) -> Result<(), TenantError> {
        let of_database = |error: postgres::Error| database_error("", &error.into());
        let phases = &self.plan.phases;
        if let Some(switch) = &phases.switch {
            self.switch(client, switch, delivery)?;
        }
        self.change_access(client)?;
        let deletes = phases.deletes_secrets().next().is_some();
        if deletes {
            // Whoever has the lock now may have created the tenant again, with this very secret.
            self.still_holds_the_lock(client).map_err(of_database)?;
        }
        secret::delete(self.apply, self.plan)?;
        fail_point!("after_secret_deleted");
        self.note_what_is_gone(client, deletes).map_err(of_database)?;
        fail_point!("before_late_migrations");
        phases.late_migrations().map_or(Ok(()), |late| concurrently::run(self, client, late))
    }

    /// Secrets that are deleted now, or were before and that could not be noted.
    fn note_what_is_gone(&self, client: &mut Client, deletes: bool) -> Result<(), postgres::Error> {
        let is_gone = matches!(self.plan.target, EndState::Removed { .. } | EndState::Retained { .. });
        let forgets: Vec<&ForgetSecret> = self.plan.phases.forgets_secrets().collect();
        if !is_gone && !deletes && forgets.is_empty() {
            return Ok(());
        }
        let mut transaction = self.begin(client)?;
        if is_gone {
            registry::secret_is_gone(&mut transaction, &self.plan.tenant)?;
        }
        if is_gone || deletes {
            registry::forget_former_secrets(&mut transaction, &self.plan.tenant)?;
        }
        for sql in forgets.into_iter().flat_map(Action::sql) {
            transaction.batch_execute(sql.shown())?;
        }
        transaction.commit()
    }
}
