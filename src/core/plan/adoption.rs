//! Which tenants can be adopted, and how their shapes are shown.

use std::collections::BTreeSet;

use super::action::Kind;
use super::hazard::{Hazard, HazardKind};
use super::whole::Plan;
use crate::core::model::{Desired, Observed, Tenant, TenantKey};
use crate::core::shape::Report;
use crate::core::words::count;

/// Of the declared tenants those of which something is there, and that the registry does not know.
#[must_use]
pub fn adoptable(desired: &Desired, observed: &Observed, selects: &dyn Fn(&TenantKey) -> bool) -> Vec<TenantKey> {
    let is_known = |key| observed.registry.as_ref().is_some_and(|registry| registry.tenants.contains_key(key));
    let is_shared = |owner: &str| desired.tenants.values().filter(|tenant| tenant.owner() == owner).count() > 1;
    let is_there = |tenant: &Tenant| {
        let owner = tenant.owner();
        observed.schemas.contains_key(&tenant.schema)
            || observed.roles.contains_key(&tenant.username)
            || observed.roles.contains_key(owner) && !is_shared(owner)
    };
    let tenants = desired.tenants.values().filter(|tenant| selects(&tenant.key) && !is_known(&tenant.key));
    tenants.filter(|tenant| is_there(tenant)).map(|tenant| tenant.key.clone()).collect()
}

/// Those whose migrations are recorded and not run.
#[must_use]
pub fn baselined(plan: &Plan) -> BTreeSet<TenantKey> {
    let tenants = plan.tenants.iter().filter(|tenant| tenant.phases.has(&[Kind::Baseline]));
    tenants.map(|tenant| tenant.tenant.clone()).collect()
}

/// Shows with the plan how the shapes differ from what the recorded migrations create, and warns at each tenant.
pub fn note_shapes(plan: &mut Plan, shapes: Report) {
    let differ = shapes.groups.iter().flat_map(|group| {
        let detail = format!(
            "its schema is not what the migrations that are recorded as applied would create: {}, as listed below",
            count(group.differences.len(), "difference")
        );
        group.tenants.iter().map(move |tenant| (tenant.clone(), detail.clone()))
    });
    let unseen = shapes.unseen.iter().flat_map(|unseen| {
        let detail = format!("its schema could not be compared with what the migrations create: {}", unseen.reason);
        unseen.tenants.iter().map(move |tenant| (tenant.clone(), detail.clone()))
    });
    for (key, detail) in differ.chain(unseen).collect::<Vec<_>>() {
        if let Some(tenant) = plan.tenants.iter_mut().find(|tenant| tenant.tenant == key) {
            tenant.hazards.push(Hazard { kind: HazardKind::DifferentShape, detail });
        }
    }
    plan.shape = Some(shapes);
}

/// Those whose shape is another, or is not known.
#[must_use]
pub fn differently_shaped(plan: &Plan) -> Vec<&TenantKey> {
    let differs = |hazard: &Hazard| hazard.kind == HazardKind::DifferentShape;
    plan.tenants.iter().filter(|tenant| tenant.hazards.iter().any(differs)).map(|tenant| &tenant.tenant).collect()
}
