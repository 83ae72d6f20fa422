//! The tenant's login role and its NOLOGIN owner role: their existence, attributes and password.

use crate::core::model::{Access, Role, ident};
use crate::core::plan::tenant::{Blocked, Draft};
use crate::core::plan::{Change, ELIDED_VERIFIER, HazardKind, Kind, Sql};
use crate::core::plan::{holds, removal};

pub(in crate::core::plan) fn diff(draft: &mut Draft<'_>) -> Result<(), Blocked> {
    owner(draft);
    former_owner(draft)?;
    user(draft);
    Ok(())
}

/// The tenant's own owner role goes once it owns nothing, so that none is left behind and its name is free again.
///
/// The manual's recipe ("Dropping Roles"): REASSIGN OWNED also takes what no other change names, such as operators and
/// collations; after it DROP OWNED revokes privileges and drops nothing.
fn former_owner(draft: &mut Draft<'_>) -> Result<(), Blocked> {
    let Some(former) = draft.current.former_owner.clone().filter(|_| draft.drops_former_owner()) else { return Ok(()) };
    let released = holds::release(draft.look, std::slice::from_ref(&former), &[&former, draft.tenant.owner()])?;
    draft.changes.extend(released);
    let (from, to) = (ident(&former), ident(draft.tenant.owner()));
    let mut sql = vec![
        removal::owns_nothing_but(&former, Some(&draft.tenant.schema)),
        format!("REASSIGN OWNED BY {from} TO {to}"),
        format!("DROP OWNED BY {from}"),
        format!("DROP ROLE {from}"),
    ];
    sql.extend(draft.look.forgetting_owner(&former));
    draft.changes.push(holds::drop(draft.look, Kind::DropOwner, &former, sql).before("NOLOGIN"));
    Ok(())
}

fn owner(draft: &mut Draft<'_>) {
    let tenant = draft.tenant;
    if tenant.access == Access::Owner {
        return;
    }
    let name = &tenant.owner_role;
    match &draft.current.owner {
        None => {
            let sql = vec![format!("CREATE ROLE {} NOLOGIN", ident(name))];
            draft.changes.push(Change::sql(Kind::CreateOwner, format!("role {name}"), sql).after("NOLOGIN"));
        }
        Some(role) => {
            let role = role.clone();
            attributes(draft, Kind::AlterOwner, name, &role, false, -1);
        }
    }
}

fn user(draft: &mut Draft<'_>) {
    let tenant = draft.tenant;
    let name = &tenant.username;
    match &draft.current.role {
        None => {
            let sql = format!(
                "CREATE ROLE {} LOGIN CONNECTION LIMIT {} PASSWORD {ELIDED_VERIFIER}",
                ident(name),
                tenant.connection_limit
            );
            let mut change = Change::sql(Kind::CreateRole, format!("role {name}"), Vec::new())
                .after(words(true, tenant.connection_limit));
            change.sql = vec![Sql::with_verifier(sql)];
            draft.changes.push(change);
        }
        Some(role) => {
            let role = role.clone();
            attributes(draft, Kind::AlterRole, name, &role, true, tenant.connection_limit);
        }
    }
}

/// The change that gives a role that exists its password.
pub(in crate::core::plan) fn set_password(draft: &mut Draft<'_>, why: &str) {
    let name = &draft.tenant.username;
    let sql = Sql::with_verifier(format!("ALTER ROLE {} PASSWORD {ELIDED_VERIFIER}", ident(name)));
    let mut change = Change::sql(Kind::SetPassword, format!("password of {name}"), Vec::new()).after(why);
    change.sql = vec![sql];
    if draft.current.role.as_ref().is_some_and(|role| role.lacks_password) {
        change.before = Some("none".into());
    }
    draft.changes.push(change);
}

pub(in crate::core::plan) fn warn_of_new_password(draft: &mut Draft<'_>) {
    draft.hazard(HazardKind::ChangesCredentials, "clients must read the secret again: the password changes");
}

fn words(login: bool, limit: i32) -> String {
    let login = if login { "LOGIN" } else { "NOLOGIN" };
    if limit < 0 { login.to_owned() } else { format!("{login}, connection limit {limit}") }
}

/// `ALTER ROLE` back to what a tenant's role is: no power, INHERIT, no VALID UNTIL. Where extras are kept, powers are, and
/// an owner's LOGIN.
fn attributes(draft: &mut Draft<'_>, kind: Kind, name: &str, role: &Role, login: bool, limit: i32) {
    let mut clauses = Vec::new();
    let mut before = Vec::new();
    let mut after = Vec::new();
    let mut extras: Vec<&str> = role.powers.iter().copied().collect();
    if role.can_login && !login {
        extras.insert(0, "LOGIN");
    }
    if login && !role.can_login {
        clauses.push("LOGIN".to_owned());
        before.push("NOLOGIN".to_owned());
        after.push("LOGIN".to_owned());
    }
    if draft.keeps_extras() {
        if !extras.is_empty() {
            draft.note(format!("role {name}"), extras.join(", "));
        }
        extras.clear();
    }
    for extra in extras {
        clauses.push(format!("NO{extra}"));
        before.push(extra.to_owned());
        after.push(format!("NO{extra}"));
    }
    if !role.inherit {
        clauses.push("INHERIT".into());
        before.push("NOINHERIT".into());
        after.push("INHERIT".into());
    }
    if role.connection_limit != limit {
        clauses.push(format!("CONNECTION LIMIT {limit}"));
        let show =
            |limit: i32| if limit < 0 { "no connection limit".to_owned() } else { format!("connection limit {limit}") };
        before.push(show(role.connection_limit));
        after.push(show(limit));
    }
    if let Some(until) = role.valid_until.as_deref().filter(|until| *until != "infinity") {
        clauses.push("VALID UNTIL 'infinity'".into());
        before.push(format!("valid until {until}"));
        after.push("valid forever".into());
    }
    if clauses.is_empty() {
        return;
    }
    let sql = vec![format!("ALTER ROLE {} {}", ident(name), clauses.join(" "))];
    let change = Change::sql(kind, format!("role {name}"), sql).before(before.join(", ")).after(after.join(", "));
    draft.changes.push(change);
}
