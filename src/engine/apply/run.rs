//! The plan carried out from its beginning to its end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::time::Instant;

use postgres::Client;

use super::context::Apply;
use super::pool::{Pool, Unit};
use super::session::{connect, is_connected};
use super::underway::Met;
use super::{claim, rename_cycle, shared, tenant, watch};
use crate::core::model::TenantKey;
use crate::core::plan::{Plan, Stage, TenantPlan, Verb};
use crate::core::report::{Done, Failed, Outcome, Report, TenantError, TenantOutcome};
use crate::engine::error::{Error, error_chain};
use crate::engine::retry::pauses;

/// A session is renewed after so many tenants: its relation cache grows by some 180 kB for each one of eleven tables, and so do
/// its saved plans, which every change of a table walks. To connect takes less time than one tenant.
const RENEWED_AFTER: usize = 100;

impl Apply<'_> {
    /// Carries the plan out on the session that holds the lock and on `parallelism` more.
    ///
    /// # Errors
    /// When what tenants share could not be changed: then no tenant was touched. A tenant that fails is in the report.
    pub fn run(&self, client: &mut Client, plan: &Plan) -> Result<Report, Error> {
        let writes = !plan.database_changes.is_empty() || plan.tenants.iter().any(TenantPlan::has_work);
        shared::before(client, self, plan, writes)?;
        claim::run(client, self, plan)?;
        let (work, blocked): (Vec<_>, Vec<_>) = plan.tenants.iter().partition(|tenant| tenant.reason.is_none());
        let (work, unchanged): (Vec<_>, Vec<_>) = work.into_iter().partition(|tenant| tenant.has_work());
        let mut outcomes = self.tenants(client, units(&work, &plan.rename_groups), &plan.waits);
        outcomes.extend(blocked.into_iter().map(TenantOutcome::blocked));
        outcomes.sort_by(|a, b| a.tenant.cmp(&b.tenant));
        // Blocked tenants are in nobody's way; one that failed may still have what would be dropped.
        let nothing_failed = outcomes.iter().all(|o| o.outcome == Outcome::Applied || o.verb == Verb::Blocked);
        fail_point!("before_shared_after");
        let after = if nothing_failed { shared::run(client, self, plan, Stage::After) } else { Ok(()) };
        let shared_error =
            after.err().map(|error| TenantError { message: error_chain(&error), sqlstate: None, hint: error.hint() });
        let database_changes = plan.database_changes.len();
        Ok(Report {
            unchanged: unchanged.len(),
            database_changes,
            shared_error,
            outcomes,
            interrupted: self.stop.load(Ordering::Relaxed),
        })
    }

    /// `client` holds the lock, and watches meanwhile.
    fn tenants<'p>(
        &self,
        client: &mut Client,
        work: Vec<Unit<'p>>,
        waits: &'p BTreeMap<TenantKey, BTreeSet<TenantKey>>,
    ) -> Vec<TenantOutcome> {
        let workers = self.parallelism.clamp(1, work.len().max(1));
        let pool = Pool::new(work, workers, self.max_failures, waits);
        watch::meanwhile(self, client, || {
            std::thread::scope(|scope| {
                for _ in 0..workers {
                    scope.spawn(|| self.worker(&pool));
                }
            });
        });
        pool.outcomes.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn worker<'p>(&self, pool: &Pool<'p>) {
        let mut session = None;
        let mut done = 0;
        while let Some(unit) = pool.next() {
            if let Some(why) = self.is_over(pool) {
                let outcomes = unit.iter().map(|plan| TenantOutcome::skipped(plan, &why)).collect();
                self.tell(pool, &unit, outcomes);
                continue;
            }
            // Where there is no room for one more connection, the old one is kept.
            if done >= RENEWED_AFTER
                && let Ok(fresh) = connect(self)
            {
                session = Some(fresh);
                done = 0;
            }
            done += unit.len();
            let unit = match is_connected(self, &mut session) {
                Ok(()) => unit,
                Err(_) => match pool.leave_to_others(unit) {
                    Ok(()) => return,
                    Err(unit) => unit,
                },
            };
            if !self.one(pool, &mut session, unit) {
                return;
            }
        }
    }

    /// Whether this thread continues. It needs a second session now and then: without this one there may be room for it.
    fn one<'p>(&self, pool: &Pool<'p>, session: &mut Option<Client>, mut unit: Unit<'p>) -> bool {
        let mut pauses = pauses();
        loop {
            let (outcomes, met, wants_session) = self.unit(session, &unit);
            let Some(pause) = pauses.next().filter(|_| wants_session) else {
                pool.counts(&unit, &outcomes);
                self.tell(pool, &unit, self.with_whom_it_met(outcomes, &met));
                return true;
            };
            match pool.leave_to_others(unit) {
                Ok(()) => return false,
                // The last one: those that have just left still count for a moment.
                Err(mine) => unit = mine,
            }
            std::thread::sleep(pause);
        }
    }

    /// Why nothing more is started.
    fn is_over(&self, pool: &Pool<'_>) -> Option<String> {
        if self.stop.load(Ordering::Relaxed) {
            return Some("interrupted before it started".into());
        }
        if self.lock.is_lost() {
            return Some("apply lost its lock before it started".into());
        }
        pool.is_over()
    }

    fn tell(&self, pool: &Pool<'_>, unit: &[&TenantPlan], outcomes: Vec<TenantOutcome>) {
        outcomes.iter().for_each(|outcome| (self.progress)(outcome));
        pool.has_ended(unit, outcomes);
    }

    /// Whom a tenant met is its own: failures of one kind are counted without it.
    fn with_whom_it_met(&self, mut outcomes: Vec<TenantOutcome>, met: &Met) -> Vec<TenantOutcome> {
        for outcome in &mut outcomes {
            outcome.ended_sessions.clone_from(&met.ended);
            if let Some(error) = &mut outcome.error {
                self.names_blockers(error, &met.blockers);
            }
        }
        outcomes
    }

    /// One tenant, or those whose names are swapped; whom it met, and whether it was rolled back for want of a session.
    fn unit(&self, session: &mut Option<Client>, plans: &[&TenantPlan]) -> (Vec<TenantOutcome>, Met, bool) {
        plans.iter().for_each(|plan| self.underway.begins(plan.tenant.as_str(), plan.verb.as_str()));
        let start = Instant::now();
        let result = self.carry_out(session, plans);
        // TOO_MANY_CONNECTIONS. Not of what comes after a COMMIT, which is never done twice.
        let wants_session = matches!(&result, Err(Failed { outcome: Outcome::Failed, error, .. }) if error.sqlstate.as_deref() == Some("53300"));
        let mut outcomes: Vec<_> =
            plans.iter().map(|plan| TenantOutcome::new(plan, result.clone(), start.elapsed())).collect();
        let mut met = Met::default();
        for plan in plans {
            let Met { blockers, ended } = self.underway.ends_with(plan.tenant.as_str());
            met.blockers.extend(blockers);
            met.ended.extend(ended);
        }
        for error in outcomes.iter_mut().filter_map(|outcome| outcome.error.as_mut()) {
            self.lock.note_if_lost(error);
            self.underway.explain(error);
        }
        (outcomes, met, wants_session)
    }

    fn carry_out(&self, session: &mut Option<Client>, plans: &[&TenantPlan]) -> Result<Done, Failed> {
        if let [plan] = plans
            && plan.phases.park.is_none()
        {
            return tenant::run(self, session, plan);
        }
        rename_cycle::run(self, session, plans)
    }
}

/// Each tenant on its own, but for those whose names are swapped.
fn units<'p>(work: &[&'p TenantPlan], rename_groups: &[BTreeSet<TenantKey>]) -> Vec<Vec<&'p TenantPlan>> {
    let mut units: BTreeMap<&TenantKey, Vec<&'p TenantPlan>> = BTreeMap::new();
    for plan in work {
        let group = rename_groups.iter().find(|group| group.contains(&plan.tenant)).and_then(BTreeSet::first);
        units.entry(group.unwrap_or(&plan.tenant)).or_default().push(plan);
    }
    units.into_values().collect()
}
