//! A deputy that a killed archive, restore or migration left behind: a login role with the tenant's rights, whose password nobody knows.

use crate::core::model::{Observed, Registered};
use crate::core::plan::action::DropDeputy;
use crate::core::plan::facts::{Facts, Findings};

pub(in crate::core::plan) fn diff(facts: &Facts<'_>, findings: &mut Findings) {
    let left_over = facts.registered.and_then(|row| drop(facts.fleet.observed, row));
    findings.changes.extend(left_over.map(Into::into));
}

/// Nothing while whoever made it is still running.
pub(in crate::core::plan) fn drop(observed: &Observed, row: &Registered) -> Option<DropDeputy> {
    let role = row.deputy.as_ref().filter(|_| !row.deputy_at_work)?;
    Some(DropDeputy { role: role.clone(), exists: observed.roles.contains_key(role) })
}
