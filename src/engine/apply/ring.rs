//! Tenants whose names are swapped, in one transaction: all of them, or none.

use postgres::Client;

use super::commit::commit;
use super::tenant::{Ended, Job, Progress, Retry, attempts, of_database, retried};
use super::{Apply, secret};
use crate::core::plan::{Kind, TenantPlan};
use crate::core::report::{Done, Failed};

/// Carries out the plans of a ring.
///
/// # Errors
/// What stood in the way of one of them; then none was changed.
pub(super) fn run(apply: &Apply<'_>, slot: &mut Option<Client>, plans: &[&TenantPlan]) -> Result<Done, Failed> {
    let jobs: Vec<Job<'_>> = plans.iter().map(|plan| Job::new(apply, plan)).collect();
    attempts(apply, slot, true, |client| once(&jobs, client)).map_err(|mut failed| {
        let names: Vec<_> = plans.iter().map(|plan| plan.tenant.as_str()).collect();
        failed.error.message =
            format!("{} (changed in one transaction with the names of {})", failed.error.message, names.join(", "));
        failed
    })
}

fn once(jobs: &[Job<'_>], client: &mut Client) -> Result<Done, Ended> {
    let Some(first) = jobs.first() else { return Ok(Done::default()) };
    for job in jobs {
        job.apply.underway.session(job.plan.tenant.as_str(), client, job.apply.target);
    }
    let rolled_back = |error| Ended::Failed(error, Retry::No);
    let mut work = Vec::new();
    for job in jobs {
        let Some((tenant, from)) = job.plan.target.delivers() else { continue };
        work.push((job, tenant, secret::resolve(job.apply, tenant, from).map_err(rolled_back)?));
    }
    fail_point!("before_begin");
    let mut transaction = first.begin(client).map_err(of_database)?;
    for job in jobs {
        job.is_as_planned(&mut transaction).map_err(retried)?;
    }
    for job in jobs {
        for change in job.plan.changes.iter().filter(|change| change.kind == Kind::ParkNames) {
            job.statements(&mut transaction, change, None)?;
        }
    }
    fail_point!("after_names_are_parked");
    let mut late = Vec::new();
    for (job, _, delivery) in &work {
        let password = delivery.as_ref().map(|delivery| &delivery.password);
        late.push(job.changes(&mut transaction, password, None, &mut Progress::default())?);
        job.register(&mut transaction, None).map_err(of_database)?;
    }
    for job in jobs {
        job.was_as_planned(&mut transaction).map_err(retried)?;
    }
    let mut written = Vec::new();
    let mut recorded = Ok(());
    for (job, tenant, delivery) in &work {
        match secret::write(job.apply, job.plan, tenant, delivery.as_ref()) {
            Ok(None) => {}
            Ok(Some(secret)) => {
                recorded = recorded.and_then(|()| job.register(&mut transaction, Some(&secret.version)));
                written.push(secret);
            }
            Err(error) => {
                // Rolled back before the secrets go back to what they were.
                drop(transaction);
                return Err(Ended::Failed(first.take_back(written, error), Retry::No));
            }
        }
    }
    fail_point!("after_secret");
    if let Err(failed) = commit(transaction, recorded, first.apply.lock) {
        first.look_again(client, failed, written)?;
    }
    fail_point!("after_commit");
    let left = work.iter().zip(&late).try_for_each(|((job, ..), late)| job.after_commit(client, late)).err();
    Ok(Done { left, ..Done::default() })
}
