//! A tenant that is to be suspended: nobody may log in as it any more, and then its sessions end.

use crate::core::model::Rotation;
use crate::core::plan::action::{EndSessions, Rights};
use crate::core::plan::facts::{Facts, Findings, LockOut};
use crate::core::plan::hazard::HazardKind;
use crate::core::plan::tenant_plan::Blocked;

/// Until the registry says that its sessions are ended, they may not be: an apply may have been killed after NOLOGIN.
///
/// # Errors
/// When its role is not registered yet, and is in use.
pub(in crate::core::plan) fn diff(facts: &Facts<'_>, findings: &mut Findings) -> Result<(), Blocked> {
    let tenant = facts.tenant;
    let Some(role) = facts.current.role.filter(|_| tenant.suspended) else { return Ok(()) };
    let is_done = !role.can_login && facts.registered.is_some_and(|row| row.suspended);
    if is_done {
        return Ok(());
    }
    // Whom the registry does not name yet, nobody lets in again when the rest comes to nothing.
    if facts.adoption.is_some() && role.can_login {
        let hint = "adopt it without suspended = true, and suspend it with the next apply";
        return Err(Blocked::new("it is to be adopted and suspended by the same plan", hint));
    }
    if facts.registered.is_some_and(|row| row.rotation == Rotation::TwoUser) {
        let hint = "set rotation = \"single\", apply, and suspend it then";
        return Err(Blocked::new("it is to be suspended while two users log in for it", hint));
    }
    // Before the transaction that renames it.
    let name = facts.registered.map_or(&tenant.username, |row| &row.username).clone();
    let rights = Rights::lacking(facts.fleet.observed, std::slice::from_ref(&name));
    findings.hazard(HazardKind::EndsSessions, format!("it is suspended: sessions of {name} are ended"));
    let give_back = rights.clone().map(|rights| rights.of_role(tenant.username.clone()));
    findings.lock_out = Some(LockOut {
        sessions: EndSessions { roles: vec![name.clone()], username: name.clone(), login: name, is_dropped: false },
        rights,
        give_back,
    });
    Ok(())
}
