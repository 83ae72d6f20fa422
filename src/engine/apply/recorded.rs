//! What the migrations make, remembered from the first tenant that is made with them: nobody but they made anything there yet.

use std::collections::BTreeSet;
use std::sync::Mutex;

use postgres::Transaction;

use super::tenant::{Job, database_error};
use crate::core::model::{Access, Applied, set_digest};
use crate::core::plan::{Kind, Target};
use crate::core::report::TenantError;
use crate::engine::inspect;
use crate::engine::registry;
use crate::engine::workers::lock;

/// The sets of migrations that the registry knows, or that some tenant's transaction of this run is about to tell it: the others
/// need not, and do not wait for it.
#[derive(Debug, Default)]
pub struct Recorded(Mutex<BTreeSet<String>>);

impl Recorded {
    #[must_use]
    pub fn new(known: BTreeSet<String>) -> Self {
        Self(Mutex::new(known))
    }
}

impl Job<'_> {
    /// Right after a new tenant's migrations, in its transaction.
    pub fn record_what_was_made(&self, transaction: &mut Transaction<'_>, versions: &[i32]) -> Result<(), TenantError> {
        let is_new = self.plan.phases.has(&[Kind::CreateSchema]);
        let Target::Declared { tenant, .. } = &self.plan.target else { return Ok(()) };
        // With access "owner" the role that owns is the tenant's own. A rehearsal has no lock, and remembers nothing.
        if !is_new || tenant.access == Access::Owner || self.apply.lock.check().is_none() {
            return Ok(());
        }
        let set = &self.apply.desired.migrations;
        let applied: Vec<Applied> = versions.iter().filter_map(|version| set.get(*version)).map(Applied::of).collect();
        let digest = set_digest(&applied);
        if !lock(&self.apply.recorded.0).insert(digest.clone()) {
            return Ok(());
        }
        let made = inspect::made(transaction, &tenant.schema, tenant.owner(), &set.table);
        let made = made.map_err(|error| self.told("recording what the migrations created", &error))?;
        registry::record_set(transaction, &digest, &made)
            .map_err(|error| database_error("recording what the migrations created", &error.into()))
    }
}
