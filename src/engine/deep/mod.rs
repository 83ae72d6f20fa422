//! What only `--deep` looks at, because it takes a look at every tenant: whether the delivered password opens the
//! database, and the shape.

mod adoption;
mod password;
mod reference;
mod shape;

use crate::core::model::{Desired, Observed, Registered, State, Tenant, TenantKey};
use crate::engine::database::Target;
use crate::engine::secrets::WritableStore;

/// What a deep look needs.
pub struct Deep<'a> {
    pub target: &'a Target,
    pub store: &'a dyn WritableStore,
    pub desired: &'a Desired,
    pub observed: &'a Observed,
    /// Secrets read, and logins tried, at once.
    pub parallelism: usize,
    /// `--target`.
    pub selects: &'a (dyn Fn(&TenantKey) -> bool + Sync),
}

impl<'a> Deep<'a> {
    /// The declared tenants that are there, with what the last apply left of each, or would have left.
    fn tenants(&self) -> impl Iterator<Item = (&'a Tenant, &'a Registered)> {
        let observed = self.observed;
        let row = |key| observed.registry.as_ref().and_then(|registry| registry.tenants.get(key));
        let adopted = |key| observed.adoptions.get(key).map(|adoption| &adoption.row);
        let desired = self.desired.tenants.values().filter(|tenant| (self.selects)(&tenant.key));
        desired
            .filter_map(move |tenant| Some((tenant, row(&tenant.key).or_else(|| adopted(&tenant.key))?)))
            .filter(|(_, row)| row.state == State::Active)
    }
}
