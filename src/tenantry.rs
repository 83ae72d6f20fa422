//! The library's door: [`Tenantry::open`], and from there to a look, or to a plan that is applied.
//!
//! The types hold the order. Nothing is written but by [`Approved::apply`]; to get there a plan is made under the lock of
//! apply ([`Tenantry::lock`], [`Locked::plan`]), of everything there is, and every guard has said yes
//! ([`Planned::approve`]).

mod adoption;
mod approved;
mod archive;
mod asked;
mod audited;
mod carrying;
mod consent;
mod copying;
mod creation;
mod declared;
mod edited;
mod entered;
mod environment;
mod error;
mod events;
mod filter;
mod guards;
mod imperative;
mod interrupt;
mod locked;
mod looked;
mod lost;
mod made;
mod options;
mod planned;
mod restoration;
mod rotation;
mod session;
mod undeclared;
mod wrapped;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use adoption::Adopting;
pub use approved::Approved;
pub use archive::Archived;
pub use asked::Asked;
pub use audited::Trail;
pub use consent::{Consent, Need, NeedsConsent};
pub use copying::Copying;
pub use edited::Edit;
pub use entered::Programs;
pub use environment::Environment;
pub use error::{Clash, Error, Guard, Refusal};
pub use events::Events;
pub use interrupt::Interrupt;
pub use locked::{Intent, Locked};
pub use looked::{Drift, Looked};
pub use options::{Limits, MAX_FAILURES, Options};
pub use planned::{Planned, read_plan};
pub use rotation::Which;

use self::filter::Filter;
use self::imperative::Measured;
use self::session::Session;
use crate::core::config::Configuration;
use crate::core::model::secret::Secret;
use crate::core::model::{Advertise, Desired, Observed, Tenant, TenantKey};
use crate::engine::project::Project;
use crate::engine::sandbox::Server;

/// A project on disk: a valid tenants.toml and its migrations. Nobody was asked anything yet.
#[derive(Clone, Debug)]
pub struct Tenantry {
    file: PathBuf,
    project: Arc<Project>,
    environment: Environment,
    options: Options,
    filter: Filter,
}

impl Tenantry {
    /// Reads and checks the file and its migrations, offline.
    ///
    /// # Errors
    /// All faults of the file, or of the migrations, at once; or options that make no sense.
    pub fn open(file: &Path, environment: &Environment, options: Options) -> Result<Self, Error> {
        let filter = Filter::new(&options.targets)?;
        let dir = environment.get("TENANTRY_SECRETS_DIR").filter(|dir| !dir.is_empty()).map(PathBuf::from);
        let project = Project::load(file, &|name| environment.get(name))?.with_secrets_in(dir);
        Self::of(file, project, environment, options, filter)
    }

    /// The same for a throw-away server: credentials of production have no business there, so a variable that is not set gets a
    /// stand-in.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_for_sandbox(file: &Path, environment: &Environment, options: Options) -> Result<Self, Error> {
        let filter = Filter::new(&options.targets)?;
        let made_up = environment.with_stand_ins();
        let project = Project::load(file, &|name| made_up.get(name))?;
        Self::of(file, project, environment, options, filter)
    }

    /// The project on this throw-away server, with secrets in files that are deleted with it. `configured_store`: in the store of
    /// the file instead.
    #[must_use]
    pub fn on(&self, server: &Server, configured_store: bool) -> Self {
        let mut project = Project::clone(&self.project);
        if !configured_store {
            project = project.with_secrets_in(Some(server.dir().join("secrets")));
        }
        project.desired.advertise = Advertise::default();
        // Its table is not there.
        project.desired.source = None;
        let options = Options { database_url: Some(server.admin_url()), ..self.options.clone() };
        Self { project: Arc::new(project), options, ..self.clone() }
    }

    fn of(
        file: &Path,
        project: Project,
        environment: &Environment,
        options: Options,
        filter: Filter,
    ) -> Result<Self, Error> {
        filter.may_move(options.moved)?;
        let (file, environment) = (file.to_owned(), environment.clone());
        Ok(Self { file, project: Arc::new(project), environment, options, filter })
    }

    /// The tenants as the file declares them.
    #[must_use]
    pub fn desired(&self) -> &Desired {
        &self.project.desired
    }

    /// The names of tenants.toml and of the files that it includes.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.project.texts.iter().map(|text| text.path.as_str())
    }

    /// What lies in the migrations directory and is not run.
    #[must_use]
    pub fn not_run(&self) -> &[String] {
        &self.project.not_run
    }

    /// Each target matches a declared tenant. Of those that are only registered, or named by
    /// `[source] query`, nothing is known offline.
    ///
    /// # Errors
    /// The first that matches none.
    pub fn targets_match(&self) -> Result<(), Error> {
        if self.desired().source.is_some() {
            return Ok(());
        }
        Ok(self.filter.matches_some(self.desired().tenants.keys())?)
    }

    /// These tenants are declared, and within the targets; with a `[source] query` that is known only to whoever looks.
    ///
    /// # Errors
    /// The first that is not.
    pub fn declares(&self, named: &[String]) -> Result<(), Error> {
        if self.desired().source.is_some() {
            return Ok(());
        }
        let file = self.file.display().to_string();
        Ok(declared::must_be_declared(self.desired(), &self.filter, named, &file)?)
    }

    /// One more tenant for tenants.toml, with these of its keys. A value that is no TOML is a string.
    ///
    /// # Errors
    /// When it is there already, or what comes of it is no valid configuration.
    pub fn add(&self, key: &str, set: &[(String, String)]) -> Result<Edit, Error> {
        edited::add(&self.project, &self.environment, key, set)
    }

    /// A tenant less for the file that declares it. What becomes of the tenant is the next plan's to say.
    ///
    /// # Errors
    /// When no file declares it, or it is protected.
    pub fn forget(&self, key: &str) -> Result<Edit, Error> {
        edited::forget(&self.project, &self.environment, key)
    }

    /// The targets take this tenant.
    ///
    /// # Errors
    /// When they do not.
    pub fn must_select(&self, key: &TenantKey) -> Result<(), Error> {
        Ok(self.filter.must_select(key)?)
    }

    /// Looks at PostgreSQL and the secret store. Changes nothing and takes no lock.
    ///
    /// # Errors
    /// What could not be reached or read; or a target that matches no tenant.
    pub fn look(&self) -> Result<Looked, Error> {
        Looked::new(self.session()?)
    }

    /// Takes the lock of apply, and deletes what interrupted writes left in the secret store: what is seen from now on is what is
    /// there until it is changed.
    ///
    /// # Errors
    /// What could not be reached; or who holds the lock, from where, since when.
    pub fn lock(&self) -> Result<Locked, Error> {
        Locked::new(self.session()?)
    }

    /// Dumps one tenant in use into a directory, `[archive] dir` unless it is given. No apply runs meanwhile.
    ///
    /// # Errors
    /// Why it cannot be archived whole; then no file is left.
    pub fn archive(&self, tenant: &str, dir: Option<&Path>, events: &dyn Events) -> Result<Archived, Error> {
        archive::run(self.session()?, tenant, dir, events)
    }

    /// For a configuration that is a value; what it names is relative to `root`. Without `has_migrations` it names none.
    pub(crate) fn of_value(
        configuration: Configuration,
        root: PathBuf,
        environment: &Environment,
        options: Options,
        has_migrations: bool,
    ) -> Result<Self, Error> {
        let project = if has_migrations {
            Project::of(configuration, root, Vec::new())?
        } else {
            Project::without_migrations(configuration, root)
        };
        Self::of(Path::new("this program"), project, environment, options, Filter::new(&[])?)
    }

    /// The same, and all that is spoken of is these tenants.
    pub(crate) fn about(&self, tenants: &[Tenant]) -> Self {
        Self { project: Arc::new(imperative::about(&self.project, tenants)), ..self.clone() }
    }

    /// The same, and the tenant that has this one's schema is to go.
    pub(crate) fn without(&self, tenant: &Tenant) -> Self {
        Self { project: Arc::new(imperative::without(&self.project, tenant)), ..self.clone() }
    }

    /// The registry as it is, and nothing of what it names.
    pub(crate) fn registered(&self) -> Result<Observed, Error> {
        imperative::registered(self.session()?)
    }

    /// What this tenant takes.
    pub(crate) fn measured(&self, tenant: &Tenant) -> Result<Measured, Error> {
        imperative::measured(self.session()?, tenant)
    }

    /// The tenant's secret, from the store.
    pub(crate) fn secret_of(&self, tenant: &Tenant) -> Result<Secret, Error> {
        imperative::secret_of(&self.project, &self.environment, tenant)
    }

    fn session(&self) -> Result<Session, Error> {
        let (project, options) = (Arc::clone(&self.project), self.options.clone());
        Session::open(&self.file, project, &self.environment, options, self.filter.clone())
    }
}

/// A caller in any language may keep one and use it from any thread.
const _: () = {
    const fn is_send<T: Send>() {}
    is_send::<Tenantry>();
    is_send::<Looked>();
    is_send::<Locked>();
    is_send::<Planned>();
    is_send::<Approved>();
    is_send::<Error>();
};
