//! All tenants, several at once.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::Ordering;

use super::context::Verify;
use super::probes;
use crate::core::model::{State, Tenant};
use crate::core::verdict::Verdict;
use crate::engine::workers::lock;

impl Verify<'_> {
    /// A verdict for each tenant, by key.
    #[must_use]
    pub fn run(&self, tenants: &[&Tenant]) -> Vec<Verdict> {
        let schemas = self.schemas();
        let work = Mutex::new(tenants.iter());
        let verdicts = Mutex::new(Vec::with_capacity(tenants.len()));
        std::thread::scope(|scope| {
            for _ in 0..self.parallelism.clamp(1, tenants.len().max(1)) {
                scope.spawn(|| {
                    loop {
                        let next = lock(&work).next();
                        let (Some(tenant), false) = (next, self.stop.load(Ordering::Relaxed)) else { return };
                        let verdict = probes::tenant(self, tenant, &schemas);
                        (self.progress)(&verdict);
                        lock(&verdicts).push(verdict);
                    }
                });
            }
        });
        let mut verdicts = verdicts.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        verdicts.sort_by(|a, b| a.tenant.cmp(&b.tenant));
        verdicts
    }

    /// Every tenant schema there is, declared or registered, retained ones included.
    fn schemas(&self) -> Vec<String> {
        let declared = self.desired.tenants.values().map(|tenant| tenant.schema.clone());
        let registered = self.observed.registry.iter().flat_map(|registry| registry.tenants.values());
        let registered = registered.filter(|row| row.state != State::Removed).map(|row| row.schema.clone());
        declared
            .chain(registered)
            .filter(|schema| self.observed.schemas.contains_key(schema))
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect()
    }
}
