//! The plan: what turns observed into desired, decided here and nowhere else.
//!
//! [`diff`] is pure. Each kind of change has a file in `change/`: how it is seen, its SQL, its words and its hazards.
//! Apply executes the changes of a tenant in the order they stand here.

mod change;
mod database;
mod diff;
mod document;
mod extensions;
mod fleet;
mod group;
mod holds;
mod home;
mod identity;
mod limits;
mod missing;
mod order;
mod pieces;
mod powers;
mod privileges;
mod registry;
mod removal;
mod ring;
mod rotation;
mod saved;
mod tenant;

pub(crate) use change::acl::held;
pub(crate) use change::grants::{Letters, is_as_declared};
pub(crate) use change::membership::words as membership_in_words;
pub use change::migrations::after_restore;
pub use change::rename::RECOVER;
pub use change::rights::borrowed;
pub(crate) use change::settings::split_identifiers;
pub use database::owners_want_temp;
pub use diff::{diff, group_role, is_shared_owner, owners_role};
pub use document::{Document, Summary};
pub use extensions::unreachable as unreachable_extension;
pub use fleet::{FleetChange, FleetKey};
pub use home::{Claim, Doubt};
pub use missing::Missing;
pub(crate) use privileges::in_words;
pub use privileges::{OWNERS_ON_SCHEMA, object_privileges, owners_privileges, schema_privileges};
pub use registry::foreign_code;
#[cfg(feature = "engine")]
pub(crate) use removal::disk_short;
pub use removal::drop_role;
pub use rotation::rotation;
pub use saved::{ReadError, Saved, Stale, digest};

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::core::model::{
    Desired, Hold, Observed, RegisteredSecret, Server, State, Subject, Tenant, TenantKey, Unseen,
};
use crate::core::shape;

/// Stands in a shown statement where the SCRAM verifier is sent.
pub const ELIDED_VERIFIER: &str = "'SCRAM-SHA-256$…'";

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
    pub together: Vec<BTreeSet<TenantKey>>,
    /// For a tenant those that are done before it, because they still name a role that it drops or renames.
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

/// A change to what tenants share. Run serially: concurrent GRANTs on one object fail with XX000.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DatabaseChange {
    pub action: DatabaseAction,
    pub detail: String,
    pub sql: Vec<Sql>,
    #[serde(skip)]
    pub stage: Stage,
    /// The role that is dropped, for the registry to remember until it is.
    #[serde(skip)]
    pub drops: Option<String>,
    /// The secrets that are marked.
    #[serde(skip)]
    pub claims: Vec<Claim>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DatabaseAction {
    CreateRegistry,
    UpgradeRegistry,
    CloseRegistry,
    CreateGroup,
    AlterGroup,
    RevokeMembership,
    RevokeFromGroup,
    GrantConnect,
    GrantTemp,
    CreateSharedSchema,
    GrantSharedSchema,
    CloseSharedSchema,
    CreateExtension,
    ClosePublicSchema,
    RevokeTemp,
    CreateSharedOwner,
    DropSharedOwner,
    /// Secrets that carry no mark yet are marked as this database's.
    ClaimSecrets,
    /// The database has moved: it gets another identity, and its secrets are marked with that.
    MoveHere,
}

impl DatabaseAction {
    /// Makes or grants what tenants need; the others take away what somebody may miss.
    #[must_use]
    pub fn makes(self) -> bool {
        match self {
            Self::CreateRegistry
            | Self::UpgradeRegistry
            | Self::CreateGroup
            | Self::GrantConnect
            | Self::GrantTemp
            | Self::CreateSharedSchema
            | Self::GrantSharedSchema
            | Self::CreateExtension
            | Self::CreateSharedOwner => true,
            Self::CloseRegistry
            | Self::AlterGroup
            | Self::RevokeMembership
            | Self::RevokeFromGroup
            | Self::ClosePublicSchema
            | Self::CloseSharedSchema
            | Self::RevokeTemp
            | Self::DropSharedOwner
            | Self::ClaimSecrets
            | Self::MoveHere => false,
        }
    }
}

/// Before the tenants, or after them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    #[default]
    Before,
    /// In the secret store, once it is known whose registry this is.
    Secrets,
    After,
}

/// One statement: shown as it is sent, except for the verifier. One that is read back is only for display: its verifier is elided
/// for good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "String", into = "String")]
pub struct Sql {
    text: String,
    with_verifier: bool,
}

impl Sql {
    pub(crate) fn with_verifier(text: String) -> Self {
        debug_assert!(text.ends_with(ELIDED_VERIFIER));
        Self { text, with_verifier: true }
    }

    /// The statement as a plan shows it.
    #[must_use]
    pub fn shown(&self) -> &str {
        &self.text
    }

    #[must_use]
    pub fn needs_verifier(&self) -> bool {
        self.with_verifier
    }

    /// The statement as it is sent. Never log it when [`Self::needs_verifier`].
    #[must_use]
    pub fn sent(&self, verifier_literal: &str) -> String {
        match self.text.strip_suffix(ELIDED_VERIFIER) {
            Some(head) if self.with_verifier => format!("{head}{verifier_literal}"),
            _ => self.text.clone(),
        }
    }
}

impl From<String> for Sql {
    fn from(text: String) -> Self {
        Self { text, with_verifier: false }
    }
}

impl From<Sql> for String {
    fn from(sql: Sql) -> Self {
        sql.text
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    Create,
    Update,
    Remove,
    Unchanged,
    /// Something must be done by a person first; `reason` says what.
    Blocked,
}

impl Verb {
    pub const ALL: [Self; 5] = [Self::Create, Self::Update, Self::Remove, Self::Unchanged, Self::Blocked];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Remove => "remove",
            Self::Unchanged => "unchanged",
            Self::Blocked => "blocked",
        }
    }
}

/// What happens to one tenant.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct TenantPlan {
    pub tenant: TenantKey,
    pub verb: Verb,
    pub schema: String,
    pub username: String,
    pub owner: String,
    pub changes: Vec<Change>,
    pub hazards: Vec<Hazard>,
    /// What is left unchanged and a person should know about; not a change by itself.
    pub notes: Vec<Note>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When blocked, what to type next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    #[serde(skip)]
    pub target: Target,
    /// The schema the plan was made for, when there is one: apply touches no other.
    #[serde(skip)]
    pub seen: Option<SeenSchema>,
}

/// A schema as the look found it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenSchema {
    pub name: String,
    pub oid: u32,
}

/// Something that exists but is not declared, and stays.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Note {
    /// The thing, such as "schema tenant_acme".
    pub what: String,
    pub detail: String,
}

/// What apply leaves behind of a tenant.
#[derive(Clone, Debug, Default)]
pub enum Target {
    /// Nothing to apply.
    #[default]
    None,
    /// The tenant as declared.
    /// `secret_version`: the version in the store whose password PostgreSQL holds afterwards, unless one is written.
    Declared { tenant: Box<Tenant>, password: Password, secret_version: Option<String> },
    /// As it was, with another password.
    Rotated { tenant: Box<Tenant> },
    /// Gone; the row stays as a tombstone until the secret is gone too.
    /// `state`: what the registry says until then.
    Removed { secret: RegisteredSecret, state: State },
    /// NOLOGIN, its schema kept.
    Retained { secret: RegisteredSecret, state: State },
}

impl Target {
    /// The tenant that has a secret afterwards, and where its password comes from.
    #[must_use]
    pub fn delivers(&self) -> Option<(&Tenant, &Password)> {
        match self {
            Self::Declared { tenant, password, .. } => Some((tenant, password)),
            Self::Rotated { tenant } => Some((tenant, &Password::Generated)),
            Self::None | Self::Removed { .. } | Self::Retained { .. } => None,
        }
    }
}

/// Where apply takes the password from, when a change needs it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Password {
    /// No change needs it.
    #[default]
    Untouched,
    /// `password_from`.
    Given,
    /// The secret at this path, at this version.
    Stored { path: String, version: String },
    /// Made while applying, so that no plan can hold one.
    Generated,
}

/// One change of one tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    pub kind: Kind,
    /// The thing changed, such as "role acme_user".
    pub what: String,
    pub before: Option<String>,
    pub after: Option<String>,
    pub sql: Vec<Sql>,
    #[serde(skip)]
    pub step: Step,
}

impl Change {
    /// A change that is its SQL and nothing else.
    pub(crate) fn sql(kind: Kind, what: impl Into<String>, sql: Vec<String>) -> Self {
        Self {
            kind,
            what: what.into(),
            before: None,
            after: None,
            sql: sql.into_iter().map(Sql::from).collect(),
            step: Step::Sql,
        }
    }

    pub(crate) fn before(mut self, before: impl Into<String>) -> Self {
        self.before = Some(before.into());
        self
    }

    pub(crate) fn after(mut self, after: impl Into<String>) -> Self {
        self.after = Some(after.into());
        self
    }

    pub(crate) fn step(mut self, step: Step) -> Self {
        self.step = step;
        self
    }
}

/// The kinds of change, in the order they are carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    ParkNames,
    EndSessions,
    Archive,
    RenameRole,
    RenameOwner,
    CreateOwner,
    AlterOwner,
    CreateRole,
    AlterRole,
    SetPassword,
    BorrowRights,
    DropDeputy,
    RenameSchema,
    RenameHistory,
    GrantMembership,
    RevokeMembership,
    CreateSchema,
    SetOwner,
    GrantSchema,
    DefaultPrivileges,
    GrantObjects,
    GrantHistory,
    RevokeOutside,
    SetSettings,
    DropLargeObjects,
    DropSchema,
    DropRole,
    DropOwner,
    Migrate,
    ReturnRights,
    SetPolicy,
    WriteSecret,
    DeleteSecret,
}

/// What carrying a change out takes beyond its SQL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Step {
    #[default]
    Sql,
    /// Ends the sessions of this role, waiting until they are gone.
    EndSessions { role: String },
    /// Archives the schema with its tables locked against writes, and continues only once the archive was read back.
    /// `roles`: those that own what is in it.
    Archive { subject: Subject, roles: Vec<String> },
    /// Drops this role. `holds`: what the look found that keeps it from being dropped, and that goes before.
    DropRole { role: String, holds: Vec<Hold> },
    /// Drops a deputy that was left over, and the files of the archive that it was made for.
    DropDeputy,
    /// Drops the schema's tables, so many in a transaction, before the rest of it goes with the tenant.
    DropInPieces { schema: String, tables: i64 },
    /// Unlinks the large objects of these roles, so many in a transaction, before the roles go.
    UnlinkInPieces { roles: Vec<String>, at_once: i64 },
    /// Runs these versions, as this role, through refinery's Runner.
    /// `history_sql` runs right after the history table is made; empty when it is there already. `logs_in`: some run
    /// outside a transaction, in the session of a role that is made for it.
    Migrate { versions: Vec<i32>, owner: String, schema: String, history_sql: Vec<String>, logs_in: bool },
    /// Check-and-set just before COMMIT.
    WriteSecret { path: String, expected: Option<String> },
    /// After COMMIT.
    DeleteSecret { path: String, expected: Option<String> },
}

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
    DeletesData,
    EndsSessions,
    /// Clients that hold the old password or name fail until they read the secret again.
    ChangesCredentials,
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
}

impl TenantPlan {
    #[must_use]
    pub fn has_work(&self) -> bool {
        matches!(self.verb, Verb::Create | Verb::Update | Verb::Remove)
    }

    /// Takes something away that is still there; the rest of a removal that was interrupted does not.
    #[must_use]
    pub fn removes(&self) -> bool {
        self.verb == Verb::Remove && self.changes.iter().any(|change| change.kind != Kind::DeleteSecret)
    }

    /// The versions this plan would apply.
    #[must_use]
    pub fn pending_migrations(&self) -> &[i32] {
        self.changes
            .iter()
            .find_map(|change| match &change.step {
                Step::Migrate { versions, .. } => Some(versions.as_slice()),
                _ => None,
            })
            .unwrap_or_default()
    }
}

impl Plan {
    /// Nothing to do; blocked tenants count as something, and so does what a person must say.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let is_for_a_person =
            |hazard: &Hazard| matches!(hazard.kind, HazardKind::AnotherCluster | HazardKind::AnotherCopy);
        self.database_changes.is_empty()
            && self.tenants.iter().all(|tenant| tenant.verb == Verb::Unchanged)
            && !self.hazards.iter().any(is_for_a_person)
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

    #[must_use]
    pub fn summary(&self) -> Summary {
        Summary {
            create: self.count(Verb::Create),
            update: self.count(Verb::Update),
            remove: self.count(Verb::Remove),
            unchanged: self.count(Verb::Unchanged),
            blocked: self.count(Verb::Blocked),
        }
    }
}
