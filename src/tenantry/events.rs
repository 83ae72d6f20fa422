//! What is told of while it happens.

use crate::core::plan::Plan;
use crate::core::report::{Report, TenantOutcome};

/// What apply tells while it runs, from any of its threads. `()` listens to nothing.
pub trait Events: Sync {
    /// So many tenants will be changed.
    fn begins(&self, _tenants: usize) {}
    /// Something about a tenant before it ends.
    fn says(&self, _tenant: &str, _words: &str) {}
    /// A tenant has ended.
    fn tenant_ended(&self, _outcome: &TenantOutcome) {}
    /// All tenants have: what was planned last, and what came of it.
    fn ended(&self, _plan: &Plan, _report: &Report) {}
    /// Something that a person should know, and that is no failure.
    fn note(&self, _words: &str) {}
}

impl Events for () {}
