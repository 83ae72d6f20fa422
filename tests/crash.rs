//! A run cut off at every step of every kind of change, as a crash cuts it off: one more apply ends in sync.
//!
//! Steps are the fail points of src/; `cargo test --features failpoints`.
#![allow(clippy::unwrap_used)]

#[path = "support/fleet.rs"]
mod fleet;
#[path = "support/openbao.rs"]
mod openbao;
#[path = "support/postgres.rs"]
mod postgres_server;

use std::collections::BTreeSet;

use fleet::{BOTH, Fleet};
use openbao::OpenBao;
use postgres_server::Version;
use serde_json::{Value, json};

/// Every fail point on the way of an apply.
const POINTS: [&str; 18] = [
    "after_names_are_parked",
    "before_apply",
    "before_shared_commit",
    "after_shared_commit",
    "after_registry_settled",
    "after_locked_out",
    "before_begin",
    "after_changes",
    "before_secret",
    "before_secret_file_is_renamed",
    "after_secret_file_is_renamed",
    "after_secret",
    "before_commit",
    "after_commit",
    "after_secret_deleted",
    "before_late_migrations",
    "before_late_migration_is_recorded",
    "before_shared_after",
];

/// What a change begins from and comes to: the head and the tenants of tenants.toml, and the migrations.
struct Scene {
    name: &'static str,
    before: (&'static str, &'static str),
    after: (&'static str, &'static str),
    migration: Option<(&'static str, &'static str)>,
    /// The points it passes, at least: a scene that passes none of what it is for proves nothing.
    passes: &'static [&'static str],
}

const APPLY: [&str; 4] = ["apply", "-y", "--allow-removals", "9"];
const TWO: &str = "{p}-old = {}\n{p}-b = {}";

const SCENES: [Scene; 10] = [
    Scene {
        name: "first",
        before: ("", ""),
        after: ("[database]\nshared_schemas = [\"lookup_{p}\"]\nextensions = [\"pg_trgm\"]\n", TWO),
        migration: None,
        passes: &[
            "before_shared_commit",
            "after_shared_commit",
            "after_registry_settled",
            "before_secret",
            "before_commit",
            "after_commit",
        ],
    },
    Scene {
        name: "create",
        before: ("", TWO),
        after: (
            "",
            "{p}-old = {}\n{p}-b = {}\n{p}-new = {}\n{p}-own = { access = \"owner\" }\n\
             {p}-c = { owner = \"{p}_shared\", access = \"readwrite\" }\n{p}-d = { owner = \"{p}_shared\", access = \"readwrite\" }",
        ),
        migration: None,
        passes: &[
            "after_shared_commit",
            "before_apply",
            "before_begin",
            "after_changes",
            "before_secret_file_is_renamed",
            "after_secret_file_is_renamed",
            "after_secret",
        ],
    },
    Scene {
        name: "given",
        before: ("", "{p}-old = { password_from = \"${FIRST}\" }\n{p}-b = {}"),
        after: ("", "{p}-old = { password_from = \"${SECOND}\" }\n{p}-b = { password_from = \"${SECOND}\" }"),
        migration: None,
        passes: &["before_secret", "after_secret", "before_commit", "after_commit"],
    },
    Scene {
        name: "rename",
        before: ("", TWO),
        after: (
            "",
            "{p}-old = { username = \"{p} renamed\", schema = \"{p}-renamed\", owner = \"{p}_renamed_owner\" }\n{p}-b = { access = \"owner\" }",
        ),
        migration: None,
        passes: &["after_changes", "after_secret", "before_commit", "after_commit"],
    },
    Scene {
        name: "swap",
        before: (
            "",
            "{p}-old = { username = \"{p} 1\", schema = \"{p} 1\" }\n{p}-b = { username = \"{p} 2\", schema = \"{p} 2\" }",
        ),
        after: (
            "",
            "{p}-old = { username = \"{p} 2\", schema = \"{p} 2\" }\n{p}-b = { username = \"{p} 1\", schema = \"{p} 1\" }",
        ),
        migration: None,
        passes: &["after_names_are_parked", "after_secret", "before_commit", "after_commit"],
    },
    Scene {
        name: "paths",
        before: ("", TWO),
        after: ("[secrets]\npath = \"moved/{tenant}\"\n", TWO),
        migration: None,
        passes: &["after_secret", "after_commit", "after_secret_deleted"],
    },
    Scene {
        name: "late",
        before: ("", TWO),
        after: ("", "{p}-old = {}\n{p}-b = {}\n{p}-new = {}"),
        migration: Some((
            "V3__late.sql",
            "-- tenantry: no-transaction\nCREATE INDEX CONCURRENTLY late ON users (email);\n",
        )),
        passes: &["before_late_migrations", "before_late_migration_is_recorded"],
    },
    Scene {
        name: "drop",
        before: (
            "",
            "{p}-old = {}\n{p}-b = {}\n{p}-c = { owner = \"{p}_shared\", access = \"readwrite\" }\n{p}-d = { owner = \"{p}_shared\", access = \"readwrite\" }",
        ),
        after: ("", "{p}-old = {}"),
        migration: None,
        passes: &["after_locked_out", "after_commit", "after_secret_deleted", "before_shared_after"],
    },
    Scene {
        name: "retain",
        before: ("[defaults]\non_remove = \"retain\"\n", TWO),
        after: ("[defaults]\non_remove = \"retain\"\n", "{p}-old = {}"),
        migration: None,
        passes: &["after_locked_out", "after_commit", "after_secret_deleted"],
    },
    Scene {
        name: "redeclare",
        before: ("", "{p}-old = {}\n{p}-b = {}"),
        after: ("", "{p}-old = {}"),
        migration: None,
        passes: &["after_locked_out", "after_commit", "after_secret_deleted"],
    },
];

/// Runs the change with the process ending at this point. Says whether it got there.
fn cut_off(fleet: &Fleet, point: &'static str) -> bool {
    let mut command = fleet.command(&APPLY);
    command.env("FAILPOINTS", format!("{point}=return"));
    let status = command.output().unwrap().status;
    // A process that aborts has no exit code.
    assert!(status.code().is_none_or(|code| code == 0), "{point}: {status}");
    status.code().is_none()
}

/// Nothing is left that no tenant has: roles, schemas, secrets, halves of them, rows, or the lock.
#[track_caller]
fn no_orphans(fleet: &Fleet, prefix: &str, secrets: &BTreeSet<String>, at: &str) {
    let orphans = fleet.ask(&format!(
        "SELECT 'role ' || rolname FROM pg_roles WHERE rolname LIKE '{prefix}%' AND rolname NOT IN (SELECT username FROM tenantry.tenants UNION SELECT owner FROM tenantry.tenants) \
         UNION ALL SELECT 'schema ' || nspname FROM pg_namespace WHERE (nspname LIKE 'tenant\\_{prefix}%' OR nspname LIKE '{prefix}%') AND nspname NOT IN (SELECT schema_name FROM tenantry.tenants) \
         UNION ALL SELECT 'row ' || tenant FROM tenantry.tenants WHERE state = 'removed' \
         UNION ALL SELECT 'former secret ' || path FROM tenantry.former_secrets UNION ALL SELECT 'former owner ' || role FROM tenantry.former_owners \
         UNION ALL SELECT 'nologin ' || username FROM tenantry.tenants JOIN pg_roles ON rolname = username WHERE state = 'active' AND NOT rolcanlogin \
         UNION ALL SELECT 'lock' FROM pg_locks l JOIN pg_database d ON d.oid = l.database WHERE locktype = 'advisory' AND d.datname = current_database()"
    ));
    assert_eq!(orphans, "", "{at}");
    let wanted = fleet.ask("SELECT secret_path FROM tenantry.tenants WHERE state = 'active' ORDER BY 1");
    let wanted: BTreeSet<String> = wanted.split("; ").filter(|path| !path.is_empty()).map(str::to_owned).collect();
    assert_eq!(*secrets, wanted, "{at}: secrets");
}

/// What is in the file store, by path; anything else there is a half of something.
fn secret_files(fleet: &Fleet) -> BTreeSet<String> {
    let root = fleet.path(".tenantry/secrets");
    let mut found = BTreeSet::new();
    let mut dirs = vec![root.clone()];
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(dir).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
            } else if path.file_name().is_some_and(|name| name != ".lock") {
                let name = path.strip_prefix(&root).unwrap().to_str().unwrap();
                found.insert(name.strip_suffix(".json").unwrap_or(name).to_owned());
            }
        }
    }
    found
}

fn one_more_apply_ends_in_sync(fleet: &Fleet, at: &str) {
    let run = fleet.run(&APPLY);
    assert_eq!(run.code, 0, "{at}: apply\n{}\n{}", run.stdout, run.stderr);
    let run = fleet.run(&["plan", "--deep", "--detailed-exitcode"]);
    assert_eq!(run.code, 0, "{at}: plan\n{}\n{}", run.stdout, run.stderr);
    let run = fleet.run(&["verify"]);
    assert_eq!(run.code, 0, "{at}: verify\n{}\n{}", run.stdout, run.stderr);
}

/// Returns the points that were passed.
fn play(scene: &Scene, version: Version, points: &[&'static str]) -> Vec<&'static str> {
    let mut passed = Vec::new();
    for point in points {
        let mut fleet = Fleet::usual(version, &format!("cut_{}", scene.name));
        fleet.env = [("FIRST", "the first one given"), ("SECOND", "the second one given")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        let prefix = fleet.database.name.replace('_', "-");
        let sql_prefix = fleet.database.name.clone();
        let declare = |fleet: &mut Fleet, (head, tenants): (&str, &str)| {
            let head = if head.contains("[defaults]") {
                head.to_owned()
            } else {
                format!("{head}[defaults]\non_remove = \"drop\"\n")
            };
            fleet.head = head.replace("{p}", &sql_prefix);
            fleet.declare(&tenants.replace("{p}-", &format!("{prefix}-")).replace("{p}", &sql_prefix));
        };
        declare(&mut fleet, scene.before);
        fleet.run(&APPLY).ends(0);
        declare(&mut fleet, scene.after);
        if let Some((file, sql)) = scene.migration {
            fleet.migration(file, sql);
        }
        if cut_off(&fleet, point) {
            passed.push(*point);
        }
        if scene.name == "redeclare" {
            declare(&mut fleet, scene.before);
        }
        let at = format!("{} cut off at {point} on {version:?}", scene.name);
        one_more_apply_ends_in_sync(&fleet, &at);
        no_orphans(&fleet, &sql_prefix, &secret_files(&fleet), &at);
    }
    for point in scene.passes {
        assert!(passed.contains(point), "{} never came to {point}; it passed {passed:?}", scene.name);
    }
    passed
}

fn play_on_both(name: &str) {
    let scene = SCENES.iter().find(|scene| scene.name == name).unwrap();
    // What the first version never came to, the second need not try.
    let mut points = POINTS.to_vec();
    for version in BOTH {
        points = play(scene, version, &points);
    }
}

macro_rules! scenes {
    ($($name:ident)*) => { $(#[test] fn $name() { play_on_both(stringify!($name)); })* };
}
scenes!(first create given rename paths late drop retain redeclare swap);

/// In a KV engine the secret and its metadata are two requests.
#[test]
fn vault() {
    let bao = OpenBao::dev();
    for point in ["before_secret_metadata", "after_secret", "after_commit", "after_secret_deleted"] {
        for (step, after) in [
            ("create", "{p}-a = {}\n{p}-b = {}\n{p}-c = {}"),
            ("remove", "{p}-a = {}"),
            ("update", "{p}-a = { username = \"{p} x\" }\n{p}-b = {}"),
        ] {
            let mut fleet = Fleet::usual(Version::V18, "cut_vault");
            fleet.head.push_str(&format!(
                "[secrets]\nstore = \"vault\"\npath = \"{}/{{tenant}}\"\n[vault]\naddress = \"{}\"\n",
                fleet.database.name, bao.address
            ));
            fleet.env.insert("VAULT_TOKEN".into(), bao.token.clone());
            let prefix = fleet.database.name.clone();
            let key = prefix.replace('_', "-");
            let declare =
                |tenants: &str| fleet.declare(&tenants.replace("{p}-", &format!("{key}-")).replace("{p}", &prefix));
            declare("{p}-a = {}\n{p}-b = {}");
            fleet.apply();
            declare(after);
            cut_off(&fleet, point);
            let at = format!("{step} with Vault cut off at {point}");
            one_more_apply_ends_in_sync(&fleet, &at);
            let listed = bao.try_api("LIST", &format!("secret/metadata/{prefix}"), &Value::Null);
            let keys = listed
                .map(|(_, body)| body["data"]["keys"].as_array().cloned().unwrap_or_default())
                .unwrap_or_default();
            for name in &keys {
                let custom =
                    bao.api("GET", &format!("secret/metadata/{prefix}/{}", name.as_str().unwrap()), Value::Null);
                assert_eq!(custom["data"]["custom_metadata"]["managed_by"], json!("tenantry"), "{at}: {name}");
            }
            let found = keys.iter().map(|name| format!("{prefix}/{}", name.as_str().unwrap())).collect();
            no_orphans(&fleet, &prefix, &found, &at);
        }
    }
}
