//! Secrets that the registry knows and the store has no more. A few are lost now and then; many mean that this is not the
//! store that they were written to, and every tenant would get a new password that its programs never see.

use super::doubt::Missing;
use super::tenant_plan::TenantPlan;
use crate::core::model::{Desired, Observed, State, TenantKey};

/// A removal needs no secret. Another `[secrets] store` is said in tenants.toml; another mount, namespace or directory may be
/// a mistake.
pub(super) fn missing(desired: &Desired, observed: &Observed, tenants: &[TenantPlan]) -> Option<Missing> {
    let rows = &observed.registry.as_ref()?.tenants;
    let had = tenants.iter().filter(|plan| {
        let declared = desired.tenants.contains_key(&plan.tenant);
        declared
            && rows.get(&plan.tenant).is_some_and(|row| {
                row.state == State::Active
                    && row.secret.version.is_some()
                    && row.secret.store == desired.secrets.store.as_str()
            })
    });
    let had: Vec<&TenantPlan> = had.collect();
    let gone = |plan: &&TenantPlan| {
        let write = plan.phases.secret.as_ref().filter(|write| write.expected.is_none())?;
        let row = rows.get(&plan.tenant)?;
        // Taken along from a former path it is not gone.
        (!observed.secrets.contains_key(&row.secret.path)).then(|| (plan.tenant.clone(), write.path.clone()))
    };
    let gone: Vec<(TenantKey, String)> = had.iter().filter_map(gone).collect();
    let most = desired.secrets.max_missing.of(had.len());
    let path = gone.first()?.1.clone();
    let of = had.len();
    (gone.len() > most).then(|| Missing {
        tenants: gone.into_iter().map(|(tenant, _)| tenant).collect(),
        path,
        of,
        most,
    })
}
