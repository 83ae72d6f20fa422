//! Memberships: the tenant's roles are in the group role, and in nothing else; nobody is in them.

use std::collections::BTreeSet;

use crate::model::{Access, Role, ident};
use crate::plan::tenant::Draft;
use crate::plan::{Change, Kind};

pub(in crate::plan) fn diff(draft: &mut Draft<'_>) {
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
    let group = &draft.look.group;
    // A shared owner joins once, with the database's changes.
    let shared = draft.look.is_shared_owner(name, &draft.tenant.key);
    if !role.member_of.contains(group) && !shared {
        let sql = vec![format!("GRANT {} TO {}", ident(group), ident(name))];
        draft
            .changes
            .push(Change::sql(Kind::GrantMembership, format!("role {name}"), sql).after(format!("member of {group}")));
    }
    let ours: BTreeSet<&String> = [group].into();
    for other in role.member_of.iter().filter(|other| !ours.contains(other)) {
        revoke(draft, other, name, format!("role {name}"), format!("member of {other}"));
    }
    // The tenant's own role is told of as a member above.
    for member in role.members.iter().filter(|member| **member != draft.tenant.username) {
        revoke(draft, name, member, format!("role {member}"), format!("member of {name}"));
    }
}

/// CASCADE takes along what the member passed on with ADMIN OPTION; without it 16 and later fail with 2BP01.
fn revoke(draft: &mut Draft<'_>, role: &str, member: &str, what: String, before: String) {
    let sql = vec![format!("REVOKE {} FROM {} CASCADE", ident(role), ident(member))];
    draft.changes.push(Change::sql(Kind::RevokeMembership, what, sql).before(before));
}
