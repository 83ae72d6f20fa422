//! The observed state: what PostgreSQL, the registry and the secret store hold. Plain data, read by `inspect`.

use std::collections::{BTreeMap, BTreeSet};

use super::{Access, Acl, OnRemove, PasswordSource, TenantKey};

/// What one look found.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    pub server: Server,
    pub database: Database,
    /// `None`: the schema `tenantry` is not there yet.
    pub registry: Option<Registry>,
    /// Those of the declared and registered roles that exist, by name.
    pub roles: BTreeMap<String, Role>,
    /// Those of the declared and registered schemas that exist, by name.
    pub schemas: BTreeMap<String, Schema>,
    /// By secret path; declared and registered ones, absent ones left out.
    pub secrets: BTreeMap<String, SecretState>,
}

#[derive(Clone, Debug, Default)]
pub struct Server {
    /// `server_version_num`, such as 150018.
    pub version_num: i32,
    /// `pg_control_system()`; tells one cluster from another.
    pub system_identifier: String,
    /// Where secrets send tenants, unless `advertise` says otherwise.
    pub host: String,
    pub port: u16,
    pub admin: Admin,
}

impl Server {
    /// The major version, such as 15.
    #[must_use]
    pub fn major(&self) -> i32 {
        self.version_num / 10_000
    }
}

/// The role we are connected as.
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
    /// The extensions there are, with the schema each is in.
    pub extensions: BTreeMap<String, String>,
    /// Those of the shared schemas that exist.
    pub shared_schemas: BTreeMap<String, SharedSchema>,
    /// The group role's rights, when it exists.
    pub group: Option<Group>,
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
}

#[derive(Clone, Debug, Default)]
pub struct Group {
    pub can_login: bool,
    pub has_connect: bool,
    /// As [`Role::administered`].
    pub administered: bool,
}

/// The tool's own tables.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    /// The registry's migrations this binary has and the database has not.
    pub pending: usize,
    pub tenants: BTreeMap<TenantKey, Registered>,
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
}

/// The secret as it was written last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegisteredSecret {
    pub store: String,
    pub path: String,
    /// `None`: not delivered yet, or deleted.
    pub version: Option<String>,
    pub fields: SecretFields,
}

/// All of a secret but the password.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecretFields {
    pub username: String,
    pub schema: String,
    pub host: String,
    pub port: u16,
    pub database: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    #[default]
    Active,
    /// Removed with `on_remove = "retain"`: NOLOGIN, no secret, the schema kept.
    Retained,
    /// Dropped; the row stays as a tombstone until the secret is gone too.
    Removed,
}

impl State {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Retained => "retained",
            Self::Removed => "removed",
        }
    }
}

/// A row of `pg_roles` with what hangs on it.
#[derive(Clone, Debug, Default)]
pub struct Role {
    pub can_login: bool,
    pub inherit: bool,
    /// Those of SUPERUSER, CREATEDB, CREATEROLE, REPLICATION, BYPASSRLS the role has.
    pub powers: BTreeSet<&'static str>,
    pub connection_limit: i32,
    /// It has none, so that nobody logs in with one. Known only to an admin who may read `pg_authid`: a superuser.
    pub lacks_password: bool,
    /// As PostgreSQL prints it.
    pub valid_until: Option<String>,
    /// `ALTER ROLE … SET`, by lower-case parameter name.
    pub settings: BTreeMap<String, String>,
    /// `ALTER ROLE … IN DATABASE … SET`, for this database.
    pub database_settings: BTreeMap<String, String>,
    /// The roles this one is a member of.
    pub member_of: BTreeSet<String>,
    /// The members of this role; the admin's automatic membership left out.
    pub members: BTreeSet<String>,
    /// We hold it with ADMIN OPTION, which from PostgreSQL 16 on is what CREATEROLE needs to act on it.
    pub administered: bool,
    /// We may use this role's rights already: no need to borrow them.
    pub admin_is_member: bool,
}

/// A tenant's schema.
#[derive(Clone, Debug, Default)]
pub struct Schema {
    pub oid: u32,
    pub owner: String,
    /// With PostgreSQL's built-in default where it was never changed.
    pub acl: Acl,
    /// The objects, grouped by what matters about them.
    pub objects: Vec<ObjectGroup>,
    pub default_acls: Vec<DefaultAcl>,
    pub history: History,
    /// Tables, partitioned ones included.
    pub tables: i64,
    /// On disk, of all relations.
    pub bytes: i64,
    /// The locks a DROP of the schema would take, estimated from the catalog.
    pub relations: i64,
    /// What lies outside and would go with it; looked for only where a removal is planned.
    pub dependents: Vec<String>,
}

/// What kind of privileges an object has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ObjectKind {
    /// Tables, views, materialized views, foreign tables.
    Table,
    Sequence,
    Function,
    Type,
}

impl ObjectKind {
    pub const ALL: [Self; 4] = [Self::Table, Self::Sequence, Self::Function, Self::Type];

    /// The letter of `pg_default_acl.defaclobjtype`.
    #[must_use]
    pub fn letter(self) -> char {
        match self {
            Self::Table => 'r',
            Self::Sequence => 'S',
            Self::Function => 'f',
            Self::Type => 'T',
        }
    }

    #[must_use]
    pub fn from_letter(letter: char) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.letter() == letter)
    }

    /// The plural of `ALTER DEFAULT PRIVILEGES`.
    #[must_use]
    pub fn plural(self) -> &'static str {
        match self {
            Self::Table => "TABLES",
            Self::Sequence => "SEQUENCES",
            Self::Function => "FUNCTIONS",
            Self::Type => "TYPES",
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
    pub count: i64,
    /// The first few names.
    pub examples: Vec<String>,
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
    Untrusted(String),
    /// Its rows in version order, and what roles hold on it.
    Read { applied: Vec<Applied>, acl: Acl },
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    pub version: i64,
    pub name: String,
    pub checksum: String,
}

/// What the store has at a tenant's path.
#[derive(Clone, Debug)]
pub enum SecretState {
    /// Ours, by its metadata or its own words.
    Ours {
        version: String,
        created: Option<jiff::Timestamp>,
        /// Read only when the version is not the registry's, or the password is given.
        contents: Option<SecretContents>,
    },
    /// Somebody else's; why we think so.
    Foreign(String),
}

#[derive(Clone, Debug)]
pub struct SecretContents {
    pub fields: SecretFields,
    /// Whether its password is the one `password_from` gives; `None` when none is given.
    pub password_is_given_one: Option<bool>,
}
