//! What `tenants.toml` says, word for word. The JSON schema for editors is made from these types,
//! so their comments are what a person reads while typing.
// What stands in brackets there are tables of the file.
#![allow(rustdoc::broken_intra_doc_links)]

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::vault_access::RawAccess;
use crate::core::migrations::Format;
use crate::core::model::{Access, Advertise, Charset, Mode, OnRemove, Origin, PublicSchema, Rotation, StoreKind};

/// The tenants of one PostgreSQL database, each with a schema, a role, its migrations and its secret.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "tenants.toml")]
pub struct RawConfig {
    /// More files with [tenants] and [classes], such as "tenants.d/*.toml"; relative to tenants.toml.
    pub include: Vec<String>,
    pub database: RawDatabase,
    pub migrations: RawMigrations,
    pub secrets: RawSecrets,
    pub vault: RawVault,
    pub passwords: RawPasswords,
    /// Any key of a tenant; "{tenant}" stands for the tenant's key, "-" becomes "_".
    pub defaults: RawTenant,
    pub archive: RawArchive,
    pub source: RawSource,
    /// Named sets of a tenant's keys, for `class`: a tenant's own keys win over its class's, which win over [defaults].
    pub classes: BTreeMap<String, RawTenant>,
    /// The tenants, by key: [a-z][a-z0-9_-]{0,62}.
    pub tenants: BTreeMap<String, RawTenant>,
}

/// The database the tenants live in.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawDatabase {
    /// A postgresql:// URL; --database-url and TENANTRY_DATABASE_URL come first, the PG* variables last.
    pub url: Option<String>,
    /// "revoke": PUBLIC gets nothing on schema public and no TEMP on the database; "keep". Default: "revoke" while public holds no objects but extensions'.
    pub public_schema: Option<PublicSchema>,
    /// Schemas that tenants may USE; they come after the tenant's schema in search_path.
    pub shared_schemas: Vec<String>,
    /// Extensions created once, by the admin, in the first shared schema.
    pub extensions: Vec<String>,
    /// What secrets contain, where tenants connect to another address than tenantry does.
    pub advertise: Advertise,
}

/// The migrations every tenant gets.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawMigrations {
    /// The directory of the files, such as V1__create_users.sql; relative to tenants.toml.
    pub dir: PathBuf,
    /// Whose files they are; the history in every tenant schema is refinery's in any case.
    pub format: Format,
    /// The name of the history table in every tenant schema.
    pub table: String,
    /// How long a migration waits for a lock before it is retried, such as "5s".
    pub lock_timeout: String,
    /// Ends sessions of tenants that keep an apply waiting for a lock, as --end-blockers does.
    pub end_blockers: bool,
}

impl Default for RawMigrations {
    fn default() -> Self {
        Self {
            dir: "migrations".into(),
            format: Format::default(),
            table: "refinery_schema_history".into(),
            lock_timeout: "5s".into(),
            end_blockers: false,
        }
    }
}

/// Where the tenants' credentials are delivered.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawSecrets {
    pub store: StoreKind,
    /// The path of a tenant's secret: in the KV mount, or below `dir`.
    pub path: String,
    /// For store "file": the directory, 0700; relative to tenants.toml.
    pub dir: PathBuf,
    /// More secrets gone than this: the store is taken for the wrong one, and apply refuses. A number, or a part of the tenants, such as "2%". Default: 2 %, and one in any case.
    pub max_missing: Option<RawAtMost>,
}

impl Default for RawSecrets {
    fn default() -> Self {
        Self {
            store: StoreKind::File,
            path: "tenants/{tenant}".into(),
            dir: ".tenantry/secrets".into(),
            max_missing: None,
        }
    }
}

/// HashiCorp Vault or OpenBao; every key falls back to the usual VAULT_* variable and ~/.vault-token.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawVault {
    /// Default: VAULT_ADDR.
    pub address: Option<String>,
    /// Default: VAULT_NAMESPACE.
    pub namespace: Option<String>,
    /// The mount of the KV secrets engine; default "secret".
    pub mount: Option<String>,
    /// A file of PEM certificates that sign the server's; default: VAULT_CACERT.
    pub ca_cert: Option<PathBuf>,
    pub auth: Option<RawAuth>,
    pub access: Option<RawAccess>,
}

/// How to log in to Vault.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawAuth {
    pub method: RawAuthMethod,
    /// The path the auth method is mounted at, when it is not the method's name.
    pub mount: Option<String>,
    /// token: default VAULT_TOKEN, then ~/.vault-token.
    pub token: Option<String>,
    /// approle.
    pub role_id: Option<String>,
    /// approle.
    pub secret_id: Option<String>,
    /// kubernetes and jwt: the role to log in as.
    pub role: Option<String>,
    /// kubernetes: the file of the service account's token.
    pub token_path: Option<PathBuf>,
    /// jwt: the token itself.
    pub jwt: Option<String>,
    /// jwt: the file of the token.
    pub jwt_path: Option<PathBuf>,
    /// userpass.
    pub username: Option<String>,
    /// userpass.
    pub password: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RawAuthMethod {
    Token,
    Approle,
    Kubernetes,
    Jwt,
    Userpass,
}

/// How passwords are generated.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawPasswords {
    /// Characters, 16 to 128.
    #[schemars(range(min = 16, max = 128))]
    pub length: i64,
    /// "printable": 94 ASCII characters; "alphanumeric": 62.
    pub charset: Charset,
}

impl Default for RawPasswords {
    fn default() -> Self {
        Self { length: 32, charset: Charset::default() }
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawArchive {
    /// Where archives of removed tenants are written; relative to tenants.toml.
    pub dir: PathBuf,
}

impl Default for RawArchive {
    fn default() -> Self {
        Self { dir: "archives".into() }
    }
}

/// Tenants that a table of the database names, besides [tenants].
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawSource {
    /// A SELECT whose column "tenant" is the key; its other columns are keys of a tenant, such as class. It reads tables that no tenant may write to.
    pub query: Option<String>,
}

/// One tenant. Every key has a default.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawTenant {
    /// Of which text it is.
    #[serde(skip)]
    pub origin: Origin,
    /// Default: "tenant_{tenant}".
    pub schema: Option<String>,
    /// The name of a set of keys, [classes.NAME].
    pub class: Option<String>,
    /// The role the tenant logs in as; default: "{tenant}_user".
    pub username: Option<String>,
    /// The NOLOGIN role that owns the schema and what migrations create; default: "{tenant}_owner".
    pub owner: Option<String>,
    /// "full": everything but TRIGGER in its schema (default); "owner": the username itself owns; "readwrite": rows; "readonly".
    pub access: Option<Access>,
    /// -1: none.
    pub connection_limit: Option<i64>,
    /// ALTER ROLE … SET, by parameter name; search_path is the tool's.
    pub settings: BTreeMap<String, RawSetting>,
    /// "authoritative": what was added by hand is removed (default); "additive": it stays and is noted.
    pub mode: Option<Mode>,
    /// What happens when the tenant is no longer declared; default: "archive".
    pub on_remove: Option<OnRemove>,
    /// The admin's own password, such as "${ACME_PASSWORD}"; absent: generated.
    pub password_from: Option<String>,
    /// Refuses any plan that would remove this tenant or its data.
    pub protected: Option<bool>,
    /// true: it cannot log in and its sessions are ended; its data and its secret stay. Default: false.
    pub suspended: Option<bool>,
    /// "single": a rotation replaces the username's password (default); "two-user": two users that log in for it take turns.
    pub rotation: Option<Rotation>,
    /// A password that is older than this is shown as due, such as "30d".
    pub rotate_after: Option<String>,
    /// drift --deep also counts what the tenant created itself as drift; default: false.
    pub strict_shape: Option<bool>,
    /// A new tenant begins as a copy of this one; what it has afterwards is its own.
    pub template: Option<String>,
    /// The copy takes the template's rows over; default: false.
    pub template_data: Option<bool>,
}

/// A number of tenants, or a part of them.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
// No quotes: a message ends where the first of them stands, since what follows may be a value.
#[serde(untagged, expecting = "a whole number, or a percentage in quotes such as 2%")]
pub enum RawAtMost {
    Number(#[schemars(range(min = 0))] i64),
    Part(String),
}

/// The value of a setting, as ALTER ROLE … SET takes it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "a string, a number or a boolean")]
pub enum RawSetting {
    Text(String),
    Integer(i64),
    Float(f64),
    Boolean(bool),
}

impl RawSetting {
    /// As ALTER ROLE … SET takes it.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Integer(number) => number.to_string(),
            Self::Float(number) => number.to_string(),
            Self::Boolean(true) => "on".into(),
            Self::Boolean(false) => "off".into(),
        }
    }
}
