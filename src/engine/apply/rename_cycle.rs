//! Tenants whose names are swapped, in one transaction: all of them, or none.

use postgres::Client;

use super::attempts::attempts;
use super::commit::commit;
use super::context::Apply;
use super::failure::{Ended, of_database, retried, rolled_back};
use super::job::Job;
use super::progress::Progress;
use super::secret;
use crate::core::plan::TenantPlan;
use crate::core::report::{Done, Failed};

/// Carries out the plans of those tenants.
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
    let mut work = Vec::new();
    for job in jobs {
        if job.plan.target.delivers().is_some() {
            work.push((job, secret::resolve(job.apply, job.plan).map_err(rolled_back)?));
        }
    }
    fail_point!("before_begin");
    let mut transaction = first.begin(client).map_err(of_database)?;
    for job in jobs {
        job.is_as_planned(&mut transaction).map_err(retried)?;
    }
    for job in jobs {
        if let Some(park) = &job.plan.phases.park {
            job.statements(&mut transaction, park, None)?;
        }
    }
    fail_point!("after_names_are_parked");
    for (job, delivery) in &work {
        job.changes(&mut transaction, delivery.as_ref(), &mut Progress::default())?;
        job.register(&mut transaction, None).map_err(of_database)?;
    }
    for job in jobs {
        job.was_as_planned(&mut transaction).map_err(retried)?;
    }
    let mut written = Vec::new();
    let mut recorded = Ok(());
    for (job, delivery) in &work {
        match secret::write(job.apply, job.plan, delivery.as_ref()) {
            Ok(None) => {}
            Ok(Some(secret)) => {
                recorded = recorded.and_then(|()| job.register(&mut transaction, Some(&secret.version)));
                written.push(secret);
            }
            Err(error) => {
                // Rolled back before the secrets go back to what they were.
                drop(transaction);
                return Err(rolled_back(first.take_back(written, error)));
            }
        }
    }
    fail_point!("after_secret");
    if let Err(failed) = commit(transaction, recorded, first.apply.lock) {
        first.look_again(client, failed, written)?;
    }
    fail_point!("after_commit");
    let left = work.iter().try_for_each(|(job, delivery)| job.after_commit(client, delivery.as_ref())).err();
    Ok(Done { left, ..Done::default() })
}
