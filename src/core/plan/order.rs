//! Who is done before whom: whoever takes something from another tenant's role goes before the tenant whose change drops
//! that role, or its name. Otherwise its REVOKE would find no such role (42704).

use std::collections::{BTreeMap, BTreeSet};

use super::action::{Change, CopyRows, RowsOf, Whose};
use super::fleet::Fleet;
use super::tenant_plan::{TenantPlan, Verb};
use crate::core::model::{Acl, Grantee, History, Hold, Holding, Role, Schema, TenantKey};

/// For a tenant those that it waits for. Nobody waits for itself, by whatever way round.
pub(super) fn waits(fleet: &Fleet<'_>, tenants: &[TenantPlan]) -> BTreeMap<TenantKey, BTreeSet<TenantKey>> {
    let mut ends = BTreeMap::new();
    for plan in tenants {
        ends.extend(ended(fleet, plan).into_iter().map(|role| (role, &plan.tenant)));
    }
    let mut waits = Waits::default();
    copied_first(tenants, &mut waits);
    if ends.is_empty() {
        return waits.0;
    }
    // A removal copes with a role that is gone, if need be: with it is gone what it gave.
    let (removals, others): (Vec<_>, Vec<_>) =
        tenants.iter().filter(|plan| plan.has_work()).partition(|plan| plan.verb == Verb::Remove);
    for plan in others.into_iter().chain(removals) {
        for role in named(fleet, plan) {
            if let Some(ender) = ends.get(role).filter(|ender| **ender != &plan.tenant) {
                waits.add(ender, &plan.tenant);
            }
        }
    }
    waits.0
}

/// A new tenant begins as its template is once that has what this plan gives it.
fn copied_first(tenants: &[TenantPlan], waits: &mut Waits) {
    let works: BTreeSet<&TenantKey> = tenants.iter().filter(|plan| plan.has_work()).map(|plan| &plan.tenant).collect();
    for plan in tenants {
        for change in &plan.phases.transaction {
            if let Change::CopyRows(CopyRows { from: RowsOf::Tenant(from), .. }) = change
                && works.contains(&from.subject.tenant)
            {
                waits.add(&plan.tenant, &from.subject.tenant);
            }
        }
    }
}

#[derive(Default)]
struct Waits(BTreeMap<TenantKey, BTreeSet<TenantKey>>);

impl Waits {
    /// Left out when the other one, or somebody whom that one waits for, waits for this one already.
    fn add(&mut self, tenant: &TenantKey, other: &TenantKey) {
        let mut seen = BTreeSet::new();
        let mut ahead = vec![other];
        while let Some(next) = ahead.pop() {
            if next == tenant {
                return;
            }
            if seen.insert(next) {
                ahead.extend(self.0.get(next).into_iter().flatten());
            }
        }
        self.0.entry(tenant.clone()).or_default().insert(other.clone());
    }
}

/// The roles that are not there any more, under these names, after this tenant's changes.
fn ended<'a>(fleet: &Fleet<'a>, plan: &TenantPlan) -> Vec<&'a str> {
    let Some(row) = fleet.registered_tenant(&plan.tenant) else { return Vec::new() };
    let of = |whose: Whose| if whose == Whose::Username { row.username.as_str() } else { row.owner.as_str() };
    let ends = |change: &Change| match change {
        // Nobody else wants the names of the two users.
        Change::DropRole(drop) if drop.whose == Whose::Login => None,
        Change::DropRole(drop) => Some(of(drop.whose)),
        Change::RenameRole(rename) => Some(of(rename.whose)),
        _ => None,
    };
    plan.phases.transaction.iter().filter_map(ends).collect()
}

/// The roles that this tenant's changes may name: those that its privileges name now.
fn named<'a>(fleet: &Fleet<'a>, plan: &TenantPlan) -> BTreeSet<&'a str> {
    let Some(row) = fleet.registered_tenant(&plan.tenant) else { return BTreeSet::new() };
    let observed = fleet.observed;
    let roles = [&row.username, &row.owner].into_iter().filter_map(|role| observed.roles.get(role));
    if plan.verb == Verb::Remove {
        let holds = roles.flat_map(|role| &role.holds);
        return holds
            .filter_map(|hold| if let Hold::Given(given) = hold { Some(given.by.as_str()) } else { None })
            .collect();
    }
    let mut named = BTreeSet::new();
    if let Some(schema) = observed.schemas.get(&row.schema) {
        of_schema(schema, &mut named);
    }
    roles.for_each(|role| of_role(role, &mut named));
    named
}

fn of_schema<'a>(schema: &'a Schema, named: &mut BTreeSet<&'a str>) {
    named.insert(&schema.owner);
    of_acl(&schema.acl, named);
    for group in &schema.objects {
        named.insert(&group.owner);
        of_acl(&group.acl, named);
        group.columns.iter().for_each(|column| of_acl(&column.acl, named));
    }
    for default in &schema.default_acls {
        named.insert(&default.role);
        of_acl(&default.acl, named);
    }
    if let History::Read { acl, columns, .. } | History::Unseen { acl, columns } = &schema.history {
        of_acl(acl, named);
        columns.iter().for_each(|column| of_acl(&column.acl, named));
    }
}

fn of_role<'a>(role: &'a Role, named: &mut BTreeSet<&'a str>) {
    for membership in role.member_of.iter().chain(&role.members) {
        named.insert(&membership.role);
        named.extend(membership.grantor.as_deref());
    }
    role.default_acls.iter().for_each(|default| of_acl(&default.acl, named));
    for outside in &role.outside {
        match &outside.held {
            Holding::Owned => {}
            Holding::Future { of, .. } => drop(named.insert(of)),
            Holding::Granted { grantor, owner, .. } => {
                named.insert(owner);
                named.extend(grantor.as_deref());
            }
        }
    }
}

fn of_acl<'a>(acl: &'a Acl, named: &mut BTreeSet<&'a str>) {
    for entry in acl.entries() {
        if let Grantee::Role(role) = entry.grantee {
            named.insert(role);
        }
        named.extend(entry.grantor);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_waits_for_itself_by_whatever_way_round() {
        let [a, b, c] = ["a", "b", "c"].map(|key| TenantKey::new(key).unwrap());
        let mut waits = Waits::default();
        waits.add(&a, &b);
        waits.add(&b, &c);
        waits.add(&c, &a);
        waits.add(&b, &a);
        assert_eq!(waits.0, [(a, [b.clone()].into()), (b, [c].into())].into());
    }
}
