//! Whether a tenant is as it was when the plan was saved, and in which words it is not.

use std::collections::{BTreeMap, BTreeSet};

use crate::core::digest::digest;
use crate::core::model::{Registered, Tenant};
use crate::core::plan::action::Kind;
use crate::core::plan::document::ShownTenant;
use crate::core::plan::fleet::Fleet;
use crate::core::plan::hazard::HazardKind;
use crate::core::plan::tenant_plan::TenantPlan;

/// "schema tenant_acme" → SHA-256 of what was seen of it.
pub(super) type Parts = BTreeMap<String, String>;

/// What moved, in a few words; `None` when nothing did.
pub(super) fn moved(
    saved: &ShownTenant,
    now: Option<&TenantPlan>,
    observed: Option<&Parts>,
    fleet: &Fleet<'_>,
) -> Option<String> {
    let Some(now) = now else { return Some("it is no longer declared or registered".into()) };
    if let Some(reason) = &now.reason {
        return Some(format!("it is now blocked: {reason}"));
    }
    if !now.has_work() {
        return Some("there is nothing left to do".into());
    }
    if saved.verb != now.verb {
        return Some(format!("the file says {}, but now it is {}", saved.verb.as_str(), now.verb.as_str()));
    }
    let (before, after) = (without_sizes(saved.clone()), without_sizes(ShownTenant::from(now)));
    if before != after {
        return Some(difference(lines(&before), lines(&after)));
    }
    let (before, after) = (observed.cloned().unwrap_or_default(), parts(fleet, now));
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let other: Vec<_> = names.into_iter().filter(|name| before.get(*name) != after.get(*name)).cloned().collect();
    (!other.is_empty()).then(|| format!("changed since: {}", other.join(", ")))
}

/// The first thing that no longer holds, the first that holds now, and how many more there are.
pub(super) fn difference(before: Vec<String>, after: Vec<String>) -> String {
    let gone: Vec<_> =
        before.iter().filter(|line| !after.contains(line)).map(|line| format!("no longer {line}")).collect();
    let new: Vec<_> = after.iter().filter(|line| !before.contains(line)).map(|line| format!("now {line}")).collect();
    let more = gone.len().saturating_sub(1) + new.len().saturating_sub(1);
    let mut parts: Vec<String> = gone.into_iter().take(1).chain(new.into_iter().take(1)).collect();
    match (parts.is_empty(), more) {
        (true, _) => return "the statements in the file are not the ones that would be run".into(),
        (false, 0) => {}
        (false, more) => parts.push(format!("and {more} more")),
    }
    parts.join("; ")
}

/// What a person reads of a tenant's plan.
fn lines(plan: &ShownTenant) -> Vec<String> {
    let names = format!("schema {}, username {}, owner {}", plan.schema, plan.username, plan.owner);
    let changes = plan.changes.iter().map(|change| {
        let sides: Vec<&str> = [&change.before, &change.after].into_iter().flatten().map(String::as_str).collect();
        format!("{} {}", change.what, sides.join(" → ")).trim_end().to_owned()
    });
    std::iter::once(names).chain(changes).chain(plan.hazards.iter().map(|hazard| hazard.detail.clone())).collect()
}

/// How large a tenant is changes by itself, and is not a reason to look at the plan again. How many tables it has is among
/// what was observed of its schema. Of statements what counts is what is shown: a file does not hold the verifier.
fn without_sizes(mut shown: ShownTenant) -> ShownTenant {
    shown.access = None;
    // What is told of what stays, such as that a password came of age meanwhile, changes nothing that is done; what it is told
    // of is among what was observed.
    shown.notes.clear();
    for change in &mut shown.changes {
        if matches!(change.kind, Kind::DropSchema | Kind::DropLargeObjects) {
            change.before = None;
        }
        change.sql = change.sql.iter().map(|sql| sql.shown().to_owned().into()).collect();
    }
    for hazard in shown.hazards.iter_mut().filter(|hazard| hazard.kind == HazardKind::DeletesData) {
        hazard.detail.clear();
    }
    shown.hazards.retain(|hazard| ![HazardKind::BlocksTable, HazardKind::ManyLocks].contains(&hazard.kind));
    shown
}

/// All that was observed of a tenant, part by part. Its size is left out.
pub(super) fn parts(fleet: &Fleet<'_>, plan: &TenantPlan) -> Parts {
    let observed = fleet.observed;
    let row = fleet.registered_tenant(&plan.tenant);
    let declared = fleet.desired.tenants.get(&plan.tenant).map(|tenant| tenant.secret_path.as_str());
    let mut parts = Parts::from([("its row in the registry".to_owned(), digest(&format!("{row:?}")))]);
    let users = fleet.desired.tenants.get(&plan.tenant).map(Tenant::login_users).into_iter().flatten();
    let users: Vec<String> = users.chain(row.into_iter().flat_map(Registered::login_users)).collect();
    let roles =
        [Some(plan.username.as_str()), Some(plan.owner.as_str()), row.map(|r| &*r.username), row.map(|r| &*r.owner)];
    for name in roles.into_iter().flatten().chain(users.iter().map(String::as_str)) {
        let mut role = observed.roles.get(name).cloned();
        if let Some(role) = &mut role {
            role.large_objects = 0;
            role.large_object_bytes = 0;
        }
        parts.insert(format!("role {name}"), digest(&format!("{role:?}")));
    }
    for name in [Some(plan.schema.as_str()), row.map(|row| &*row.schema)].into_iter().flatten() {
        let mut schema = observed.schemas.get(name).cloned();
        if let Some(schema) = &mut schema {
            schema.bytes = 0;
            schema.large_tables.clear();
        }
        parts.insert(format!("schema {name}"), digest(&format!("{schema:?}")));
    }
    for path in [declared, row.map(|row| &*row.secret.path)].into_iter().flatten() {
        parts.insert(format!("secret {path}"), digest(&format!("{:?}", observed.secrets.get(path))));
    }
    // Only where there is some, so that it is not among what moved of those who have none.
    let access: Vec<_> = fleet.vault_objects(&plan.tenant).collect();
    let found: Vec<_> = plan.phases.sets_vault().map(|set| &set.before).collect();
    if !(access.is_empty() && found.is_empty()) {
        parts.insert("its access to Vault".to_owned(), digest(&format!("{access:?} {found:?}")));
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_told_from_both_sides() {
        let lines = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(difference(lines("a b"), lines("a c")), "no longer b; now c");
        assert_eq!(difference(lines("a"), lines("a c d")), "now c; and 1 more");
        assert_eq!(difference(lines("a b c d"), lines("a")), "no longer b; and 2 more");
        assert_eq!(difference(lines("a"), lines("a")), "the statements in the file are not the ones that would be run");
    }
}
