//! One tenant, one transaction.

use postgres::Client;

use super::attempts::attempts;
use super::commit::commit;
use super::context::Apply;
use super::failure::{Ended, Failure, Retry, of_database, retried};
use super::job::Job;
use super::progress::Progress;
use super::session::connect;
use super::{archive, pieces, secret, session, sessions};
use crate::core::model::Tenant;
use crate::core::plan::{Kind, Step, TenantPlan};
use crate::core::report::Done;
use crate::engine::archive::Deputy;
use crate::engine::error::with_causes;

/// Carries out one tenant's plan on the worker's session, which is opened, or opened again, when it must be.
pub(super) fn run(apply: &Apply<'_>, slot: &mut Option<Client>, plan: &TenantPlan) -> Result<Done, Failure> {
    let job = Job::new(apply, plan);
    let migrates = plan.changes.iter().any(|change| change.kind == Kind::Migrate);
    attempts(apply, slot, migrates, |client| job.once(client))
}

impl Job<'_> {
    fn once(&self, client: &mut Client) -> Result<Done, Ended> {
        self.apply.underway.session(self.plan.tenant.as_str(), client, self.apply.target);
        let rolled_back = |error| Ended::Failed(error, Retry::No);
        let tenant = self.plan.target.delivers();
        let delivery = match tenant {
            Some((tenant, from)) => secret::resolve(self.apply, tenant, from).map_err(rolled_back)?,
            None => None,
        };
        if self.drops_schema() {
            // Nobody's sessions are ended for a plan that no longer holds, or for want of the session that looks from outside.
            self.is_as_planned(client).map_err(retried)?;
            connect(self.apply).map(drop).map_err(retried)?;
        }
        self.nothing_more_holds_the_roles(client).map_err(retried)?;
        let asleep = match self.ends_sessions_of() {
            Some(role) => sessions::lock_out(client, self, role).map_err(of_database)?,
            None => None,
        };
        fail_point!("before_begin");
        let deputy = archive::appoint(self, client);
        let mut progress = Progress::default();
        let result = match &deputy {
            Ok(deputy) => pieces::run(self, client, deputy.as_ref(), &mut progress).map_err(retried).and_then(|()| {
                let tenant = tenant.map(|(tenant, _)| tenant);
                self.transact(client, tenant, delivery.as_ref(), deputy.as_ref(), &mut progress)
            }),
            Err(error) => Err(retried(error.clone())),
        };
        let archive = || progress.archived.as_ref().map(|archived| archived.manifest.clone());
        let late = match (result, asleep) {
            (Ok(late), _) => late,
            (Err(Ended::Failed(mut failure, _)), _) if progress.begun => {
                failure
                    .hint
                    .get_or_insert_with(|| "part of it is already dropped; the next apply resumes the removal".into());
                return Ok(Done { archive: archive(), left: Some(failure) });
            }
            (Err(Ended::Failed(mut failure, retry)), asleep) => {
                if asleep.is_some() || matches!(deputy, Ok(Some(_))) {
                    session::connect_again(self.apply, client);
                }
                if let Ok(Some(deputy)) = &deputy
                    && let Err(error) = deputy.dismiss(client, self.apply.server, &self.plan.tenant)
                {
                    failure.message = format!("{}; {}", failure.message, with_causes(&error));
                }
                if let Some(asleep) = asleep {
                    asleep.wake(client, self, &mut failure);
                }
                return Err(Ended::Failed(failure, retry));
            }
            (Err(ended), _) => return Err(ended),
        };
        let left = self.after_commit(client, &late).err();
        Ok(Done { archive: archive(), left })
    }

    /// The one transaction, and the secret just before its COMMIT.
    fn transact(
        &self,
        client: &mut Client,
        tenant: Option<&Tenant>,
        delivery: Option<&secret::Delivery>,
        deputy: Option<&Deputy>,
        progress: &mut Progress,
    ) -> Result<Vec<i32>, Ended> {
        let rolled_back = |error| Ended::Failed(error, Retry::No);
        let mut transaction = self.begin(client).map_err(of_database)?;
        self.is_still_to_go(&mut transaction, progress).map_err(of_database)?;
        self.is_as_planned(&mut transaction).map_err(retried)?;
        let password = delivery.map(|delivery| &delivery.password);
        let late = self.changes(&mut transaction, password, deputy, progress)?;
        fail_point!("after_changes");
        if let Some(archived) = &progress.archived {
            archive::holds_everything(self, archived, progress.begun).map_err(rolled_back)?;
        }
        self.register(&mut transaction, None).map_err(of_database)?;
        self.was_as_planned(&mut transaction).map_err(retried)?;
        fail_point!("before_secret");
        let written = match tenant {
            Some(tenant) => secret::write(self.apply, self.plan, tenant, delivery).map_err(rolled_back)?,
            None => None,
        };
        fail_point!("after_secret");
        let recorded = match &written {
            Some(written) => self.register(&mut transaction, Some(&written.version)),
            None => Ok(()),
        };
        if let Err(failed) = commit(transaction, recorded, self.apply.lock) {
            self.look_again(client, failed, written.into_iter().collect())?;
        }
        fail_point!("after_commit");
        Ok(late)
    }

    fn ends_sessions_of(&self) -> Option<&str> {
        self.plan.changes.iter().find_map(|change| match &change.step {
            Step::EndSessions { role } => Some(role.as_str()),
            _ => None,
        })
    }
}
