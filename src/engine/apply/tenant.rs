//! One tenant, one transaction, in the order of docs/adr/0001-two-store-commit.md.

use postgres::Client;

use super::attempts::attempts;
use super::commit::commit;
use super::context::Apply;
use super::failure::{Ended, of_database, retried, rolled_back};
use super::job::Job;
use super::progress::Progress;
use super::secret::Delivery;
use super::session::connect_again;
use super::sessions::DisabledLogin;
use super::{archive, batches, secret, sessions};
use crate::core::plan::TenantPlan;
use crate::core::report::{Done, Failed};
use crate::engine::error::error_chain;

/// Carries out one tenant's plan on the worker's session, which is opened, or opened again, when it must be.
pub(super) fn run(apply: &Apply<'_>, slot: &mut Option<Client>, plan: &TenantPlan) -> Result<Done, Failed> {
    let job = Job::new(apply, plan);
    let result = attempts(apply, slot, plan.phases.runs_a_tenants_code(), |client| job.once(client));
    result.map_err(|failed| Failed { archive: job.archived.take(), ..failed })
}

impl Job<'_> {
    fn once(&self, client: &mut Client) -> Result<Done, Ended> {
        self.apply.underway.session(self.plan.tenant.as_str(), client, self.apply.target);
        let delivery = secret::resolve(self.apply, self.plan).map_err(rolled_back)?;
        self.may_be_locked_out(client).map_err(retried)?;
        let disabled = sessions::lock_out(client, self).map_err(of_database)?;
        fail_point!("before_begin");
        let mut progress = Progress::default();
        match self.transact(client, delivery.as_ref(), &mut progress) {
            Ok(()) => {
                let left = self.after_commit(client, delivery.as_ref()).err();
                Ok(Done { archive: progress.archive(), left })
            }
            Err(ended) => self.undo(client, ended, disabled, &progress),
        }
    }

    /// The one transaction, and the secret just before its COMMIT. What is archived, and dropped in batches, is begun before it.
    fn transact(&self, client: &mut Client, delivery: Option<&Delivery>, progress: &mut Progress) -> Result<(), Ended> {
        progress.deputy = archive::appoint(self, client).map_err(retried)?;
        batches::run(self, client, progress).map_err(retried)?;

        let mut transaction = self.begin(client).map_err(of_database)?;
        self.is_still_to_go(&mut transaction, progress).map_err(of_database)?;
        self.is_as_planned(&mut transaction).map_err(retried)?;
        self.changes(&mut transaction, delivery, progress)?;
        fail_point!("after_changes");
        if let Some(archived) = &progress.archived {
            archive::holds_everything(self, archived, progress.begun).map_err(rolled_back)?;
        }
        self.register(&mut transaction, None).map_err(of_database)?;
        self.was_as_planned(&mut transaction).map_err(retried)?;

        fail_point!("before_secret");
        let written = secret::write(self.apply, self.plan, delivery).map_err(rolled_back)?;
        fail_point!("after_secret");
        let recorded = match &written {
            Some(written) => self.register(&mut transaction, Some(&written.version)),
            None => Ok(()),
        };
        if let Err(failed) = commit(transaction, recorded, self.apply.lock) {
            self.look_again(client, failed, written.into_iter().collect())?;
        }
        fail_point!("after_commit");
        Ok(())
    }

    /// What was committed before the transaction goes again: the deputy, and that nobody may log in. Once a part is dropped,
    /// there is no way back.
    fn undo(
        &self,
        client: &mut Client,
        ended: Ended,
        disabled: Option<DisabledLogin<'_>>,
        progress: &Progress,
    ) -> Result<Done, Ended> {
        let (mut failure, retry) = match ended {
            Ended::Failed(failure, retry) => (failure, retry),
            unknown => return Err(unknown),
        };
        if progress.begun {
            failure
                .hint
                .get_or_insert_with(|| "part of it is already dropped; the next apply resumes the removal".into());
            return Ok(Done { archive: progress.archive(), left: Some(failure) });
        }
        if disabled.is_some() || progress.deputy.is_some() {
            connect_again(self.apply, client);
        }
        if let Some(deputy) = &progress.deputy
            && let Err(error) = deputy.dismiss(client, self.apply.server, &self.plan.tenant)
        {
            failure.message = format!("{}; {}", failure.message, error_chain(&error));
        }
        if let Some(disabled) = disabled {
            disabled.wake(client, self, &mut failure);
        }
        Err(Ended::Failed(failure, retry))
    }
}
