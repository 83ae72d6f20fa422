//! A tenant that is to be suspended: nobody may log in as it any more, and then its sessions end.

use crate::core::plan::action::{EndSessions, Rights};
use crate::core::plan::facts::{Facts, Findings, LockOut};
use crate::core::plan::hazard::HazardKind;

/// Until the registry says that its sessions are ended, they may not be: an apply may have been killed after NOLOGIN.
pub(in crate::core::plan) fn diff(facts: &Facts<'_>, findings: &mut Findings) {
    let tenant = facts.tenant;
    let Some(role) = facts.current.role.filter(|_| tenant.suspended) else { return };
    let is_done = !role.can_login && facts.registered.is_some_and(|row| row.suspended);
    if is_done {
        return;
    }
    // Before the transaction that renames it.
    let name = facts.registered.map_or(&tenant.username, |row| &row.username).clone();
    let rights = Rights::lacking(facts.fleet.observed, std::slice::from_ref(&name));
    findings.hazard(HazardKind::EndsSessions, format!("it is suspended: sessions of {name} are ended"));
    let give_back = rights.clone().map(|rights| rights.of_role(tenant.username.clone()));
    findings.lock_out = Some(LockOut { sessions: EndSessions { role: name, is_dropped: false }, rights, give_back });
}
