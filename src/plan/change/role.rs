//! The tenant's login role and its NOLOGIN owner role: their existence, attributes and password.

use crate::model::{Access, Role, ident};
use crate::plan::removal;
use crate::plan::tenant::Draft;
use crate::plan::{Change, ELIDED_VERIFIER, HazardKind, Kind, Sql};

pub(in crate::plan) fn diff(draft: &mut Draft<'_>) {
    owner(draft);
    former_owner(draft);
    user(draft);
}

/// The tenant's own owner role goes once it owns nothing, so that none is left behind and its name is free again.
///
/// The manual's recipe ("Dropping Roles"): REASSIGN OWNED also takes what no other change names, such as operators and
/// collations; after it DROP OWNED revokes privileges and drops nothing.
fn former_owner(draft: &mut Draft<'_>) {
    let Some(former) = draft.current.former_owner.clone().filter(|_| draft.drops_former_owner()) else { return };
    let (from, to) = (ident(&former), ident(draft.tenant.owner()));
    let mut sql = vec![
        removal::owns_nothing_but(&former, Some(&draft.tenant.schema)),
        format!("REASSIGN OWNED BY {from} TO {to}"),
        format!("DROP OWNED BY {from}"),
        format!("DROP ROLE {from}"),
    ];
    sql.extend(draft.look.forgetting_owner(&former));
    draft.changes.push(Change::sql(Kind::DropOwner, format!("role {former}"), sql).before("NOLOGIN"));
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
            if let Some(change) = attributes(Kind::AlterOwner, name, role, false, -1) {
                draft.changes.push(change);
            }
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
            let change = attributes(Kind::AlterRole, name, role, true, tenant.connection_limit);
            draft.changes.extend(change);
        }
    }
}

/// The change that gives a role that exists its password.
pub(in crate::plan) fn set_password(draft: &mut Draft<'_>, why: &str) {
    let name = &draft.tenant.username;
    let sql = Sql::with_verifier(format!("ALTER ROLE {} PASSWORD {ELIDED_VERIFIER}", ident(name)));
    let mut change = Change::sql(Kind::SetPassword, format!("password of {name}"), Vec::new()).after(why);
    change.sql = vec![sql];
    draft.changes.push(change);
}

pub(in crate::plan) fn warn_of_new_password(draft: &mut Draft<'_>) {
    draft.hazard(HazardKind::ChangesCredentials, "clients must read the secret again: the password changes");
}

fn words(login: bool, limit: i32) -> String {
    let login = if login { "LOGIN" } else { "NOLOGIN" };
    if limit < 0 { login.to_owned() } else { format!("{login}, connection limit {limit}") }
}

/// `ALTER ROLE` back to what a tenant's role is: no power, INHERIT, no VALID UNTIL.
fn attributes(kind: Kind, name: &str, role: &Role, login: bool, limit: i32) -> Option<Change> {
    let mut clauses = Vec::new();
    let mut before = Vec::new();
    let mut after = Vec::new();
    if role.can_login != login {
        clauses.push(if login { "LOGIN" } else { "NOLOGIN" }.to_owned());
        before.push(if login { "NOLOGIN" } else { "LOGIN" }.to_owned());
        after.push(clauses[0].clone());
    }
    for power in &role.powers {
        clauses.push(format!("NO{power}"));
        before.push((*power).to_owned());
        after.push(format!("NO{power}"));
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
        after.push("valid for ever".into());
    }
    if clauses.is_empty() {
        return None;
    }
    let sql = vec![format!("ALTER ROLE {} {}", ident(name), clauses.join(" "))];
    Some(Change::sql(kind, format!("role {name}"), sql).before(before.join(", ")).after(after.join(", ")))
}
