//! Memberships: the tenant's roles are in the group role, the one that owns in the owners' too, and in nothing else; nobody is
//! in them.

use crate::core::model::{Access, Membership, Role};
use crate::core::plan::action::{Join, Leave};
use crate::core::plan::facts::{Facts, Findings};

pub(in crate::core::plan) fn diff(facts: &Facts<'_>, findings: &mut Findings) {
    let tenant = facts.tenant;
    let absent = Role::default();
    one_role(facts, findings, &tenant.username, facts.current.role.unwrap_or(&absent));
    if tenant.access != Access::Owner {
        one_role(facts, findings, &tenant.owner_role, facts.current.owner.as_deref().unwrap_or(&absent));
    }
}

fn one_role(facts: &Facts<'_>, findings: &mut Findings, name: &str, role: &Role) {
    let fleet = facts.fleet;
    let owns = name == facts.tenant.owner();
    // A shared owner joins once, with the database's changes.
    if !fleet.is_shared_owner(name, &facts.tenant.key) {
        findings.changes.extend(join(name, role, &fleet.group).map(Into::into));
        if owns && fleet.owners_join {
            findings.changes.extend(join(name, role, &fleet.owners_group).map(Into::into));
        }
    }
    let leave = |member: &str, group: &str, membership: &Membership| Leave {
        member: member.to_owned(),
        group: group.to_owned(),
        membership: membership.clone(),
        admin_option_only: false,
    };
    for membership in &role.member_of {
        let group = &membership.role;
        let is_declared = *group == fleet.group || owns && *group == fleet.owners_group;
        if !is_declared || membership.admin {
            findings.take(facts, Leave { admin_option_only: is_declared, ..leave(name, group, membership) });
        }
    }
    // The tenant's own role is reported as a member above, and so are the users that log in for it.
    let is_user = |member: &str| name == facts.tenant.username && facts.logins.users.iter().any(|user| user == member);
    let known = |member: &str| fleet.deputies.contains(member) || member == facts.tenant.username || is_user(member);
    for membership in role.members.iter().filter(|member| !known(&member.role)) {
        findings.take(facts, leave(&membership.role, name, membership));
    }
}

/// A user that logs in for the tenant is a member of its username, and of nothing else; nobody is a member of it.
pub(super) fn of_login(facts: &Facts<'_>, findings: &mut Findings, name: &str, role: &Role) {
    let username = &facts.tenant.username;
    findings.changes.extend(join(name, role, username).map(Into::into));
    let leave = |member: &str, group: &str, membership: &Membership, admin_option_only| Leave {
        member: member.to_owned(),
        group: group.to_owned(),
        membership: membership.clone(),
        admin_option_only,
    };
    for membership in &role.member_of {
        let is_declared = membership.role == *username;
        if !is_declared || membership.admin {
            findings.take(facts, leave(name, &membership.role, membership, is_declared));
        }
    }
    for membership in role.members.iter().filter(|member| !facts.fleet.deputies.contains(member.role.as_str())) {
        findings.take(facts, leave(&membership.role, name, membership, false));
    }
}

fn join(role: &str, found: &Role, group: &str) -> Option<Join> {
    let mut memberships = found.member_of.iter().filter(|membership| membership.role == *group).peekable();
    let lacks_inherit = memberships.peek().is_some();
    let joined = memberships.any(|membership| membership.inherit);
    (!joined).then(|| Join { role: role.to_owned(), group: group.to_owned(), lacks_inherit })
}
