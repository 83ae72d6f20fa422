//! Situations that no configuration file can say: what somebody else did to the server or the store, as a look would find
//! it. Each module has a table of them, and `tests/snapshots/` has what is planned in each, in the words of the plan and as
//! apply will read it.
//!
//! `INSTA_UPDATE=always cargo test --test core situations` writes them anew; then read the difference as a DBA would.

mod adoptions;
mod databases;
mod histories;
mod names;
mod programs;
mod saved;
mod secrets;
mod servers;
mod templates;
mod two_users;
mod vault_access;

use std::fmt::Write as _;

use tenantry::migrations::{MigrationFile, MigrationSet};
use tenantry::model::{Desired, Observed, Registered, SecretContents, SecretState, Server, TenantKey};
use tenantry::plan::{EndState, Plan, TenantPlan};
use tenantry::render::{Style, text};

use crate::support_as_applied::{as_applied, contents_of, server};

/// What came about, as a look finds it.
pub type CameAbout = fn(&mut Observed);

/// A wish, and what is there.
pub struct Situation {
    pub desired: Desired,
    pub observed: Observed,
}

impl Situation {
    /// As `tenants.toml` was applied, by a superuser on PostgreSQL 15.
    pub fn applied(toml: &str, migrations: &[(&str, &str)]) -> Self {
        Self::applied_on(server(150_018, true), toml, migrations)
    }

    pub fn applied_on(server: Server, toml: &str, migrations: &[(&str, &str)]) -> Self {
        let desired = wish(toml, migrations);
        let observed = as_applied(&desired, server);
        Self { desired, observed }
    }

    /// And then somebody wrote this into `tenants.toml`.
    pub fn wished(mut self, toml: &str, migrations: &[(&str, &str)]) -> Self {
        self.desired = wish(toml, migrations);
        self
    }

    /// And then this came about.
    pub fn then(mut self, what: impl FnOnce(&mut Observed)) -> Self {
        what(&mut self.observed);
        self
    }

    pub fn plan(&self) -> Plan {
        tenantry::plan::diff(&self.desired, &self.observed, &|_| true)
    }

    /// What a person reads, without the SQL, and below it what apply goes by.
    pub fn told(&self) -> String {
        self.told_with(&Style::default())
    }

    pub fn told_with(&self, style: &Style) -> String {
        let plan = self.plan();
        let mut out = text::plan(&plan.document(), style);
        for change in plan.database_changes.iter().filter(|change| !change.claims().is_empty()) {
            let claims = change.claims().iter().map(|claim| format!("{} at {}", claim.path, claim.version));
            _ = writeln!(out, "  marks {}: {}", claims.collect::<Vec<_>>().join(", "), change.detail);
        }
        plan.tenants.iter().filter(|tenant| tenant.has_work()).for_each(|tenant| _ = writeln!(out, "{}", work(tenant)));
        for (tenant, others) in &plan.waits {
            _ = writeln!(out, "  {tenant} waits for {others:?}");
        }
        out
    }
}

fn work(plan: &TenantPlan) -> String {
    let mut words = vec![format!("  {}:", plan.tenant)];
    words.extend(plan.removes().then(|| "removes".to_owned()));
    words.extend(plan.phases.changes_secrets().then(|| "changes secrets".to_owned()));
    words.extend(plan.phases.needs_a_deputy().then(|| "needs a deputy".to_owned()));
    words.extend(plan.phases.has_sql().then(|| "sends SQL".to_owned()));
    if let EndState::Declared { password, secret_version, .. } = &plan.target {
        words.push(format!("password {password:?}, version {secret_version:?}"));
    }
    words.extend(plan.seen.as_ref().map(|seen| format!("in schema {} ({})", seen.name, seen.oid)));
    let pending = plan.pending_migrations();
    words.extend((!pending.is_empty()).then(|| format!("migrations {pending:?}")));
    words.join(" ")
}

pub fn wish(toml: &str, migrations: &[(&str, &str)]) -> Desired {
    let configuration =
        tenantry::config::parse("tenants.toml", toml, &|_| None).unwrap_or_else(|error| panic!("{error}"));
    let files = migrations.iter().map(|(name, sql)| MigrationFile::parse(name, sql).unwrap()).collect();
    let set = MigrationSet::new(configuration.migrations_table.clone(), files).unwrap();
    configuration.with_migrations(set)
}

pub fn key(name: &str) -> TenantKey {
    TenantKey::new(name).unwrap()
}

pub fn row<'a>(observed: &'a mut Observed, name: &str) -> &'a mut Registered {
    observed.registry.as_mut().unwrap().tenants.get_mut(&key(name)).unwrap()
}

/// The secret of `tenants/NAME` as it was read; what the registry remembers, unless somebody changed it.
pub fn read_secret<'a>(observed: &'a mut Observed, name: &str) -> &'a mut SecretContents {
    let remembered = row(observed, name).secret.fields.clone();
    let path = format!("tenants/{name}");
    let Some(SecretState::Ours { contents, .. }) = observed.secrets.get_mut(&path) else {
        panic!("no secret at {path}")
    };
    contents.get_or_insert_with(|| contents_of(remembered, None))
}

/// Each situation with what is told of it.
pub fn told(situations: impl IntoIterator<Item = (&'static str, Situation)>) -> String {
    let tell = |(name, situation): (&str, Situation)| format!("== {name}\n{}\n", situation.told());
    situations.into_iter().map(tell).collect()
}

#[track_caller]
pub fn assert_is_snapshot(name: &str, text: &str) {
    insta::with_settings!({snapshot_path => "../../snapshots", prepend_module_to_snapshot => false}, {
        insta::assert_snapshot!(name, text);
    });
}
