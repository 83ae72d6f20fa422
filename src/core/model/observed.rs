//! The observed state: what PostgreSQL, the registry and the secret store hold. Plain data, read by `inspect`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::secret::Mark;
use super::{Access, Acl, OnRemove, PasswordSource, Role, SecretFields, TenantKey};
use crate::core::digest::digest;

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
    /// What we may not look at. It is as it was, as far as a plan goes.
    pub unseen: Vec<Unseen>,
    /// Whether each password of record opens the database; found out by `--deep` only.
    pub delivered: BTreeMap<TenantKey, Delivered>,
    /// Bytes that are free where archives go; `None`: not asked, or not known.
    pub archive_space: Option<u64>,
    /// A person says that this database came from elsewhere and is now the one that its secrets are for; nothing else could.
    pub moved: bool,
}

impl Observed {
    /// Whose each registered username is; without those of tenants that are dropped, whose roles are gone.
    #[must_use]
    pub fn usernames(&self) -> BTreeMap<&str, &TenantKey> {
        let rows = self.registry.iter().flat_map(|registry| &registry.tenants);
        let rows = rows.filter(|(_, row)| row.state != State::Removed);
        rows.map(|(key, row)| (row.username.as_str(), key)).collect()
    }
}

/// Whether the password in a tenant's secret opens the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivered {
    Opens,
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

#[derive(Clone, Debug, Default)]
pub struct Server {
    /// `server_version_num`, such as 150018.
    pub version_num: i32,
    /// `pg_control_system()`; tells one cluster from another.
    pub system_identifier: String,
    /// How many locks all sessions together can hold (manual, `max_locks_per_transaction`).
    pub lock_slots: i64,
    /// How many sessions there may be of roles without rank; 0: not known.
    pub connection_slots: i64,
    /// Settings that write each of our statements to the server's log, such as "log_statement = ddl".
    pub logged_by: Vec<String>,
    /// Where secrets send tenants, unless `advertise` says otherwise.
    pub host: String,
    pub port: u16,
    /// Every address that the url names, `host:port`.
    pub reached: Vec<String>,
    /// Whether our own line to it is.
    pub encrypted: bool,
    /// A standby: nothing can be changed here.
    pub in_recovery: bool,
    pub admin: Admin,
    /// The role of the session, when that may only look: then `admin` is the keeper, for whom the plan is made.
    pub reader: Option<String>,
    /// The owner of schema tenantry; `None`: that is not there yet.
    pub keeper: Option<Keeper>,
}

/// The role that applies: it owns the registry. Whoever only looks is another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keeper {
    pub name: String,
    pub superuser: bool,
}

impl Server {
    /// Locks that one transaction of several may take: a quarter of the lock table, which serves everybody.
    #[must_use]
    pub fn locks_of_a_batch(&self) -> i64 {
        (self.lock_slots / 4).max(1)
    }

    /// The registry's owner, or who will be.
    #[must_use]
    pub fn keeper(&self) -> Keeper {
        let admin = || Keeper { name: self.admin.name.clone(), superuser: self.admin.superuser };
        self.keeper.clone().unwrap_or_else(admin)
    }

    /// Who reads the tenants' histories by a grant: a keeper that is not a superuser. Plan and `show` go by this.
    #[must_use]
    pub fn reads_by_grant(&self) -> Option<String> {
        let keeper = self.keeper();
        (!keeper.superuser).then_some(keeper.name)
    }

    /// The major version, such as 15.
    #[must_use]
    pub fn major(&self) -> i32 {
        self.version_num / 10_000
    }
}

/// The role that applies: the one we are connected as, unless that is a reader.
#[derive(Clone, Debug, Default)]
pub struct Admin {
    pub name: String,
    pub superuser: bool,
    pub createrole: bool,
    /// CREATE on the database.
    pub can_create_schema: bool,
    /// Has the rights of the database's owner.
    pub owns_database: bool,
    /// May pass CONNECT on the database on.
    pub may_grant_connect: bool,
    /// May pass TEMPORARY on the database on.
    pub may_grant_temp: bool,
    /// Has the rights of the owner of schema public.
    pub owns_public: bool,
    /// Those of the declared settings that this role may not give to another.
    pub forbidden_settings: BTreeSet<String>,
    /// Those of the declared extensions that are not there and that this role may not make.
    pub forbidden_extensions: BTreeSet<String>,
}

#[derive(Clone, Debug, Default)]
pub struct Database {
    pub name: String,
    pub public_has_temp: bool,
    pub public_has_connect: bool,
    /// The schema public: `None` when it was dropped.
    pub public_schema: Option<PublicState>,
    /// The extensions there are, by name.
    pub extensions: BTreeMap<String, Extension>,
    pub tablespaces: BTreeMap<String, Tablespace>,
    /// Those of the shared schemas that exist.
    pub shared_schemas: BTreeMap<String, SharedSchema>,
    /// The group role, when it exists.
    pub group: Option<Group>,
    /// The owners' group role, when it exists.
    pub owners_group: Option<Group>,
}

#[derive(Clone, Debug, Default)]
pub struct Extension {
    pub schema: String,
    pub owner: String,
    /// ALTER EXTENSION … SET SCHEMA works.
    pub relocatable: bool,
    /// PUBLIC has USAGE on the schema.
    pub open: bool,
}

#[derive(Clone, Debug, Default)]
pub struct Tablespace {
    /// With the built-in default where it was never changed.
    pub acl: Acl,
    /// The database's: everybody may create tables there.
    pub is_own: bool,
    /// `ALTER DATABASE … SET default_tablespace` names it.
    pub is_default: bool,
}

#[derive(Clone, Debug, Default)]
pub struct PublicState {
    /// Letters of U and C that PUBLIC holds.
    pub public_privileges: String,
    /// Objects that belong to no extension, counted.
    pub objects: i64,
    /// The first few of them, for the hazard's words.
    pub examples: Vec<String>,
}

#[derive(Clone, Debug, Default)]
pub struct SharedSchema {
    pub owner: String,
    /// The group role, or PUBLIC, has USAGE already.
    pub group_has_usage: bool,
    /// We may pass USAGE on.
    pub may_grant: bool,
    pub may_create: bool,
    pub acl: Acl,
    /// We have the rights of its owner.
    pub ours: bool,
}

/// The NOLOGIN role that every tenant joins.
#[derive(Clone, Debug, Default)]
pub struct Group {
    pub role: Role,
    /// Privileges on the database by a grant of its own.
    pub has_connect: bool,
    pub has_temp: bool,
    /// Objects in this database that it owns: none of tenantry's making.
    pub owns: i64,
}

/// The tool's own tables.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    /// The version of its form: the number of its own migrations that it has.
    pub version: usize,
    /// The registry's migrations this binary has and the database has not.
    pub pending: usize,
    pub tenants: BTreeMap<TenantKey, Registered>,
    /// The system identifier of the cluster that it was made for, when that is another: it came here with a dump, and nobody
    /// has said yet that it has moved.
    pub came_from: Option<String>,
    /// `None`: of a form that has none yet.
    pub home: Option<Home>,
    /// Owner roles made for several tenants of which none is registered with it: not yet, or no longer. Each is dropped when none
    /// is declared with it.
    pub former_owners: BTreeSet<String>,
    /// The sets of migrations of which it is known what they make, by their [`set_digest`].
    pub recorded_sets: BTreeSet<String>,
}

impl Registry {
    /// That it has an older form than this version of tenantry reads and writes, and what to type; `None`: it has not.
    #[must_use]
    pub fn is_older(&self) -> Option<(String, &'static str)> {
        let (has, needs) = (self.version, self.version + self.pending);
        let message = format!(
            "tenantry's own tables have version {has}, as an older tenantry left them, and this one needs version {needs}"
        );
        (self.pending > 0)
            .then_some((message, "upgrade them, which changes nothing for any tenant by itself: tenantry apply"))
    }
}

/// What tells the database from a copy of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Home {
    /// Its identity, made at random.
    pub fleet: String,
    /// Those it had until somebody said that the database has moved.
    pub former_fleets: BTreeSet<String>,
    /// Each that wrote secrets, or was about to.
    pub runs: BTreeSet<String>,
    /// The addresses by which the last apply reached it, `host:port`; none: not noted yet.
    pub reached: BTreeSet<String>,
    /// The server is the very one of the last apply, and was not started anew since.
    pub is_same_start: bool,
}

impl Home {
    /// Whether one of these addresses is known. Where none is noted yet nothing is known either way.
    #[must_use]
    pub fn is_reached_by(&self, addresses: &[String]) -> Option<bool> {
        (!self.reached.is_empty()).then(|| addresses.iter().any(|address| self.reached.contains(address)))
    }
}

/// Something that migrations make, as `pg_identify_object` has it, without the schema.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MadeObject {
    pub kind: String,
    pub name: String,
}

/// Tells one set of applied migrations from another.
#[must_use]
pub fn set_digest(applied: &[Applied]) -> String {
    let mut rows: Vec<String> =
        applied.iter().map(|row| format!("{}\0{}\0{}\n", row.version, row.name, row.checksum)).collect();
    rows.sort();
    digest(&rows.concat())
}

/// The schema `tenantry` as the catalogs have it. Who can write to it decides what tenantry does next.
#[derive(Clone, Debug, Default)]
pub struct RegistrySchema {
    /// The schema, and what tenantry made in it.
    pub objects: Vec<RegistryObject>,
    pub default_acls: Vec<DefaultAcl>,
    /// Acts on tenantry's own tables, and is not tenantry's.
    pub foreign: Vec<Foreign>,
    /// What else lies in the schema: a description, and the owner.
    pub strangers: Vec<(String, String)>,
}

/// The schema `tenantry`, or something that tenantry made in it.
#[derive(Clone, Debug)]
pub struct RegistryObject {
    /// "schema", "table", "sequence" or "function".
    pub kind: String,
    /// Qualified and quoted.
    pub name: String,
    pub owner: String,
    /// With the built-in default where it was never changed.
    pub acl: Acl,
    pub columns: Vec<Column>,
    /// We have the rights of its owner.
    pub ours: bool,
}

/// Something on the registry's tables that tenantry did not make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Foreign {
    /// Such as "trigger t on tenantry.tenants".
    pub what: String,
    /// The statement that takes it away, where one does.
    pub remedy: Option<String>,
    /// Who writes to the table may run somebody else's code by it.
    pub runs: bool,
    /// It keeps rows from whoever reads the table.
    pub hides: bool,
    /// We may run the statement.
    pub ours: bool,
}

/// A row of `tenantry.tenants`: what the last apply left.
#[derive(Clone, Debug)]
pub struct Registered {
    pub schema: String,
    /// Tells the schema from another that somebody made under its name.
    pub schema_oid: Option<u32>,
    pub username: String,
    pub owner: String,
    pub access: Access,
    pub state: State,
    pub on_remove: OnRemove,
    pub protected: bool,
    pub secret: RegisteredSecret,
    pub password_source: PasswordSource,
    pub created_at: jiff::Timestamp,
    pub password_changed_at: Option<jiff::Timestamp>,
    /// The role that pg_dump or pg_restore logs in as for this tenant; left over, unless somebody is using it now.
    pub deputy: Option<String>,
    pub deputy_at_work: bool,
    /// The name of its history; `None`: not noted, as in a registry of an older version.
    pub history_table: Option<String>,
    /// Secrets the tenant had at other paths, not deleted yet.
    pub former_secrets: Vec<FormerSecret>,
}

/// Who a tenant is in PostgreSQL: what an archive is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    pub tenant: TenantKey,
    pub schema: String,
    pub username: String,
    /// The username itself with access "owner".
    pub owner: String,
    pub access: Access,
}

impl Subject {
    /// The roles that own what is in the schema.
    #[must_use]
    pub fn roles(&self) -> Vec<String> {
        if self.owner == self.username {
            vec![self.username.clone()]
        } else {
            vec![self.username.clone(), self.owner.clone()]
        }
    }
}

impl Registered {
    #[must_use]
    pub fn subject(&self, tenant: &TenantKey) -> Subject {
        Subject {
            tenant: tenant.clone(),
            schema: self.schema.clone(),
            username: self.username.clone(),
            owner: self.owner.clone(),
            access: self.access,
        }
    }
}

/// A secret that is to be deleted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FormerSecret {
    pub store: String,
    pub place: String,
    pub path: String,
    pub version: String,
}

/// The secret as it was written last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegisteredSecret {
    pub store: String,
    /// See [`crate::core::model::SecretsPolicy::place`]; `None`: not noted.
    pub place: Option<String>,
    pub path: String,
    /// `None`: not delivered yet, or deleted.
    pub version: Option<String>,
    pub fields: SecretFields,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    #[default]
    Active,
    /// Removed with `on_remove = "retain"`: NOLOGIN, no secret, the schema kept.
    Retained,
    /// Half filled from an archive; nobody can log in yet.
    Restoring,
    /// Being dropped, a part at a time; what was to be archived is.
    Removing,
    /// Dropped; the row stays as a tombstone until the secret is gone too.
    Removed,
}

impl State {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Retained => "retained",
            Self::Restoring => "restoring",
            Self::Removing => "removing",
            Self::Removed => "removed",
        }
    }
}

/// From here on what reads or rewrites a whole table is felt: a second or more. Up to here `lock_timeout` of those who wait
/// is rarely passed.
pub const LARGE_TABLE_BYTES: i64 = 100 * 1024 * 1024;

/// A tenant's schema.
#[derive(Clone, Debug, Default)]
pub struct Schema {
    pub oid: u32,
    pub owner: String,
    /// With PostgreSQL's built-in default where it was never changed.
    pub acl: Acl,
    /// The objects, grouped by what matters about them.
    pub objects: Vec<ObjectGroup>,
    /// Those of them, one by one, that the migrations made and the username owns. An example is the name as
    /// `pg_identify_object` has it, without the schema.
    pub taken: Vec<ObjectGroup>,
    pub default_acls: Vec<DefaultAcl>,
    pub history: History,
    /// The name of the history's table, where that is the remembered one and not the configured one.
    pub history_called: Option<String>,
    /// Tables that are like a history and are not the one above: one of the configured name beside the remembered one; where
    /// there is neither, ordinary tables of the owner with refinery's columns.
    pub like_history: Vec<String>,
    /// Tables, partitioned ones included.
    pub tables: i64,
    /// On disk, of all relations.
    pub bytes: i64,
    /// Tables, indexes, sequences, views.
    pub relations: i64,
    /// Tables of [`LARGE_TABLE_BYTES`] and more.
    pub large_tables: BTreeSet<String>,
    /// What lies outside and would go with it; looked for only where a removal is planned.
    pub dependents: Vec<Dependent>,
}

/// Something outside of a tenant's schema that its DROP would take along.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependent {
    /// As PostgreSQL describes it, such as "table cold.events_2020".
    pub what: String,
    /// The statement that keeps it, where there is one: for partitions and children of the tenant's tables.
    pub remedy: Option<String>,
}

impl Schema {
    /// The locks that a DROP takes, estimated. Measured on 15: 3 for each relation in a schema of bare tables, 4.3 where
    /// they have an identity, a unique column, a default and a CHECK (types, constraints and TOAST tables are locked too);
    /// 1 for a function.
    #[must_use]
    pub fn locks(&self) -> i64 {
        let is_other = |kind| matches!(kind, ObjectKind::Function | ObjectKind::Type | ObjectKind::Other);
        let others = self.objects.iter().filter(|group| is_other(group.kind));
        5 * self.relations + 2 * others.map(|group| group.count).sum::<i64>()
    }
}

/// What kind of privileges an object has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ObjectKind {
    /// Tables, views, materialized views, foreign tables.
    Table,
    Sequence,
    Function,
    Type,
    /// What has an owner and no privileges: collations, operators and their classes, text search objects, statistics.
    Other,
}

impl ObjectKind {
    /// Those that have privileges.
    pub const ALL: [Self; 4] = [Self::Table, Self::Sequence, Self::Function, Self::Type];

    /// The letter of `pg_default_acl.defaclobjtype`, where it has one.
    #[must_use]
    pub fn letter(self) -> char {
        match self {
            Self::Table => 'r',
            Self::Sequence => 'S',
            Self::Function => 'f',
            Self::Type => 'T',
            Self::Other => 'o',
        }
    }

    #[must_use]
    pub fn from_letter(letter: char) -> Option<Self> {
        Self::ALL.into_iter().chain([Self::Other]).find(|kind| kind.letter() == letter)
    }

    /// In lower case.
    #[must_use]
    pub fn singular(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Sequence => "sequence",
            Self::Function => "function",
            Self::Type => "type",
            Self::Other => "other",
        }
    }

    /// The plural of `ALTER DEFAULT PRIVILEGES`.
    #[must_use]
    pub fn plural(self) -> &'static str {
        match self {
            Self::Table => "TABLES",
            Self::Sequence => "SEQUENCES",
            Self::Function => "FUNCTIONS",
            Self::Type => "TYPES",
            Self::Other => "OTHERS",
        }
    }
}

/// Objects of one kind in one schema with one owner and one ACL.
#[derive(Clone, Debug)]
pub struct ObjectGroup {
    pub kind: ObjectKind,
    pub owner: String,
    /// With the built-in default where it was never changed.
    pub acl: Acl,
    /// The columns that have privileges of their own, in their order.
    pub columns: Vec<Column>,
    pub count: i64,
    /// The first few names.
    pub examples: Vec<String>,
}

/// A column with privileges of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    pub acl: Acl,
}

/// A row of `pg_default_acl` in a tenant's schema.
#[derive(Clone, Debug)]
pub struct DefaultAcl {
    /// Whose future objects it is about.
    pub role: String,
    pub kind: ObjectKind,
    pub acl: Acl,
}

/// The refinery history of a tenant.
#[derive(Clone, Debug, Default)]
pub enum History {
    #[default]
    Absent,
    /// What stands in its place cannot be read without running the tenant's code.
    Untrusted(Distrust),
    /// Another session keeps us from it.
    Locked(LockedBy),
    /// We may not read its rows.
    Unseen { acl: Acl, columns: Vec<Column> },
    /// Its rows in version order, and what roles hold on it.
    /// Most tenants have applied the same: equal lists are held once.
    Read { applied: Arc<[Applied]>, acl: Acl, columns: Vec<Column> },
}

/// Who holds a lock for longer than we wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockedBy {
    /// Such as "PID 4711, role acme_user".
    pub who: String,
    /// What to type.
    pub hint: String,
}

/// Why a history is not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Distrust {
    /// Such as "it is a view, not an ordinary table".
    pub why: String,
    /// It is all that a history should be, but for whose it is.
    pub is_only_anothers: bool,
}

impl Distrust {
    #[must_use]
    pub fn new(why: impl Into<String>) -> Self {
        Self { why: why.into(), is_only_anothers: false }
    }
}

impl std::fmt::Display for Distrust {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.why)
    }
}

impl History {
    #[must_use]
    pub fn applied(&self) -> &[Applied] {
        match self {
            Self::Read { applied, .. } => applied,
            _ => &[],
        }
    }
}

/// A row of a refinery history.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Applied {
    pub version: i64,
    pub name: String,
    pub checksum: String,
}

impl Applied {
    /// The row that this file leaves once it is applied.
    #[must_use]
    pub fn of(file: &crate::core::migrations::MigrationFile) -> Self {
        Self { version: file.version().into(), name: file.name().into(), checksum: file.checksum() }
    }
}

/// What the store has at a tenant's path.
#[derive(Clone, Debug)]
pub enum SecretState {
    /// Ours, by its metadata or its own words.
    Ours {
        version: String,
        created: Option<jiff::Timestamp>,
        /// The store's metadata say that it is ours. Not so when a write was interrupted before its metadata.
        marked: bool,
        /// Whose, by its mark.
        belongs: Belongs,
        /// Read only when the version is not the registry's, or the password is given.
        contents: Option<SecretContents>,
    },
    /// Somebody else's; why we think so.
    Foreign(String),
    /// We may not read it.
    Unseen,
}

/// Whose a secret is, by the mark that the run which wrote it left there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Belongs {
    /// This database's.
    #[default]
    Here,
    /// It has no mark: an older version wrote it.
    Unmarked,
    /// This database's, from before it moved.
    Former,
    /// It was written by this run, which this registry does not know and which had this registry's identity: a copy's.
    AnotherCopy(String),
    /// It was written for the cluster of this system identifier.
    AnotherCluster(String),
    /// Another database's, with this mark.
    AnotherFleet(Box<Mark>),
}

#[derive(Clone, Debug)]
pub struct SecretContents {
    pub fields: SecretFields,
    /// Whether its password is the one of the version that the registry remembers, so that only other keys were changed;
    /// `None` when that is not known.
    pub password_is_remembered_one: Option<bool>,
    /// Whether its url is what its other keys give.
    pub url_says_the_same: bool,
    /// Why nobody could log in with its password.
    pub unusable: Option<&'static str>,
    /// Whether its password is the one `password_from` gives; `None` when none is given.
    pub password_is_given_one: Option<bool>,
}
