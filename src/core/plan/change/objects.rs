//! Who owns the objects in a tenant's schema.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::core::model::{Access, History, ObjectGroup, Schema};
use crate::core::plan::action::{Owned, SetOwner};
use crate::core::plan::facts::{Facts, Findings};

/// Objects belong to the owner role; a tenant that may CREATE may own what it made itself.
pub(in crate::core::plan) fn diff(facts: &mut Facts<'_>, findings: &mut Findings) {
    let Some(mut schema) = facts.current.schema.take() else { return };
    let tenant = facts.tenant;
    let owner = tenant.owner();
    // Of a tenant that is adopted nobody knows what its username made itself: all of it is taken for the migrations'.
    let was_owner = facts.adoption.is_some() || facts.registered.is_some_and(|row| row.access == Access::Owner);
    let may_own =
        |role: &str| role == owner || (role == tenant.username && tenant.access == Access::Full && !was_owner);
    // What a user that logs in for it made by SET ROLE NONE is what the tenant made.
    let is_user = |role: &str| facts.logins.users.iter().any(|user| user == role);
    let becomes = |from: &str| if is_user(from) && may_own(&tenant.username) { &tenant.username } else { owner };
    let mut wrong: BTreeMap<String, (i64, Vec<String>)> = BTreeMap::new();
    let mut handed_over = Vec::new();
    let mut kept = Vec::new();
    for (n, group) in schema.objects.iter().enumerate().filter(|(_, group)| !may_own(&group.owner)) {
        let is_tenants = group.owner == tenant.username || is_user(&group.owner) || is_former(facts, &group.owner);
        if facts.keeps_extras() && !is_tenants {
            kept.push((group.examples.join(", "), group.owner.clone()));
            continue;
        }
        let found = wrong.entry(group.owner.clone()).or_default();
        found.0 += group.count;
        found.1.extend(group.examples.iter().cloned());
        handed_over.push(n);
    }
    for n in handed_over {
        let group = &mut Cow::to_mut(&mut schema).objects[n];
        let to = becomes(&group.owner);
        hand_over(group, to);
    }
    let taken = take_back(facts, &mut schema, &may_own);
    kept.into_iter().for_each(|(objects, owner)| findings.note(objects, format!("owner {owner}")));
    let history_owner = match facts.adoption {
        Some(adoption) => adoption.history_owner.as_ref().filter(|history_owner| *history_owner != owner),
        None => facts.current.former_owner.as_ref(),
    };
    if let Some(former) = history_owner
        && matches!(schema.history, History::Read { .. } | History::Unseen { .. })
    {
        let found = wrong.entry(former.clone()).or_default();
        found.0 += 1;
        found.1.push(facts.fleet.desired.migrations.table.clone());
        hand_over_history(&mut Cow::to_mut(&mut schema).history, former, owner);
    }
    let mut set_owner = |from: &str, names: Vec<String>, count: i64, only_the_named: bool, disarm: bool| {
        let of = Owned::Objects { schema: tenant.schema.clone(), names, count, only_the_named, disarm };
        findings.change(SetOwner { of, from: from.to_owned(), to: becomes(from).to_owned() });
    };
    for (from, (count, mut names)) in wrong {
        names.sort();
        let disarm = from == tenant.username || !is_former(facts, &from);
        set_owner(&from, names, count, false, disarm);
    }
    if !taken.is_empty() {
        let count = i64::try_from(taken.len()).unwrap_or(i64::MAX);
        set_owner(&tenant.username, taken, count, true, true);
    }
    facts.current.schema = Some(schema);
}

/// The history is left out of the groups; it follows the owner the registry knows.
fn hand_over_history(history: &mut History, from: &str, to: &str) {
    if let History::Read { acl, columns, .. } | History::Unseen { acl, columns } = history {
        *acl = acl.handed_over(from, to);
        columns.iter_mut().for_each(|column| column.acl = column.acl.handed_over(from, to));
    }
}

/// What the migrations made and somebody gave to the username, which may own what it made itself. The names, sorted.
fn take_back(facts: &Facts<'_>, schema: &mut Cow<'_, Schema>, may_own: &dyn Fn(&str) -> bool) -> Vec<String> {
    let (user, owner) = (&facts.tenant.username, facts.tenant.owner());
    // Otherwise all that it owns changes hands.
    if owner == user || !may_own(user) || schema.taken.is_empty() {
        return Vec::new();
    }
    let schema = schema.to_mut();
    let mut names = Vec::new();
    for mut taken in std::mem::take(&mut schema.taken) {
        let is_its = |group: &&mut ObjectGroup| {
            group.kind == taken.kind && group.owner == *user && group.acl == taken.acl && group.columns == taken.columns
        };
        if let Some(group) = schema.objects.iter_mut().find(is_its) {
            group.count -= 1;
            group.examples.retain(|name| !taken.examples.contains(name));
        }
        names.extend(taken.examples.iter().cloned());
        hand_over(&mut taken, owner);
        schema.objects.push(taken);
    }
    schema.objects.retain(|group| group.count > 0);
    names.sort();
    names
}

/// What follows plans on the schema as it is once its objects have changed hands.
fn hand_over(group: &mut ObjectGroup, owner: &str) {
    group.acl = group.acl.handed_over(&group.owner, owner);
    group.columns.iter_mut().for_each(|column| column.acl = column.acl.handed_over(&group.owner, owner));
    owner.clone_into(&mut group.owner);
}

/// The NOLOGIN role that owned until now: what it owns, migrations made. Of a tenant that is adopted, any role but a tenant's.
fn is_former(facts: &Facts<'_>, role: &str) -> bool {
    if facts.adoption.is_some() {
        return !facts.fleet.is_tenants(role);
    }
    facts.registered.is_some_and(|row| row.owner == role && row.access != Access::Owner)
        || facts.current.former_owner.as_deref() == Some(role)
}
