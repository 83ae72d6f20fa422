//! Tenants created and removed one by one, by a program that keeps no tenants.toml.
//!
//! A service that signs customers up has no file to edit: it creates a tenant when somebody signs up. [`DatabaseAdmin`] does
//! that with the same plan, the same guards and the same transaction per tenant as `tenantry apply`, through the same
//! [`Tenantry`]: there is no second way to write.
//!
//! ```no_run
//! use tenantry::admin::{DatabaseAdmin, TenantConfig};
//!
//! # fn main() -> Result<(), tenantry::admin::AdminError> {
//! let admin = DatabaseAdmin::new("postgresql://admin:password@localhost:5432/app")?;
//! let credentials = admin.create_tenant(TenantConfig {
//!     schema_name: "tenant_acme".to_string(),
//!     username: "acme_user".to_string(),
//!     password: String::new(), // generated
//! })?;
//! println!("{credentials}"); // the password is masked
//! // credentials.connection_string opens the database, in that schema, as that user.
//! admin.remove_tenant(&credentials.schema_name, &credentials.username)?;
//! # Ok(())
//! # }
//! ```
//!
//! The tenants are in the registry like all others, which says that a program declared them: `tenantry list` shows them,
//! `tenantry plan` says that tenants.toml does not declare them, and no `apply` removes them for that. `tenantry adopt --print`
//! writes their declarations; a tenant that tenants.toml declares is the file's from its next apply on, and this module
//! changes it no more.

mod credentials;
mod error;
mod names;
mod tenants;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

pub use credentials::{TenantConfig, TenantCredentials};
pub use error::{AdminError, Cause};
pub use tenants::{TenantInfo, TenantStats};

use crate::core::config;
use crate::core::model::vault::VaultConfig;
pub use crate::core::model::{Advertise, SslMode};
use crate::core::model::{Charset, OnRemove, StoreKind};
use crate::engine::database::Target;
use crate::engine::workers::Turn;
use crate::tenantry::{Environment, Interrupt, Options, Tenantry};

/// Where passwords are kept besides the [`TenantCredentials`] that are returned.
#[derive(Clone, Debug, Default)]
pub enum Secrets {
    /// Nowhere: they are returned once, and nobody can look them up again.
    #[default]
    Returned,
    /// In files below this directory, as with `[secrets] store = "file"`.
    Files(PathBuf),
    /// In Vault or OpenBao, as with `[secrets] store = "vault"`; whatever is `None` is taken from the `VAULT_*` variables of
    /// [`DatabaseAdmin::with_environment`].
    Vault(Box<VaultConfig>),
}

/// Creates and removes tenants in one database. Clones share their turn: one of them at a time changes something.
#[derive(Clone)]
pub struct DatabaseAdmin {
    url: SecretString,
    environment: Environment,
    migrations: Option<PathBuf>,
    secrets: Secrets,
    charset: Charset,
    archives: Option<PathBuf>,
    advertise: Advertise,
    patience: Duration,
    interrupt: Interrupt,
    /// Whoever waits here needs no connection to wait.
    turn: Arc<Turn>,
}

/// How long another apply on the same database is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

impl DatabaseAdmin {
    /// For the database of this url, as a role that may create roles and schemas. Nobody is connected to yet.
    ///
    /// # Errors
    /// When the url makes no sense.
    pub fn new(url: &str) -> Result<Self, AdminError> {
        let admin = Self {
            url: SecretString::from(url),
            environment: Environment::default(),
            migrations: None,
            secrets: Secrets::default(),
            charset: Charset::default(),
            archives: None,
            advertise: Advertise::default(),
            patience: PATIENCE,
            interrupt: Interrupt::default(),
            turn: Arc::default(),
        };
        if url.trim().is_empty() {
            return Err(AdminError::invalid("Database URL cannot be empty"));
        }
        admin.target().map(|_| admin)
    }

    /// Runs the migrations of this directory, named as refinery names them, in each tenant that is created.
    #[must_use]
    pub fn with_migrations(self, dir: impl Into<PathBuf>) -> Self {
        Self { migrations: Some(dir.into()), ..self }
    }

    /// Keeps the credentials in a store too.
    #[must_use]
    pub fn with_secrets(self, secrets: Secrets) -> Self {
        Self { secrets, ..self }
    }

    /// Generates passwords of letters and digits only, and not of the 94 printable ASCII characters.
    #[must_use]
    pub fn with_alphanumeric_passwords(self) -> Self {
        Self { charset: Charset::Alphanumeric, ..self }
    }

    /// Writes each tenant that is removed into this directory first, as `on_remove = "archive"` does. Needs pg_dump, which is
    /// looked for in the `PATH` of [`Self::with_environment`] and where PostgreSQL is usually installed.
    #[must_use]
    pub fn with_archives(self, dir: impl Into<PathBuf>) -> Self {
        Self { archives: Some(dir.into()), ..self }
    }

    /// Where tenants connect, if that is not where this connects: a pooler, say, or another `sslmode`. It is what a
    /// [`TenantCredentials::connection_string`] and a secret say, as with `[database] advertise`.
    ///
    /// # Errors
    /// When that is no host, or no port.
    pub fn with_advertise(self, advertise: Advertise) -> Result<Self, AdminError> {
        match config::faults_of_advertise(&advertise).into_iter().next() {
            Some((_, message, hint)) => Err(AdminError::invalid(message).with_hint(hint.map(str::to_owned))),
            None => Ok(Self { advertise, ..self }),
        }
    }

    /// How long another apply on the same database, or another program's, is waited for. By default a minute.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Stops what is running, by a clone of it; see [`Interrupt`]. One that was stopped stays stopped.
    #[must_use]
    pub fn with_interrupt(self, interrupt: Interrupt) -> Self {
        Self { interrupt, ..self }
    }

    /// What libpq's variables, `VAULT_*` and `PATH` say. By default nothing of the process's environment is looked at.
    #[must_use]
    pub fn with_environment(self, environment: Environment) -> Self {
        Self { environment, ..self }
    }

    fn target(&self) -> Result<Target, AdminError> {
        let env = |name: &str| self.environment.get(name);
        let home = env("HOME").map(PathBuf::from);
        let found = Target::find(Some(self.url.expose_secret()), None, &env, home.as_deref());
        found.map_err(|error| AdminError::invalid(error.to_string()).with_hint(error.hint()))
    }

    /// What a tenants.toml would say, without tenants.
    fn project(&self) -> Result<Tenantry, AdminError> {
        let mut configuration =
            config::parse("", "", &|_| None).map_err(|error| AdminError::invalid(error.to_string()))?;
        let target = self.target()?;
        configuration.passwords.charset = self.charset;
        configuration.advertise = self.advertise.clone();
        if target.host().starts_with('/') {
            configuration.advertise.host.get_or_insert_with(|| target.host().to_owned());
        }
        match &self.secrets {
            Secrets::Returned => configuration.secrets.store = StoreKind::Returned,
            Secrets::Files(dir) => configuration.secrets.dir.clone_from(dir),
            Secrets::Vault(vault) => {
                configuration.secrets.store = StoreKind::Vault;
                configuration.secrets.vault = (**vault).clone();
            }
        }
        if let Some(dir) = &self.archives {
            configuration.archive_dir.clone_from(dir);
        }
        configuration.migrations_dir = self.migrations.clone().unwrap_or_default();
        let options = Options {
            database_url: Some(self.url.expose_secret().to_owned()),
            parallelism: Some(1),
            lock_timeout: self.patience,
            interrupt: self.interrupt.clone(),
            ..Options::default()
        };
        let has_migrations = self.migrations.is_some();
        let made = Tenantry::of_value(configuration, PathBuf::new(), &self.environment, options, has_migrations);
        made.map_err(|error| AdminError::of("Failed to read the migrations", error))
    }

    /// For who only looks: no secret is read, so that nobody waits for a store.
    fn looking(&self) -> Result<Tenantry, AdminError> {
        Self { secrets: Secrets::Returned, ..self.clone() }.project()
    }

    fn on_remove(&self) -> OnRemove {
        if self.archives.is_some() { OnRemove::Archive } else { OnRemove::Drop }
    }
}

impl fmt::Debug for DatabaseAdmin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { migrations, secrets, archives, patience, .. } = self;
        f.debug_struct("DatabaseAdmin")
            .field("url", &"…")
            .field("migrations", migrations)
            .field("secrets", secrets)
            .field("archives", archives)
            .field("patience", patience)
            .finish_non_exhaustive()
    }
}
