//! Migrations written for other tools: each tool's project is applied, goes on, and is not taken for another's.

mod adopted;
mod projects;

use std::fs;

use crate::fleet::{Admin, BOTH, Fleet, ask};
use crate::postgres_server::{Version, database_of};
use projects::{ALL, File, Project, SQLX};

fn write(fleet: &Fleet, files: &[File]) {
    files.iter().for_each(|(file, text)| write_one(fleet, file, text));
}

fn write_one(fleet: &Fleet, file: &str, text: &str) {
    let path = fleet.path("migrations").join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// With the project's first files, and two tenants that are named after it.
fn fleet_of(project: &Project, admin: Admin, version: Version, name: &str) -> Fleet {
    let mut fleet = Fleet::usual_on(admin, database_of(version, name));
    for (file, _) in crate::fleet::MIGRATIONS {
        fs::remove_file(fleet.path("migrations").join(file)).unwrap();
    }
    fleet.head.push_str(&format!("[migrations]\nformat = \"{}\"\n", project.format));
    write(&fleet, project.first);
    fleet.declare(&format!("{name}-a = {{}}\n{name}-b = {{}}"));
    fleet
}

fn history(fleet: &Fleet, schema: &str) -> String {
    fleet.ask(&format!("SELECT version, name FROM {schema}.refinery_schema_history ORDER BY version"))
}

fn goes_on(project: &Project, admin: Admin, version: Version, name: &str) {
    let fleet = fleet_of(project, admin, version, name);
    fleet.run(&["validate"]).ends(0);
    for file in project.not_run {
        fleet.run(&["validate"]).ends(0).says(file);
    }
    fleet.applies_and_settles();
    let schemas = ["a", "b"].map(|tenant| format!("tenant_{name}_{tenant}"));
    for schema in &schemas {
        assert_eq!(history(&fleet, schema), project.history_of_first, "{}", project.format);
        let kind = format!(
            "SELECT atttypid::regtype FROM pg_attribute \
             WHERE attrelid = '{schema}.refinery_schema_history'::regclass AND attname = 'version'"
        );
        assert_eq!(fleet.ask(&kind), "bigint");
    }
    let mut client = fleet.log_in(&format!("{name}-a"));
    assert_eq!(ask(&mut client, "INSERT INTO notes (body) VALUES ('mine') RETURNING body"), "mine");

    write(&fleet, project.more);
    fleet.applies_and_settles();
    for schema in &schemas {
        assert_eq!(history(&fleet, schema), project.history_of_all, "{}", project.format);
        let index = format!("SELECT indisvalid FROM pg_index WHERE indexrelid = '{schema}.notes_by_body'::regclass");
        assert_eq!(fleet.ask(&index), "t", "what ran outside a transaction");
    }
    // A scratch run of the migrations, compared with what they made of the tenants.
    fleet.run(&["drift", "--deep"]).ends(0);

    let (file, text) = project.first.iter().find(|(_, text)| text.contains("CREATE TABLE notes")).unwrap();
    write_one(&fleet, file, &text.replace("CREATE TABLE notes", "CREATE TABLE  notes"));
    fleet.run(&["plan"]).ends(0).says("was changed after it was applied");
    write_one(&fleet, file, text);
    fleet.settled();
}

#[test]
fn each_tools_project_is_applied_and_goes_on() {
    for (n, project) in ALL.iter().enumerate() {
        let admin = if n % 2 == 0 { Admin::Superuser } else { Admin::Createrole };
        goes_on(project, admin, BOTH[0], &format!("goes{n}"));
    }
}

#[test]
fn a_createrole_admin_of_the_newest_server_applies_them_too() {
    goes_on(&SQLX, Admin::Createrole, BOTH[1], "newest");
    let golang = ALL.iter().find(|project| project.format == "golang-migrate").unwrap();
    goes_on(golang, Admin::Superuser, BOTH[1], "newestg");
}

#[test]
fn what_was_merged_late_is_applied_late_where_the_tool_does_so() {
    for format in ["sqlx", "dbmate", "diesel", "prisma", "flyway", "golang-migrate"] {
        let (n, project) = ALL.iter().enumerate().find(|(_, project)| project.format == format).unwrap();
        let fleet = fleet_of(project, Admin::Superuser, BOTH[0], &format!("late{n}"));
        fleet.applies_and_settles();
        write(&fleet, &[project.late]);
        if ["flyway", "golang-migrate"].contains(&format) {
            fleet.run(&["plan"]).ends(0).says("is out of order").says("give the file a version above the last one");
        } else {
            fleet.applies_and_settles();
            assert_eq!(fleet.ask(&format!("SELECT count(*) FROM tenant_late{n}_b.late")), "0", "{format}");
        }
    }
}

#[test]
fn another_format_is_no_reason_to_run_anything_again() {
    let mut fleet = Fleet::new(BOTH[0], "switch");
    fleet.migration("V1__create_notes.sql", "CREATE TABLE notes (id int);");
    fleet.declare("sw-a = {}");
    fleet.applies_and_settles();
    // As it is, no file fits.
    let head = fleet.head.clone();
    fleet.head.push_str("[migrations]\nformat = \"sqlx\"\n");
    fleet.declare("sw-a = {}");
    fleet.run(&["validate"]).ends(1).says("if they are named as for refinery, set format = \"refinery\"");
    fs::rename(fleet.path("migrations/V1__create_notes.sql"), fleet.path("migrations/1_create_notes.sql")).unwrap();
    fleet.migration("2_more.sql", "CREATE TABLE more (id int);");
    fleet.run(&["plan"]).ends(0).says("its history was written when that was \"refinery\"").says("1 blocked");
    fleet.run(&["apply", "-y"]).ends(1);
    assert_eq!(history(&fleet, "tenant_sw_a"), "1, create_notes");
    // Nor the other way round.
    fleet.head = head;
    fs::remove_file(fleet.path("migrations/1_create_notes.sql")).unwrap();
    fs::remove_file(fleet.path("migrations/2_more.sql")).unwrap();
    fleet.migration("V1__create_notes.sql", "CREATE TABLE notes (id int);");
    fleet.declare("sw-a = {}");
    fleet.settled();
}

#[test]
fn tools_whose_files_come_to_the_same_may_take_turns() {
    let mut fleet = Fleet::new(BOTH[0], "turns");
    let head = fleet.head.clone();
    fleet.migration("20240101120000_create_notes.up.sql", "CREATE TABLE notes (id int);\n");
    for format in ["golang-migrate", "sqlx"] {
        fleet.head = format!("{head}[migrations]\nformat = \"{format}\"\n");
        fleet.declare("tu-a = {}");
        fleet.applies_and_settles();
        assert_eq!(history(&fleet, "tenant_tu_a"), "20240101120000, create_notes");
    }
    fleet.run(&["plan"]).ends(0).says("No changes");
}

/// The second of two files fails: nothing of either stays, and one apply after it is mended ends in sync.
#[test]
fn a_migration_that_fails_leaves_nothing_of_its_tenant() {
    let fleet = fleet_of(&SQLX, Admin::Createrole, BOTH[0], "fails");
    fleet.applies_and_settles();
    fleet.execute("INSERT INTO tenant_fails_b.notes (body) VALUES ('x'), ('x')");
    let files: [File; 2] = [
        ("20240201000000_a.sql", "CREATE TABLE a (id int);\n"),
        ("20240202000000_b.sql", "\nCREATE UNIQUE INDEX notes_once ON notes (body);\n"),
    ];
    write(&fleet, &files);
    fleet.run(&["apply", "-y"]).ends(1).says("20240202000000_b").says("23505");
    assert_eq!(
        fleet.ask("SELECT to_regclass('tenant_fails_a.a') IS NOT NULL, to_regclass('tenant_fails_b.a') IS NULL"),
        "t, t"
    );
    fleet.execute("TRUNCATE tenant_fails_b.notes");
    fleet.applies_and_settles();
}

#[test]
fn an_archive_of_such_a_tenant_comes_back() {
    let mut fleet = fleet_of(&SQLX, Admin::Superuser, BOTH[0], "back");
    fleet.head = fleet.head.replace("on_remove = \"drop\"", "on_remove = \"archive\"");
    fleet.env.insert("TENANTRY_PG_BINDIR".into(), crate::postgres_server::pg_dump_dir(BOTH[0]));
    fleet.declare("back-a = {}\nback-b = {}");
    fleet.applies_and_settles();
    fleet.execute("INSERT INTO tenant_back_a.notes (body) VALUES ('kept')");
    fleet.declare("back-b = {}");
    fleet.run(&["apply", "-y", "--allow-removals", "1"]).ends(0);
    let mut manifest = fs::read_dir(fleet.path("archives")).unwrap().map(|entry| entry.unwrap().path());
    let manifest = manifest.find(|path| path.extension().is_some_and(|end| end == "json")).unwrap();
    fleet.declare("back-a = {}\nback-b = {}");
    write(&fleet, SQLX.more);
    fleet.run(&["restore", "-y", manifest.to_str().unwrap()]).ends(0);
    fleet.applies_and_settles();
    assert_eq!(fleet.ask("SELECT body FROM tenant_back_a.notes"), "kept");
    assert_eq!(history(&fleet, "tenant_back_a"), SQLX.history_of_all);
}

/// A schema that the tool itself migrated: what is recorded as applied does not run, and the rest does.
#[test]
fn a_schema_that_the_tool_migrated_is_adopted_at_a_version() {
    let fleet = fleet_of(&SQLX, Admin::Superuser, BOTH[0], "taken");
    fleet.execute("CREATE SCHEMA tenant_taken_a");
    let up = SQLX.first.iter().filter(|(file, _)| !file.contains(".down.")).map(|(_, sql)| *sql).collect::<String>();
    fleet.execute(&format!("SET search_path = tenant_taken_a; {up}"));
    fleet.declare("taken-a = {}");
    fleet.run(&["adopt", "-y", "--baseline", "20240103080000"]).ends(0).says("1 applied");
    assert_eq!(history(&fleet, "tenant_taken_a"), SQLX.history_of_first);
    fleet.settled();
    write(&fleet, SQLX.more);
    fleet.applies_and_settles();
    assert_eq!(history(&fleet, "tenant_taken_a"), SQLX.history_of_all);
}

/// In one transaction, with what would run outside of one.
#[test]
fn a_copy_has_the_same_history() {
    for (n, project) in ALL.iter().enumerate() {
        let fleet = fleet_of(project, Admin::Superuser, BOTH[0], &format!("copied{n}"));
        write(&fleet, project.more);
        fleet.applies_and_settles();
        let [from, to] = ["from", "to"].map(|name| format!("copied{n}-{name}"));
        fleet.declare(&format!("copied{n}-a = {{}}\ncopied{n}-b = {{}}\n{from} = {{}}"));
        fleet.applies_and_settles();
        fleet.execute(&format!("INSERT INTO tenant_copied{n}_from.notes (body) VALUES ('kept')"));
        fleet.declare(&format!("copied{n}-a = {{}}\ncopied{n}-b = {{}}\n{from} = {{}}\n{to} = {{}}"));
        fleet.run(&["copy", &from, &to, "--data", "-y"]).ends(0);
        fleet.settled();
        assert_eq!(fleet.ask(&format!("SELECT body FROM tenant_copied{n}_to.notes")), "kept", "{}", project.format);
        assert_eq!(history(&fleet, &format!("tenant_copied{n}_to")), project.history_of_all);
    }
}
