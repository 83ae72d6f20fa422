//! What most commands begin with: the project, the database, the store, one look, one plan.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Instant;

use globset::{Glob, GlobMatcher};
use postgres::Client;

use super::args::{Global, LockArgs};
use super::failure::Failure;
use super::waiting;
use crate::core::model::{MadeObject, Observed, StoreKind, TenantKey};
use crate::core::plan::{self, DatabaseIdentity, Plan, Targeting};
use crate::core::render;
use crate::core::shape::{Report, Shape};
use crate::engine::apply::{Lock, TenantError};
use crate::engine::archive;
use crate::engine::database::{Endpoint, Target};
use crate::engine::deep::Deep;
use crate::engine::error::Doing;
use crate::engine::inspect::{self, Sizes};
use crate::engine::project::{Project, environment};
use crate::engine::secrets::SecretStore;

/// A project, connected.
pub struct Session {
    pub project: Project,
    /// The one server that this run is connected to: all its connections go there.
    pub target: Target,
    /// Every server that the url names.
    listed: Target,
    pub client: Client,
    pub store: Box<dyn SecretStore>,
    filter: Filter,
    parallelism: usize,
    /// `--deep`.
    deep: bool,
    /// The targets are a saved plan's.
    retargeted: bool,
    /// `--moved`.
    moved: bool,
    /// `-q`.
    quiet: bool,
}

/// `--target`: none selects all.
pub struct Filter(Vec<GlobMatcher>);

impl Filter {
    pub fn new(globs: &[String]) -> Result<Self, Failure> {
        let matcher = |glob: &String| match Glob::new(glob) {
            Ok(glob) => Ok(glob.compile_matcher()),
            Err(error) => Err(Failure::refused(
                format!("--target {glob:?} is not a valid glob: {}", error.kind()),
                "write it as 'acme-*', quoted for the shell",
            )),
        };
        globs.iter().map(matcher).collect::<Result<_, _>>().map(Self)
    }

    pub fn selects(&self, key: &TenantKey) -> bool {
        self.0.is_empty() || self.0.iter().any(|glob| glob.is_match(key.as_str()))
    }

    fn is_idle(&self) -> bool {
        self.0.is_empty()
    }

    /// A glob with a typing error must not pass for tenants that are as they should be.
    pub fn matches_some<'k>(&self, keys: impl Iterator<Item = &'k TenantKey> + Clone) -> Result<(), Failure> {
        let idle = self.0.iter().find(|glob| !keys.clone().any(|key| glob.is_match(key.as_str())));
        idle.map_or(Ok(()), |glob| {
            Err(Failure::refused(
                format!("--target {:?} matches no tenant", glob.glob().glob()),
                "tenantry list shows the keys",
            ))
        })
    }
}

pub fn load(global: &Global) -> Result<Project, Failure> {
    let dir = environment("TENANTRY_SECRETS_DIR").filter(|dir| !dir.is_empty()).map(PathBuf::from);
    Ok(Project::load(&global.config, &environment)?.with_secrets_in(dir))
}

/// The project with its database and its store, both asked whether they are ready.
pub fn connect(global: &Global) -> Result<Session, Failure> {
    let filter = Filter::new(&global.target)?;
    let project = load(global)?;
    open(global, project, filter)
}

pub fn open(global: &Global, project: Project, filter: Filter) -> Result<Session, Failure> {
    let target = project.target(global.database_url.as_deref())?;
    let store = project.store()?;
    let begun = Instant::now();
    let what = format!("connecting to {}", place_of(&target));
    let silent = || waiting::line(&what, begun).into_iter().collect();
    let connected = waiting::aloud(global.quiet, silent, || target.connect_admin_to());
    let (client, endpoint) = connected.map_err(crate::engine::error::Error::from)?;
    let (listed, target) = (target.clone(), target.at(&endpoint));
    let kind = match project.desired.secrets.store {
        StoreKind::File => "the secret store",
        StoreKind::Vault => "Vault",
    };
    match store.preflight() {
        // Whoever only looks is told so with the plan; whoever writes is refused then.
        Err(error) if error.is_denied() => {}
        other => other.doing(format!("checking whether {kind} is ready")).map_err(Failure::from)?,
    }
    Ok(Session {
        project,
        target,
        listed,
        client,
        store,
        filter,
        parallelism: parallelism(global),
        deep: false,
        retargeted: false,
        moved: false,
        quiet: global.quiet,
    })
}

fn place_of(target: &Target) -> String {
    format!("{} on {}, port {}", target.database(), target.host(), target.port())
}

impl Session {
    /// For who writes secrets: apply's lock, and nothing half-written in the store. Taken before the look, so that what is
    /// shown is what is there until it is changed.
    pub fn lock(&mut self, wait: &LockArgs) -> Result<Lock, Failure> {
        let lock = Lock::take(&mut self.client, &self.target, wait.lock_timeout.unwrap_or_default())?;
        self.store.tidy().doing("cleaning up the secret store")?;
        Ok(lock)
    }

    /// In pg_stat_activity, where another apply looks who holds the lock.
    pub fn is_waiting(&mut self, for_an_answer: bool) -> Result<(), Failure> {
        let name = if for_an_answer { "'tenantry, waiting for confirmation'" } else { "DEFAULT" };
        let sql = format!("SET application_name TO {name}");
        Ok(self.client.batch_execute(&sql).doing("recording what the lock waits for")?)
    }

    pub fn observe(&mut self, sizes: Sizes) -> Result<Observed, Failure> {
        let desired = &self.project.desired;
        let begun = Instant::now();
        let what = format!("looking at {}", place_of(&self.target));
        let silent = || waiting::line(&what, begun).into_iter().collect();
        let mut observed = waiting::aloud(self.quiet, silent, || {
            inspect::observe(&mut self.client, &self.target, self.store.as_ref(), desired, sizes)
        })?;
        if let Some(Endpoint { host, port }) = self.listed.still_serving(&observed) {
            (observed.server.host, observed.server.port) = (host, port);
        }
        observed.server.reached = self.listed.addresses();
        observed.moved = self.moved;
        if self.deep {
            let (delivered, unseen) = self.look_deep(&observed, |deep, client| deep.passwords(client))?;
            observed.delivered = delivered;
            observed.unseen.extend(unseen);
        }
        observed.archive_space = archive::free_space(&self.project.archive_dir());
        Ok(observed)
    }

    pub fn plan(&mut self) -> Result<(Observed, Plan), Failure> {
        let observed = self.observe(Sizes::Removed)?;
        let plan = self.diff(&observed);
        // A saved plan whose tenants are gone is stale, which is said in better words.
        if !self.retargeted {
            self.selects_something(&observed)?;
        }
        Ok((observed, plan))
    }

    /// Looks at passwords too from now on, and at shapes when asked.
    pub fn deep(mut self, deep: bool) -> Self {
        self.deep = deep;
        self
    }

    /// A person says that this database came from elsewhere: of the whole database, or not at all.
    pub fn moved(mut self, moved: bool) -> Result<Self, Failure> {
        if moved && !self.filter.is_idle() {
            return Err(Failure::refused(
                "--moved applies to the whole database, and takes no --target",
                "leave --target out",
            ));
        }
        self.moved = moved;
        Ok(self)
    }

    /// The fleet's shapes, when `--deep` asked for them.
    pub fn shapes(&mut self, observed: &Observed) -> Result<Option<Report>, Failure> {
        if self.deep { self.look_deep(observed, |deep, client| deep.shapes(client)).map(Some) } else { Ok(None) }
    }

    /// What these versions of the migrations make. On a session of its own: what is left of a rehearsal goes with DISCARD ALL,
    /// and the lock of apply would go with it.
    pub fn made(
        &self,
        client: &mut Client,
        observed: &Observed,
        versions: &BTreeSet<i32>,
    ) -> Result<BTreeSet<MadeObject>, TenantError> {
        let deep = Deep {
            target: &self.target,
            store: self.store.as_ref(),
            desired: &self.project.desired,
            observed,
            parallelism: self.parallelism,
            selects: &|_| true,
        };
        deep.made(client, versions)
    }

    /// One tenant's shape, and what the migrations give.
    pub fn shape(&mut self, observed: &Observed, key: &TenantKey) -> Result<(Shape, Shape), Failure> {
        self.look_deep(observed, |deep, client| deep.shape(client, key))
    }

    fn look_deep<T>(
        &mut self,
        observed: &Observed,
        look: impl FnOnce(&Deep<'_>, &mut Client) -> Result<T, crate::engine::error::Error>,
    ) -> Result<T, Failure> {
        let deep = Deep {
            target: &self.target,
            store: self.store.as_ref(),
            desired: &self.project.desired,
            observed,
            parallelism: self.parallelism,
            selects: &|key| self.filter.selects(key),
        };
        Ok(look(&deep, &mut self.client)?)
    }

    /// Each glob does, of the tenants that are declared or registered.
    pub fn selects_something(&self, observed: &Observed) -> Result<(), Failure> {
        let registered = observed.registry.iter().flat_map(|registry| registry.tenants.keys());
        self.filter.matches_some(self.project.desired.tenants.keys().chain(registered))
    }

    /// For the commands that are about one tenant: `--target` limits them too.
    pub fn must_select(&self, key: &TenantKey) -> Result<(), Failure> {
        if self.selects(key) {
            return Ok(());
        }
        Err(Failure::refused(format!("--target leaves out tenant {key}"), "add it to --target, or omit --target"))
    }

    /// When not every tenant is looked at.
    pub fn targeting(&self, observed: &Observed) -> Option<Targeting> {
        Targeting::new(&self.project.desired, observed, &|key| self.selects(key))
    }

    /// Where all this is, and as whom: `app on db.internal:5432 as admin (from TENANTRY_DATABASE_URL)`.
    pub fn place(&self, observed: &Observed) -> String {
        let database = DatabaseIdentity::new(&observed.server, &observed.database.name);
        render::text::heading(&database, self.target.user(), self.target.origin())
    }

    /// A key with a typing error must not pass for a tenant that is done.
    pub fn declares(&self, global: &Global, named: &[String]) -> Result<(), Failure> {
        let declared = &self.project.desired.tenants;
        let unknown = named.iter().find(|name| !declared.keys().any(|key| key.as_str() == *name));
        if let Some(unknown) = unknown {
            return Err(Failure::refused(
                format!("tenant {unknown:?} is not in {}", global.config.display()),
                "the keys are those under [tenants]; tenantry list shows them",
            ));
        }
        declared
            .keys()
            .filter(|key| named.iter().any(|name| name == key.as_str()))
            .try_for_each(|key| self.must_select(key))
    }

    /// Looks at these tenants from now on: a saved plan is compared with a plan for the same ones.
    pub fn retarget(&mut self, globs: &[String]) -> Result<(), Failure> {
        self.filter = Filter::new(globs)?;
        self.retargeted = true;
        Ok(())
    }

    pub fn diff(&self, observed: &Observed) -> Plan {
        plan::diff(&self.project.desired, observed, &|key| self.filter.selects(key))
    }

    pub fn selects(&self, key: &TenantKey) -> bool {
        self.filter.selects(key)
    }
}

/// min(8, 2 × cores), unless said otherwise.
pub fn parallelism(global: &Global) -> usize {
    global
        .parallelism
        .map_or_else(|| std::thread::available_parallelism().map_or(4, |cores| (2 * cores.get()).min(8)), usize::from)
}
