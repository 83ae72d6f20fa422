//! What one key of tenants.toml changes for many tenants at once: a typing error in it is one in all of them.

mod differences;

use std::collections::{BTreeMap, BTreeSet};

use super::fleet::Fleet;
use super::fleet_change::{FleetChange, FleetKey};
use super::hazard::Hazard;
use super::tenant_plan::TenantPlan;
use crate::core::model::{State, TenantKey};
use differences::One;

/// The changes, with a hazard for each.
pub(super) fn plan(fleet: &Fleet<'_>, tenants: &[TenantPlan]) -> (Vec<FleetChange>, Vec<Hazard>) {
    let of = fleet.registered().filter(|(_, row)| row.state == State::Active).count();
    let planned: BTreeMap<&TenantKey, &TenantPlan> =
        tenants.iter().filter(|plan| plan.has_work()).map(|plan| (&plan.tenant, plan)).collect();
    let mut found: BTreeMap<FleetKey, BTreeMap<(String, String), usize>> = BTreeMap::new();
    let mut classes: BTreeMap<FleetKey, BTreeSet<Option<&String>>> = BTreeMap::new();
    for (key, row) in fleet.registered().filter(|(_, row)| row.state == State::Active) {
        let Some(tenant) = fleet.desired.tenants.get(key) else { continue };
        let one = One { fleet, tenant, row, plan: planned.get(key).copied() };
        for (key, before, after) in one.differences() {
            *found.entry(key).or_default().entry((before, after)).or_default() += 1;
            classes.entry(key).or_default().insert(tenant.class.as_ref());
        }
    }
    let changes = found.into_iter().filter_map(|(key, pairs)| {
        let tenants = pairs.values().sum();
        let ((before, after), alike) = pairs.into_iter().max_by_key(|(_, count)| *count)?;
        // What differs from tenant to tenant is no one key's doing.
        let many = alike > 1 || key == FleetKey::HistoryTable;
        let class = classes.get(&key).filter(|classes| classes.len() == 1).and_then(|classes| classes.first().copied());
        many.then_some(FleetChange { key, before, after, tenants, of, class: class.flatten().cloned() })
    });
    let changes: Vec<FleetChange> = changes.collect();
    let hazards = changes.iter().map(FleetChange::hazard).collect();
    (changes, hazards)
}
