//! One look: everything that changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicBool;

use jiff::Timestamp;

use super::declared::{must_be_declared, names_or_all};
use super::error::Error;
use super::guards;
use super::lost::lost;
use super::session::Session;
use super::undeclared;
use crate::core::migrations::Format;
use crate::core::model::{ManyLocks, Observed, Origin, Registered, SecretState, State, Tenant, TenantKey, Unseen};
use crate::core::plan::{self, Plan, Saved, Targeting};
use crate::core::render::Style;
use crate::core::render::list::ListRow;
use crate::core::render::show;
use crate::core::shape::Shape;
use crate::core::undeclared::Declaration;
use crate::core::verdict::Verdict;
use crate::engine::inspect::{self, Sizes};
use crate::engine::registry::{self, Recovery};
use crate::engine::verify::Verify;

/// What was found, and what there is to say of it. Nothing here writes.
pub struct Looked {
    pub(super) session: Session,
    pub(super) observed: Observed,
}

/// Whether anything differs from tenants.toml.
pub struct Drift {
    /// What apply would do about it.
    pub plan: Plan,
    /// Seconds since the password of each active tenant was changed, where the registry knows.
    pub password_ages: Vec<(String, i64)>,
    /// Active tenants whose password is older than their `rotate_after`.
    pub passwords_due: usize,
    pub taken_at: Timestamp,
}

impl Looked {
    pub(super) fn new(mut session: Session) -> Result<Self, Error> {
        let sizes = if session.ground.options.sizes { Sizes::All } else { Sizes::Removed };
        let observed = session.observe(sizes)?;
        session.ground.selects_something(&observed)?;
        Ok(Self { session, observed })
    }

    /// Where all this is, and as whom: `app on db.internal:5432 as admin (from TENANTRY_DATABASE_URL)`.
    #[must_use]
    pub fn place(&self) -> String {
        self.session.ground.place(&self.observed)
    }

    /// The tenants that are declared, those of `[source] query` among them.
    #[must_use]
    pub fn declared(&self) -> &BTreeMap<TenantKey, Tenant> {
        &self.session.ground.project.desired.tenants
    }

    /// What apply would do; with [`Options::deep`](super::Options::deep), how the shapes differ too.
    ///
    /// # Errors
    /// What PostgreSQL answered.
    pub fn plan(&mut self) -> Result<Plan, Error> {
        let mut plan = self.session.ground.diff(&self.observed);
        let Session { ground, client } = &mut self.session;
        if ground.options.deep {
            plan.shape = Some(ground.deep(&self.observed, &|key| ground.filter.selects(key)).shapes(client)?);
        }
        Ok(plan)
    }

    /// The plan as a file holds it, for [`Intent::Saved`](super::Intent::Saved).
    #[must_use]
    pub fn save(&self, plan: &Plan) -> Saved {
        let ground = &self.session.ground;
        let look_at = (ground.options.targets.as_slice(), ground.options.deep);
        Saved::new(plan, &ground.project.desired, &self.observed, &ground.project.digest, look_at)
    }

    /// What apply would refuse, as far as this look tells: so that nobody learns it in the middle of the night. A role that only
    /// looks applies nothing, and is told nothing.
    ///
    /// # Errors
    /// The first guard that would say no.
    pub fn foretell(&self, plan: &Plan) -> Result<(), Error> {
        if plan.is_empty() || self.observed.server.reader.is_some() {
            return Ok(());
        }
        guards::known(&self.session.ground.project.desired, &self.observed, plan)
    }

    /// The plan as an alarm.
    ///
    /// # Errors
    /// What PostgreSQL answered.
    pub fn drift(&mut self) -> Result<Drift, Error> {
        let plan = self.plan()?;
        let taken_at = Timestamp::now();
        let rows = self.observed.registry.iter().flat_map(|registry| &registry.tenants);
        let active = rows.filter(|(key, row)| row.state == State::Active && self.session.ground.filter.selects(key));
        let declared = &self.session.ground.project.desired.tenants;
        let is_due = |(key, row): &(&TenantKey, &Registered)| {
            let tenant = declared.get(*key).filter(|tenant| tenant.password.is_none());
            tenant.is_some_and(|tenant| row.password_due(tenant.rotate_after, taken_at).is_some())
        };
        let passwords_due = active.clone().filter(is_due).count();
        let password_ages = active.filter_map(|(key, row)| {
            Some((key.to_string(), taken_at.duration_since(row.password_changed_at?).as_secs()))
        });
        Ok(Drift { password_ages: password_ages.collect(), passwords_due, plan, taken_at })
    }

    /// Every tenant, declared or registered, with its state; sizes if [`Options::sizes`](super::Options::sizes) asked for them, and no
    /// [`rows`](ListRow::rows) until [`Self::estimate_rows`].
    ///
    /// # Errors
    /// What PostgreSQL answered.
    pub fn tenants(&mut self) -> Result<Vec<ListRow>, Error> {
        let Session { ground, client } = &mut self.session;
        let declared = &ground.project.desired.tenants;
        let registered = self.observed.registry.iter().flat_map(|registry| registry.tenants.keys());
        let keys: BTreeSet<&TenantKey> = declared.keys().chain(registered).collect();
        let now = Timestamp::now();
        let selected = keys.into_iter().filter(|key| ground.filter.selects(key));
        let users = |key: &TenantKey| -> Vec<String> {
            let row = self.observed.registry.as_ref().and_then(|registry| registry.tenants.get(key));
            row.map(|row| std::iter::once(row.username.clone()).chain(row.login_users()).collect()).unwrap_or_default()
        };
        let row_and_users = |key| Some((row(&self.observed, key, declared.get(key), now)?, users(key)));
        let (mut rows, users): (Vec<ListRow>, Vec<Vec<String>>) = selected.filter_map(row_and_users).unzip();
        let connections = inspect::connections(client, &users.concat())?;
        for (row, users) in rows.iter_mut().zip(users) {
            row.connections = users.iter().filter_map(|user| connections.get(user)).sum();
        }
        Ok(rows)
    }

    /// About how many rows each of these holds. Reads a catalog row of every table.
    ///
    /// # Errors
    /// What PostgreSQL answered.
    pub fn estimate_rows(&mut self, rows: &mut [ListRow]) -> Result<(), Error> {
        let schemas: Vec<&str> = rows.iter().map(|row| row.schema.as_str()).collect();
        let estimates = inspect::row_estimates(&mut self.session.client, &schemas)?;
        for row in rows {
            row.rows = estimates.get(&row.schema).copied().filter(|_| row.state != "absent");
        }
        Ok(())
    }

    /// Fills in the locks of each of these whose sessions crowd others out, and gives what [`Self::many_locks`] gives.
    ///
    /// # Errors
    /// What PostgreSQL answered.
    pub fn count_locks(&mut self, rows: &mut [ListRow]) -> Result<Vec<ManyLocks>, Error> {
        let many = self.many_locks()?;
        for row in rows {
            row.locks = many.iter().find(|found| found.role == row.username).map(|found| found.locks);
        }
        Ok(many)
    }

    /// Who fills the server's lock table, those with the most locks first.
    ///
    /// # Errors
    /// What PostgreSQL answered.
    pub fn many_locks(&mut self) -> Result<Vec<ManyLocks>, Error> {
        Ok(inspect::many_locks(&mut self.session.client, &self.observed)?)
    }

    /// When not every tenant is looked at.
    #[must_use]
    pub fn targeting(&self) -> Option<Targeting> {
        self.session.ground.targeting(&self.observed)
    }

    /// What we may not look at.
    #[must_use]
    pub fn unseen(&self) -> &[Unseen] {
        &self.observed.unseen
    }

    /// Tenants that tenantry made and that no row of the registry names, in words; `None`: there are none.
    #[must_use]
    pub fn lost(&self) -> Option<String> {
        lost(&self.session.ground, &self.observed, &|_| true)
    }

    /// One tenant, desired against observed, as text; `None`: it is neither declared nor registered. Never the password.
    #[must_use]
    pub fn show(&self, key: &TenantKey, style: &Style) -> Option<String> {
        show::tenant(&self.session.ground.project.desired, &self.observed, key, style)
    }

    /// The plan of one tenant.
    #[must_use]
    pub fn plan_of(&self, key: &TenantKey) -> Plan {
        let plan = plan::diff(&self.session.ground.project.desired, &self.observed, &|other| other == key);
        // That it is one tenant is what was asked for.
        Plan { targeting: None, ..plan }
    }

    /// One tenant's shape, and what the migrations give.
    ///
    /// # Errors
    /// What PostgreSQL answered; or that the tenant is not there to have one.
    pub fn shape(&mut self, key: &TenantKey) -> Result<(Shape, Shape), Error> {
        let Session { ground, client } = &mut self.session;
        Ok(ground.deep(&self.observed, &|key| ground.filter.selects(key)).shape(client, key)?)
    }

    /// Logs in as each of these tenants (none: as each) with its delivered secret, and tries what it can reach. `each` is called
    /// as each verdict is there, from the thread that reached it.
    ///
    /// # Errors
    /// When one of them is not declared.
    pub fn verify(&self, named: &[String], each: &(dyn Fn(&Verdict) + Sync)) -> Result<Vec<Verdict>, Error> {
        let ground = &self.session.ground;
        let interrupt = &ground.options.interrupt;
        let verify = Verify {
            logins: self.logins(),
            parallelism: ground.options.parallelism(),
            stop: &AtomicBool::new(false),
            begins: &|tenant| interrupt.begins(format!("verify {tenant}")),
            progress: &|verdict| {
                interrupt.ends(&format!("verify {}", verdict.tenant));
                each(verdict);
            },
        };
        Ok(verify.run(&self.to_verify(named)?))
    }

    /// The tenants that [`Self::verify`] and [`Self::query`] would log in as.
    ///
    /// # Errors
    /// As [`Self::verify`].
    pub fn to_verify(&self, named: &[String]) -> Result<Vec<&Tenant>, Error> {
        let ground = &self.session.ground;
        let desired = &ground.project.desired;
        must_be_declared(desired, &ground.filter, named, &ground.file.display().to_string())?;
        let chosen = |tenant: &&Tenant| ground.filter.selects(&tenant.key) && names_or_all(named, &tenant.key);
        Ok(desired.tenants.values().filter(chosen).collect())
    }

    /// When these are not all tenants.
    #[must_use]
    pub fn part(&self, named: &[String]) -> Option<Targeting> {
        let ground = &self.session.ground;
        let chosen = |key: &TenantKey| ground.filter.selects(key) && names_or_all(named, key);
        Targeting::new(&ground.project.desired, &self.observed, &chosen)
    }

    /// The SQL that registers tenants again after schema tenantry was lost, for a person to run.
    ///
    /// # Errors
    /// When the registry is of an older version, whose tables are others.
    pub fn recover(&self) -> Result<Recovery, Error> {
        let ground = &self.session.ground;
        Ok(registry::recover(&ground.project.desired, &self.observed, &|key| ground.filter.selects(key))?)
    }

    /// Schemas whose name matches and that nobody declared, as tenants.toml would declare them: a guess, from who owns them and
    /// who may use them.
    ///
    /// # Errors
    /// What PostgreSQL answered; or that the glob is none.
    pub fn undeclared_schemas(&mut self, glob: &str) -> Result<Vec<Declaration>, Error> {
        let Session { ground, client } = &mut self.session;
        undeclared::declared(ground, client, &self.observed, glob)
    }

    /// The role that the registry belongs to, or that it would belong to.
    #[must_use]
    pub fn admin(&self) -> &str {
        &self.observed.server.admin.name
    }

    /// Whose files the migrations are.
    #[must_use]
    pub fn migrations_format(&self) -> Format {
        self.session.ground.project.desired.migrations.format
    }

    /// Where a person finds the secret at this path.
    #[must_use]
    pub fn locate(&self, path: &str) -> String {
        self.session.ground.store.locate(path)
    }
}

fn row(observed: &Observed, key: &TenantKey, declared: Option<&Tenant>, now: Timestamp) -> Option<ListRow> {
    let registered = observed.registry.as_ref().and_then(|registry| registry.tenants.get(key));
    // Its names as they are now; the declared ones before the first apply.
    let (schema, username, path) = match (registered, declared) {
        (Some(row), _) => (&row.schema, &row.username, &row.secret.path),
        (None, Some(tenant)) => (&tenant.schema, &tenant.username, &tenant.secret_path),
        (None, None) => return None,
    };
    let found = observed.schemas.get(schema).filter(|_| registered.is_some());
    let secret_age = match observed.secrets.get(path) {
        Some(SecretState::Ours { created, .. }) => {
            // By our own record: what others add to the secret, or do to its file, makes no password younger.
            let changed = registered.and_then(|row| row.password_changed_at).or(*created);
            changed.map(|at| now.duration_since(at).as_secs())
        }
        _ => None,
    };
    let by_program = || registered.map(|row| row.declared_by).filter(|origin| *origin == Origin::Api);
    let origin = declared.map(|tenant| tenant.origin).or_else(by_program);
    Some(ListRow {
        tenant: key.to_string(),
        schema: schema.clone(),
        username: username.clone(),
        state: state(registered).to_owned(),
        class: declared.and_then(|tenant| tenant.class.clone()),
        declared: origin.map(|origin| origin.as_str().to_owned()),
        migration: found.and_then(|schema| schema.history.applied().last()).map(|applied| applied.version),
        size: found.map_or(0, |schema| schema.bytes),
        connections: 0,
        secret_age,
        rows: None,
        last_migration: None,
        locks: None,
    })
}

fn state(registered: Option<&Registered>) -> &'static str {
    match registered {
        None => "absent",
        Some(row) if row.state == State::Active && row.suspended => "suspended",
        Some(row) => row.state.as_str(),
    }
}
