//! What comes after one tenant's COMMIT.

use postgres::Client;

use super::failure::database_error;
use super::job::Job;
use super::{concurrently, secret};
use crate::core::plan::Target;
use crate::core::report::TenantError;
use crate::engine::registry;

impl Job<'_> {
    /// What cannot be part of the transaction. A crash before its end is mended by the next apply.
    ///
    /// # Errors
    /// What is left to do. It is never tried again from the start: what is committed would be done twice.
    pub fn after_commit(&self, client: &mut Client, late: &[i32]) -> Result<(), TenantError> {
        self.finish(client, late).map_err(|error| TenantError {
            message: format!("it is committed, but a later step failed: {}", error.message),
            hint: error.hint.or_else(|| Some("the next apply does the rest".into())),
            ..error
        })
    }

    fn finish(&self, client: &mut Client, late: &[i32]) -> Result<(), TenantError> {
        let of_database = |error: postgres::Error| database_error("", &error.into());
        let deletes = !secret::to_delete(self.apply, self.plan).is_empty();
        if deletes {
            // Whoever has the lock now may have created the tenant again, with this very secret.
            self.still_holds_the_lock(client).map_err(of_database)?;
        }
        secret::delete(self.apply, self.plan)?;
        fail_point!("after_secret_deleted");
        let is_gone = matches!(self.plan.target, Target::Removed { .. } | Target::Retained { .. });
        if is_gone || deletes {
            let mut transaction = self.begin(client).map_err(of_database)?;
            if is_gone {
                registry::secret_is_gone(&mut transaction, &self.plan.tenant).map_err(of_database)?;
            }
            registry::forget_former_secrets(&mut transaction, &self.plan.tenant).map_err(of_database)?;
            transaction.commit().map_err(of_database)?;
        }
        fail_point!("before_late_migrations");
        concurrently::run(self, client, late)
    }
}
