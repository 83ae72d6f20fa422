//! Creates, updates, rotations, and removals without an archive.

use crate::fleet::{BOTH, Fleet};
use crate::postgres_server::Version;
use crate::rules::{APPLY, cut_off, no_orphans, one_more_apply_ends_in_sync, secret_files};

/// Every fail point on the way of an apply.
const POINTS: [&str; 22] = [
    "after_names_are_parked",
    "before_apply",
    "before_shared_commit",
    "after_shared_commit",
    "after_registry_settled",
    "after_locked_out",
    "before_begin",
    "after_rows_are_loaded",
    "after_changes",
    "before_secret",
    "before_secret_file_is_renamed",
    "after_secret_file_is_renamed",
    "after_secret",
    "before_commit",
    "after_commit",
    "after_secret_deleted",
    "before_late_migrations",
    "after_deputy_is_made",
    "in_late_migration",
    "before_late_migration_is_recorded",
    "before_deputy_is_dismissed",
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

const TWO: &str = "{p}-old = {}\n{p}-b = {}";

const AWAKE: &str = "{p}-old = {}\n{p}-b = { rotation = \"two-user\" }";
const SUSPENDED: &str = "{p}-old = { suspended = true }\n{p}-b = { rotation = \"two-user\", suspended = true }";

const SCENES: [Scene; 15] = [
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
        name: "template",
        before: ("", TWO),
        after: ("", "{p}-old = {}\n{p}-b = {}\n{p}-new = { template = \"{p}-b\", template_data = true }"),
        migration: None,
        passes: &["after_rows_are_loaded", "before_secret", "before_commit", "after_commit"],
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
        name: "rotate",
        before: ("", TWO),
        after: ("", TWO),
        migration: None,
        passes: &[
            "before_begin",
            "before_secret_file_is_renamed",
            "after_secret_file_is_renamed",
            "after_secret",
            "before_commit",
            "after_commit",
        ],
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
        passes: &[
            "before_late_migrations",
            "after_deputy_is_made",
            "in_late_migration",
            "before_late_migration_is_recorded",
            "before_deputy_is_dismissed",
        ],
    },
    Scene {
        name: "label",
        before: ("", TWO),
        after: ("", "{p}-old = {}\n{p}-b = {}\n{p}-new = {}"),
        migration: Some(("V3__label.sql", "ALTER TYPE mood ADD VALUE 'odd';\n")),
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
        name: "suspend",
        before: ("", AWAKE),
        after: ("", SUSPENDED),
        migration: None,
        passes: &["after_locked_out", "before_begin", "after_changes", "before_commit", "after_commit"],
    },
    Scene {
        name: "wake",
        before: ("", SUSPENDED),
        after: ("", AWAKE),
        migration: None,
        passes: &["before_begin", "after_changes", "before_commit", "after_commit"],
    },
    Scene {
        name: "redeclare",
        before: ("", "{p}-old = {}\n{p}-b = {}"),
        after: ("", "{p}-old = {}"),
        migration: None,
        passes: &["after_locked_out", "after_commit", "after_secret_deleted"],
    },
];

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
        if scene.name == "label" {
            fleet.migration("V4__use.sql", "INSERT INTO projects (mood) VALUES ('odd');\n");
        }
        let args: &[&str] = if scene.name == "rotate" { &["rotate", "-y", "--all"] } else { &APPLY };
        if cut_off(&fleet, args, point) {
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
scenes!(first create given rename rotate paths late label drop retain redeclare swap suspend wake);
