//! The two users that log in for a tenant: the secret opens the database for one of them alone, and the other may take its turn.

use secrecy::ExposeSecret;

use super::context::Verify;
use crate::core::model::secret::{Secret, fault_of_password};
use crate::core::model::{SecretFields, Tenant};
use crate::core::verdict::{Answer, Check, Ruling};
use crate::engine::login::NoLogin;
use crate::engine::secrets::Found;

/// None for a tenant whose username logs in.
pub(super) fn checks(verify: &Verify<'_>, tenant: &Tenant) -> Vec<Check> {
    let users = tenant.login_users();
    if users.is_empty() {
        return Vec::new();
    }
    let roles = &verify.logins.observed.roles;
    let closed = match roles.get(&tenant.username) {
        Some(role) if role.can_login => Err(format!("{} may log in", tenant.username)),
        _ => Ok(()),
    };
    let mut checks = vec![
        Check::asked("its username may not log in", closed),
        Check::asked("its two users are members of it and of nothing else", members(verify, tenant, &users)),
    ];
    checks.extend(the_other(verify, tenant, &users));
    checks
}

fn members(verify: &Verify<'_>, tenant: &Tenant, users: &[String]) -> Result<(), String> {
    let fault = |user: &String| {
        let Some(role) = verify.logins.observed.roles.get(user) else {
            return Some(format!("role {user} does not exist"));
        };
        let others = role.member_of.iter().filter(|membership| membership.role != tenant.username);
        let others: Vec<&str> = others.map(|membership| membership.role.as_str()).collect();
        match role.is_member_of(&tenant.username) {
            false => Some(format!("{user} is no member of {}", tenant.username)),
            true if !others.is_empty() => Some(format!("{user} is a member of {}", others.join(", "))),
            true => None,
        }
    };
    let faults: Vec<String> = users.iter().filter_map(fault).collect();
    if faults.is_empty() { Ok(()) } else { Err(faults.join("; ")) }
}

/// With the password of the one that the secret names. `None`: what the secret says is told by the login itself.
fn the_other(verify: &Verify<'_>, tenant: &Tenant, users: &[String]) -> Option<Check> {
    let Ok(Found::Readable(_, secret)) = verify.logins.store.read(&tenant.secret_path) else { return None };
    if fault_of_password(secret.password.expose_secret()).is_some() {
        return None;
    }
    let named = &secret.fields.username;
    let what = "the secret names one of its two users, and its password is not the other's";
    if !users.contains(named) {
        return Some(Check::asked(what, Err(format!("it names {named:?}"))));
    }
    let other = users.iter().find(|user| *user != named)?;
    let fields = SecretFields { username: other.clone(), ..secret.fields.clone() };
    let elsewhere = verify.logins.desired.advertise.host.is_some();
    let as_other = Secret { fields: fields.clone(), ..secret };
    let Err(error) = verify.logins.target.of_secret(&as_other, &fields, elsewhere).connect() else {
        return Some(Check::asked(what, Err(format!("{other} logs in with it too"))));
    };
    // A wrong password, or a role that may not log in.
    match NoLogin::from(error) {
        NoLogin { sqlstate: Some(sqlstate), .. } if sqlstate.starts_with("28") => {
            Some(Check::new(what, Ruling::Right, None))
        }
        NoLogin { sqlstate, message, .. } => {
            let check = Check::new(what, Ruling::Open, Some(message));
            Some(Check { answer: Some(Answer::NotTried), sqlstate, ..check })
        }
    }
}
