//! A tenant made for a look and never committed: what apply would make of it, from the migrations as they are.

use postgres::{Client, Transaction};

use super::context::Apply;
use super::failure::{Ended, database_error};
use super::job::Job;
use super::progress::Progress;
use super::secret::Delivery;
use super::session::clean;
use crate::core::plan::{DatabaseChange, TenantPlan};
use crate::core::report::TenantError;
use crate::engine::error::{Error, error_chain};

/// Carries the plan of a new tenant out, after that of what tenants share, up to its COMMIT, looks at what is there, and rolls back. Writes no secret.
///
/// # Errors
/// What stood in the way, as apply would say it; nothing was changed.
pub(crate) fn scratch_run<T>(
    apply: &Apply<'_>,
    client: &mut Client,
    (shared, plan): (&[&DatabaseChange], &TenantPlan),
    look: impl FnOnce(&mut Transaction<'_>) -> Result<T, Error>,
) -> Result<T, TenantError> {
    let job = Job::new(apply, plan);
    let result = attempt(&job, client, shared, look);
    // Migrations ran in this session.
    clean(client).map_err(|error| database_error("resetting the session", &error))?;
    result
}

fn attempt<T>(
    job: &Job<'_>,
    client: &mut Client,
    shared: &[&DatabaseChange],
    look: impl FnOnce(&mut Transaction<'_>) -> Result<T, Error>,
) -> Result<T, TenantError> {
    let failed = |error: postgres::Error| database_error("", &error.into());
    let mut transaction = client.transaction().map_err(failed)?;
    transaction.batch_execute(&job.preamble).map_err(failed)?;
    for sql in shared.iter().flat_map(|change| &change.sql) {
        transaction.batch_execute(sql.shown()).map_err(failed)?;
    }
    let delivery = Delivery::generated(job.apply);
    job.changes(&mut transaction, Some(&delivery), &mut Progress::default()).map_err(|ended| match ended {
        Ended::Failed(error, _) | Ended::Unknown(error) => error,
    })?;
    let found = look(&mut transaction).map_err(|error| TenantError::new(error_chain(&error)))?;
    transaction.rollback().map_err(failed)?;
    Ok(found)
}
