//! An admin who is no superuser needs the owner's rights for a while: granted at the start of the transaction, revoked at its end.
//!
//! Up to PostgreSQL 15 that is membership; from 16 on the creator has ADMIN only and grants itself SET and INHERIT
//! (manual, "CREATE ROLE", notes on CREATEROLE).

use std::collections::BTreeSet;

use crate::core::model::{Observed, Role, ident};
use crate::core::plan::tenant::Draft;
use crate::core::plan::{Change, Kind};

/// The kinds that act on what the owner owns.
const NEED_OWNER: [Kind; 10] = [
    Kind::RenameSchema,
    Kind::RenameHistory,
    Kind::CreateSchema,
    Kind::SetOwner,
    Kind::GrantSchema,
    Kind::DefaultPrivileges,
    Kind::GrantObjects,
    Kind::GrantHistory,
    Kind::DropOwner,
    Kind::Migrate,
];

pub(in crate::core::plan) fn borrow(draft: &mut Draft<'_>) {
    if !draft.changes.iter().any(|change| NEED_OWNER.contains(&change.kind) && !change.sql.is_empty()) {
        return;
    }
    let tenant = draft.tenant;
    let mut roles: BTreeSet<String> = [tenant.owner().to_owned()].into();
    roles.extend(draft.current.former_owner.clone());
    if let Some(schema) = &draft.current.schema {
        roles.insert(schema.owner.clone());
    }
    for change in draft.changes.iter().filter(|change| change.kind == Kind::SetOwner) {
        roles.extend(change.before.as_deref().and_then(|before| before.strip_prefix("owner ")).map(str::to_owned));
    }
    let known = |name: &str| match name {
        name if name == tenant.owner() && tenant.owner() != tenant.username => draft.current.owner.as_ref(),
        name if name == tenant.username => draft.current.role.as_ref(),
        name => draft.look.observed.roles.get(name),
    };
    let roles: Vec<String> = roles.into_iter().filter(|name| !has_rights(known(name))).collect();
    let mut both = changes(draft.look.observed, &roles);
    // A role that is dropped takes its memberships with it.
    if let Some(dropped) = draft.current.former_owner.as_ref().filter(|_| draft.drops_former_owner())
        && let Some(give) = both.last_mut()
    {
        let gone = format!("REVOKE {} FROM ", ident(dropped));
        give.sql.retain(|sql| !sql.shown().starts_with(&gone));
    }
    draft.changes.extend(both);
}

fn has_rights(role: Option<&Role>) -> bool {
    role.is_some_and(|role| role.admin_is_member)
}

/// The statements that take these roles' rights, and those that give them back, but for rights that are there anyway.
#[must_use]
pub fn borrowed(observed: &Observed, roles: &[String]) -> [String; 2] {
    let missing: Vec<String> = roles.iter().filter(|role| !has_rights(observed.roles.get(*role))).cloned().collect();
    let mut both = changes(observed, &missing)
        .into_iter()
        .map(|change| change.sql.iter().map(crate::core::plan::Sql::shown).collect::<Vec<_>>().join("; "));
    [both.next().unwrap_or_default(), both.next().unwrap_or_default()]
}

/// The two changes that take and give back these roles' rights; none for a superuser.
pub(in crate::core::plan) fn changes(observed: &Observed, roles: &[String]) -> Vec<Change> {
    let admin = &observed.server.admin;
    if admin.superuser || roles.is_empty() {
        return Vec::new();
    }
    let with = if observed.server.major() >= 16 { " WITH INHERIT TRUE, SET TRUE" } else { "" };
    let member = ident(&admin.name);
    let take = roles.iter().map(|role| format!("GRANT {} TO {member}{with}", ident(role))).collect();
    let give = roles.iter().map(|role| format!("REVOKE {} FROM {member}", ident(role))).collect();
    let what = format!("rights of {} for {}", roles.join(", "), admin.name);
    vec![
        Change::sql(Kind::BorrowRights, what.clone(), take).after("for this transaction"),
        Change::sql(Kind::ReturnRights, what, give).before("for this transaction"),
    ]
}
