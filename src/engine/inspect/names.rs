//! Every name that is looked for.

use std::collections::{BTreeMap, BTreeSet};

use crate::core::model::{Access, Desired, Observed, Rotation, State, TenantKey};

/// Every name that is declared or registered.
pub(super) struct Names {
    pub roles: Vec<String>,
    pub schemas: Vec<String>,
    pub schema_oids: Vec<u32>,
    /// Those of them whose privileges are compared: a retained tenant's are not.
    pub planned: Vec<String>,
    pub removed: Vec<String>,
    pub removed_roles: Vec<String>,
    /// Roles that are dropped, each with the schema it has to do with: those of the removed tenants, and owners that tenants leave.
    pub dropped: Vec<(String, String)>,
}

impl Names {
    pub fn of(desired: &Desired, observed: &Observed) -> Self {
        let mut roles = BTreeSet::new();
        let mut schemas = BTreeSet::new();
        let mut schema_oids = Vec::new();
        let mut planned = BTreeSet::new();
        let (mut removed, mut removed_roles) = (Vec::new(), Vec::new());
        let registry = observed.registry.iter();
        roles.extend(registry.flat_map(|registry| registry.former_owners.iter().cloned()));
        for tenant in desired.tenants.values() {
            roles.extend([tenant.username.clone(), tenant.owner_role.clone()]);
            roles.extend(tenant.login_users());
            schemas.insert(tenant.schema.clone());
            planned.insert(tenant.schema.clone());
        }
        let registered = observed.registry.iter().flat_map(|registry| &registry.tenants);
        for (key, row) in registered.filter(|(_, row)| row.state != State::Removed) {
            roles.extend([row.username.clone(), row.owner.clone()]);
            roles.extend(row.login_users());
            roles.extend(row.deputy.clone());
            schemas.insert(row.schema.clone());
            schema_oids.extend(row.schema_oid);
            if row.state == State::Active {
                planned.insert(row.schema.clone());
            }
            if desired.lets_go(key, row) {
                removed.push(row.schema.clone());
                removed_roles.extend([row.username.clone(), row.owner.clone()]);
            }
        }
        Self {
            roles: roles.into_iter().collect(),
            schemas: schemas.into_iter().collect(),
            schema_oids,
            planned: planned.into_iter().collect(),
            removed,
            removed_roles,
            dropped: dropped(desired, observed),
        }
    }
}

/// Those that tenants share are no single tenant's to drop.
fn dropped(desired: &Desired, observed: &Observed) -> Vec<(String, String)> {
    let registered = || observed.registry.iter().flat_map(|registry| &registry.tenants);
    let mut owners: BTreeMap<&str, BTreeSet<&TenantKey>> = BTreeMap::new();
    for (key, row) in registered().filter(|(_, row)| row.state != State::Removed && row.access != Access::Owner) {
        owners.entry(&row.owner).or_default().insert(key);
    }
    for tenant in desired.tenants.values().filter(|tenant| tenant.access != Access::Owner) {
        owners.entry(&tenant.owner_role).or_default().insert(&tenant.key);
    }
    let mut dropped = BTreeMap::new();
    for (key, row) in registered().filter(|(_, row)| !matches!(row.state, State::Removed | State::Retained)) {
        let is_own = owners.get(row.owner.as_str()).is_some_and(|tenants| tenants.len() == 1);
        let tenant = desired.tenants.get(key);
        if tenant.is_none() && !desired.lets_go(key, row) {
            continue;
        }
        if tenant.is_none() {
            dropped.insert(row.username.clone(), &row.schema);
        }
        if tenant.is_none_or(|tenant| tenant.rotation == Rotation::Single) {
            dropped.extend(row.login_users().into_iter().map(|user| (user, &row.schema)));
        }
        if is_own && tenant.is_none_or(|tenant| tenant.owner() != row.owner) {
            dropped.insert(row.owner.clone(), &row.schema);
        }
    }
    let mut dropped: Vec<_> = dropped.into_iter().map(|(role, schema)| (role, schema.clone())).collect();
    // Shared, with or without a tenant left: after the last schemas, so that none goes with it.
    let is_declared = |role: &String| desired.tenants.values().any(|tenant| tenant.owner() == role);
    let shared = owners.iter().filter(|(_, tenants)| tenants.len() > 1).map(|(owner, _)| (*owner).to_owned());
    let former = observed.registry.iter().flat_map(|registry| registry.former_owners.iter().cloned());
    // One that a single tenant still has goes with that one's schema.
    let goes_with_one = |role: &String| dropped.iter().any(|(dropped, _)| dropped == role);
    let late: BTreeSet<String> =
        shared.chain(former).filter(|role| !is_declared(role) && !goes_with_one(role)).collect();
    dropped.extend(late.into_iter().map(|role| (role, String::new())));
    dropped
}
