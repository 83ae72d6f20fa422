//! Carries a plan out: what tenants share, one by one; then the tenants, each in one transaction, several at once.
//!
//! Apply decides nothing. What it finds to be otherwise than the plan saw is a failure of that tenant, and of no other.

mod commit;
mod concurrently;
mod fence;
mod lock;
mod migrate;
mod outcome;
mod password;
mod preflight;
mod rehearsal;
mod secret;
mod sessions;
mod shared;
mod tenant;

pub use lock::Lock;
pub use outcome::{Outcome, Report, TenantError, TenantOutcome};
pub use preflight::check_admin;
pub(crate) use rehearsal::rehearse;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use postgres::Client;

use crate::database::Target;
use crate::error::{Error, with_causes};
use crate::model::{Desired, Server};
use crate::plan::{Plan, Stage, TenantPlan, Verb};
use crate::registry;
use crate::secrets::SecretStore;
use crate::workers::lock;

/// What carrying a plan out needs.
pub struct Apply<'a> {
    pub target: &'a Target,
    pub store: &'a dyn SecretStore,
    pub desired: &'a Desired,
    pub server: &'a Server,
    /// Connections that work at once.
    pub parallelism: usize,
    /// Set by an interrupt: running tenants finish, no new one begins.
    pub stop: &'a AtomicBool,
    /// Called as each tenant ends, from the thread that carried it out.
    pub progress: &'a (dyn Fn(&TenantOutcome) + Sync),
}

impl Apply<'_> {
    /// Carries the plan out on the session that holds the lock and on `parallelism` more.
    ///
    /// # Errors
    /// When what tenants share could not be changed: then no tenant was touched. A tenant that fails is in the report.
    pub fn run(&self, client: &mut Client, plan: &Plan) -> Result<Report, Error> {
        shared::run(client, self, plan, Stage::Before)?;
        // A plan without work, of a fleet without tenants say, makes no registry.
        if !plan.database_changes.is_empty() || plan.tenants.iter().any(TenantPlan::has_work) {
            registry::settle(client)?;
            fail_point!("after_registry_settled");
        }
        let (work, blocked): (Vec<_>, Vec<_>) = plan.tenants.iter().partition(|tenant| tenant.reason.is_none());
        let (work, unchanged): (Vec<_>, Vec<_>) = work.into_iter().partition(|tenant| tenant.has_work());
        let mut outcomes = self.tenants(&work);
        outcomes.extend(blocked.into_iter().map(TenantOutcome::blocked));
        outcomes.sort_by(|a, b| a.tenant.cmp(&b.tenant));
        // Blocked tenants are in nobody's way; one that failed may still have what would be dropped.
        let nothing_failed = outcomes.iter().all(|o| o.outcome == Outcome::Applied || o.verb == Verb::Blocked);
        fail_point!("before_shared_after");
        let after = if nothing_failed { shared::run(client, self, plan, Stage::After) } else { Ok(()) };
        let shared_error =
            after.err().map(|error| TenantError { message: with_causes(&error), sqlstate: None, hint: error.hint() });
        let database_changes = plan.database_changes.len();
        Ok(Report {
            unchanged: unchanged.len(),
            database_changes,
            shared_error,
            outcomes,
            interrupted: self.stop.load(Ordering::Relaxed),
        })
    }

    fn tenants(&self, work: &[&TenantPlan]) -> Vec<TenantOutcome> {
        let queue = Mutex::new(work.iter());
        let outcomes = Mutex::new(Vec::with_capacity(work.len()));
        std::thread::scope(|scope| {
            for _ in 0..self.parallelism.clamp(1, work.len().max(1)) {
                scope.spawn(|| self.worker(&queue, &outcomes));
            }
        });
        outcomes.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn worker(&self, queue: &Mutex<std::slice::Iter<'_, &TenantPlan>>, outcomes: &Mutex<Vec<TenantOutcome>>) {
        let mut session = None;
        loop {
            let next = lock(queue).next();
            let Some(plan) = next else { return };
            let outcome = if self.stop.load(Ordering::Relaxed) {
                TenantOutcome::skipped(plan, "interrupted before it began")
            } else {
                let start = Instant::now();
                let result = tenant::run(self, &mut session, plan);
                TenantOutcome::new(plan, result, start.elapsed())
            };
            (self.progress)(&outcome);
            lock(outcomes).push(outcome);
        }
    }
}
