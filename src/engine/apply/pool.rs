//! The tenants that are still to be done, and the threads that do them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Condvar, Mutex, PoisonError};

use crate::core::model::TenantKey;
use crate::core::plan::TenantPlan;
use crate::core::render::Names;
use crate::core::report::{Outcome, TenantOutcome};
use crate::engine::workers::lock;

/// Tenants that are done together: one, or those of a rename cycle.
pub(super) type Unit<'p> = Vec<&'p TenantPlan>;

pub(super) struct Pool<'p> {
    state: Mutex<State<'p>>,
    /// Somebody is done, or has left.
    moved: Condvar,
    /// For a tenant those that are done before it.
    waits: &'p BTreeMap<TenantKey, BTreeSet<TenantKey>>,
    /// This many with the same error end it; 0: never.
    max_failures: usize,
    failures: Mutex<BTreeMap<String, usize>>,
    pub outcomes: Mutex<Vec<TenantOutcome>>,
}

struct State<'p> {
    queue: VecDeque<Unit<'p>>,
    /// Of the units in the queue and of those that are being done.
    pending: BTreeSet<&'p TenantKey>,
    /// Units that are being done.
    running: usize,
    /// Threads that have not left.
    workers: usize,
}

impl<'p> Pool<'p> {
    pub fn new(
        units: Vec<Unit<'p>>,
        workers: usize,
        max_failures: usize,
        waits: &'p BTreeMap<TenantKey, BTreeSet<TenantKey>>,
    ) -> Self {
        let outcomes = Mutex::new(Vec::with_capacity(units.len()));
        let pending = units.iter().flatten().map(|plan| &plan.tenant).collect();
        let state = Mutex::new(State { queue: units.into(), pending, running: 0, workers });
        Self { state, moved: Condvar::new(), waits, max_failures, failures: Mutex::default(), outcomes }
    }

    /// `None`: the thread that asked leaves. Waits while all that is left waits for what is being done.
    pub fn next(&self) -> Option<Unit<'p>> {
        let mut state = lock(&self.state);
        loop {
            let ready = state.queue.iter().position(|unit| self.is_ready(unit, &state.pending));
            match ready {
                Some(at) => {
                    state.running += 1;
                    return state.queue.remove(at);
                }
                None if state.queue.is_empty() => {
                    state.workers -= 1;
                    return None;
                }
                // Two groups that wait for each other: somebody must begin.
                None if state.running == 0 => {
                    state.running += 1;
                    return state.queue.pop_front();
                }
                None => state = self.moved.wait(state).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    fn is_ready(&self, unit: &[&TenantPlan], pending: &BTreeSet<&TenantKey>) -> bool {
        let mut waited_for = unit.iter().filter_map(|plan| self.waits.get(&plan.tenant)).flatten();
        waited_for.all(|other| !pending.contains::<TenantKey>(other) || unit.iter().any(|plan| plan.tenant == *other))
    }

    /// A thread without a connection leaves the rest to the others, and this unit too, as long as there are others: what a
    /// role, a database or a server has no room for is no tenant's fault. The last one does what it can.
    pub fn leave_to_others(&self, unit: Unit<'p>) -> Result<(), Unit<'p>> {
        let mut state = lock(&self.state);
        if state.workers <= 1 {
            return Err(unit);
        }
        // Each of them asks for more before it leaves.
        state.workers -= 1;
        state.running -= 1;
        state.queue.push_front(unit);
        self.moved.notify_all();
        Ok(())
    }

    /// Failures with one and the same error end it.
    pub fn counts(&self, unit: &[&TenantPlan], outcomes: &[TenantOutcome]) {
        let failed = outcomes.iter().find(|outcome| outcome.outcome == Outcome::Failed);
        if let (Some(error), [first, ..]) = (failed.and_then(|outcome| outcome.error.as_ref()), unit) {
            // The same once each tenant's own names are placeholders; a migration's message begins with its file and line.
            let same = format!("{:?} {}", error.sqlstate, Names::of_plan(first).hide(&error.message));
            *lock(&self.failures).entry(same).or_default() += 1;
        }
    }

    pub fn has_ended(&self, unit: &[&TenantPlan], outcomes: Vec<TenantOutcome>) {
        lock(&self.outcomes).extend(outcomes);
        let mut state = lock(&self.state);
        state.running -= 1;
        for plan in unit {
            state.pending.remove::<TenantKey>(&plan.tenant);
        }
        self.moved.notify_all();
    }

    /// Why no more are started, if one error was met too often.
    pub fn is_over(&self) -> Option<String> {
        let most = lock(&self.failures).values().copied().max().unwrap_or_default();
        (self.max_failures > 0 && most >= self.max_failures).then(|| {
            format!(
                "not started, because {most} tenants failed with the same error (--max-failures {})",
                self.max_failures
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static NOBODY: BTreeMap<TenantKey, BTreeSet<TenantKey>> = BTreeMap::new();

    #[test]
    fn who_has_no_connection_leaves_unless_it_is_the_last() {
        let pool = Pool::new(vec![Vec::new(), Vec::new()], 2, 0, &NOBODY);
        let first = pool.next().unwrap();
        let second = pool.next().unwrap();
        assert!(pool.leave_to_others(first).is_ok(), "there is another");
        assert!(pool.leave_to_others(second).is_err(), "it is the last");
        assert!(pool.next().is_some(), "what was given back is still to be done");
        assert!(pool.next().is_none());
    }

    #[test]
    fn who_has_nothing_left_to_do_is_nobody_to_leave_it_to() {
        let pool = Pool::new(vec![Vec::new()], 2, 0, &NOBODY);
        let unit = pool.next().unwrap();
        assert!(pool.next().is_none(), "the other one leaves");
        assert!(pool.leave_to_others(unit).is_err());
    }
}
