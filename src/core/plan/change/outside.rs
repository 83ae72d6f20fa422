//! What a tenant's roles were granted, or own, outside of the tenants' schemas.
//!
//! A privilege is revoked, where we may. What a role owns is only reported: it is somebody's data.

use crate::core::model::{Access, Holding, Outside, Role};
use crate::core::plan::action::{Action, RevokeOutside};
use crate::core::plan::facts::{Facts, Findings};
use crate::core::plan::registry;
use crate::core::plan::tenant_plan::Note;

pub(in crate::core::plan) fn diff(facts: &Facts<'_>, findings: &mut Findings) {
    let tenant = facts.tenant;
    one_role(facts, findings, &tenant.username, facts.current.role);
    if tenant.access != Access::Owner {
        one_role(facts, findings, &tenant.owner_role, facts.current.owner.as_deref());
    }
}

pub(super) fn one_role(facts: &Facts<'_>, findings: &mut Findings, name: &str, role: Option<&Role>) {
    let found = role.into_iter().flat_map(|role| &role.outside);
    for found in found.filter(|found| !registry::shows(facts.fleet.observed, found)) {
        match judge(found, name) {
            Ok(revoke) => findings.take(facts, revoke),
            Err(note) => findings.notes.push(note),
        }
    }
}

/// What takes it away.
///
/// # Errors
/// What to tell instead, when it is not to be taken away, or not by us.
pub(in crate::core::plan) fn judge(found: &Outside, role: &str) -> Result<RevokeOutside, Note> {
    let revoke = RevokeOutside { role: role.to_owned(), found: found.clone() };
    let (ours, whose) = match &found.held {
        Holding::Owned => {
            let (kind, identity) = (&found.kind, &found.identity);
            return Err(Note {
                what: format!("role {role}"),
                detail: format!(
                    "owns {kind} {identity}, outside its schema; left unchanged: give it another owner, or drop it"
                ),
            });
        }
        Holding::Future { of, ours, .. } => (*ours, of),
        Holding::Granted { grantor, owner, ours, .. } => (*ours, grantor.as_ref().unwrap_or(owner)),
    };
    if ours {
        return Ok(revoke);
    }
    let sql = revoke.statements(None).join("; ");
    Err(Note { what: revoke.what(), detail: format!("{}; not ours to revoke, {whose} can: {sql}", revoke.held()) })
}
