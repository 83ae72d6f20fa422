//! What only the registry remembers: `protected` and `on_remove` must hold when the tenant is no longer declared.

use crate::core::model::Origin;
use crate::core::plan::action::SetPolicy;
use crate::core::plan::facts::{Facts, Findings};

pub(in crate::core::plan) fn diff(facts: &Facts<'_>, findings: &mut Findings) {
    let Some(row) = facts.registered.filter(|_| facts.adoption.is_none()) else { return };
    let tenant = facts.tenant;
    if row.on_remove != tenant.on_remove {
        findings.change(SetPolicy::OnRemove(row.on_remove, tenant.on_remove));
    }
    if row.protected != tenant.protected {
        findings.change(SetPolicy::Protected(row.protected, tenant.protected));
    }
    if row.suspended != tenant.suspended {
        findings.change(SetPolicy::Suspended(row.suspended, tenant.suspended));
    }
    // From now on its absence from there means something.
    if row.declared_by == Origin::Api && tenant.origin != Origin::Api {
        findings.change(SetPolicy::DeclaredBy(row.declared_by, tenant.origin));
    }
    if row.access != tenant.access {
        findings.change(SetPolicy::Access(row.access, tenant.access));
    }
}
