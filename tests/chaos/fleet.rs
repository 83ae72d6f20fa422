//! What tenants.toml says, and how it changes from round to round.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};

use crate::tenant::{ROTATION, Tenant};

/// How many tenants there are, give or take.
const SIZE: usize = 50;
/// Keys to choose from: those that were removed come back.
const KEYS: usize = 64;

/// Everything that is declared, and what was kept of tenants that no longer are.
#[derive(Clone, Debug)]
pub struct Fleet {
    pub tenants: BTreeMap<String, Tenant>,
    pub retained: BTreeMap<String, Tenant>,
    pub prefix: String,
    /// File names and their SQL, in order.
    pub migrations: Vec<(String, String)>,
}

/// What one round changes.
pub struct Change {
    /// What the tool is asked to do.
    pub args: Vec<String>,
    pub after: Fleet,
    /// Tenants that are created, changed or removed.
    pub touched: BTreeSet<String>,
    /// How many have work: a migration or another prefix is work for all.
    pub tenants: usize,
    pub words: String,
}

impl Fleet {
    pub fn first() -> Self {
        let migrations = crate::fleet_support::MIGRATIONS.map(|(file, sql)| (file.to_owned(), sql.to_owned()));
        let tenants =
            (0..SIZE).map(|n| (key(n), Tenant { access: "full", on_remove: "archive", ..Tenant::default() })).collect();
        Self { tenants, retained: BTreeMap::new(), prefix: "tenants".into(), migrations: migrations.into() }
    }

    pub fn toml(&self, head: &str) -> String {
        let mut text = format!(
            "{head}\n[secrets]\nstore = \"vault\"\npath = \"{}/{{tenant}}\"\n\n\
             [classes.gold]\nsettings = {{ statement_timeout = \"5min\" }}\n\n[tenants]\n",
            self.prefix
        );
        for (key, tenant) in &self.tenants {
            writeln!(text, "{}", tenant.toml(key)).unwrap();
        }
        text
    }

    /// The variables that the passwords given come from.
    pub fn passwords(&self) -> impl Iterator<Item = (String, &str)> {
        self.tenants.iter().filter_map(|(key, tenant)| Some((Tenant::variable(key), tenant.password.as_deref()?)))
    }

    pub fn secret_path(&self, key: &str) -> String {
        format!("{}/{key}", self.prefix)
    }

    /// A rotation or a copy now and then; else tenants.toml is changed, and applied.
    pub fn change(&self, rng: &mut StdRng, round: u32) -> Change {
        match rng.random_range(0..20) {
            0 | 1 => self.rotate(rng, false),
            2 if self.tenants.values().any(|tenant| tenant.two_user) => self.rotate(rng, true),
            3 if self.tenants.len() + self.retained.len() < KEYS => self.copy(rng),
            _ => self.declare_otherwise(rng, round),
        }
    }

    /// `end_old`: of those with two users only, and the former one is locked out.
    fn rotate(&self, rng: &mut StdRng, end_old: bool) -> Change {
        let rotated = |tenant: &Tenant| if end_old { tenant.two_user } else { tenant.password.is_none() };
        let mut keys: Vec<String> =
            self.tenants.iter().filter(|(_, tenant)| rotated(tenant)).map(|(key, _)| key.clone()).collect();
        keys.shuffle(rng);
        keys.truncate(rng.random_range(1..=12));
        let flags = ["rotate", "-y", "--end-old"].map(str::to_owned);
        let args = [&flags[..if end_old { 3 } else { 2 }], &keys].concat();
        let words = args.join(" ");
        Change { args, after: self.clone(), tenants: keys.len(), touched: keys.into_iter().collect(), words }
    }

    /// A new tenant, with another one's rows.
    fn copy(&self, rng: &mut StdRng) -> Change {
        let mut after = self.clone();
        let from = self.tenants.keys().collect::<Vec<_>>().choose(rng).copied().cloned().unwrap();
        let to = self.free(rng).into_iter().find(|key| !self.retained.contains_key(key)).unwrap();
        after.tenants.insert(to.clone(), Tenant::random(rng));
        let args: Vec<String> = ["copy", "-y", "--data", &from, &to].map(str::to_owned).into();
        let words = args.join(" ");
        Change { args, after, tenants: 1, touched: [to].into(), words }
    }

    /// Keys that no declared tenant has, in any order.
    fn free(&self, rng: &mut StdRng) -> Vec<String> {
        let mut free: Vec<String> = (0..KEYS).map(key).filter(|key| !self.tenants.contains_key(key)).collect();
        free.shuffle(rng);
        free
    }

    fn declare_otherwise(&self, rng: &mut StdRng, round: u32) -> Change {
        let mut after = self.clone();
        // It mattered when they were created; and whose rows they were may go.
        after.tenants.values_mut().for_each(|tenant| tenant.template = None);
        let mut told: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        let mut keys: Vec<String> = self.tenants.keys().cloned().collect();
        keys.shuffle(rng);
        for key in keys.split_off(keys.len() - rng.random_range(0..=6)) {
            let gone = after.tenants.remove(&key).unwrap();
            told.entry(gone.on_remove).or_default().push(key.clone());
            if gone.on_remove == "retain" {
                after.retained.insert(key, gone);
            }
        }
        for key in keys.iter().take(rng.random_range(0..=12)) {
            let tenant = after.tenants.get_mut(key).unwrap();
            told.entry(tenant.change(rng, key, round)).or_default().push(key.clone());
        }
        for (what, name) in [("schemas go round:", NAME_OF_SCHEMA), ("usernames go round:", NAME_OF_USER)] {
            if rng.random_bool(0.2) {
                told.entry(what).or_default().extend(after.send_round(rng, name, self));
            }
        }
        let wanted = (SIZE + rng.random_range(0..=4)).saturating_sub(2 + after.tenants.len());
        let untouched: Vec<String> =
            self.tenants.keys().filter(|key| !told.values().flatten().any(|told| told == *key)).cloned().collect();
        for key in self.free(rng).into_iter().take(wanted) {
            let back = after.retained.remove(&key);
            told.entry(if back.is_some() { "wake" } else { "create" }).or_default().push(key.clone());
            let template = untouched.choose(rng).filter(|_| rng.random_bool(0.3)).cloned();
            after.tenants.insert(key, back.unwrap_or_else(|| Tenant { template, ..Tenant::random(rng) }));
        }
        let touched: BTreeSet<String> = told.values().flatten().cloned().collect();
        // A secret names another user, or is at another path, but not both at once.
        if rng.random_bool(0.1) && !told.contains_key(ROTATION) {
            after.prefix = if self.prefix == "tenants" { format!("moved/{round}") } else { "tenants".into() };
            told.entry("prefix").or_default().push(after.prefix.clone());
        }
        // Rows are copied from who has all migrations.
        let copies = after.tenants.values().any(|tenant| tenant.template.is_some());
        for _ in 0..[0, 0, 0, 0, 0, 1, 2].choose(rng).copied().filter(|_| !copies).unwrap_or(0) {
            let next = migration(after.migrations.len() + 1);
            told.entry("migration").or_default().push(next.0.clone());
            after.migrations.push(next);
        }
        let words: Vec<_> = told.iter().map(|(what, which)| format!("{what} {}", which.join(" "))).collect();
        let for_all = after.prefix != self.prefix || after.migrations.len() > self.migrations.len();
        let gone = touched.iter().filter(|key| !after.tenants.contains_key(*key)).count();
        let tenants = if for_all { after.tenants.len() + gone } else { touched.len() };
        let args = crate::APPLY.map(str::to_owned).to_vec();
        Change { args, after, touched, tenants, words: words.join("; ") }
    }
}

/// A name of a tenant's own, where it is not the usual one.
type NameOf = fn(&mut Tenant) -> &mut Option<String>;
const NAME_OF_SCHEMA: NameOf = |tenant| &mut tenant.schema;
const NAME_OF_USER: NameOf = |tenant| &mut tenant.username;

impl Fleet {
    /// Some tenants get each the name of the next, the last that of the first. Says who. Names that are not the usual ones
    /// only: a usual one would be wanted back by the tenant that it is made of. Who has two users keeps its name, and who is
    /// suspended now changes it later.
    fn send_round(&mut self, rng: &mut StdRng, name_of: NameOf, before: &Fleet) -> Vec<String> {
        let may = |key: &String, tenant: &Tenant| {
            let two_users = |tenant: &Tenant| tenant.two_user;
            let was = before.tenants.get(key);
            !two_users(tenant)
                && !was.is_some_and(two_users)
                && (!tenant.suspended || was.is_some_and(|was| was.suspended))
        };
        let named = self.tenants.iter_mut().filter(|(key, tenant)| may(key, tenant));
        let mut ring: Vec<_> =
            named.map(|(key, tenant)| (key, name_of(tenant))).filter(|(_, name)| name.is_some()).collect();
        ring.shuffle(rng);
        ring.truncate(rng.random_range(2..=4));
        let mut names: Vec<_> = ring.iter_mut().map(|(_, name)| name.take()).collect();
        if names.len() > 1 {
            names.rotate_left(1);
        }
        ring.iter_mut().zip(names).for_each(|((_, place), name)| **place = name);
        ring.into_iter().map(|(key, _)| key.clone()).collect()
    }
}

fn key(n: usize) -> String {
    format!("t-{n:02}")
}

/// What one makes a later one drops, so that schemas stay small however many rounds there are.
fn migration(version: usize) -> (String, String) {
    let sql = match version % 4 {
        0 => format!("CREATE TABLE extra_{version} (id serial PRIMARY KEY, note text);\n"),
        1 => format!(
            "-- tenantry: no-transaction\nCREATE INDEX CONCURRENTLY late_{version} ON users (email, id);\n\
             CREATE INDEX CONCURRENTLY later_{version} ON projects (mood);\nREINDEX INDEX CONCURRENTLY users_email_key;\n"
        ),
        2 => format!(
            "DROP TABLE IF EXISTS extra_{};\nDROP INDEX IF EXISTS late_{}, later_{};\n",
            version - 2,
            version - 1,
            version - 1
        ),
        _ => format!(
            "ALTER TABLE projects ADD COLUMN IF NOT EXISTS round int;\nUPDATE projects SET round = {version};\n"
        ),
    };
    (format!("V{version}__step.sql"), sql)
}
