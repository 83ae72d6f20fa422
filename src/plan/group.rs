//! The group role that every tenant joins: shared objects are granted once to it, because an ACL with thousands of entries
//! does not fit a row. What it may do, every tenant may; so it is kept to what is declared, whatever the tenants' mode.

use std::collections::BTreeSet;

use super::change::membership::{revocation, words};
use super::change::outside::{Judged, judge};
use super::database::change;
use super::diff::Look;
use super::{DatabaseAction, DatabaseChange, Hazard, HazardKind, registry};
use crate::model::{Group, Holding, Outside, ident, literal};

pub(super) fn plan(look: &Look<'_>, changes: &mut Vec<DatabaseChange>, hazards: &mut Vec<Hazard>) {
    let database = &look.observed.database;
    let group = ident(&look.group);
    match &database.group {
        None => {
            let detail = format!("role {} (NOLOGIN), which every tenant joins", look.group);
            changes.push(change(DatabaseAction::CreateGroup, detail, vec![format!("CREATE ROLE {group} NOLOGIN")]));
        }
        Some(found) => {
            attributes(look, found, changes);
            memberships(look, found, changes);
            if found.owns > 0 {
                hazards.push(Hazard {
                    kind: HazardKind::GroupRole,
                    detail: format!(
                        "role {} owns {} here, which every tenant reaches and no archive holds; to see the large objects among them: \
                         SELECT oid FROM pg_largeobject_metadata WHERE lomowner = {}::regrole; to delete one: SELECT lo_unlink(oid)",
                        look.group,
                        if found.owns == 1 { "an object".to_owned() } else { format!("{} objects", found.owns) },
                        literal(&group),
                    ),
                });
            }
            for outside in found.role.outside.iter().filter(|outside| !registry::shows(look.observed, outside)) {
                rights(look, outside, changes, hazards);
            }
        }
    }
    let has_connect = database.public_has_connect || database.group.as_ref().is_some_and(|group| group.has_connect);
    if !has_connect {
        let sql = vec![format!("GRANT CONNECT ON DATABASE {} TO {group}", ident(&database.name))];
        changes.push(change(
            DatabaseAction::GrantConnect,
            format!("CONNECT on {} to {}", database.name, look.group),
            sql,
        ));
    }
}

/// NOLOGIN, and no power of its own.
fn attributes(look: &Look<'_>, found: &Group, changes: &mut Vec<DatabaseChange>) {
    let mut has: Vec<&str> = found.role.powers.iter().copied().collect();
    if found.role.can_login {
        has.insert(0, "LOGIN");
    }
    if has.is_empty() {
        return;
    }
    let not: Vec<String> = has.iter().map(|attribute| format!("NO{attribute}")).collect();
    let group = &look.group;
    changes.push(change(
        DatabaseAction::AlterGroup,
        format!("role {group}, which every tenant joins: {} → {}", has.join(", "), not.join(", ")),
        vec![format!("ALTER ROLE {} {}", ident(group), not.join(" "))],
    ));
}

/// It is in nothing, and only tenants are in it.
fn memberships(look: &Look<'_>, found: &Group, changes: &mut Vec<DatabaseChange>) {
    let group = &look.group;
    for membership in &found.role.member_of {
        changes.push(change(
            DatabaseAction::RevokeMembership,
            format!("role {group}: {}, and every tenant with it", words(membership, &membership.role)),
            vec![revocation(membership, &membership.role, group, "")],
        ));
    }
    let declared = look.desired.tenants.values();
    let tenants: BTreeSet<&str> =
        declared.flat_map(|tenant| [tenant.username.as_str(), tenant.owner_role.as_str()]).collect();
    let is_known = |role: &str| {
        tenants.contains(role)
            || look.role_of.contains_key(role)
            || look.deputies.contains(role)
            || look.remembers_owner(role)
    };
    for membership in found.role.members.iter().filter(|membership| !is_known(&membership.role)) {
        changes.push(change(
            DatabaseAction::RevokeMembership,
            format!("role {}, which is no tenant's: {}", membership.role, words(membership, group)),
            vec![revocation(membership, group, &membership.role, "")],
        ));
    }
}

/// CONNECT on the database and USAGE on the shared schemas. What it may do with the objects in those, whoever shares them
/// decides.
fn rights(look: &Look<'_>, outside: &Outside, changes: &mut Vec<DatabaseChange>, hazards: &mut Vec<Hazard>) {
    let shared =
        outside.schema.as_ref().is_some_and(|schema| look.desired.shared_schemas.iter().any(|name| name == schema));
    let database = &look.observed.database.name;
    let allowed = match outside.kind.as_str() {
        "database" if outside.identity == *database || outside.identity == ident(database) => "CONNECT",
        "schema" if shared => "USAGE",
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
    match judge(&outside, &look.group) {
        Judged::Take { what, before, sql } => {
            let only_extra = |sql: String| match allowed {
                "" => sql,
                _ => sql.replacen("REVOKE ALL", &format!("REVOKE {extra}"), 1),
            };
            let detail = format!("{what}: {before} → {}", if allowed.is_empty() { "none" } else { allowed });
            let sql = sql.into_iter().map(only_extra).collect();
            changes.push(change(DatabaseAction::RevokeFromGroup, detail, sql));
        }
        Judged::Tell { what, detail } => hazards.push(Hazard {
            kind: HazardKind::GroupRole,
            detail: format!("{what}: {detail}; every tenant is a member of {}", look.group),
        }),
    }
}
