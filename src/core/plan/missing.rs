//! Secrets that the registry knows and the store has no more. A few are lost now and then; many mean that this is not the
//! store that they were written to, and every tenant would get a new password that its programs never see.

use super::{Hazard, HazardKind, Step, TenantPlan};
use crate::core::model::{Desired, Observed, State, TenantKey};
use crate::core::words::few;

/// More than `[secrets] max_missing` allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Those whose secret is gone and would be written anew.
    pub tenants: Vec<TenantKey>,
    /// The path of the first.
    pub path: String,
    /// Those that have a secret in this store, by the registry, of the tenants looked at.
    pub of: usize,
    /// So many were allowed.
    pub most: usize,
}

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
        let path = plan.changes.iter().find_map(|change| match &change.step {
            Step::WriteSecret { path, expected: None } => Some(path.clone()),
            _ => None,
        })?;
        let row = rows.get(&plan.tenant)?;
        // Taken along from a former path it is not gone.
        (!observed.secrets.contains_key(&row.secret.path)).then(|| (plan.tenant.clone(), path))
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

impl Missing {
    /// "31 of 40 tenants (a, b, …) have no secret in the store any more".
    #[must_use]
    pub fn in_words(&self) -> String {
        let names: Vec<&str> = self.tenants.iter().map(TenantKey::as_str).collect();
        format!(
            "the secrets of {} of {} tenants are gone from the store ({}), more than the {} that [secrets] max_missing allows",
            names.len(),
            self.of,
            few(&names),
            self.most
        )
    }

    pub(super) fn hazard(&self) -> Hazard {
        let detail = format!(
            "{}; it may be another store than they were written to; each would get a new password. If they are lost: tenantry apply --allow-new-secrets {}",
            self.in_words(),
            self.tenants.len()
        );
        Hazard { kind: HazardKind::SecretsMissing, detail }
    }
}
