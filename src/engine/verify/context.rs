//! What verifying needs.

use std::sync::atomic::AtomicBool;

use crate::core::model::{PublicSchema, TenantKey};
use crate::core::plan::public_schema_policy;
use crate::core::verdict::Verdict;
use crate::engine::login::Logins;

/// What verifying needs.
pub struct Verify<'a> {
    pub logins: Logins<'a>,
    pub parallelism: usize,
    pub stop: &'a AtomicBool,
    /// A tenant is logged in as from now on.
    pub begins: &'a (dyn Fn(&TenantKey) + Sync),
    pub progress: &'a (dyn Fn(&Verdict) + Sync),
}

impl Verify<'_> {
    /// Whether public was left open on purpose.
    pub(super) fn public_is_kept(&self) -> bool {
        public_schema_policy(self.logins.desired, self.logins.observed) == PublicSchema::Keep
    }
}
