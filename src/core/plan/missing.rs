//! Secrets that the registry knows and the store has no more. A few are lost now and then; many mean that this is not the
//! store that they were written to, where every new password is one that no program ever sees.
//!
//! The whole fleet is counted, whatever `--target` says: one tenant tells nothing about a store.

use super::doubt::Missing;
use super::tenant_plan::TenantPlan;
use crate::core::model::{AtMost, Desired, Observed, SecretState, State};

/// Where nothing is written to a path that is empty, the store is known by what is there. A removal needs no secret. Another
/// `[secrets] store` is said in tenants.toml; another mount, namespace or directory may be a mistake.
pub(super) fn missing(desired: &Desired, observed: &Observed, tenants: &[TenantPlan]) -> Option<Missing> {
    let rows = &observed.registry.as_ref()?.tenants;
    if !tenants.iter().any(makes_a_secret) {
        return None;
    }
    let had = desired.tenants.iter().filter_map(|(key, tenant)| {
        let row = rows.get(key).filter(|row| {
            row.state == State::Active
                && row.secret.version.is_some()
                && row.secret.store == desired.secrets.store.as_str()
        })?;
        // Taken along from a former path it is not gone.
        let is_gone = [&row.secret.path, &tenant.secret_path].iter().all(|path| !observed.secrets.contains_key(*path));
        Some((is_gone, key, &tenant.secret_path))
    });
    let had: Vec<_> = had.collect();
    let gone: Vec<_> = had.iter().filter(|(is_gone, ..)| *is_gone).collect();
    let (_, _, path) = *gone.first()?;
    let (of, most) = (had.len(), allowed(desired, observed, had.len()));
    (gone.len() > most).then(|| Missing {
        tenants: gone.iter().map(|(_, key, _)| (*key).clone()).collect(),
        path: (*path).clone(),
        of,
        most,
    })
}

fn makes_a_secret(plan: &TenantPlan) -> bool {
    plan.phases.secret.as_ref().is_some_and(|write| write.expected.is_none())
}

/// Never all of them, where nothing of this fleet's shows that the store is the right one; unless tenants.toml has a limit of
/// its own.
fn allowed(desired: &Desired, observed: &Observed, many: usize) -> usize {
    let limit = desired.secrets.max_missing;
    let has_others = observed.registry.iter().flat_map(|registry| registry.tenants.values()).any(|row| {
        let found = observed.secrets.get(&row.secret.path);
        matches!(found, Some(SecretState::Ours { .. } | SecretState::Unseen))
    });
    let most = limit.of(many);
    if limit == AtMost::Usual && !has_others { most.min(many - 1) } else { most }
}
