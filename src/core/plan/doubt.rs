//! Why a plan that changes secrets may be one for the wrong database, or the wrong store.

use super::hazard::{Hazard, HazardKind};
use crate::core::model::TenantKey;
use crate::core::words::few;

/// Why this database may not be the one that its secrets are for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    pub kind: HazardKind,
    /// What is so, as a sentence's part.
    pub detail: String,
    pub hint: String,
}

impl Doubt {
    pub(super) fn hazard(&self) -> Hazard {
        Hazard { kind: self.kind, detail: format!("{}: no secret is written or deleted; {}", self.detail, self.hint) }
    }
}

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
