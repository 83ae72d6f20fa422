//! The owner's rights, when something is done to what it owns.

use std::collections::BTreeSet;

use crate::core::model::Role;
use crate::core::plan::action::{BorrowRights, Change, ReturnRights, Rights, Whose, is_had};
use crate::core::plan::facts::{Facts, Findings};

pub(in crate::core::plan) fn borrow(facts: &Facts<'_>, findings: &mut Findings) {
    if !findings.changes.iter().any(Change::needs_the_owner) {
        return;
    }
    let (tenant, current) = (facts.tenant, &facts.current);
    let mut roles: BTreeSet<String> = [tenant.owner().to_owned()].into();
    roles.extend(current.former_owner.clone());
    roles.extend(current.schema.as_ref().map(|schema| schema.owner.clone()));
    roles.extend(findings.changes.iter().filter_map(|change| match change {
        Change::SetOwner(set) => Some(set.from.clone()),
        _ => None,
    }));
    let users: Vec<String> = findings.changes.iter().filter_map(dropped_user).collect();
    if !users.is_empty() {
        roles.extend(users.iter().cloned().chain([tenant.username.clone()]));
    }
    let known = |name: &str| -> Option<&Role> {
        match name {
            name if name == tenant.owner() && tenant.owner() != tenant.username => current.owner.as_deref(),
            name if name == tenant.username => current.role,
            name => facts.fleet.observed.roles.get(name),
        }
    };
    // Nobody can be a member of itself.
    roles.remove(&facts.fleet.observed.server.admin.name);
    let lacking = roles.into_iter().filter(|name| !known(name).is_some_and(is_had)).collect();
    let Some(rights) = Rights::of(facts.fleet.observed, lacking) else { return };
    let former = current.former_owner.iter().filter(|_| facts.drops_former_owner()).cloned();
    let dropped = former.chain(users).collect();
    findings.change(BorrowRights(rights.clone()));
    findings.change(ReturnRights { rights, dropped });
}

fn dropped_user(change: &Change) -> Option<String> {
    match change {
        Change::DropRole(drop) if drop.whose == Whose::Login => Some(drop.role.clone()),
        _ => None,
    }
}
