//! Names that go round: a tenant gets a name that another one gives up in the same plan, as in a → b, b → a.
//!
//! No order of single renames gets there, so the tenants of such a cycle change in one transaction: first every name that goes
//! round is parked under one that nobody wants, then each tenant's changes run as always.

use std::collections::{BTreeMap, BTreeSet};

use super::action::{ParkNames, Rights};
use super::change::rename;
use super::fleet::Fleet;
use super::tenant_plan::{Blocked, TenantPlan, Verb};
use crate::core::digest::digest;
use crate::core::model::{Access, Desired, Membership, Observed, Registered, State, Tenant, TenantKey};

/// The names that are swapped, each with the one it is parked under; and whose they are.
#[derive(Default)]
pub(super) struct RenameCycles {
    roles: BTreeMap<String, String>,
    schemas: BTreeMap<String, String>,
    /// Tenants that must change together.
    pub rename_groups: Vec<BTreeSet<TenantKey>>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Thing {
    Role,
    Schema,
}

impl RenameCycles {
    pub fn find(desired: &Desired, observed: &Observed, selects: &dyn Fn(&TenantKey) -> bool) -> Self {
        let fleet = Fleet::new(desired, observed);
        let mut cycles = Self::default();
        let selected: Vec<&Tenant> = desired.tenants.values().filter(|tenant| selects(&tenant.key)).collect();
        let row = |tenant: &Tenant| fleet.registered_tenant(&tenant.key).filter(|row| row.state == State::Active);
        let mut wanted: BTreeMap<(Thing, &str), &TenantKey> = BTreeMap::new();
        for tenant in &selected {
            wanted.extend(wants(&fleet, tenant, row(tenant)).into_iter().map(|name| (name, &tenant.key)));
        }
        for tenant in &selected {
            for name in row(tenant).into_iter().flat_map(|row| gives(&fleet, tenant, row)) {
                if let Some(taker) = wanted.get(&name) {
                    cycles.park(name.0, name.1);
                    cycles.join(&tenant.key, taker);
                }
            }
        }
        cycles
    }

    pub fn is_empty(&self) -> bool {
        self.rename_groups.is_empty()
    }

    fn park(&mut self, thing: Thing, name: &str) {
        let (map, kind) = match thing {
            Thing::Role => (&mut self.roles, "role"),
            Thing::Schema => (&mut self.schemas, "schema"),
        };
        map.insert(name.to_owned(), format!("tenantry_parked_{}", &digest(&format!("{kind} {name}"))[..16]));
    }

    fn join(&mut self, one: &TenantKey, other: &TenantKey) {
        let mut cycle = BTreeSet::from([one.clone(), other.clone()]);
        self.rename_groups.retain(|others| {
            let apart = others.is_disjoint(&cycle);
            if !apart {
                cycle.extend(others.iter().cloned());
            }
            apart
        });
        self.rename_groups.push(cycle);
        self.rename_groups.sort();
    }

    fn role(&self, name: &str) -> Option<String> {
        self.roles.get(name).cloned()
    }

    /// What would be observed with the names parked.
    pub fn parked(&self, observed: &Observed) -> Observed {
        let mut parked = observed.clone();
        let rename = |name: &mut String| {
            if let Some(new) = self.role(name) {
                *name = new;
            }
        };
        let memberships = |set: &mut BTreeSet<Membership>| {
            let renamed = std::mem::take(set).into_iter().map(|mut membership| {
                rename(&mut membership.role);
                membership.grantor.as_mut().map(rename);
                membership
            });
            *set = renamed.collect();
        };
        for (name, mut role) in std::mem::take(&mut parked.roles) {
            memberships(&mut role.member_of);
            memberships(&mut role.members);
            role.default_acls.iter_mut().for_each(|default| default.acl = default.acl.renamed(&|name| self.role(name)));
            parked.roles.insert(self.role(&name).unwrap_or(name), role);
        }
        let database = &mut parked.database;
        for group in [&mut database.group, &mut database.owners_group].into_iter().flatten() {
            memberships(&mut group.role.members);
        }
        for (name, mut schema) in std::mem::take(&mut parked.schemas) {
            rename::apply_names(&mut schema, &|name| self.role(name));
            parked.schemas.insert(self.schemas.get(&name).cloned().unwrap_or(name), schema);
        }
        for name in parked.schema_names.values_mut() {
            if let Some(new) = self.schemas.get(name) {
                name.clone_from(new);
            }
        }
        for row in parked.registry.iter_mut().flat_map(|registry| registry.tenants.values_mut()) {
            rename(&mut row.username);
            rename(&mut row.owner);
            if let Some(new) = self.schemas.get(&row.schema) {
                row.schema.clone_from(new);
            }
        }
        parked
    }

    /// Puts the parking before each tenant's changes; or blocks all of a cycle when one of them is blocked.
    pub fn complete(&self, fleet: &Fleet<'_>, observed: &Observed, tenants: &mut [TenantPlan]) {
        for cycle in &self.rename_groups {
            for plan in tenants.iter_mut().filter(|plan| cycle.contains(&plan.tenant) && plan.phases.lock_out.is_some())
            {
                let reason = "it is to be suspended, and swaps names in the same plan";
                plan.take(
                    plan.verb,
                    Err(Blocked::new(reason, "suspend it with one apply, and change the names with the next")),
                );
            }
            let of_cycle = |plan: &&mut TenantPlan| cycle.contains(&plan.tenant);
            let blocked = tenants.iter().find(|plan| cycle.contains(&plan.tenant) && plan.verb == Verb::Blocked);
            let blocked = blocked.map(|plan| plan.tenant.clone());
            for plan in tenants.iter_mut().filter(of_cycle) {
                match &blocked {
                    Some(key) if *key == plan.tenant => {
                        plan.reason = plan.reason.as_deref().map(|text| self.said(text));
                        plan.hint = plan.hint.as_deref().map(|text| self.said(text));
                    }
                    Some(key) => plan.take(
                        plan.verb,
                        Err(Blocked::new(
                            format!("it swaps names with tenant {key}, which is blocked"),
                            format!("fix {key} first, or give one of them another name"),
                        )),
                    ),
                    None => self.complete_one(fleet, observed, plan),
                }
            }
        }
    }

    /// A person knows the names as they are, not as they are parked.
    fn said(&self, text: &str) -> String {
        let mut known: Vec<(&String, &String)> = self.roles.iter().chain(&self.schemas).collect();
        known.sort();
        known.iter().fold(text.to_owned(), |text, (name, parked)| text.replace(*parked, name))
    }

    fn complete_one(&self, fleet: &Fleet<'_>, observed: &Observed, plan: &mut TenantPlan) {
        plan.parked =
            self.roles.iter().chain(&self.schemas).map(|(name, parked)| (parked.clone(), name.clone())).collect();
        let before = observed.registry.as_ref().and_then(|registry| registry.tenants.get(&plan.tenant));
        let after = fleet.registered_tenant(&plan.tenant);
        if let (Some(before), Some(after)) = (before, after)
            && (&before.schema, &before.username, &before.owner) != (&after.schema, &after.username, &after.owner)
        {
            if let Some(seen) = &mut plan.seen {
                seen.name.clone_from(&before.schema);
            }
            plan.phases.park = Some(parking(observed, &plan.tenant, before, after));
        }
    }
}

/// The names that the tenant is to have and has not.
fn wants<'a>(fleet: &Fleet<'_>, tenant: &'a Tenant, row: Option<&Registered>) -> Vec<(Thing, &'a str)> {
    let mut names = Vec::new();
    if row.is_none_or(|row| row.schema != tenant.schema) {
        names.push((Thing::Schema, tenant.schema.as_str()));
    }
    if row.is_none_or(|row| row.username != tenant.username) {
        names.push((Thing::Role, tenant.username.as_str()));
    }
    let owns_itself = tenant.access == Access::Owner;
    if !owns_itself
        && row.is_none_or(|row| row.owner != tenant.owner_role)
        && !fleet.is_shared_owner(&tenant.owner_role, &tenant.key)
    {
        names.push((Thing::Role, tenant.owner_role.as_str()));
    }
    names
}

/// The names that the tenant has, that are there, and that it is not to have.
fn gives<'a>(fleet: &Fleet<'_>, tenant: &Tenant, row: &'a Registered) -> Vec<(Thing, &'a str)> {
    let mut names = Vec::new();
    if row.schema != tenant.schema && fleet.observed.schemas.contains_key(&row.schema) {
        names.push((Thing::Schema, row.schema.as_str()));
    }
    let mut roles = vec![(&row.username, &tenant.username)];
    let owner = fleet.owner_of_its_own(&tenant.key, row);
    let wanted = if tenant.access == Access::Owner { &tenant.username } else { &tenant.owner_role };
    roles.extend(owner.map(|owner| (owner, wanted)));
    let gone = roles.into_iter().filter(|(have, want)| have != want && fleet.observed.roles.contains_key(*have));
    names.extend(gone.map(|(have, _)| (Thing::Role, have.as_str())));
    names
}

fn parking(observed: &Observed, key: &TenantKey, before: &Registered, after: &Registered) -> ParkNames {
    let schema = (before.schema != after.schema).then(|| (before.schema.clone(), after.schema.clone()));
    let rights = schema.as_ref().and_then(|(from, _)| {
        let owner = observed.schemas.get(from).map(|schema| schema.owner.clone()).unwrap_or_default();
        Rights::lacking(observed, &[owner])
    });
    let roles = [(&before.username, &after.username), (&before.owner, &after.owner)];
    let roles = roles.into_iter().filter(|(have, parked)| have != parked);
    ParkNames {
        tenant: key.clone(),
        schema,
        rights,
        roles: roles.map(|(have, parked)| (have.clone(), parked.clone())).collect(),
        row: [after.schema.clone(), after.username.clone(), after.owner.clone()],
    }
}
