//! The archive of a tenant that is about to be dropped, in the order in which nothing that was written is lost:
//!
//! 1. the tenant is locked out, its sessions ended (`sessions`, committed);
//! 2. a deputy is made, for pg_dump to log in as (committed);
//! 3. in the transaction that drops: every table is locked against writes; pg_dump reads through that transaction's own
//!    snapshot; the files are synced and read back; only then the drop;
//! 4. before COMMIT a look from outside, whether the drop takes a table along that was not there to be locked.

use postgres::{Client, Transaction};

use super::failure::database_error;
use super::job::Job;
use super::progress::Archived;
use super::session::connect;
use crate::core::model::Subject;
use crate::core::report::TenantError;
use crate::engine::archive::{self, Deputy, Errand, Source};

/// Before the transaction: what another session logs in as must be committed.
pub(super) fn appoint(job: &Job<'_>, client: &mut Client) -> Result<Option<Deputy>, TenantError> {
    let Some(archive) = &job.plan.phases.archive else { return Ok(None) };
    let (tenant, roles) = (&archive.subject.tenant, &archive.roles);
    let deputy = Deputy::appoint(client, job.apply.target, job.apply.server, tenant, roles, Errand::Dump, &job.aside);
    deputy.map(Some).map_err(|error| job.told("archiving", &error))
}

/// Locks, dumps, reads back, and drops the deputy, in the open transaction.
pub(super) fn make(
    job: &Job<'_>,
    transaction: &mut Transaction<'_>,
    subject: &Subject,
    deputy: &Deputy,
) -> Result<Archived, TenantError> {
    let failed = |error| job.told("archiving", &error);
    job.apply.underway.deputy(subject.tenant.as_str(), &deputy.name);
    let locked = archive::lock(transaction, &subject.schema).map_err(failed)?;
    fail_point!("after_tables_are_locked");
    // Looked for before the plan was approved.
    let programs = job.apply.programs.ok_or_else(|| TenantError::new("no pg_dump was looked for"))?;
    let source = Source {
        subject,
        database: job.apply.identity(),
        deputy,
        programs,
        target: job.apply.target,
        server: job.apply.server,
        desired: job.apply.desired,
    };
    let archive = archive::dump(transaction, &source, job.apply.archive_dir).map_err(failed)?;
    // All that was in the one before is there still, and in this one.
    if let Some(earlier) = job.archived.replace(Some(archive.manifest_path.clone())) {
        archive::supersede(&earlier, &source.database, subject.tenant.as_str()).map_err(failed)?;
    }
    deputy.drop_in(transaction).map_err(|error| database_error("archiving", &error.into()))?;
    Ok(Archived { manifest: archive.manifest_path, locked })
}

/// The files of an archive that was interrupted, whose deputy the plan drops.
pub(super) fn sweep(job: &Job<'_>) -> Result<(), TenantError> {
    archive::sweep(job.apply.archive_dir, &job.apply.identity(), job.plan.tenant.as_str())
        .map_err(|error| job.told("archiving", &error))
}

/// Between the drop and its COMMIT. `begun`: other tables are already dropped.
pub(super) fn holds_everything(job: &Job<'_>, archived: &Archived, begun: bool) -> Result<(), TenantError> {
    let mut other = connect(job.apply)?;
    archived.locked.is_still_all(&mut other).map_err(|error| {
        let failure = job.error("dropping", &error);
        let hint = "move it out of the schema: ALTER TABLE … SET SCHEMA …; the next apply drops what is left";
        if begun { failure.hint(hint) } else { failure }
    })
}
