//! The tenant's login role and its NOLOGIN owner role: their existence, attributes and password.

use crate::core::model::{Access, Role, Rotation};
use crate::core::plan::action::{
    AlterRole, Attribute, CreateOwner, CreateRole, HandOver, SetPassword, WhichPassword, Whose,
};
use crate::core::plan::facts::{Facts, Findings};
use crate::core::plan::hazard::HazardKind;
use crate::core::plan::holds;
use crate::core::plan::tenant_plan::Blocked;

pub(in crate::core::plan) fn diff(facts: &Facts<'_>, findings: &mut Findings) -> Result<(), Blocked> {
    owner(facts, findings);
    former_owner(facts, findings)?;
    user(facts, findings);
    Ok(())
}

/// The tenant's own owner role goes once it owns nothing, so that none is left behind and its name is free again.
fn former_owner(facts: &Facts<'_>, findings: &mut Findings) -> Result<(), Blocked> {
    let Some(former) = facts.current.former_owner.as_ref().filter(|_| facts.drops_former_owner()) else {
        return Ok(());
    };
    let (fleet, owner) = (facts.fleet, facts.tenant.owner());
    for released in holds::release(fleet, std::slice::from_ref(former), &[former, owner])? {
        findings.change(released);
    }
    let hand_over = HandOver { to: owner.to_owned(), schema: facts.tenant.schema.clone() };
    findings.change(holds::drop(fleet, Whose::Owner, former, Some(hand_over)));
    Ok(())
}

fn owner(facts: &Facts<'_>, findings: &mut Findings) {
    let tenant = facts.tenant;
    if tenant.access == Access::Owner {
        return;
    }
    let role = &tenant.owner_role;
    match &facts.current.owner {
        None => findings.change(CreateOwner { role: role.clone() }),
        Some(found) => attributes(facts, findings, Whose::Owner, role, found),
    }
}

fn user(facts: &Facts<'_>, findings: &mut Findings) {
    let tenant = facts.tenant;
    let role = &tenant.username;
    match facts.current.role {
        None => {
            let (login, suspended) = (tenant.rotation == Rotation::Single, tenant.suspended);
            let connection_limit = tenant.connection_limit;
            findings.change(CreateRole { role: role.clone(), login, suspended, connection_limit });
        }
        Some(found) => attributes(facts, findings, Whose::Username, role, found),
    }
}

/// The change that gives a role that exists its password.
pub(in crate::core::plan) fn set_password(facts: &Facts<'_>, findings: &mut Findings, which: WhichPassword) {
    let lacks_one = facts.login_role().is_some_and(|role| role.lacks_password);
    findings.change(SetPassword { role: facts.logins.login.clone(), which, lacks_one });
}

pub(in crate::core::plan) fn warn_of_new_password(findings: &mut Findings) {
    findings.hazard(HazardKind::ChangesCredentials, "clients must read the secret again: the password changes");
}

/// The username logs in no more: at once, or when its secret names it no longer.
fn close(facts: &Facts<'_>, findings: &mut Findings, name: &str, attributes: &mut Vec<Attribute>) {
    let no_login = Attribute::Without("LOGIN");
    if facts.logins.switches {
        let alter = AlterRole { whose: Whose::Username, role: name.to_owned(), attributes: vec![no_login] };
        findings.then.push(alter.into());
    } else {
        attributes.push(no_login);
    }
}

/// `ALTER ROLE` back to what a tenant's role is: no power, INHERIT, no VALID UNTIL. Where extras are kept, powers are, and
/// an owner's LOGIN.
pub(super) fn attributes(facts: &Facts<'_>, findings: &mut Findings, whose: Whose, name: &str, role: &Role) {
    let limit = if whose == Whose::Owner { -1 } else { facts.tenant.connection_limit };
    let mut attributes = Vec::new();
    let suspended = facts.tenant.suspended;
    if name == facts.logins.login && !suspended && !role.can_login {
        attributes.push(Attribute::Login);
    }
    // Whatever else is kept.
    if suspended && whose != Whose::Owner && role.can_login {
        attributes.push(Attribute::Without("LOGIN"));
    } else if whose == Whose::Username && name != facts.logins.login && role.can_login {
        close(facts, findings, name, &mut attributes);
    }
    let owners_login = (role.can_login && whose == Whose::Owner).then_some("LOGIN");
    let extras: Vec<&str> = owners_login.into_iter().chain(role.powers.iter().copied()).collect();
    if !facts.keeps_extras() {
        attributes.extend(extras.into_iter().map(Attribute::Without));
    } else if !extras.is_empty() {
        findings.note(format!("role {name}"), extras.join(", "));
    }
    if !role.inherit {
        attributes.push(Attribute::Inherit);
    }
    if role.connection_limit != limit {
        attributes.push(Attribute::ConnectionLimit { from: role.connection_limit, to: limit });
    }
    if let Some(until) = role.valid_until.as_ref().filter(|until| *until != "infinity") {
        attributes.push(Attribute::ValidForever { until: until.clone() });
    }
    if !attributes.is_empty() {
        findings.change(AlterRole { whose, role: name.to_owned(), attributes });
    }
}
