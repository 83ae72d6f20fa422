//! The group role that every tenant joins, and the one that every tenant's owner joins: what they share is granted once to
//! it, because an ACL with thousands of entries does not fit a row. What it may do, each of them may; so it is kept to what
//! is declared, whatever the tenants' mode.

use std::collections::BTreeSet;

use super::action::{Action, membership_in_words as words, revocation};
use super::change::outside::judge;
use super::fleet::Fleet;
use super::hazard::{Hazard, HazardKind};
use super::registry;
use super::shared_change::{DatabaseAction, DatabaseChange};
use crate::core::model::{Group, Holding, Membership, Outside, Tenant, ident, literal};
use crate::core::words::few;

/// One of the two.
struct GroupRole<'a> {
    name: &'a str,
    found: Option<&'a Group>,
    /// Who joins it.
    joins: &'static str,
    /// What it may do with the database.
    on_database: &'static str,
    /// What it may do with the shared schemas.
    on_shared: &'static str,
    is_known: Box<dyn Fn(&str) -> bool + 'a>,
}

pub(super) fn plan(fleet: &Fleet<'_>, changes: &mut Vec<DatabaseChange>, hazards: &mut Vec<Hazard>) {
    let database = &fleet.observed.database;
    let declared = fleet.desired.tenants.values();
    let tenants: BTreeSet<&str> =
        declared.flat_map(|tenant| [tenant.username.as_str(), tenant.owner_role.as_str()]).collect();
    let role = GroupRole {
        name: &fleet.group,
        found: database.group.as_ref(),
        joins: "every tenant",
        on_database: "CONNECT",
        on_shared: "USAGE",
        is_known: Box::new(move |role| {
            tenants.contains(role)
                || fleet.role_of.contains_key(role)
                || fleet.deputies.contains(role)
                || fleet.remembers_owner(role)
        }),
    };
    as_declared(fleet, &role, changes, hazards);
    let has_connect = database.public_has_connect || database.group.as_ref().is_some_and(|group| group.has_connect);
    if !has_connect {
        grant(fleet, &role, DatabaseAction::GrantConnect, changes);
    }
}

/// Only where PUBLIC has no TEMPORARY; one that is there is looked after all the same.
pub(super) fn plan_owners(fleet: &Fleet<'_>, changes: &mut Vec<DatabaseChange>, hazards: &mut Vec<Hazard>) {
    let database = &fleet.observed.database;
    let owners: BTreeSet<&str> = fleet.desired.tenants.values().map(Tenant::owner).collect();
    let registered: BTreeSet<&str> = fleet.registered().map(|(_, row)| row.owner.as_str()).collect();
    let role = GroupRole {
        name: &fleet.owners_group,
        found: database.owners_group.as_ref(),
        joins: "every tenant's owner",
        on_database: "TEMPORARY",
        on_shared: "",
        is_known: Box::new(move |role| {
            owners.contains(role) || registered.contains(role) || fleet.remembers_owner(role)
        }),
    };
    if !fleet.owners_join && role.found.is_none() {
        return;
    }
    as_declared(fleet, &role, changes, hazards);
    if fleet.owners_join && !role.found.is_some_and(|group| group.has_temp) {
        grant(fleet, &role, DatabaseAction::GrantTemp, changes);
    }
}

fn grant(fleet: &Fleet<'_>, role: &GroupRole<'_>, action: DatabaseAction, changes: &mut Vec<DatabaseChange>) {
    let (database, privilege) = (&fleet.observed.database.name, role.on_database);
    let sql = vec![format!("GRANT {privilege} ON DATABASE {} TO {}", ident(database), ident(role.name))];
    changes.push(DatabaseChange::new(action, format!("{privilege} on {database} to {}", role.name), sql));
}

fn as_declared(fleet: &Fleet<'_>, role: &GroupRole<'_>, changes: &mut Vec<DatabaseChange>, hazards: &mut Vec<Hazard>) {
    let name = ident(role.name);
    let Some(found) = role.found else {
        let detail = format!("role {} (NOLOGIN), which {} joins", role.name, role.joins);
        changes.push(DatabaseChange::new(
            DatabaseAction::CreateGroup,
            detail,
            vec![format!("CREATE ROLE {name} NOLOGIN")],
        ));
        return;
    };
    attributes(role, found, changes);
    memberships(fleet, role, found, changes, hazards);
    if found.owns > 0 {
        hazards.push(Hazard {
            kind: HazardKind::GroupRole,
            detail: format!(
                "role {} owns {} here, which {} can use and no archive contains; to see the large objects among them: \
                 SELECT oid FROM pg_largeobject_metadata WHERE lomowner = {}::regrole; to delete one: SELECT lo_unlink(oid)",
                role.name,
                if found.owns == 1 { "an object".to_owned() } else { format!("{} objects", found.owns) },
                role.joins,
                literal(&name),
            ),
        });
    }
    for outside in found.role.outside.iter().filter(|outside| !registry::shows(fleet.observed, outside)) {
        rights(fleet, role, outside, changes, hazards);
    }
}

/// NOLOGIN, and no power of its own.
fn attributes(role: &GroupRole<'_>, found: &Group, changes: &mut Vec<DatabaseChange>) {
    let mut has: Vec<&str> = found.role.powers.iter().copied().collect();
    if found.role.can_login {
        has.insert(0, "LOGIN");
    }
    if has.is_empty() {
        return;
    }
    let not: Vec<String> = has.iter().map(|attribute| format!("NO{attribute}")).collect();
    let (group, joins) = (role.name, role.joins);
    changes.push(DatabaseChange::new(
        DatabaseAction::AlterGroup,
        format!("role {group}, which {joins} joins: {} → {}", has.join(", "), not.join(", ")),
        vec![format!("ALTER ROLE {} {}", ident(group), not.join(" "))],
    ));
}

/// It is in nothing, and only those are in it that join it.
fn memberships(
    fleet: &Fleet<'_>,
    role: &GroupRole<'_>,
    found: &Group,
    changes: &mut Vec<DatabaseChange>,
    hazards: &mut Vec<Hazard>,
) {
    let (group, joins) = (role.name, role.joins);
    for membership in &found.role.member_of {
        changes.push(DatabaseChange::new(
            DatabaseAction::RevokeMembership,
            format!("role {group}: {}, and {joins} with it", words(membership, &membership.role)),
            vec![revocation(membership, &membership.role, group, "")],
        ));
    }
    let unknown: Vec<_> = found.role.members.iter().filter(|membership| !(role.is_known)(&membership.role)).collect();
    // Without a registry they may be tenants all the same: the membership lets them in, and it is what recover goes by.
    if fleet.observed.registry.is_none() {
        hazards.extend(lost(group, &unknown));
        return;
    }
    for membership in unknown {
        changes.push(DatabaseChange::new(
            DatabaseAction::RevokeMembership,
            format!("role {}, which is no tenant's: {}", membership.role, words(membership, group)),
            vec![revocation(membership, group, &membership.role, "")],
        ));
    }
}

fn lost(group: &str, members: &[&Membership]) -> Option<Hazard> {
    let names: Vec<&str> = members.iter().map(|member| member.role.as_str()).collect();
    (!names.is_empty()).then(|| Hazard {
        kind: HazardKind::GroupRole,
        detail: format!(
            "members of {group} that are no declared tenant's, before there is a registry: {}; they stay in it for now. If schema \
             tenantry was lost, do not apply: declare their tenants, and: tenantry recover. If not, the apply after this one \
             revokes the memberships",
            few(&names)
        ),
    })
}

/// Its privilege on the database, and that on the shared schemas. What it may do with the objects in those, whoever shares
/// them decides.
fn rights(
    fleet: &Fleet<'_>,
    role: &GroupRole<'_>,
    outside: &Outside,
    changes: &mut Vec<DatabaseChange>,
    hazards: &mut Vec<Hazard>,
) {
    let shared =
        outside.schema.as_ref().is_some_and(|schema| fleet.desired.shared_schemas.iter().any(|name| name == schema));
    let database = &fleet.observed.database.name;
    let allowed = match outside.kind.as_str() {
        "database" if outside.identity == *database || outside.identity == ident(database) => role.on_database,
        "schema" if shared => role.on_shared,
        _ if shared => return,
        _ => "",
    };
    let mut outside = outside.clone();
    let mut extra = String::new();
    if let Holding::Granted { privileges, .. } = &mut outside.held {
        extra = privileges.split(", ").filter(|word| *word != allowed).collect::<Vec<_>>().join(", ");
        if extra.is_empty() {
            return;
        }
        privileges.clone_from(&extra);
    }
    match judge(&outside, role.name) {
        Ok(revoke) => {
            let after = if allowed.is_empty() { "none" } else { allowed };
            let detail = format!("{}: {} → {after}", revoke.what(), revoke.held());
            let sql = revoke.statements((!allowed.is_empty()).then_some(extra.as_str()));
            changes.push(DatabaseChange::new(DatabaseAction::RevokeFromGroup, detail, sql));
        }
        Err(note) => hazards.push(Hazard {
            kind: HazardKind::GroupRole,
            detail: format!("{}: {}; {} is a member of {}", note.what, note.detail, role.joins, role.name),
        }),
    }
}
