//! A project on disk: `tenants.toml`, its migrations, and the store it names.

mod include;
mod migrations;
mod text;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use secrecy::ExposeSecret;

use crate::core::config::{self, ConfigError, Configuration, Text};
use crate::core::digest::digest;
use crate::core::migrations::MigrationSet;
use crate::core::model::{Desired, Source, StoreKind};
use crate::engine::database::Target;
use crate::engine::error::{Context, Error};
use crate::engine::secrets::{self, WritableStore};
use include::Included;
use text::ReadError;

/// A valid project.
#[derive(Clone, Debug)]
pub struct Project {
    pub desired: Desired,
    /// The directory of `tenants.toml`; what the file names is relative to it.
    pub root: PathBuf,
    /// `tenants.toml`, then the files that it includes.
    pub texts: Vec<Text>,
    /// SHA-256 of these and the migrations as they were read: what a saved plan is bound to.
    pub digest: String,
    /// What lies in the migrations directory and is not run.
    pub not_run: Vec<String>,
    /// The environment variables that `${…}` in the file stands for.
    variables: BTreeSet<String>,
}

impl Project {
    /// Reads and checks `tenants.toml` and the migrations, offline.
    ///
    /// # Errors
    /// All the faults of the file, or of the migrations, at once.
    pub fn load(path: &Path, env: config::Lookup<'_>) -> Result<Self, Error> {
        let asked = RefCell::new(BTreeSet::new());
        let env: config::Lookup<'_> = &|name| {
            asked.borrow_mut().insert(name.to_owned());
            env(name)
        };
        let shown = path.display().to_string();
        let whole = |message: String, hint: Option<&str>| {
            Error::Config(ConfigError::whole(&shown, message, hint.map(str::to_owned)))
        };
        let source = text::read(path, text::MAX_CONFIG_BYTES).map_err(|error| match error {
            ReadError::NotFound => {
                let hint = "create one with: tenantry init   or specify one with: --config FILE";
                whole("there is no such file".into(), Some(hint))
            }
            error => whole(error.to_string(), error.hint()),
        })?;
        let root = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("")).to_path_buf();
        let main = Text::file(shown, source);
        let names = config::includes(&main, env);
        let Included { texts: more, unread, idle } = Included::read(path, &root, &names);
        for glob in &idle {
            tracing::warn!("{}: include {glob:?} matches no file", path.display());
        }
        let texts: Vec<Text> = std::iter::once(main).chain(more).collect();
        let configuration = config::parse_all(&texts, &unread, env)?;
        let root = if root.as_os_str().is_empty() { PathBuf::from(".") } else { root };
        let project = Self::of(configuration, root, texts)?;
        Ok(Self { variables: asked.take(), ..project })
    }

    /// What this configuration comes to, which no file need hold.
    ///
    /// # Errors
    /// The faults of the migrations.
    pub fn of(configuration: Configuration, root: PathBuf, texts: Vec<Text>) -> Result<Self, Error> {
        let dir = root.join(&configuration.migrations_dir);
        let found = migrations::read(&dir, &configuration)?;
        let (migrations, not_run) = (found.set, found.not_run);
        let mut read = String::new();
        for (number, text) in texts.iter().enumerate() {
            if number > 0 {
                read.extend(["\0", &text.path, "\0"]);
            }
            read.push_str(&text.source);
        }
        for file in migrations.iter() {
            read.extend(["\0", &file.file, "\0", &file.sql]);
            // What says so may stand outside of what runs.
            if migrations.format.has_long_versions() && file.no_transaction {
                read.push_str("\0outside");
            }
        }
        for (file, text) in &found.settings {
            read.extend(["\0", file, "\0", text]);
        }
        let desired = configuration.with_migrations(migrations);
        Ok(Self { desired, root, texts, digest: digest(&read), not_run, variables: BTreeSet::new() })
    }

    /// The same without a migrations directory.
    #[must_use]
    pub fn without_migrations(configuration: Configuration, root: PathBuf) -> Self {
        let none = MigrationSet::none(&configuration.migrations_table);
        let desired = configuration.with_migrations(none);
        Self { desired, root, texts: Vec::new(), digest: digest(""), not_run: Vec::new(), variables: BTreeSet::new() }
    }

    /// Whether `${…}` in tenants.toml stands for this environment variable: it may be a password.
    #[must_use]
    pub fn names_variable(&self, name: &str) -> bool {
        self.variables.contains(name)
    }

    /// The same with the tenants that `[source] query` named: each is checked as one of the file's is.
    ///
    /// # Errors
    /// The faults of its rows; one is a tenant that a file declares too.
    pub fn with_source(&self, rows: Text, env: config::Lookup<'_>) -> Result<Self, Error> {
        let number = rows.source.lines().count();
        let digest = digest(&["source", &self.digest, &rows.source].join("\0"));
        let texts: Vec<Text> = self.texts.iter().cloned().chain([rows]).collect();
        let tenants = config::parse_all(&texts, &[], env)?.tenants;
        let source = self.desired.source.clone().map(|source| Source { rows: Some(number), ..source });
        Ok(Self { desired: Desired { tenants, source, ..self.desired.clone() }, digest, ..self.clone() })
    }

    /// The database of this project: the flag, the environment, `[database].url`, libpq's variables, in that order.
    ///
    /// # Errors
    /// When what was found makes no sense.
    pub fn target(&self, flag: Option<&str>, env: config::Lookup<'_>) -> Result<Target, Error> {
        let url = self.desired.database_url.as_ref().map(ExposeSecret::expose_secret);
        let home = env("HOME").map(PathBuf::from);
        Ok(Target::find(flag, url, env, home.as_deref())?)
    }

    /// Keeps secrets in files in this directory, whatever `[secrets]` says: for a command run inside a sandbox.
    #[must_use]
    pub fn with_secrets_in(mut self, dir: Option<PathBuf>) -> Self {
        if let Some(dir) = dir {
            self.desired.secrets.store = StoreKind::File;
            self.desired.secrets.dir = dir;
        }
        self
    }

    /// Where archives go.
    #[must_use]
    pub fn archive_dir(&self) -> PathBuf {
        self.root.join(&self.desired.archive_dir)
    }

    /// The secret store of `[secrets]`. Nothing is asked of it yet.
    ///
    /// # Errors
    /// When its settings make no sense.
    pub fn store(&self, env: config::Lookup<'_>) -> Result<Box<dyn WritableStore>, Error> {
        let policy = &self.desired.secrets;
        match policy.store {
            StoreKind::File => Ok(Box::new(secrets::open_file(&self.root.join(&policy.dir)))),
            StoreKind::Returned => Ok(Box::new(secrets::no_store())),
            StoreKind::Vault => {
                let mut settings = policy.vault.resolve(env);
                if policy.vault.ca_cert.is_some() {
                    settings.ca_cert = settings.ca_cert.map(|path| self.root.join(path));
                }
                let store = secrets::open_vault(settings).doing("reading the Vault settings")?;
                Ok(Box::new(store))
            }
        }
    }
}
