//! Memberships: the tenant's roles are in the group role, the one that owns in the owners' too, and in nothing else; nobody is
//! in them.

use crate::core::model::{Access, Membership, Role, ident};
use crate::core::plan::tenant::Draft;
use crate::core::plan::{Change, Kind};

pub(in crate::core::plan) fn diff(draft: &mut Draft<'_>) {
    let tenant = draft.tenant;
    let absent = Role::default();
    let user = draft.current.role.clone().unwrap_or_else(|| absent.clone());
    one_role(draft, &tenant.username, &user);
    if tenant.access != Access::Owner {
        let owner = draft.current.owner.clone().unwrap_or(absent);
        one_role(draft, &tenant.owner_role, &owner);
    }
}

fn one_role(draft: &mut Draft<'_>, name: &str, role: &Role) {
    let look = draft.look;
    let owns = name == draft.tenant.owner();
    // A shared owner joins once, with the database's changes.
    if !look.is_shared_owner(name, &draft.tenant.key) {
        join(draft, name, role, &look.group);
        if owns && look.owners_join {
            join(draft, name, role, &look.owners_group);
        }
    }
    for membership in &role.member_of {
        let what = format!("role {name}");
        let group = &membership.role;
        let is_declared = *group == look.group || owns && *group == look.owners_group;
        if !is_declared {
            draft.take(revoke(membership, group, name, what));
        } else if membership.admin {
            let before = words(membership, group);
            let change = Change::sql(
                Kind::RevokeMembership,
                what,
                vec![revocation(membership, group, name, "ADMIN OPTION FOR ")],
            )
            .before(before)
            .after(format!("member of {group}"));
            draft.take(change);
        }
    }
    // The tenant's own role is reported as a member above.
    let known = |member: &str| look.deputies.contains(member) || member == draft.tenant.username;
    let members: Vec<_> = role.members.iter().filter(|member| !known(&member.role)).collect();
    for membership in members {
        draft.take(revoke(membership, name, &membership.role, format!("role {}", membership.role)));
    }
}

/// A member WITH INHERIT FALSE (16 and later) cannot use what the group was granted.
fn join(draft: &mut Draft<'_>, name: &str, role: &Role, group: &str) {
    let mut memberships = role.member_of.iter().filter(|membership| membership.role == *group).peekable();
    let before = memberships.peek().map(|_| format!("member of {group} without INHERIT"));
    if memberships.any(|membership| membership.inherit) {
        return;
    }
    let with = if before.is_some() { " WITH INHERIT TRUE" } else { "" };
    let sql = vec![format!("GRANT {} TO {}{with}", ident(group), ident(name))];
    let mut change =
        Change::sql(Kind::GrantMembership, format!("role {name}"), sql).after(format!("member of {group}"));
    change.before = before;
    draft.changes.push(change);
}

fn revoke(membership: &Membership, role: &str, member: &str, what: String) -> Change {
    let sql = vec![revocation(membership, role, member, "")];
    Change::sql(Kind::RevokeMembership, what, sql).before(words(membership, role))
}

/// The membership, seen from the member.
pub(crate) fn words(membership: &Membership, role: &str) -> String {
    let admin = if membership.admin { " WITH ADMIN OPTION" } else { "" };
    let inherit = if membership.inherit { "" } else { ", without INHERIT" };
    let by = membership.grantor.as_ref().map(|grantor| format!(", granted by {grantor}")).unwrap_or_default();
    format!("member of {role}{admin}{inherit}{by}")
}

/// CASCADE takes along what the member passed on with ADMIN OPTION; without it 16 and later fail with 2BP01.
pub(in crate::core::plan) fn revocation(membership: &Membership, role: &str, member: &str, option: &str) -> String {
    let by = membership.grantor.as_ref().map(|grantor| format!(" GRANTED BY {}", ident(grantor))).unwrap_or_default();
    format!("REVOKE {option}{} FROM {}{by} CASCADE", ident(role), ident(member))
}
