//! What is dangerous about a plan.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Something about a plan that a person should know before approving it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Hazard {
    pub kind: HazardKind,
    pub detail: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HazardKind {
    /// A tenant's role has power over other tenants, such as SUPERUSER or membership in pg_write_all_data. Always first.
    PrivilegedTenant,
    /// One key of tenants.toml changes many tenants.
    WholeFleet,
    /// Tenants are removed, and those that there are come from a query.
    SourceRows,
    DeletesData,
    EndsSessions,
    /// Clients that hold the old password or name fail until they read the secret again.
    ChangesCredentials,
    /// Roles that are not the tenant's lose their rights in a schema that is adopted.
    LosesAccess,
    /// A schema that is adopted is not what the migrations that it is said to have would make.
    DifferentShape,
    /// A secret will tell clients to encrypt no more, or to verify less than it does now.
    WeakerTls,
    /// Tenants whose objects one role owns can reach each other through code they plant.
    SharedOwner,
    PublicSchemaOpen,
    PublicSchemaClosed,
    /// Every tenant may create objects in a schema that is in the others' search_path, and we may not revoke that.
    SharedSchemaOpen,
    /// Something in schema tenantry is not tenantry's, and tenantry may not remove it.
    RegistryOpen,
    /// A declared extension is in a schema that is in no tenant's search_path.
    ExtensionElsewhere,
    /// The role that every tenant joins has more than it should, and we may not revoke that.
    GroupRole,
    /// The database came from another cluster; if that one is still in use, both have the same secrets.
    AnotherCluster,
    /// Secrets were written by a copy of this database, or by this one before it was set back to an earlier state.
    AnotherCopy,
    /// The database is reached by another address than before, and may be a copy.
    AnotherAddress,
    /// More secrets are gone than `[secrets] max_missing` allows; it may be the wrong store.
    SecretsMissing,
    /// A schema that should be there is not; its data is not brought back.
    DataLost,
    /// The archives may not fit the disk.
    DiskShort,
    /// The transaction may not fit PostgreSQL's lock table.
    ManyLocks,
    /// A migration may reach outside the tenant's schema.
    MigrationEscapes,
    /// A migration blocks reads or writes of a large table while it runs.
    BlocksTable,
    /// The server's log will contain SCRAM verifiers, and only a superuser may keep statements out of it.
    VerifiersLogged,
    /// The tenants' connection limits add up to more than the server accepts.
    ConnectionsShort,
    /// Tables would go to a tablespace in which the tenant may not create any.
    TablespaceClosed,
}

impl Hazard {
    /// Apply writes no secret until a person has said what is so.
    #[must_use]
    pub fn is_for_a_person(&self) -> bool {
        matches!(self.kind, HazardKind::AnotherCluster | HazardKind::AnotherCopy)
    }
}
