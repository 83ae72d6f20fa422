//! diff(desired, observed) = plan.

use super::doubt::{Doubt, Missing};
use super::fleet::Fleet;
use super::hazard::{Hazard, HazardKind};
use super::rename_cycle::RenameCycles;
use super::tenant_plan::{Note, TenantPlan, Verb};
use super::whole::{DatabaseIdentity, Plan, Targeting};
use super::{database, home, limits, missing, order, powers, removal, tenant, whole_fleet};
use crate::core::model::{Desired, Observed, Origin, Registered, Scope, State, TenantKey};
use crate::core::words::count;

/// What turns `observed` into `desired`, for the tenants that `selects` takes.
///
/// Pure: same input, same plan, byte for byte.
#[must_use]
pub fn diff(desired: &Desired, observed: &Observed, selects: &dyn Fn(&TenantKey) -> bool) -> Plan {
    let cycles = RenameCycles::find(desired, observed, selects);
    let as_it_is = observed;
    let parked = (!cycles.is_empty()).then(|| cycles.parked(observed));
    let observed = parked.as_ref().unwrap_or(observed);
    let fleet = Fleet::new(desired, observed);
    let declared = desired.tenants.values().filter(|tenant| selects(&tenant.key)).map(|t| tenant::plan(&fleet, t));
    let removed = fleet
        .registered()
        .filter(|(key, row)| desired.lets_go(key, row) && selects(key))
        .filter_map(|(key, row)| removal::plan(&fleet, key, row));
    let left =
        fleet.registered().filter(|(key, _)| selects(key)).filter_map(|(key, row)| left_alone(desired, key, row));
    let mut tenants: Vec<_> = declared.chain(removed).chain(left).collect();
    tenants.sort_by(|a, b| a.tenant.cmp(&b.tenant));
    cycles.complete(&fleet, as_it_is, &mut tenants);
    let mut hazards = powers::plan(&fleet, &mut tenants);
    let doubts = home::doubts(desired, observed, &tenants);
    let missing = missing::missing(desired, observed, &tenants);
    hazards.extend(doubts.iter().map(Doubt::hazard));
    hazards.extend(missing.iter().map(Missing::hazard));
    let (database_changes, others) = database::plan(&fleet, &tenants, &doubts);
    hazards.extend(others);
    // Under the names that they have: what is parked is nobody's wish.
    let unparked = parked.as_ref().map(|_| Fleet::new(desired, as_it_is));
    let (fleet_changes, found) = whole_fleet::plan(unparked.as_ref().unwrap_or(&fleet), &tenants);
    hazards.splice(0..0, found);
    hazards.extend(source_rows(&fleet, &tenants));
    hazards.extend(removal::disk_hazard(&fleet, &tenants));
    hazards.extend(limits::hazards(&fleet, &tenants));
    let waits = order::waits(&fleet, &tenants);
    debug_assert!(tenants.iter().all(|t| (t.verb == Verb::Blocked) == t.reason.is_some()));
    Plan {
        database: DatabaseIdentity::new(&observed.server, &observed.database.name),
        database_changes,
        hazards,
        doubts,
        missing,
        unseen: observed.unseen.clone(),
        tenants,
        targeting: Targeting::new(desired, as_it_is, selects),
        rename_groups: cycles.rename_groups,
        waits,
        fleet_changes,
        shape: None,
    }
}

/// A tenant that a program created, and that is declared nowhere.
fn left_alone(desired: &Desired, key: &TenantKey, row: &Registered) -> Option<TenantPlan> {
    let is_left = row.declared_by == Origin::Api && !desired.tenants.contains_key(key) && !desired.lets_go(key, row);
    (is_left && desired.scope == Scope::Fleet).then(|| {
        let detail = "a program created it, and tenants.toml does not declare it: it is neither compared nor removed; its declaration is among what this prints: tenantry adopt --print GLOB";
        let notes = vec![Note { what: "not declared".into(), detail: detail.into() }];
        TenantPlan { notes, ..TenantPlan::of(row.subject(key)) }
    })
}

/// A query that names fewer tenants than it did is no decision to remove the others.
fn source_rows(fleet: &Fleet<'_>, tenants: &[TenantPlan]) -> Option<Hazard> {
    let rows = fleet.desired.source.as_ref()?.rows?;
    let removed = tenants.iter().filter(|tenant| tenant.verb == Verb::Remove).count();
    let known = fleet.registered().filter(|(_, row)| row.state == State::Active).count();
    let (rows, known) = (count(rows, "row"), count(known, "tenant"));
    let detail = format!(
        "[source] query returned {rows}, and the registry knows {known}: make sure that the table is complete before anybody is removed"
    );
    (removed > 0).then_some(Hazard { kind: HazardKind::SourceRows, detail })
}
