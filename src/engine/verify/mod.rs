//! Proves by trying: each tenant can work in its own schema and reach nothing else.
//!
//! Logs in with the delivered secret through the secret's own URL. Every probe runs in a transaction that is rolled
//! back. Other tenants' schemas are asked about in one query, and a few neighbours are tried for real, so that the
//! probes grow with the number of tenants and not with its square.
//!
//! [`probes`] asks the catalogs, then tries; [`probe`] is what is tried, with the answer that is right; [`answer`] tells a
//! refusal by privilege from any other, and rules.

mod answer;
mod held;
mod login;
mod probe;
mod probes;

pub use crate::core::verdict::Verdict;

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::core::model::{Desired, Observed, PublicSchema, State, Tenant};
use crate::engine::database::Target;
use crate::engine::secrets::SecretStore;
use crate::engine::workers::lock;

/// What verifying needs.
pub struct Verify<'a> {
    pub target: &'a Target,
    pub store: &'a dyn SecretStore,
    pub desired: &'a Desired,
    pub observed: &'a Observed,
    pub parallelism: usize,
    pub stop: &'a AtomicBool,
    pub progress: &'a (dyn Fn(&Verdict) + Sync),
}

/// How many neighbours each tenant tries for real; in a fleet this small, all of them.
const NEIGHBOURS: usize = 8;

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

    /// Whether public was left open on purpose.
    fn public_is_kept(&self) -> bool {
        let objects = self.observed.database.public_schema.as_ref().map_or(0, |public| public.objects);
        match self.desired.public_schema {
            Some(policy) => policy == PublicSchema::Keep,
            None => objects > 0,
        }
    }
}

/// The schemas after this one, round and round.
fn neighbours<'a>(schemas: &'a [String], own: &str) -> Vec<&'a str> {
    let at = schemas.iter().position(|schema| schema == own).map_or(0, |at| at + 1);
    let others = schemas.iter().cycle().skip(at).take(schemas.len()).filter(|schema| *schema != own);
    others.take(NEIGHBOURS).map(String::as_str).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_schema_is_somebodys_neighbour() {
        let schemas: Vec<String> = (0..30).map(|n| format!("s{n:02}")).collect();
        let tried: BTreeSet<_> = schemas.iter().flat_map(|own| neighbours(&schemas, own)).collect();
        assert_eq!(tried.len(), 30);
        assert!(neighbours(&schemas, "s29").contains(&"s00"));
        assert!(neighbours(&["a".to_owned()], "a").is_empty());
    }
}
