//! A tenant that is to be suspended: nobody may log in as it any more, and then its sessions end.

use crate::core::plan::action::{EndSessions, Rights};
use crate::core::plan::facts::{Facts, Findings, LockOut};
use crate::core::plan::hazard::HazardKind;
use crate::core::plan::tenant_plan::Blocked;

/// Until the registry says that its sessions are ended, they may not be: an apply may have been killed after NOLOGIN.
///
/// # Errors
/// When its role is not registered yet, and is in use; or when others are to log in for it from now on.
pub(in crate::core::plan) fn diff(facts: &Facts<'_>, findings: &mut Findings) -> Result<(), Blocked> {
    let tenant = facts.tenant;
    let Some(role) = facts.current.role.filter(|_| tenant.suspended) else { return Ok(()) };
    // Whoever is switched to could not log in, and whoever is dropped has sessions to end.
    if let Some(row) = facts.registered.filter(|row| row.rotation != tenant.rotation) {
        let rotation = row.rotation.as_str();
        return Err(Blocked::new(
            "its rotation cannot change while it is suspended",
            format!("keep rotation = {rotation:?} for it until it is suspended no more"),
        ));
    }
    // Before the transaction that renames it.
    let name = facts.registered.map_or(&tenant.username, |row| &row.username).clone();
    let there = |user: &String| facts.fleet.observed.roles.contains_key(user);
    let users: Vec<String> = facts.logins.users.iter().filter(|user| there(user)).cloned().collect();
    let can_login = |user: &String| facts.fleet.observed.roles.get(user).is_some_and(|role| role.can_login);
    let is_open = role.can_login || users.iter().any(can_login);
    if !is_open && facts.registered.is_some_and(|row| row.suspended) {
        return Ok(());
    }
    // Whom the registry does not name yet, nobody lets in again when the rest comes to nothing.
    if facts.adoption.is_some() && role.can_login {
        let hint = "adopt it without suspended = true, and suspend it with the next apply";
        return Err(Blocked::new("it is to be adopted and suspended by the same plan", hint));
    }
    let login = if users.is_empty() { name.clone() } else { facts.logins.login.clone() };
    let roles: Vec<String> = std::iter::once(name.clone()).chain(users).collect();
    let rights = Rights::lacking(facts.fleet.observed, &roles);
    findings.hazard(HazardKind::EndsSessions, format!("it is suspended: sessions of {} are ended", roles.join(", ")));
    let give_back = rights.clone().map(|rights| rights.renamed(&name, &tenant.username));
    findings.lock_out =
        Some(LockOut { sessions: EndSessions { roles, username: name, login, is_dropped: false }, rights, give_back });
    Ok(())
}
