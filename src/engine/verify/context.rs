//! What verifying needs.

use std::sync::atomic::AtomicBool;

use crate::core::model::{Desired, Observed, PublicSchema, TenantKey};
use crate::core::verdict::Verdict;
use crate::engine::database::Target;
use crate::engine::secrets::SecretStore;

/// What verifying needs.
pub struct Verify<'a> {
    pub target: &'a Target,
    pub store: &'a dyn SecretStore,
    pub desired: &'a Desired,
    pub observed: &'a Observed,
    pub parallelism: usize,
    pub stop: &'a AtomicBool,
    /// A tenant is logged in as from now on.
    pub begins: &'a (dyn Fn(&TenantKey) + Sync),
    pub progress: &'a (dyn Fn(&Verdict) + Sync),
}

impl Verify<'_> {
    /// Whether public was left open on purpose.
    pub(super) fn public_is_kept(&self) -> bool {
        let objects = self.observed.database.public_schema.as_ref().map_or(0, |public| public.objects);
        match self.desired.public_schema {
            Some(policy) => policy == PublicSchema::Keep,
            None => objects > 0,
        }
    }
}
