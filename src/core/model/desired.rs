//! The desired state: a valid `tenants.toml`, every default filled in.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::vault::VaultConfig;
use super::{
    AtMost, Registered, Rotation, SecretFields, Server, SslMode, State, Subject, TenantKey, VaultAccess, ident,
};
use crate::core::migrations::MigrationSet;

/// Everything `tenants.toml` and the migrations say.
#[derive(Clone, Debug)]
pub struct Desired {
    /// `[database].url`, the third place to look for the database. May hold a password: never print it.
    pub database_url: Option<SecretString>,
    pub public_schema: Option<PublicSchema>,
    /// Schemas that every tenant may USE, in search_path order.
    pub shared_schemas: Vec<String>,
    /// Made once, in the first shared schema.
    pub extensions: BTreeSet<String>,
    pub advertise: Advertise,
    pub migrations: MigrationSet,
    pub lock_timeout: Duration,
    /// Sessions of tenants that keep an apply waiting for a lock are ended.
    pub end_blockers: bool,
    pub secrets: SecretsPolicy,
    pub passwords: PasswordPolicy,
    pub archive_dir: PathBuf,
    pub defaults: Defaults,
    pub tenants: BTreeMap<TenantKey, Tenant>,
    /// `[source] query`.
    pub source: Option<Source>,
    pub scope: Scope,
}

/// Of which tenants this speaks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// Of all. Those that a file or its source declared, and no longer declares, are to go.
    #[default]
    Fleet,
    /// Of whoever has one of these names, and of nobody else: what tenants share is completed, and otherwise left as it is.
    Named(Named),
}

/// Whom a program speaks of that creates and removes tenants one by one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    pub keys: BTreeSet<TenantKey>,
    pub schemas: BTreeSet<String>,
    pub roles: BTreeSet<String>,
    /// The schema of the one tenant that is to go.
    pub removes: Option<String>,
}

/// Tenants that a table of the database names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    pub query: String,
    /// So many it named; `None`: it was not asked, and `tenants` lacks them.
    pub rows: Option<usize>,
}

/// What PUBLIC keeps on schema `public` and on the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PublicSchema {
    /// PUBLIC gets nothing on schema public and no TEMP on the database.
    Revoke,
    Keep,
}

/// Where tenants connect, when that is not where tenantry does (a pooler, a public name).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Advertise {
    /// A name, an address or a socket's directory; default: the server that tenantry is connected to.
    pub host: Option<String>,
    pub port: Option<u16>,
    /// Default: "disable" when tenantry's own connection is not encrypted, otherwise "require".
    pub sslmode: Option<SslMode>,
}

#[derive(Clone, Debug)]
pub struct SecretsPolicy {
    pub store: StoreKind,
    /// The template of a secret's path; `{tenant}` stands for the tenant's key as it is.
    pub path: String,
    /// For [`StoreKind::File`].
    pub dir: PathBuf,
    /// More secrets that are gone than this mean that it is the wrong store.
    pub max_missing: AtMost,
    pub vault: VaultConfig,
}

impl Desired {
    /// Whether a registered tenant is to go. Absence from tenants.toml says nothing of one that a program created; only what was
    /// begun of its removal is finished.
    #[must_use]
    pub fn lets_go(&self, key: &TenantKey, row: &Registered) -> bool {
        let is_begun = matches!(row.state, State::Removing | State::Removed);
        !self.tenants.contains_key(key)
            && match &self.scope {
                Scope::Fleet => row.declared_by != Origin::Api || is_begun,
                Scope::Named(named) => row.declared_by == Origin::Api && named.removes.as_ref() == Some(&row.schema),
            }
    }

    /// What the tenant's secret has to say, but for the password: planned, shown, compared and written. `remembered`: as it
    /// was written last.
    #[must_use]
    pub fn secret_fields(
        &self,
        tenant: &Tenant,
        server: &Server,
        database: &str,
        remembered: Option<&SecretFields>,
    ) -> SecretFields {
        // A standby's own address is for nobody who writes: whoever only looks there sees what the primary's secrets say.
        let kept = remembered.filter(|_| server.in_recovery);
        let by_line = if server.encrypted { SslMode::Require } else { SslMode::Disable };
        let host = self.advertise.host.as_ref().or(kept.map(|kept| &kept.host)).unwrap_or(&server.host);
        SecretFields {
            username: tenant.login(remembered.map(|known| known.username.as_str())),
            schema: tenant.schema.clone(),
            host: host.clone(),
            port: self.advertise.port.or(kept.map(|kept| kept.port)).unwrap_or(server.port),
            database: database.to_owned(),
            sslmode: self.advertise.sslmode.or(kept.and_then(|kept| kept.sslmode)).or(Some(by_line)),
        }
    }

    /// Where unqualified names are looked for when a tenant's code runs. pg_temp last: otherwise it is looked into first, for tables.
    #[must_use]
    pub fn search_path(&self, schema: &str) -> String {
        let shared = self.shared_schemas.iter().map(|schema| ident(schema));
        std::iter::once(ident(schema)).chain(shared).chain(["pg_temp".to_owned()]).collect::<Vec<_>>().join(", ")
    }

    /// The statement that limits the waits for locks in a transaction.
    #[must_use]
    pub fn limits_waits(&self) -> String {
        format!("SET LOCAL lock_timeout = '{}ms'", self.lock_timeout.as_millis())
    }
}

impl SecretsPolicy {
    /// `[vault.access]`, where the secrets are in Vault.
    #[must_use]
    pub fn access(&self) -> Option<&VaultAccess> {
        self.vault.access.as_ref().filter(|_| self.store == StoreKind::Vault)
    }

    /// The namespace in which policies and roles are, as it is configured.
    #[must_use]
    pub fn vault_namespace(&self) -> String {
        self.vault.namespace.clone().unwrap_or_default()
    }

    /// Where versions count, as it is configured: the directory, or the namespace and the mount. Not an address: that of a
    /// tunnel leads to the same place.
    #[must_use]
    pub fn place(&self) -> String {
        match self.store {
            StoreKind::File => self.dir.display().to_string(),
            StoreKind::Returned => String::new(),
            StoreKind::Vault => {
                let part = |text: &Option<String>| text.clone().unwrap_or_default();
                format!("{}/{}", part(&self.vault.namespace), part(&self.vault.mount))
            }
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StoreKind {
    Vault,
    #[default]
    File,
    // None: whoever has a tenant created is told its password, and nobody else. No doc comment: the file cannot say it, and its JSON
    // schema would look as if it could.
    #[serde(skip)]
    #[schemars(skip)]
    Returned,
}

impl StoreKind {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Vault => "vault",
            Self::File => "file",
            Self::Returned => "returned",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PasswordPolicy {
    /// Characters, 16 to 128.
    pub length: usize,
    pub charset: Charset,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Charset {
    /// The 94 printable ASCII characters but the space.
    #[default]
    Printable,
    /// The 62 letters and digits.
    Alphanumeric,
}

/// `[defaults]`, filled in. In names `{tenant}` stands for the tenant's key.
#[derive(Clone, Debug)]
pub struct Defaults {
    pub schema: String,
    pub username: String,
    pub owner: String,
    pub access: Access,
    pub connection_limit: i64,
    /// By lower-case parameter name.
    pub settings: BTreeMap<String, String>,
}

/// One tenant, every default filled in.
#[derive(Clone, Debug)]
pub struct Tenant {
    pub key: TenantKey,
    pub schema: String,
    /// The role the tenant logs in as.
    pub username: String,
    /// The NOLOGIN role of `owner = …`; see [`Tenant::owner`] for the role that owns.
    pub owner_role: String,
    pub access: Access,
    /// -1: none.
    pub connection_limit: i32,
    /// `ALTER ROLE … SET`, by lower-case parameter name.
    pub settings: BTreeMap<String, String>,
    pub mode: Mode,
    pub on_remove: OnRemove,
    pub protected: bool,
    /// The admin's own password; `None`: generated.
    pub password: Option<SecretString>,
    pub secret_path: String,
    pub rotation: Rotation,
    /// A password that is older is due to be replaced.
    pub rotate_after: Option<Duration>,
    /// What the tenant made itself counts as drift of its shape too.
    pub strict_shape: bool,
    /// The set of keys that it takes over; those are filled in.
    pub class: Option<String>,
    /// Nobody may log in as it; everything else of it is kept.
    pub suspended: bool,
    /// Where it is declared.
    pub origin: Origin,
    /// Whom it begins as a copy of.
    pub template: Option<Template>,
}

/// Another tenant, as which a new one begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    pub tenant: TenantKey,
    /// Its rows too.
    pub data: bool,
}

impl Tenant {
    /// The role that owns the schema and what migrations create.
    #[must_use]
    pub fn owner(&self) -> &str {
        if self.access == Access::Owner { &self.username } else { &self.owner_role }
    }

    #[must_use]
    pub fn subject(&self) -> Subject {
        Subject {
            tenant: self.key.clone(),
            schema: self.schema.clone(),
            username: self.username.clone(),
            owner: self.owner().to_owned(),
            access: self.access,
        }
    }

    #[must_use]
    pub fn password_source(&self) -> PasswordSource {
        if self.password.is_some() { PasswordSource::Given } else { PasswordSource::Generated }
    }
}

/// Where a tenant is declared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// tenants.toml, or a file that it includes.
    #[default]
    File,
    /// A row of `[source] query`.
    Source,
    /// No file: a program, by `DatabaseAdmin`.
    Api,
}

impl Origin {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Source => "source",
            Self::Api => "api",
        }
    }

    /// Of several that were declared there, and are not in tenants.toml: why they are not.
    #[must_use]
    pub fn why_undeclared(self) -> &'static str {
        match self {
            Self::File => "tenants.toml no longer names them",
            Self::Source => "[source] query no longer names them",
            Self::Api => "a program created them, and tenants.toml does not declare them",
        }
    }
}

/// Where a tenant's password comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PasswordSource {
    /// `password_from`.
    Given,
    Generated,
    /// The tenant's own, from before it was adopted: nobody told us, and there is no secret.
    Kept,
}

impl PasswordSource {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Given => "given",
            Self::Generated => "generated",
            Self::Kept => "kept",
        }
    }
}

/// What a tenant may do in its own schema.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Access {
    /// USAGE and CREATE on the schema, every privilege but TRIGGER on its objects.
    #[default]
    Full,
    /// The username itself owns the schema and its objects.
    Owner,
    /// Reads and changes rows, but no structure.
    Readwrite,
    Readonly,
}

impl Access {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Owner => "owner",
            Self::Readwrite => "readwrite",
            Self::Readonly => "readonly",
        }
    }
}

/// What happens to what was added by hand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// It is removed.
    #[default]
    Authoritative,
    /// It stays, and is noted; only what is missing is added.
    Additive,
}

/// What happens to a tenant that is no longer declared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnRemove {
    /// Dump, then drop.
    #[default]
    Archive,
    Drop,
    /// NOLOGIN, secret deleted, schema kept.
    Retain,
}

impl OnRemove {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Archive => "archive",
            Self::Drop => "drop",
            Self::Retain => "retain",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn desired(toml: &str) -> Desired {
        crate::core::config::parse("t.toml", toml, &|_| None).unwrap().with_migrations(MigrationSet::default())
    }

    #[test]
    fn a_tenants_code_finds_its_own_names_first_and_temporary_ones_last() {
        assert_eq!(desired("[tenants]\n").search_path("tenant_acme"), r#""tenant_acme", pg_temp"#);
        let shared = desired("[database]\nshared_schemas = ['ext', 'odd \"one']\n[tenants]\n");
        assert_eq!(shared.search_path("a, b"), r#""a, b", "ext", "odd ""one", pg_temp"#);
    }

    #[test]
    fn a_wait_for_a_lock_is_limited_to_the_millisecond_and_for_one_transaction() {
        let limit =
            |text: &str| desired(&format!("[migrations]\nlock_timeout = \"{text}\"\n[tenants]\n")).limits_waits();
        assert_eq!(limit("1500ms"), "SET LOCAL lock_timeout = '1500ms'");
        assert_eq!(limit("2m"), "SET LOCAL lock_timeout = '120000ms'");
    }

    #[test]
    fn a_secret_is_at_its_place_by_namespace_and_mount() {
        let vault =
            |keys: &str| desired(&format!("[secrets]\nstore = \"vault\"\n[vault]\n{keys}\n[tenants]\n")).secrets;
        let named = vault("address = \"https://v\"\nnamespace = \"team/a\"\nmount = \"kv\"");
        assert_eq!((named.vault_namespace().as_str(), named.place().as_str()), ("team/a", "team/a/kv"));
        let plain = vault("address = \"https://v\"");
        assert_eq!((plain.vault_namespace().as_str(), plain.place().as_str()), ("", "/"));
        let file = desired("[secrets]\nstore = \"file\"\ndir = \"/srv/secrets\"\n[tenants]\n").secrets;
        assert_eq!(file.place(), "/srv/secrets");
    }

    /// Rows of the registry hold them, and a CHECK there takes no others.
    #[test]
    fn what_is_stored_of_a_tenant_is_called_the_same_for_ever() {
        assert_eq!([Origin::File, Origin::Source, Origin::Api].map(Origin::as_str), ["file", "source", "api"]);
        let stores = [StoreKind::Vault, StoreKind::File, StoreKind::Returned];
        assert_eq!(stores.map(StoreKind::as_str), ["vault", "file", "returned"]);
        let sources = [PasswordSource::Given, PasswordSource::Generated, PasswordSource::Kept];
        assert_eq!(sources.map(PasswordSource::as_str), ["given", "generated", "kept"]);
    }
}
