//! A suspended tenant: its secret is kept, and lets nobody in.

use std::collections::BTreeMap;

use crate::core::model::{Role, Tenant};
use crate::core::verdict::{Answer, Check, Ruling};
use crate::engine::login::NoLogin;

/// What its roles are, and what logging in with its secret came to.
pub(super) fn checks(tenant: &Tenant, roles: &BTreeMap<String, Role>, login: Result<(), NoLogin>) -> [Check; 2] {
    let names = std::iter::once(tenant.username.clone()).chain(tenant.login_users());
    let faults = names.filter_map(|name| match roles.get(&name) {
        Some(role) if role.can_login => Some(format!("{name} may log in; tenantry apply takes LOGIN from it")),
        Some(_) => None,
        None => Some(format!("role {name} does not exist")),
    });
    let faults: Vec<String> = faults.collect();
    let is_kept_out = if faults.is_empty() { Ok(()) } else { Err(faults.join("; ")) };
    let catalogs = Check::asked("is suspended: its role may not log in", is_kept_out);
    [catalogs, tried(login)]
}

fn tried(login: Result<(), NoLogin>) -> Check {
    let check = |ruling, answer, sqlstate, detail| {
        let check = Check::new("may not log in with the delivered secret", ruling, detail);
        Check { answer: Some(answer), sqlstate, ..check }
    };
    match login {
        Ok(()) => check(Ruling::Wrong, Answer::Allowed, None, Some("it logged in".to_owned())),
        Err(NoLogin { faulty: false, sqlstate, message }) => {
            check(Ruling::Open, Answer::NotTried, sqlstate, Some(message))
        }
        // The secret itself is at fault, and is to be kept.
        Err(NoLogin { sqlstate: None, message, .. }) => {
            check(Ruling::Wrong, Answer::RefusedOtherwise, None, Some(message))
        }
        // invalid_authorization_specification: the role is not permitted to log in, which comes after the password.
        Err(NoLogin { sqlstate: Some(sqlstate), .. }) if sqlstate == "28000" => {
            check(Ruling::Right, Answer::NoPrivilege, Some(sqlstate), None)
        }
        // A pooler has words of its own; a password that does not work will not work afterwards either.
        Err(NoLogin { sqlstate, message, .. }) => {
            check(Ruling::Said, Answer::RefusedOtherwise, sqlstate, Some(message))
        }
    }
}
