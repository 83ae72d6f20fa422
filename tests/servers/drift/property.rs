//! Any configuration, changed by hand in any way: each change is seen, and one apply heals them all.

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::sample::{Index, subsequence};
use proptest::test_runner::{Config, TestRunner};

use crate::fleet::{BOTH, Fleet};
use crate::hand_made::{self, Kind, Victim};
use crate::postgres_server::Version;

/// More of them, without an end to the time: TENANTRY_PROPERTY_CASES=200.
const CASES: u32 = 100;
const TIME: Duration = Duration::from_secs(60);

#[derive(Clone)]
struct Case {
    version: Index,
    tenants: Vec<Tenant>,
    shared_schemas: bool,
    on_remove: &'static str,
    changes: Vec<(Index, Index)>,
}

#[derive(Clone, Debug)]
struct Tenant {
    access: &'static str,
    /// What its names begin with, where they are not the usual ones.
    name: Option<String>,
    owner_is_shared: bool,
    connection_limit: Option<i32>,
    settings: Vec<&'static str>,
    password_is_given: bool,
    protected: bool,
}

const SETTINGS: [&str; 10] = [
    "statement_timeout = \"30s\"",
    "work_mem = \"16384kB\"",
    "maintenance_work_mem = 65536",
    "jit = false",
    "random_page_cost = 1.1",
    "temp_tablespaces = \"pg_default, \\\"pg_default\\\"\"",
    "DateStyle = \"ISO, DMY\"",
    "TimeZone = \"Europe/Berlin\"",
    "application_name = \"a, b = 'c'\"",
    "\"app.plan\" = \"it's \\\"gold\\\" \\\\o/\"",
];

fn tenant() -> impl Strategy<Value = Tenant> {
    let access = prop::sample::select(vec!["full", "readwrite", "readonly", "owner"]);
    let name = prop::option::weighted(0.4, "[a-zA-Z0-9_ .\"'\\\\$%/=,;:@é—\\-\n\t]{1,12}");
    let rare = || prop::bool::weighted(0.2);
    let limit = prop::option::of(0..50);
    (access, name, rare(), limit, subsequence(SETTINGS.to_vec(), 0..4), rare(), rare()).prop_map(
        |(access, name, owner_is_shared, connection_limit, settings, password_is_given, protected)| Tenant {
            access,
            name,
            owner_is_shared,
            connection_limit,
            settings,
            password_is_given,
            protected,
        },
    )
}

fn case() -> impl Strategy<Value = Case> {
    let changes = prop::collection::vec((any::<Index>(), any::<Index>()), 1..8);
    let on_remove = prop::sample::select(vec!["drop", "retain", "archive"]);
    (any::<Index>(), prop::collection::vec(tenant(), 1..=6), any::<bool>(), on_remove, changes).prop_map(
        |(version, tenants, shared_schemas, on_remove, changes)| Case {
            version,
            tenants,
            shared_schemas,
            on_remove,
            changes,
        },
    )
}

impl Case {
    fn version(&self) -> Version {
        BOTH.into_iter().nth(self.version.index(BOTH.into_iter().len())).unwrap()
    }

    /// Roles are the cluster's: what is made on one server has the number of its case in its names.
    fn key(number: u32, n: usize) -> String {
        format!("p{number}-{n}")
    }

    fn head(&self) -> String {
        let shared = if self.shared_schemas { "shared_schemas = [\"lookup\", \"Other one\"]" } else { "" };
        format!(
            "[database]\n{shared}\n[secrets]\nmax_missing = \"100%\"\n[defaults]\non_remove = \"{}\"\n",
            self.on_remove
        )
    }

    fn declared(&self, number: u32) -> String {
        let mut lines = String::new();
        for (n, tenant) in self.tenants.iter().enumerate() {
            let key = Self::key(number, n);
            let victim = self.victim(number, n, "", "");
            let text = |name: &str| serde_json::to_string(name).unwrap();
            let mut keys = vec![format!("access = \"{}\"", tenant.access)];
            if tenant.name.is_some() {
                keys.push(format!("schema = {}, username = {}", text(&victim.schema), text(&victim.user)));
            }
            if tenant.access != "owner" {
                keys.push(format!("owner = {}", text(&victim.owner)));
            }
            keys.extend(tenant.connection_limit.map(|limit| format!("connection_limit = {limit}")));
            keys.extend(tenant.password_is_given.then(|| "password_from = \"a given password\"".to_owned()));
            keys.push(format!("protected = {}, settings = {{ {} }}", tenant.protected, tenant.settings.join(", ")));
            lines.push_str(&format!("{key} = {{ {} }}\n", keys.join(", ")));
        }
        lines
    }

    fn victim(&self, number: u32, n: usize, database: &str, stranger: &str) -> Victim {
        let tenant = &self.tenants[n];
        let plain = Self::key(number, n).replace('-', "_");
        let (schema, user, own) = match &tenant.name {
            None => (format!("tenant_{plain}"), format!("{plain}_user"), format!("{plain}_owner")),
            Some(name) => (format!("{name} s{plain}"), format!("{name} u{plain}"), format!("{name} o{plain}")),
        };
        let owner = match tenant.access {
            "owner" => user.clone(),
            _ if tenant.owner_is_shared => format!("p{number}_shared"),
            _ => own,
        };
        Victim {
            key: Self::key(number, n),
            schema,
            user,
            owner,
            owner_is_shared: tenant.owner_is_shared,
            access: tenant.access,
            database: database.to_owned(),
            stranger: stranger.to_owned(),
        }
    }

    /// Each kind once a tenant, in the order of the kinds: what drops a thing comes after what alters it.
    fn changes(&self, number: u32, database: &str, stranger: &str) -> Vec<(&'static Kind, Victim)> {
        let kinds = hand_made::seen();
        let mut chosen: Vec<(usize, usize)> = self
            .changes
            .iter()
            .map(|(kind, tenant)| (kind.index(kinds.len()), tenant.index(self.tenants.len())))
            .collect();
        chosen.sort_unstable();
        chosen.dedup();
        let secret = |kind: usize| kinds[kind].sql(&self.victim(number, 0, database, stranger)).is_none();
        // A secret is deleted or rewritten, not both.
        chosen.dedup_by(|next, first| next.1 == first.1 && secret(next.0) && secret(first.0));
        let victims = chosen.into_iter().map(|(kind, n)| (&kinds[kind], self.victim(number, n, database, stranger)));
        let mut changes: Vec<_> = victims.filter(|(kind, victim)| kind.fits(victim)).collect();
        // What nobody can change any more.
        changes.sort_by_key(|(kind, _)| kind.name.ends_with(" is dropped"));
        // Of a table that belongs to it the tenant may pass on everything anyway.
        let given = changes.iter().filter(|(kind, _)| kind.name == "a table of the migrations is given to the tenant");
        let given: Vec<String> = given.map(|(_, victim)| victim.key.clone()).collect();
        changes.retain(|(kind, victim)| kind.name != "a grant may be passed on" || !given.contains(&victim.key));
        changes
    }
}

impl fmt::Debug for Case {
    /// As one would try it again by hand.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "on {:?}\n{}[tenants]\n{}", self.version(), self.head(), self.declared(0))?;
        for (kind, victim) in self.changes(0, "app", "reporting") {
            writeln!(f, "{} of {}: {}", kind.name, victim.key, kind.sql(&victim).unwrap_or_default())?;
        }
        Ok(())
    }
}

fn try_out(case: &Case) {
    static NUMBER: AtomicU32 = AtomicU32::new(1);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let mut fleet = Fleet::usual(case.version(), "property");
    let stranger = super::stranger(&fleet);
    fleet.head = case.head();
    fleet.declare(&case.declared(number));
    fleet.apply();
    fleet.run(&["plan", "--detailed-exitcode", "-v"]).ends(0);
    for (kind, victim) in case.changes(number, &fleet.database.name, &stranger) {
        super::carry_out(&fleet, kind, &victim);
        let plan = fleet.run(&["plan", "--format", "json"]).ends(0).json();
        let lines = hand_made::lines(&plan, &victim.key);
        assert!(kind.is_in(&plan, &victim), "not seen: {} of {}: {lines:#?}", kind.name, victim.key);
    }
    fleet.apply();
    fleet.run(&["plan", "--detailed-exitcode", "-v"]).ends(0);
    // A limit of 0 lets nobody in, and is meant.
    if case.tenants.iter().all(|tenant| tenant.connection_limit != Some(0)) {
        fleet.run(&["verify"]).ends(0);
    }
}

#[test]
fn whatever_is_changed_by_hand_is_seen_and_healed() {
    let wanted: Option<u32> = std::env::var("TENANTRY_PROPERTY_CASES").ok().map(|text| text.parse().unwrap());
    let config =
        Config { cases: wanted.unwrap_or(CASES), max_shrink_iters: 80, failure_persistence: None, ..Config::default() };
    let begin = Instant::now();
    let result = TestRunner::new(config).run(&case(), |case| {
        if wanted.is_some() || begin.elapsed() < TIME {
            try_out(&case);
        }
        Ok(())
    });
    result.unwrap_or_else(|failure| panic!("{failure}"));
}
