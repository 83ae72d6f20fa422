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
    /// Those whose secret is gone, of the whole fleet.
    pub tenants: Vec<TenantKey>,
    /// The path of the first.
    pub path: String,
    /// Those that have a secret in this store, by the registry.
    pub of: usize,
    /// So many were allowed.
    pub most: usize,
}

impl Missing {
    /// "the secrets of 31 of 40 tenants are gone from the store (a, b, …), …".
    #[must_use]
    pub fn in_words(&self) -> String {
        let names: Vec<&str> = self.tenants.iter().map(TenantKey::as_str).collect();
        if let ([name], 1) = (names.as_slice(), self.of) {
            return format!(
                "the secret of {name} is gone from the store, and nothing else of this fleet's there shows that it is the right store"
            );
        }
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
            "{}; it may be another store than before, and no client would read a new password there. If it is the right one: tenantry apply --allow-new-secrets {}",
            self.in_words(),
            self.tenants.len()
        );
        Hazard { kind: HazardKind::SecretsMissing, detail }
    }
}
