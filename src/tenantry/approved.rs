//! The only way to write.

use std::collections::BTreeSet;

use postgres::Client;

use super::carrying::Carrying;
use super::error::Error;
use super::events::Events;
use super::guards;
use super::made;
use super::options::Limits;
use super::restoration;
use super::session::Session;
use crate::core::model::{Observed, Tenant};
use crate::core::plan::{Plan, Restoration, Verb};
use crate::core::report::{Report, TenantOutcome};
use crate::engine::apply::{Apply, Lock, Restore};
use crate::engine::archive::{Opened, Programs};
use crate::engine::error::Context;
use crate::engine::inspect::Sizes;
use crate::engine::registry::{self, Arrival};

/// How the plan is carried out.
pub(super) enum Way {
    Converge,
    Rotate,
    Restore {
        opened: Box<Opened>,
        tenant: Box<Tenant>,
        restoration: Box<Restoration>,
    },
    /// A new tenant with the rows of this archive.
    RestoreAs {
        opened: Box<Opened>,
    },
    Adopt,
}

/// A plan that passed every guard. The lock is held.
pub struct Approved {
    pub(super) session: Session,
    pub(super) lock: Lock,
    pub(super) observed: Observed,
    pub(super) plan: Plan,
    pub(super) way: Way,
    /// What makes an archive, or reads it.
    pub(super) programs: Option<Programs>,
    pub(super) has_work: bool,
    pub(super) limits: Limits,
}

impl Approved {
    /// How it is carried out, where that is not as [`Limits::default`] says.
    #[must_use]
    pub fn limited(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Says to whoever finds the lock taken that it waits for a person's answer, or no longer.
    ///
    /// # Errors
    /// What PostgreSQL answered.
    pub fn waits_for_an_answer(&mut self, waits: bool) -> Result<(), Error> {
        let name = if waits { "'tenantry, waiting for confirmation'" } else { "DEFAULT" };
        let sql = format!("SET application_name TO {name}");
        Ok(self.session.client.batch_execute(&sql).doing("recording what the lock waits for")?)
    }

    /// Carries the plan out: each tenant in one transaction. A tenant that fails is in the report, and stops no other.
    ///
    /// # Errors
    /// When what tenants share could not be changed: then no tenant was touched. Of a restore, what PostgreSQL or pg_restore
    /// answered: then nothing of the tenant is left, unless the error says so.
    pub fn apply(mut self, events: &dyn Events) -> Result<Report, Error> {
        if !self.has_work {
            return self.settle(events);
        }
        fail_point!("before_apply");
        match &self.way {
            Way::Converge | Way::Adopt => {
                let report = self.carry_out(events)?;
                if !report.interrupted {
                    // Nothing of the tenants' is amiss without it.
                    let Self { session, observed, plan, .. } = &mut self;
                    if let Err(error) = made::remember(session, observed, plan, &report, events) {
                        let why = error.in_one_line();
                        events.note(&format!("the next apply will record what the migrations created: {why}"));
                    }
                }
                Ok(report)
            }
            Way::Rotate | Way::RestoreAs { .. } => self.carry_out(events),
            Way::Restore { .. } => {
                self.fill(events)?;
                // The data are in. What is missing now, a plan finds as it finds what is missing of any tenant.
                self.observed = self.session.observe(Sizes::Removed)?;
                if let Way::Restore { tenant, .. } = &self.way {
                    self.plan = restoration::rest(&self.session.ground, &self.observed, tenant);
                }
                guards::its_secrets_at_last(&self.plan)?;
                self.carry_out(events)
            }
        }
    }

    /// Nothing is to be changed: the registry notes where it is, and how it was reached.
    fn settle(mut self, events: &dyn Events) -> Result<Report, Error> {
        if matches!(self.way, Way::Converge) && self.observed.registry.is_some() {
            let arrival = Arrival {
                reached: &self.observed.server.reached,
                moved: false,
                writes_secrets: false,
                history_table: &self.session.ground.project.desired.migrations.table,
            };
            registry::bind_to_this_database(&mut self.session.client, &arrival)?;
        }
        let blocked = self.plan.tenants.iter().filter(|tenant| tenant.verb == Verb::Blocked);
        let report = Report {
            unchanged: self.plan.count(Verb::Unchanged),
            database_changes: 0,
            shared_error: None,
            outcomes: blocked.map(TenantOutcome::blocked).collect(),
            interrupted: false,
        };
        events.ended(&self.plan, &report);
        Ok(report)
    }

    fn carry_out(&mut self, events: &dyn Events) -> Result<Report, Error> {
        events.begins(self.plan.tenants.iter().filter(|tenant| tenant.has_work()).count());
        let recorded = self.observed.registry.as_ref().map(|registry| registry.recorded_sets.clone());
        let plan = &self.plan;
        let mut limits = self.limits();
        if let Way::Restore { .. } = &self.way {
            limits.to_end_blockers = limits.to_end_blockers_afterwards.take();
        }
        let archive_dir = self.session.ground.project.archive_dir();
        let carrying = Carrying {
            session: &mut self.session,
            lock: &self.lock,
            observed: &self.observed,
            programs: self.programs.as_ref(),
            opened: match &self.way {
                Way::RestoreAs { opened } => Some(opened),
                _ => None,
            },
            archive_dir,
            limits,
            recorded: recorded.unwrap_or_default(),
        };
        let report = carrying.run(events, |apply, client| apply.run(client, plan))?;
        events.ended(&self.plan, &report);
        Ok(report)
    }

    /// As it was said, and as tenants.toml says.
    fn limits(&self) -> Limits {
        let end_blockers = self.limits.end_blockers || self.session.ground.project.desired.end_blockers;
        Limits { end_blockers, ..self.limits.clone() }
    }

    fn fill(&mut self, events: &dyn Events) -> Result<(), Error> {
        let (Way::Restore { opened, tenant, restoration }, Some(programs)) = (&self.way, &self.programs) else {
            return Ok(());
        };
        let (plan, observed) = (&self.plan, &self.observed);
        let archive_dir = self.session.ground.project.archive_dir();
        let limits = Limits { max_failures: 0, ..self.limits() };
        let carrying = Carrying {
            session: &mut self.session,
            lock: &self.lock,
            observed,
            programs: Some(programs),
            opened: None,
            archive_dir,
            limits,
            recorded: BTreeSet::new(),
        };
        let restore = |apply: &Apply<'_>, client: &mut Client| {
            Restore { apply, restoration, programs, opened, tenant }.run(client, plan)
        };
        carrying.run(events, restore)
    }
}
