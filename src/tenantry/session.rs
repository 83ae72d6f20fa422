//! A project, connected: what looking and writing begin with.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use postgres::Client;

use super::environment::Environment;
use super::error::{Error, Guard, Guarded};
use super::filter::Filter;
use super::options::Options;
use crate::core::model::{Observed, Source, StoreKind, TenantKey};
use crate::core::plan::{self, DatabaseIdentity, Plan, Saved, Targeting};
use crate::core::render;
use crate::engine::archive::{self, Programs};
use crate::engine::database::{Endpoint, Target};
use crate::engine::deep::Deep;
use crate::engine::error::{Context, Error as RunError};
use crate::engine::inspect::{self, Sizes};
use crate::engine::project::Project;
use crate::engine::secrets::WritableStore;

pub(super) struct Session {
    pub ground: Ground,
    pub client: Client,
}

/// What stays the same while the session works.
pub(super) struct Ground {
    /// tenants.toml.
    pub file: PathBuf,
    pub project: Arc<Project>,
    pub options: Options,
    pub environment: Environment,
    pub filter: Filter,
    /// The one server that this run is connected to: all its connections go there.
    pub target: Target,
    /// Every server that the url names.
    listed: Target,
    pub store: Box<dyn WritableStore>,
}

impl Session {
    /// Both sides asked whether they are ready.
    pub fn open(
        file: &Path,
        project: Arc<Project>,
        environment: &Environment,
        options: Options,
        filter: Filter,
    ) -> Result<Self, Error> {
        let env = |name: &str| environment.get(name);
        let listed = project.target(options.database_url.as_deref(), &env)?;
        let store = project.store(&env)?;
        let connecting = format!("connecting to {}", place_of(&listed));
        let connected = options.interrupt.waiting(&connecting, || listed.connect_admin_to());
        let (client, endpoint) = connected.map_err(RunError::from)?;
        let target = listed.at(&endpoint);
        let kind = match project.desired.secrets.store {
            StoreKind::File | StoreKind::Returned => "the secret store",
            StoreKind::Vault => "Vault",
        };
        match store.preflight() {
            // Whoever only looks is told so with the plan; whoever writes is refused then.
            Err(error) if error.is_denied() => {}
            other => other.doing(format!("checking whether {kind} is ready"))?,
        }
        Ok(Self {
            ground: Ground {
                file: file.to_owned(),
                project,
                options,
                environment: environment.clone(),
                filter,
                target,
                listed,
                store,
            },
            client,
        })
    }

    /// The tenants that `[source] query` names, which nobody knows before it is asked. Once: what comes after goes by these rows.
    pub fn ask_source(&mut self) -> Result<(), Error> {
        let Self { ground, client } = self;
        let Some(Source { query, rows: None }) = &ground.project.desired.source else { return Ok(()) };
        let rows = ground.options.interrupt.waiting("asking [source] query", || inspect::source_rows(client, query))?;
        ground.project = Arc::new(ground.project.with_source(rows, &|name| ground.environment.get(name))?);
        Ok(())
    }

    pub fn observe(&mut self, sizes: Sizes) -> Result<Observed, Error> {
        self.ask_source()?;
        let Self { ground, client } = self;
        let desired = &ground.project.desired;
        let looking = format!("looking at {}", place_of(&ground.target));
        let mut observed = ground
            .options
            .interrupt
            .waiting(&looking, || inspect::observe(client, &ground.target, ground.store.as_ref(), desired, sizes))?;
        if let Some(Endpoint { host, port }) = ground.listed.still_serving(&observed) {
            (observed.server.host, observed.server.port) = (host, port);
        }
        observed.server.reached = ground.listed.addresses();
        observed.moved = ground.options.moved;
        if ground.options.deep {
            let (delivered, unseen) = ground.deep(&observed, &|key| ground.filter.selects(key)).passwords(client)?;
            observed.delivered = delivered;
            observed.unseen.extend(unseen);
        }
        observed.archive_space = archive::free_space(&ground.project.archive_dir());
        Ok(observed)
    }
}

fn place_of(target: &Target) -> String {
    format!("{} on {}, port {}", target.database(), target.host(), target.port())
}

impl Ground {
    /// pg_dump and pg_restore for this server, or newer.
    pub fn programs(&self, major: u32) -> Result<Programs, Error> {
        Programs::find(major, &|name| self.environment.raw(name)).guarded(Guard::Archives)
    }

    /// At what a saved plan looked at: it is compared with a plan for the same.
    pub fn look_as(&mut self, saved: &Saved) -> Result<(), Error> {
        self.filter = Filter::new(saved.targets())?;
        self.filter.may_move(saved.moved())?;
        self.options.targets = saved.targets().to_vec();
        (self.options.deep, self.options.moved) = (saved.deep(), saved.moved());
        Ok(())
    }

    /// What looks at passwords and shapes, of these tenants.
    pub fn deep<'a>(&'a self, observed: &'a Observed, selects: &'a (dyn Fn(&TenantKey) -> bool + Sync)) -> Deep<'a> {
        Deep {
            target: &self.target,
            store: self.store.as_ref(),
            desired: &self.project.desired,
            observed,
            parallelism: self.options.parallelism(),
            selects,
        }
    }

    /// Each target does, of the tenants that are declared or registered.
    pub fn selects_something(&self, observed: &Observed) -> Result<(), Error> {
        let registered = observed.registry.iter().flat_map(|registry| registry.tenants.keys());
        Ok(self.filter.matches_some(self.project.desired.tenants.keys().chain(registered))?)
    }

    /// When not every tenant is looked at.
    pub fn targeting(&self, observed: &Observed) -> Option<Targeting> {
        Targeting::new(&self.project.desired, observed, &|key| self.filter.selects(key))
    }

    /// `app on db.internal:5432 as admin (from TENANTRY_DATABASE_URL)`.
    pub fn place(&self, observed: &Observed) -> String {
        let database = DatabaseIdentity::new(&observed.server, &observed.database.name);
        render::text::heading(&database, self.target.user(), self.target.origin())
    }

    pub fn diff(&self, observed: &Observed) -> Plan {
        plan::diff(&self.project.desired, observed, &|key| self.filter.selects(key))
    }
}
