//! What one mistyped key of tenants.toml would do to every tenant.

use std::fs;

use crate::fleet::{Admin, BOTH, Fleet};
use crate::postgres_server::Version;

const APPLY: [&str; 2] = ["apply", "-y"];
const RENAME: [&str; 3] = ["apply", "-y", "--rename-history"];
const USUAL: &str = "refinery_schema_history";

/// Three tenants, and a migration that must run once: it leaves a row.
fn seeded(admin: Admin, version: Version, name: &str) -> (Fleet, String) {
    let mut fleet = Fleet::under(admin, version, name);
    fleet.migration("V3__seed.sql", "INSERT INTO users (email) VALUES ('seed-' || (SELECT count(*) FROM users));");
    let prefix = fleet.database.name.clone();
    fleet.head.push_str(&format!(
        "schema = \"{{tenant}}\"\nusername = \"{prefix}_{{tenant}}_user\"\nowner = \"{prefix}_{{tenant}}_owner\"\n"
    ));
    fleet.declare(TENANTS);
    fleet.applies_and_settles();
    (fleet, prefix)
}

const TENANTS: &str = "rm-one = {}\nrm-two = { access = \"owner\" }\nrm-three = { access = \"readonly\" }";
const SCHEMAS: [&str; 3] = ["rm_one", "rm_two", "rm_three"];

/// The history under another name.
fn call_it(fleet: &mut Fleet, table: &str, tenants: &str) {
    fleet.head = fleet.head.split("[migrations]").next().unwrap().to_owned();
    fleet.head.push_str(&format!("[migrations]\nlock_timeout = \"300ms\"\ntable = \"{table}\"\n"));
    fleet.declare(tenants);
}

fn seeds(fleet: &Fleet) {
    for schema in SCHEMAS {
        assert_eq!(fleet.ask(&format!("SELECT count(*) FROM {schema}.users")), "1", "{schema} was seeded once");
    }
}

fn histories(fleet: &Fleet) -> String {
    fleet.ask("SELECT DISTINCT relname FROM pg_class WHERE relkind = 'r' AND relname ~* 'history' AND relnamespace::regnamespace::text ~ '^rm_' ORDER BY 1")
}

#[test]
fn a_history_under_another_name_is_renamed_when_that_is_meant_and_no_migration_runs_again() {
    for version in BOTH {
        for admin in [Admin::Superuser, Admin::Createrole] {
            let (mut fleet, _) = seeded(admin, version, "mistyped");
            call_it(&mut fleet, "refinery_schema_histroy", TENANTS);
            let words = "migrations.table refinery_schema_history → refinery_schema_histroy: 3 of 3 tenants";
            fleet.run(&["plan"]).ends(0).says(words).says("3 to update");
            fleet.run(&["drift"]).ends(2);
            for args in [&APPLY[..], &["apply", "-y", "--target", "rm-two"]] {
                let run = fleet.run(args).ends(1);
                run.says("put migrations.table back as it was")
                    .says("--rename-history --auto-approve")
                    .says("nothing was changed");
            }
            fleet.run(&["plan", "--out", "saved"]).ends(0);
            fleet.run(&["apply", "saved", "-y"]).ends(1).says("tenantry apply saved --rename-history --auto-approve");
            seeds(&fleet);
            assert_eq!(histories(&fleet), USUAL);
            call_it(&mut fleet, USUAL, TENANTS);
            fleet.settled();
            // It was meant, and together with a new migration and another owner.
            call_it(&mut fleet, "Schema History", TENANTS);
            fleet.migration("V4__more.sql", "CREATE TABLE more (n int);");
            fleet.run(&["plan", "--out", "saved"]).ends(0);
            fleet.run(&["apply", "saved", "-y", "--rename-history"]).ends(0);
            fleet.settled();
            assert_eq!(histories(&fleet), "Schema History");
            assert_eq!(fleet.ask("SELECT DISTINCT history_table FROM tenantry.tenants"), "Schema History");
            seeds(&fleet);
            assert_eq!(fleet.memberships(admin), "", "a right that was borrowed");
            // A new tenant begins under the new name.
            let more = format!("{TENANTS}\nrm-new = {{}}");
            fleet.declare(&more);
            fleet.run(&APPLY).ends(0);
            fleet.settled();
        }
    }
}

#[test]
fn a_rename_of_the_histories_that_was_cut_off_goes_on() {
    for version in BOTH {
        let (mut fleet, _) = seeded(Admin::Superuser, version, "cut_off");
        call_it(&mut fleet, "history", TENANTS);
        fleet.run(&["apply", "-y", "--rename-history", "--target", "rm-two"]).ends(0);
        assert_eq!(histories(&fleet), format!("history; {USUAL}"));
        fleet.run(&["plan"]).ends(0).says("2 of 3 tenants").says("1 unchanged");
        // Somebody reads one of them for longer than lock_timeout.
        let mut reader = fleet.database.client();
        reader.batch_execute(&format!("BEGIN; LOCK TABLE rm_one.{USUAL} IN ACCESS SHARE MODE")).unwrap();
        fleet.run(&RENAME).ends(1).says("rm-one").says("lock");
        reader.batch_execute("ROLLBACK").unwrap();
        assert_eq!(
            fleet.ask("SELECT tenant FROM tenantry.tenants WHERE history_table = 'history' ORDER BY 1"),
            "rm-three; rm-two"
        );
        fleet.run(&APPLY).ends(1).says("1 of 3 tenants");
        fleet.run(&RENAME).ends(0);
        fleet.settled();
        seeds(&fleet);
    }
}

#[test]
fn a_history_that_was_renamed_by_hand_is_remembered_or_asked_about() {
    for version in BOTH {
        let (mut fleet, _) = seeded(Admin::Superuser, version, "by_hand");
        let rename = |fleet: &Fleet, from: &str, to: &str| {
            SCHEMAS.iter().for_each(|schema| fleet.execute(&format!("ALTER TABLE {schema}.{from} RENAME TO {to}")));
        };
        // And tenants.toml says so: nothing is renamed again, and no flag is wanted.
        rename(&fleet, USUAL, "history");
        call_it(&mut fleet, "history", TENANTS);
        fleet.run(&["plan", "-v"]).ends(0).says("refinery_schema_history → history").says("3 to update");
        fleet.run(&APPLY).ends(0);
        fleet.settled();
        assert_eq!(fleet.ask("SELECT DISTINCT history_table FROM tenantry.tenants"), "history");
        // And tenants.toml says nothing of it.
        rename(&fleet, "history", "other");
        fleet.run(&["plan"]).ends(0).says("there is no history history, but other looks like one").says("3 blocked");
        fleet.run(&RENAME).ends(1);
        seeds(&fleet);
        call_it(&mut fleet, "neither", TENANTS);
        fleet.run(&["plan"]).ends(0).says("3 blocked").says("RENAME TO \"neither\"");
        fleet.run(&RENAME).ends(1);
        seeds(&fleet);
        call_it(&mut fleet, "other", TENANTS);
        fleet.run(&APPLY).ends(0);
        fleet.settled();
        // Both: what somebody made beside it is not taken for it.
        fleet.execute("CREATE TABLE rm_one.third (LIKE rm_one.other)");
        call_it(&mut fleet, "third", TENANTS);
        fleet.run(&["plan"]).ends(0).says("has a table of that name too").says("1 blocked");
        fleet.run(&["apply", "-y", "--rename-history", "--target", "rm-one"]).ends(1);
        seeds(&fleet);
        fleet.execute("DROP TABLE rm_one.third");
        fleet.run(&RENAME).ends(0);
        fleet.settled();
        seeds(&fleet);
    }
}

#[test]
fn a_registry_of_an_older_version_learns_the_histories_names_where_they_are_right() {
    for version in BOTH {
        let (mut fleet, _) = seeded(Admin::Superuser, version, "older");
        fleet.execute("DROP TABLE tenantry.vault_access; ALTER TABLE tenantry.tenants DROP COLUMN history_table, DROP COLUMN rotation, DROP COLUMN suspended, DROP COLUMN declared_by; DELETE FROM tenantry.refinery_schema_history WHERE version >= 11");
        call_it(&mut fleet, "refinery_schema_histroy", TENANTS);
        fleet
            .run(&["plan"])
            .ends(0)
            .says("refinery_schema_history looks like one")
            .says("3 blocked")
            .says("RENAME TO \"refinery_schema_histroy\"");
        // The registry is upgraded, and learns nothing that is wrong.
        fleet.run(&RENAME).ends(1);
        seeds(&fleet);
        assert_eq!(fleet.ask("SELECT DISTINCT history_table FROM tenantry.tenants"), "-");
        call_it(&mut fleet, USUAL, TENANTS);
        fleet.run(&["apply", "-y", "--target", "rm-one"]).ends(0);
        assert_eq!(fleet.ask("SELECT DISTINCT history_table FROM tenantry.tenants"), USUAL);
        fleet.settled();
        call_it(&mut fleet, "refinery_schema_histroy", TENANTS);
        fleet.run(&APPLY).ends(1).says("--rename-history");
        seeds(&fleet);
    }
}

#[test]
fn an_archive_remembers_its_migrations_whatever_tenants_toml_calls_the_history_now() {
    // One whose pg_dump is in PATH.
    let (mut fleet, _) = seeded(Admin::Superuser, BOTH[0], "archived");
    fleet.head = fleet.head.replace("on_remove = \"drop\"", "on_remove = \"archive\"");
    fleet.declare(TENANTS);
    fleet.run(&APPLY).ends(0);
    call_it(&mut fleet, "mistyped", "rm-one = {}\nrm-three = { access = \"readonly\" }");
    fleet.run(&["apply", "-y", "--target", "rm-two", "--allow-removals", "1"]).ends(0);
    let dir = fleet.path("archives");
    let mut files = fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path());
    let manifest = files.find(|path| path.extension().is_some_and(|e| e == "json")).unwrap();
    let text: serde_json::Value = serde_json::from_slice(&fs::read(&manifest).unwrap()).unwrap();
    assert_eq!(text["migrations"].as_array().unwrap().len(), 3, "{text}");
    // Restored under the other name it is asked about, and nothing runs again.
    fleet.declare(TENANTS);
    fleet.run(&["restore", "-y", manifest.to_str().unwrap()]).says("looks like one");
    assert_eq!(fleet.ask("SELECT count(*) FROM rm_two.users"), "1");
    fleet.execute(&format!("ALTER TABLE rm_two.{USUAL} RENAME TO mistyped"));
    fleet.run(&RENAME).ends(0);
    fleet.settled();
    seeds(&fleet);
}
