//! The plan of a whole database.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::doubt::{Doubt, Missing};
use super::fleet_change::FleetChange;
use super::hazard::Hazard;
use super::shared_change::DatabaseChange;
use super::tenant_plan::{TenantPlan, Verb};
use crate::core::model::{Desired, Observed, Server, TenantKey, Unseen};
use crate::core::shape;

/// Everything apply would do, in order.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    pub database: DatabaseIdentity,
    pub database_changes: Vec<DatabaseChange>,
    /// What is true of the database as a whole and dangerous.
    pub hazards: Vec<Hazard>,
    /// Why this may not be the database that its secrets are for; apply writes none then.
    pub doubts: Vec<Doubt>,
    /// More secrets are gone than is usual.
    pub missing: Option<Missing>,
    /// What we may not look at, and so says nothing here.
    pub unseen: Vec<Unseen>,
    /// Every tenant looked at, in the order of their keys.
    pub tenants: Vec<TenantPlan>,
    /// When not every tenant was to be looked at.
    pub targeting: Option<Targeting>,
    /// Tenants whose names are swapped: each set changes in one transaction.
    pub rename_groups: Vec<BTreeSet<TenantKey>>,
    /// For a tenant those that are done before it: they still name a role that it drops or renames, or it begins as a copy of them.
    pub waits: BTreeMap<TenantKey, BTreeSet<TenantKey>>,
    /// What one key of tenants.toml changes for many tenants at once; each is a hazard too.
    pub fleet_changes: Vec<FleetChange>,
    /// The shapes compared with the migrations, if `--deep` was given. No plan fixes a shape.
    pub shape: Option<shape::Report>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DatabaseIdentity {
    pub host: String,
    pub port: u16,
    pub name: String,
    pub system_identifier: String,
}

impl DatabaseIdentity {
    /// The database of this name on the server.
    #[must_use]
    pub fn new(server: &Server, name: &str) -> Self {
        Self {
            host: server.host.clone(),
            port: server.port,
            name: name.to_owned(),
            system_identifier: server.system_identifier.clone(),
        }
    }

    /// Host and port as a person types them: `db.internal:5432`, `[::1]:5432`.
    #[must_use]
    pub fn address(&self) -> String {
        let Self { host, port, .. } = self;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }
}

/// Only some of the tenants were looked at: nothing is known about the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Targeting {
    pub looked_at: usize,
    /// All that are declared or registered.
    pub of: usize,
}

impl Targeting {
    /// `None` when every tenant, declared or registered, is selected.
    #[must_use]
    pub fn new(desired: &Desired, observed: &Observed, selects: &dyn Fn(&TenantKey) -> bool) -> Option<Self> {
        let registered = observed.registry.iter().flat_map(|registry| registry.tenants.keys());
        let keys: BTreeSet<&TenantKey> = desired.tenants.keys().chain(registered).collect();
        let looked_at = keys.iter().filter(|key| selects(key)).count();
        (looked_at < keys.len()).then_some(Self { looked_at, of: keys.len() })
    }
}

impl Plan {
    /// Nothing to do; blocked tenants count as something, and so does what a person must say.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let idle = self.summary().is_idle() && self.database_changes.is_empty();
        idle && !self.hazards.iter().any(Hazard::is_for_a_person)
    }

    /// Nothing to do, and no shape that differs.
    #[must_use]
    pub fn in_sync(&self) -> bool {
        self.is_empty() && !self.shape.as_ref().is_some_and(shape::Report::differs)
    }

    #[must_use]
    pub fn count(&self, verb: Verb) -> usize {
        self.tenants.iter().filter(|tenant| tenant.verb == verb).count()
    }
}
