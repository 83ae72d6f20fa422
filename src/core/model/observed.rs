//! The observed state: what PostgreSQL, the registry and the secret store hold. Plain data, read by `inspect`.

mod adoption;
mod column;
mod database;
mod history;
mod registry;
mod schema;
mod secret;
mod server;
mod vault;

pub use adoption::*;
pub use column::*;
pub use database::*;
pub use history::*;
pub use registry::*;
pub use schema::*;
pub use secret::*;
pub use server::*;
pub use vault::*;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::core::model::name::TenantKey;
use crate::core::model::role::Role;

/// What one look found.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    pub server: Server,
    pub database: Database,
    /// `None`: the schema `tenantry` is not there yet.
    pub registry: Option<Registry>,
    /// Who may do what in the schema `tenantry`, and what of others is there. One of which nothing is known while `registry`
    /// is `None` is there, and empty.
    pub registry_schema: Option<RegistrySchema>,
    /// Those of the declared and registered roles that exist, by name.
    pub roles: BTreeMap<String, Role>,
    /// Those of the declared and registered schemas that exist, by name.
    pub schemas: BTreeMap<String, Schema>,
    /// The name that each registered schema has now, by its registered OID; those that are gone left out.
    pub schema_names: BTreeMap<u32, String>,
    /// By secret path; declared and registered ones, absent ones left out.
    pub secrets: BTreeMap<String, SecretState>,
    /// Who may read them, where that is declared or registered and may be looked at.
    pub vault: Option<VaultSeen>,
    /// What we may not look at. It is as it was, as far as a plan goes.
    pub unseen: Vec<Unseen>,
    /// Whether each password of record opens the database; found out by `--deep` only.
    pub delivered: BTreeMap<TenantKey, Delivered>,
    /// Bytes that are free where archives go; `None`: not asked, or not known.
    pub archive_space: Option<u64>,
    /// A person says that this database came from elsewhere and is now the one that its secrets are for; nothing else could.
    pub moved: bool,
    /// When this was looked at: how old a password is by then.
    pub looked_at: Option<jiff::Timestamp>,
    /// Tenants to take over, as if the registry knew them. Looked for only where that is asked for.
    pub adoptions: BTreeMap<TenantKey, Adoption>,
}

impl Observed {
    /// Whose each registered username is, and each user that logs in for one; without those of tenants that are dropped, whose
    /// roles are gone.
    #[must_use]
    pub fn usernames(&self) -> BTreeMap<String, &TenantKey> {
        let rows = self.registry.iter().flat_map(|registry| &registry.tenants);
        let rows = rows.filter(|(_, row)| row.state != State::Removed);
        rows.flat_map(|(key, row)| {
            std::iter::once(row.username.clone()).chain(row.login_users()).map(move |name| (name, key))
        })
        .collect()
    }
}

/// Whether the password in a tenant's secret opens the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivered {
    Opens,
    /// It does, by an md5 verifier, which is to be a SCRAM-SHA-256 one of the same password.
    OpensByMd5,
    Refused,
}

/// Something that could not be seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Unseen {
    /// Such as "the secrets".
    pub what: String,
    /// What to type so that it can be seen.
    pub hint: Option<String>,
}
