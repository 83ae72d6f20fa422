//! A tenant's role that somebody gave a power over the others: the gravest of hazards, said before everything else, whether or
//! not the plan takes it away. What was done with it meanwhile no plan undoes.

use std::collections::BTreeSet;

use super::fleet::Fleet;
use super::hazard::{Hazard, HazardKind};
use super::tenant_plan::TenantPlan;
use crate::core::model::{Registered, Role};

/// So many tenants are named at the top; each tenant's own hazards say it too.
const NAMED: usize = 20;

/// CREATEDB is none over other tenants.
const POWERS: [&str; 4] = ["SUPERUSER", "CREATEROLE", "REPLICATION", "BYPASSRLS"];

/// Puts each tenant's before its other hazards, and returns what is to be said first of all.
pub(super) fn plan(fleet: &Fleet<'_>, tenants: &mut [TenantPlan]) -> Vec<Hazard> {
    let mut hazards = Vec::new();
    let group = fleet.observed.database.group.as_ref().map(|group| &group.role);
    if let Some(role) = group {
        for words in of_role(&fleet.group, role, None) {
            let detail = format!("{words}; every tenant is a member of it");
            hazards.push(Hazard { kind: HazardKind::PrivilegedTenant, detail });
        }
    }
    let mut more = 0;
    for tenant in tenants {
        let row = fleet.registered_tenant(&tenant.tenant);
        let users: Vec<String> = row.into_iter().flat_map(Registered::login_users).collect();
        let mut names: BTreeSet<&str> = [tenant.username.as_str(), &tenant.owner].into();
        names.extend(row.into_iter().flat_map(|row| [row.username.as_str(), &row.owner]));
        names.extend(users.iter().map(String::as_str));
        // A role of somebody else's that stands in the way is no tenant's.
        let ours = names.into_iter().filter(|name| fleet.role_of.contains_key(*name));
        let found: Vec<String> = ours
            .filter_map(|name| Some((name, fleet.observed.roles.get(name)?)))
            .flat_map(|(name, role)| of_role(name, role, group))
            .collect();
        if found.is_empty() {
            continue;
        }
        let hazard = |detail: String| Hazard { kind: HazardKind::PrivilegedTenant, detail };
        let detail = format!("{}; what it did with that is not undone", found.join("; "));
        if hazards.len() < NAMED {
            hazards.push(hazard(format!("tenant {}: {detail}", tenant.tenant)));
        } else {
            more += 1;
        }
        tenant.hazards.insert(0, hazard(detail));
    }
    if more > 0 {
        hazards.push(Hazard { kind: HazardKind::PrivilegedTenant, detail: format!("and {more} more tenants") });
    }
    hazards
}

/// Each power in words. What the tenants have through their group role is said of that.
fn of_role(name: &str, role: &Role, group: Option<&Role>) -> Vec<String> {
    let mut words = Vec::new();
    let own: Vec<&str> = POWERS.into_iter().filter(|power| role.powers.contains(power)).collect();
    if !own.is_empty() {
        words.push(format!("role {name} is {}", own.join(", ")));
    }
    for (via, powers) in &role.powerful {
        if group.is_some_and(|group| group.powerful.contains_key(via)) {
            continue;
        }
        words.push(if powers.iter().any(|power| power == via) {
            format!("role {name} is a member of {via}")
        } else {
            format!("role {name} is a member of {via}, which is {}", powers.join(", "))
        });
    }
    words
}
