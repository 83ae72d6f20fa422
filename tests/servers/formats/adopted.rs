//! Schemas that each tool migrated by itself, adopted where that tool left off.

use crate::fleet::{Admin, BOTH, Fleet, Run};
use crate::postgres_server::Version;

use super::projects::{ALL, File, Project};
use super::{fleet_of, history, write, write_one};

/// The table as the tool makes it (from its source), and a row for each of the project's first files.
fn tools_table(project: &Project) -> String {
    let sum = |digest: &str, text: &str| format!("{digest}(convert_to($sum${text}$sum$, 'UTF8'))");
    let files = || migrations(project.first);
    match project.format {
        "sqlx" => {
            let rows = files().map(|(file, text)| {
                let (version, name) = file.split_once('_').unwrap();
                format!("({version}, '{name}', TRUE, {}, 1)", sum("sha384", text))
            });
            format!(
                "CREATE TABLE IF NOT EXISTS _sqlx_migrations (version BIGINT PRIMARY KEY, description TEXT NOT NULL, \
                 installed_on TIMESTAMPTZ NOT NULL DEFAULT now(), success BOOLEAN NOT NULL, checksum BYTEA NOT NULL, \
                 execution_time BIGINT NOT NULL); \
                 INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES {}",
                joined(rows)
            )
        }
        "diesel" => {
            let rows = files().map(|(file, _)| format!("('{}')", file.split('_').next().unwrap().replace('-', "")));
            format!(
                "CREATE TABLE IF NOT EXISTS __diesel_schema_migrations (version VARCHAR(50) PRIMARY KEY NOT NULL, \
                 run_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP); \
                 INSERT INTO __diesel_schema_migrations (version) VALUES {}",
                joined(rows)
            )
        }
        "golang-migrate" => "CREATE TABLE IF NOT EXISTS schema_migrations (version bigint not null primary key, \
             dirty boolean not null); INSERT INTO schema_migrations VALUES (3, false)"
            .to_owned(),
        "dbmate" => {
            let rows = files().map(|(file, _)| format!("('{}')", file.split('_').next().unwrap()));
            format!(
                "CREATE TABLE IF NOT EXISTS schema_migrations (version varchar(128) primary key); \
                 INSERT INTO schema_migrations (version) VALUES {}",
                joined(rows)
            )
        }
        // The checksums are zlib's crc32 of the files without their line ends.
        "flyway" => "CREATE TABLE flyway_schema_history (installed_rank INT NOT NULL, version VARCHAR(50), \
             description VARCHAR(200) NOT NULL, type VARCHAR(20) NOT NULL, script VARCHAR(1000) NOT NULL, checksum INTEGER, \
             installed_by VARCHAR(100) NOT NULL, installed_on TIMESTAMP NOT NULL DEFAULT now(), \
             execution_time INTEGER NOT NULL, success BOOLEAN NOT NULL); \
             ALTER TABLE flyway_schema_history ADD CONSTRAINT flyway_schema_history_pk PRIMARY KEY (installed_rank); \
             CREATE INDEX flyway_schema_history_s_idx ON flyway_schema_history (success); \
             INSERT INTO flyway_schema_history (installed_rank, version, description, type, script, checksum, installed_by, \
               execution_time, success) VALUES \
             (0, NULL, '<< Flyway Schema Creation >>', 'SCHEMA', '\"app\"', NULL, 'app', 0, true), \
             (1, '1', 'create notes', 'SQL', 'V1__create_notes.sql', 420212474, 'app', 4, true), \
             (2, '1.9', 'default body', 'SQL', 'V1.9__default_body.sql', -1285839808, 'app', 4, true), \
             (3, '1.10', 'Tag notes', 'SQL', 'V1.10__Tag notes.sql', -1206184346, 'app', 4, true)"
            .to_owned(),
        "prisma" => {
            let rows = files().map(|(file, text)| {
                let (name, sum) = (file.split('/').next().unwrap(), sum("sha256", text));
                format!("(gen_random_uuid()::text, encode({sum}, 'hex'), now(), '{name}', NULL, NULL, now(), 1)")
            });
            format!(
                "CREATE TABLE _prisma_migrations (id VARCHAR(36) PRIMARY KEY NOT NULL, checksum VARCHAR(64) NOT NULL, \
                 finished_at TIMESTAMPTZ, migration_name VARCHAR(255) NOT NULL, logs TEXT, rolled_back_at TIMESTAMPTZ, \
                 started_at TIMESTAMPTZ NOT NULL DEFAULT now(), applied_steps_count INTEGER NOT NULL DEFAULT 0); \
                 INSERT INTO _prisma_migrations VALUES \
                 (gen_random_uuid()::text, 'of an attempt', NULL, '20240101120000_create_notes', 'failed', now(), now(), 0), {}",
                joined(rows)
            )
        }
        other => panic!("{other}"),
    }
}

fn joined(rows: impl Iterator<Item = String>) -> String {
    rows.collect::<Vec<_>>().join(", ")
}

/// Those that the tool runs, in its order.
fn migrations(files: &[File]) -> impl Iterator<Item = &File> {
    let mut files: Vec<&File> = files
        .iter()
        .filter(|(file, _)| {
            file.ends_with(".sql") && !file.ends_with("down.sql") && !file.starts_with('U') && *file != "schema.sql"
        })
        .collect();
    // V1 before V1.9 before V1.10.
    files.sort_by_key(|(file, _)| file.replace("V1__", "V1.00__").replace("V1.9", "V1.09"));
    files.into_iter()
}

/// The schema and all in it are made by the application's role, as the tool does that runs as it.
fn migrated_by_the_tool(fleet: &Fleet, project: &Project, schema: &str, role: &str) {
    let sql: Vec<&str> =
        migrations(project.first).map(|(_, text)| text.split("-- migrate:down").next().unwrap()).collect();
    fleet.execute(&format!("CREATE ROLE {role} LOGIN PASSWORD 'old'; CREATE SCHEMA {schema} AUTHORIZATION {role}"));
    let as_it = |sql: &str| fleet.execute(&format!("SET ROLE {role}; SET search_path = {schema}; {sql}"));
    as_it(&sql.concat());
    as_it(&tools_table(project));
    as_it("INSERT INTO notes (body) VALUES ('mine')");
}

/// What a CREATEROLE admin lacks is granted as the refusal says.
fn adopt(fleet: &Fleet, admin: Admin, version: Version, role: &str) -> Run {
    if admin == Admin::Superuser {
        return fleet.run(&["adopt", "-y", "-v"]);
    }
    let options = if version.major() < 16 { "" } else { " WITH INHERIT TRUE, SET TRUE" };
    let grant = format!("GRANT \"{role}\" TO \"{}\"{options};", fleet.admin_name(admin));
    fleet.run(&["adopt", "-y"]).ends(1).says(&grant);
    fleet.execute(&grant);
    let adopted = fleet.run(&["adopt", "-y", "-v"]);
    fleet.execute(&format!("REVOKE {role} FROM {}", fleet.admin_name(admin)));
    adopted
}

fn is_adopted_where_it_left_off(project: &Project, admin: Admin, version: Version, name: &str) {
    let fleet = fleet_of(project, admin, version, name);
    let (schema, role) = (format!("tenant_{name}_a"), format!("{name}_app"));
    fleet.declare(&format!("{name}-a = {{}}"));
    migrated_by_the_tool(&fleet, project, &schema, &role);
    if admin == Admin::Createrole && version.major() >= 16 {
        fleet
            .execute(&format!("GRANT {role} TO {} WITH ADMIN TRUE, INHERIT FALSE, SET FALSE", fleet.admin_name(admin)));
    }
    // No difference but the tool's own table, which is none: nothing needs to be allowed.
    adopt(&fleet, admin, version, &role).ends(0).says("recorded as applied and not run, as ").says("1 applied");
    assert_eq!(history(&fleet, &schema), project.history_of_first, "{}", project.format);
    assert_eq!(fleet.ask(&format!("SELECT body FROM {schema}.notes")), "mine");
    assert_eq!(fleet.memberships(admin), "");
    fleet.settled();
    fleet.run(&["drift", "--deep"]).ends(0);

    write(&fleet, project.more);
    fleet.applies_and_settles();
    assert_eq!(history(&fleet, &schema), project.history_of_all, "{}", project.format);
}

#[test]
fn each_tools_schema_is_adopted_where_it_left_off() {
    for (n, project) in ALL.iter().enumerate() {
        let admin = if n % 2 == 0 { Admin::Superuser } else { Admin::Createrole };
        is_adopted_where_it_left_off(project, admin, BOTH[0], &format!("ad{n}"));
    }
}

#[test]
fn so_it_is_on_the_newest_server() {
    for (n, project) in ALL.iter().enumerate().take(2) {
        let admin = if n % 2 == 0 { Admin::Createrole } else { Admin::Superuser };
        is_adopted_where_it_left_off(project, admin, BOTH[1], &format!("adn{n}"));
    }
}

#[test]
fn a_history_that_is_not_settled_blocks_its_tenant_and_says_why() {
    let find = |format: &str| ALL.iter().find(|project| project.format == format).unwrap();
    let cases: [(&str, &str, &str); 6] = [
        ("sqlx", "UPDATE _sqlx_migrations SET success = false WHERE version = 20240103080000", "failed"),
        ("diesel", "INSERT INTO __diesel_schema_migrations VALUES ('20250101000000')", "which has no file"),
        ("golang-migrate", "UPDATE schema_migrations SET dirty = true", "3 failed, or is being applied"),
        ("dbmate", "DELETE FROM schema_migrations", "no migration was applied"),
        (
            "flyway",
            "DELETE FROM flyway_schema_history WHERE version = '1.9'",
            "has later migrations than V1.9__default_body.sql",
        ),
        (
            "prisma",
            "UPDATE _prisma_migrations SET finished_at = NULL WHERE rolled_back_at IS NULL",
            "failed, or is being applied",
        ),
    ];
    for (n, (format, spoilt, why)) in cases.into_iter().enumerate() {
        let (project, name) = (find(format), format!("bad{n}"));
        let fleet = fleet_of(project, Admin::Superuser, BOTH[0], &name);
        let schema = format!("tenant_{name}_a");
        fleet.declare(&format!("{name}-a = {{}}"));
        migrated_by_the_tool(&fleet, project, &schema, &format!("{name}_app"));
        fleet.execute(&format!("SET search_path = {schema}; {spoilt}"));
        let refused = fleet.run(&["adopt", "-y"]).ends(1).says(why);
        refused.says(&format!("tenantry adopt {name}-a --baseline VERSION"));
        assert_eq!(fleet.ask("SELECT count(*) FROM pg_namespace WHERE nspname = 'tenantry'"), "0", "{format}");
    }
}

#[test]
fn a_file_that_was_changed_after_the_tool_applied_it_blocks_and_a_person_may_say_otherwise() {
    for (n, format) in ["sqlx", "flyway", "prisma"].into_iter().enumerate() {
        let (project, name) = (ALL.iter().find(|project| project.format == format).unwrap(), format!("sum{n}"));
        let fleet = fleet_of(project, Admin::Superuser, BOTH[0], &name);
        let schema = format!("tenant_{name}_a");
        fleet.declare(&format!("{name}-a = {{}}"));
        migrated_by_the_tool(&fleet, project, &schema, &format!("{name}_app"));
        let (file, text) = migrations(project.first).next().unwrap();
        write_one(&fleet, file, &format!("{text}-- changed\n"));
        fleet.run(&["adopt", "-y"]).ends(1).says(&format!("another checksum for {file}"));
        let last = project.history_of_first.rsplit("; ").next().unwrap().split(',').next().unwrap();
        fleet.run(&["adopt", "-y", "--baseline", last]).ends(0).says("1 applied");
        assert_eq!(history(&fleet, &schema), project.history_of_first);
        fleet.settled();
    }
}

#[test]
fn a_history_that_could_be_the_tenants_code_is_not_read() {
    let project = ALL.iter().find(|project| project.format == "golang-migrate").unwrap();
    let fleet = fleet_of(project, Admin::Superuser, BOTH[0], "trap");
    fleet.declare("trap-a = {}");
    migrated_by_the_tool(&fleet, project, "tenant_trap_a", "trap_app");
    let spoilt = |sql: &str| fleet.execute(&format!("SET search_path = tenant_trap_a; {sql}"));
    let refused = |why: &str| fleet.run(&["adopt", "-y"]).ends(1).says(why);
    spoilt("ALTER TABLE schema_migrations ENABLE ROW LEVEL SECURITY");
    refused("row security is on: its policies are code");
    // A type's output function would be called as us.
    spoilt(
        "ALTER TABLE schema_migrations DISABLE ROW LEVEL SECURITY; CREATE DOMAIN number AS bigint; \
         ALTER TABLE schema_migrations ALTER version TYPE number",
    );
    refused("it has no column version of a type of PostgreSQL's own");
    spoilt("ALTER TABLE schema_migrations ALTER version TYPE text");
    refused("its column version is of type text");
    spoilt(
        "ALTER TABLE schema_migrations RENAME TO other; CREATE VIEW schema_migrations AS SELECT 3::bigint AS version, false AS dirty",
    );
    refused("it is a view, not an ordinary table");
    // Somebody holds it.
    spoilt(
        "DROP VIEW schema_migrations; CREATE TABLE schema_migrations (version bigint PRIMARY KEY, dirty boolean NOT NULL); \
            INSERT INTO schema_migrations VALUES (3, false); DROP TABLE other; DROP DOMAIN number",
    );
    let mut holder = fleet.database.client();
    let mut held = holder.transaction().unwrap();
    held.batch_execute("LOCK TABLE tenant_trap_a.schema_migrations").unwrap();
    fleet.run(&["adopt", "-y", "--lock-timeout", "1s"]).ends(1).says("is locked by PID");
    held.rollback().unwrap();
    fleet.run(&["adopt", "-y"]).ends(0).says("1 applied");
    fleet.settled();
}
