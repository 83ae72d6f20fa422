//! All tenants, several at once.

use std::collections::BTreeSet;

use super::context::Verify;
use super::probes;
use crate::core::model::{State, Tenant};
use crate::core::verdict::Verdict;
use crate::engine::workers::each_of;

impl Verify<'_> {
    /// A verdict for each tenant, by key.
    #[must_use]
    pub fn run(&self, tenants: &[&Tenant]) -> Vec<Verdict> {
        let schemas = self.schemas();
        let mut verdicts = each_of(tenants, self.parallelism, Some(self.stop), |tenant| {
            (self.begins)(&tenant.key);
            let verdict = probes::tenant(self, tenant, &schemas);
            (self.progress)(&verdict);
            verdict
        });
        verdicts.sort_by(|a, b| a.tenant.cmp(&b.tenant));
        verdicts
    }

    /// Every tenant schema there is, declared or registered, retained ones included.
    fn schemas(&self) -> Vec<String> {
        let declared = self.logins.desired.tenants.values().map(|tenant| tenant.schema.clone());
        let registered = self.logins.observed.registry.iter().flat_map(|registry| registry.tenants.values());
        let registered = registered.filter(|row| row.state != State::Removed).map(|row| row.schema.clone());
        declared
            .chain(registered)
            .filter(|schema| self.logins.observed.schemas.contains_key(schema))
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect()
    }
}
