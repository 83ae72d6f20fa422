//! `restore FILE`.

use std::process::Stdio;
use std::time::{Duration, Instant};

use super::failures::instead_of_pg_restore;
use super::project::{REMOVE, assert_no_deputy, manifests, project, there_and_back};
use crate::fleet::{BOTH, Fleet, ask, refused};
use crate::postgres_server::Version;

/// All that the tenant's tables hold, and who owns what.
#[track_caller]
fn contents(fleet: &Fleet, schema: &str) -> String {
    let sql = format!(
        "SELECT relname, relowner::regrole, relkind, (SELECT string_agg(t::text, '|' ORDER BY t::text) FROM \"{schema}\".users t), \
         (SELECT last_value FROM \"{schema}\".tickets) \
         FROM pg_class WHERE relnamespace = '\"{schema}\"'::regnamespace AND relkind IN ('r', 'v', 'S', 'm', 'i') ORDER BY 1"
    );
    fleet.ask(&sql)
}

#[test]
fn a_restored_tenant_has_its_rows_its_own_tables_and_a_new_password() {
    for version in BOTH {
        for access in ["full", "owner", "readwrite", "readonly"] {
            let fleet = project(version, "back");
            let tenant = format!("rb-{access}");
            let schema = format!("tenant_rb_{access}");
            let declared = format!("{tenant} = {{ access = \"{access}\", settings = {{ work_mem = \"6MB\" }} }}");
            fleet.declare(&declared);
            fleet.applies_and_settles();
            fleet.execute(&format!(
                "INSERT INTO {schema}.users (email) SELECT 'u' || n FROM generate_series(1, 50) n; SELECT nextval('{schema}.tickets')"
            ));
            if ["full", "owner"].contains(&access) {
                fleet
                    .log_in(&tenant)
                    .batch_execute(
                        "CREATE TABLE mine (a text CHECK (a <> '')); INSERT INTO mine VALUES ('kept'); \
                         CREATE MATERIALIZED VIEW counted AS SELECT count(*) FROM users; CREATE INDEX ON mine (lower(a)); \
                         CREATE FUNCTION twice(n int) RETURNS int LANGUAGE sql AS 'SELECT 2 * n'",
                    )
                    .unwrap();
            }
            let before = (contents(&fleet, &schema), fleet.secret(&tenant)["password"].clone());
            there_and_back(&fleet, &declared, "");
            let after = (contents(&fleet, &schema), fleet.secret(&tenant)["password"].clone());
            assert_eq!(before.0, after.0);
            assert_ne!(before.1, after.1);
            if access == "full" {
                let foreign = "SELECT a.* FROM pg_class c, aclexplode(c.relacl) a WHERE relname = 'mine' AND a.grantee <> c.relowner";
                assert_eq!(fleet.ask(foreign), "");
                let mut session = fleet.log_in(&tenant);
                assert_eq!(
                    ask(&mut session, "SELECT a, twice(3), (SELECT count FROM counted) FROM mine"),
                    "kept, 6, 50"
                );
                session.batch_execute("ALTER TABLE mine ADD b int; DROP TABLE mine").unwrap();
            }
            // Removed and restored once more, as any tenant is.
            there_and_back(&fleet, &declared, "");
        }
    }
}

#[test]
fn migrations_that_came_since_are_applied() {
    let fleet = project(Version::V18, "since");
    fleet.declare("si-one = {}");
    fleet.applies_and_settles();
    fleet.execute("INSERT INTO tenant_si_one.users (email) VALUES ('a')");
    fleet.declare("");
    fleet.run(&REMOVE).ends(0);
    fleet.migration("V3__since.sql", "ALTER TABLE users ADD COLUMN since int DEFAULT 7;");
    fleet.declare("si-one = {}");
    let (path, _) = manifests(&fleet).pop().unwrap();
    let path = path.to_str().unwrap();
    let second = std::fs::read_to_string(fleet.path("migrations/V2__create_projects.sql")).unwrap();
    fleet.migration("V2__create_projects.sql", "SELECT 1;");
    fleet.run(&["restore", "-y", path]).ends(1).says("was changed after it was applied").says("nothing was changed");
    fleet.assert_no_trace_of("si-none");
    assert_eq!(fleet.ask("SELECT rolname FROM pg_roles WHERE rolname ~ '^si_'"), "");
    fleet.migration("V2__create_projects.sql", &second);
    fleet.run(&["restore", "-y", path]).ends(0).says("1 migration since then applied");
    fleet.settled();
    assert_eq!(ask(&mut fleet.log_in("si-one"), "SELECT email, since FROM users"), "a, 7");
}

#[test]
fn an_archive_that_was_tampered_with_is_refused() {
    let fleet = project(Version::Installed, "tampered");
    fleet.declare("ta-one = {}");
    fleet.applies_and_settles();
    let json = fleet.run(&["archive", "ta-one", "--format", "json"]).ends(0).json();
    let dump = json["dump"].as_str().unwrap();
    let manifest = json["manifest"].as_str().unwrap();
    let whole = std::fs::read(fleet.path(dump)).unwrap();
    let text = std::fs::read_to_string(fleet.path(manifest)).unwrap();
    fleet.declare("");
    fleet
        .run(&["restore", "-y", manifest])
        .ends(1)
        .says("is not declared in")
        .says("[tenants.ta-one]")
        .says("tenant_ta_one");
    fleet.declare("ta-one = {}");
    fleet.run(&["restore", "-y", dump]).ends(1).says("already exists");
    fleet.run(&REMOVE).ends(0);
    let mut broken = whole.clone();
    *broken.last_mut().unwrap() ^= 1;
    for bytes in [broken.as_slice(), &whole[..whole.len() - 1], &[]] {
        std::fs::write(fleet.path(dump), bytes).unwrap();
        fleet.run(&["restore", "-y", dump]).ends(1).says("does not match the manifest");
    }
    std::fs::write(fleet.path(dump), &whole).unwrap();
    for (from, to) in [("\"format_version\": \"1\"", "\"format_version\": \"9\""), ("\"file\": \"", "\"file\": \"../")]
    {
        std::fs::write(fleet.path(manifest), text.replacen(from, to, 1)).unwrap();
        fleet.run(&["restore", "-y", manifest]).ends(1);
    }
    std::fs::remove_file(fleet.path(manifest)).unwrap();
    fleet.run(&["restore", "-y", dump]).ends(1).says("there is no manifest");
}

#[test]
fn a_live_archive_is_of_one_moment_and_locks_nobody_out() {
    for version in BOTH {
        let fleet = project(version, "live");
        fleet.declare("li-one = {}");
        fleet.applies_and_settles();
        let mut session = fleet.log_in("li-one");
        session
            .batch_execute(
                "INSERT INTO users (email) VALUES ('committed'); COMMIT; BEGIN; INSERT INTO users (email) VALUES ('open')",
            )
            .unwrap();
        let json = fleet.run(&["archive", "li-one", "--out", "elsewhere", "--format", "json"]).ends(0).json();
        assert_eq!(json["sha256"].as_str().unwrap().len(), 64);
        let users = json["tables"].as_array().unwrap().iter().find(|table| table["table"] == "users").unwrap();
        assert_eq!(users["rows"], 1);
        session.batch_execute("COMMIT").unwrap();
        fleet.settled();
        assert_no_deputy(&fleet);
        fleet.run(&["archive", "li-two"]).ends(1).says("not registered");
    }
}

#[test]
fn code_in_an_archive_is_no_more_than_the_tenant() {
    for version in BOTH {
        let fleet = project(version, "riding");
        fleet.declare("ri-one = {}\nri-other = {}");
        fleet.applies_and_settles();
        // Every one of these runs as rows go in, or as indexes and constraints are made; what it tried, it writes down.
        fleet
            .log_in("ri-one")
            .batch_execute(
                "CREATE TABLE tried (what text, who text, outcome text);
                 CREATE FUNCTION ride(what text) RETURNS boolean LANGUAGE plpgsql AS $f$
                 DECLARE attempt text; outcome text;
                 BEGIN
                   FOREACH attempt IN ARRAY ARRAY['RESET ROLE', 'SET ROLE postgres', 'ALTER ROLE ri_one_user SUPERUSER',
                     'CREATE ROLE ri_planted', 'SELECT count(*) FROM tenant_ri_other.users',
                     'GRANT ri_other_owner TO ri_one_user', 'COPY tenant_ri_one.users TO PROGRAM ''cat >/dev/null''',
                     'UPDATE tenantry.tenants SET protected = true'] LOOP
                     BEGIN EXECUTE attempt; outcome := 'done'; EXCEPTION WHEN OTHERS THEN outcome := SQLSTATE; END;
                     BEGIN INSERT INTO tenant_ri_one.tried VALUES (attempt, current_user || '/' || session_user, outcome);
                     EXCEPTION WHEN OTHERS THEN NULL; END;
                   END LOOP;
                   RETURN true;
                 END $f$;
                 CREATE FUNCTION constant(n int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $f$
                 BEGIN PERFORM tenant_ri_one.ride('index'); RETURN n; END $f$;
                 CREATE DOMAIN checked AS int CHECK (tenant_ri_one.ride('domain'));
                 CREATE TABLE trap (n int CHECK (tenant_ri_one.ride('check')), d checked,
                   g int GENERATED ALWAYS AS (tenant_ri_one.constant(1)) STORED);
                 CREATE INDEX ON trap (tenant_ri_one.constant(n));
                 INSERT INTO trap VALUES (1, 1);
                 CREATE MATERIALIZED VIEW seen AS SELECT tenant_ri_one.ride('view');
                 TRUNCATE tried",
            )
            .unwrap();
        there_and_back(&fleet, "ri-one = {}", "ri-other = {}");
        let tried = fleet
            .ask("SELECT DISTINCT what, outcome, who FROM tenant_ri_one.tried WHERE outcome <> '42501' ORDER BY 1, 2");
        // RESET ROLE leads to the deputy itself, and COPY … TO PROGRAM nowhere.
        assert!(tried.split("; ").all(|line| line.starts_with("RESET ROLE, done, ")), "{tried}");
        assert!(tried.contains("tenantry_deputy_"), "the code ran: {tried}");
        assert_eq!(
            fleet.ask("SELECT rolname FROM pg_roles WHERE rolname IN ('ri_planted') OR rolsuper AND rolname ~ '^ri_'"),
            ""
        );
        assert_eq!(refused(&mut fleet.log_in("ri-one"), "SELECT * FROM tenant_ri_other.users"), "42501");
    }
}

#[test]
fn newer_programs_serve_an_older_server() {
    let mut fleet = project(Version::Installed, "newer");
    let newer = crate::postgres_server::binaries(Version::V18).dir().to_string_lossy().into_owned();
    fleet.env.insert("TENANTRY_PG_BINDIR".into(), newer);
    fleet.declare("ne-one = {}");
    fleet.applies_and_settles();
    fleet.execute("INSERT INTO tenant_ne_one.users (email) VALUES ('a')");
    there_and_back(&fleet, "ne-one = {}", "");
    assert_eq!(ask(&mut fleet.log_in("ne-one"), "SELECT email FROM users"), "a");
}

#[test]
fn a_tenant_that_locks_its_tables_keeps_its_archive_waiting_not_for_ever() {
    let mut fleet = project(Version::Installed, "locked");
    fleet.head.insert_str(0, "[migrations]\nlock_timeout = \"300ms\"\n");
    fleet.declare("lo-one = {}");
    fleet.applies_and_settles();
    let mut session = fleet.log_in("lo-one");
    session.batch_execute("BEGIN; LOCK TABLE users IN ACCESS EXCLUSIVE MODE").unwrap();
    fleet.run(&["archive", "lo-one"]).ends(1).says("blocked by PID ");
    assert_no_deputy(&fleet);
    assert!(manifests(&fleet).is_empty());
    session.batch_execute("COMMIT").unwrap();
    fleet.run(&["archive", "lo-one"]).ends(0).says("sha256");
    fleet.settled();
}

#[test]
fn an_archive_that_meets_locks_costs_no_application_its_transaction() {
    let fleet = project(Version::Installed, "deadlock");
    fleet.declare("dk-one = {}");
    fleet.applies_and_settles();
    let lock = |table| format!("LOCK TABLE tenant_dk_one.{table} IN ACCESS EXCLUSIVE MODE");
    let args = ["archive", "dk-one"];
    fleet
        .costs_no_application_its_transaction(&args, "LOCK TABLE", [&lock("projects"), &lock("users")])
        .ends(0)
        .says("sha256");
    assert_no_deputy(&fleet);
}

#[test]
fn an_interrupted_restore_leaves_nothing() {
    let fleet = project(Version::V18, "interrupted");
    fleet.declare("in-one = {}");
    fleet.applies_and_settles();
    fleet
        .log_in("in-one")
        .batch_execute(
            "CREATE FUNCTION slow(n int) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_catalog.pg_sleep(20 * (n - 1)); RETURN true; END $$; \
             CREATE TABLE slow (n int CHECK (tenant_in_one.slow(n))); INSERT INTO slow VALUES (1)",
        )
        .unwrap();
    // The row that will be slow to come back got in while the check was another.
    fleet
        .log_in("in-one")
        .batch_execute(
            "CREATE OR REPLACE FUNCTION slow(n int) RETURNS bool LANGUAGE sql AS 'SELECT true'; INSERT INTO slow VALUES (2); \
             CREATE OR REPLACE FUNCTION slow(n int) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_catalog.pg_sleep(20 * (n - 1)); RETURN true; END $$",
        )
        .unwrap();
    fleet.declare("");
    fleet.run(&REMOVE).ends(0);
    fleet.declare("in-one = {}");
    let (path, _) = manifests(&fleet).pop().unwrap();
    let mut command = fleet.command(&["restore", "-y", path.to_str().unwrap()]);
    // As a terminal does it: the whole group.
    let mut child = std::os::unix::process::CommandExt::process_group(&mut command, 0).spawn().unwrap();
    let group = child.id();
    let at_work = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND query LIKE 'COPY tenant_in_one.slow%'";
    while fleet.ask(at_work) == "0" {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it was slow");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let kill = std::process::Command::new("bash")
        .args(["-c", "kill -INT -- -\"$1\"", "sh", &group.to_string()])
        .status()
        .unwrap();
    assert!(kill.success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(fleet.ask(at_work), "0");
    super::project::assert_gone(&fleet, "in_one");
    assert_no_deputy(&fleet);
}

/// Whoever looks at the code learns that it was cut short, and not that something is wrong with the tenant.
#[test]
fn a_restore_that_is_interrupted_once_the_data_are_in_says_so() {
    let fleet = project(Version::V18, "cut_short");
    fleet.declare("cs-one = {}");
    fleet.applies_and_settles();
    fleet.declare("");
    fleet.run(&REMOVE).ends(0);
    fleet.declare("cs-one = {}");
    fleet.migration("V9__slow.sql", "SELECT pg_catalog.pg_sleep(30)");
    let (path, _) = manifests(&fleet).pop().unwrap();
    let mut child = fleet.command(&["restore", "-y", path.to_str().unwrap()]).spawn().unwrap();
    let at_work = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'";
    while fleet.ask(at_work) == "0" {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it was slow");
        std::thread::sleep(Duration::from_millis(20));
    }
    // The second has the server cancel it.
    while child.try_wait().unwrap().is_none() {
        std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
        std::thread::sleep(Duration::from_millis(500));
        if fleet.ask(at_work) == "0" {
            break;
        }
    }
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(fleet.ask("SELECT state FROM tenantry.tenants"), "active");
}

/// A superuser's deputy reads past policies to dump; to fill a schema it needs no such right, and the tenant's code runs there.
#[test]
fn code_in_a_dump_sees_no_row_that_a_policy_keeps_from_its_tenant() {
    for version in BOTH {
        let mut fleet = project(version, "past");
        fleet.head.insert_str(0, "[database]\nshared_schemas = [\"commons\"]\n");
        fleet.declare("pa-one = {}");
        fleet.applies_and_settles();
        fleet.execute(
            "CREATE TABLE commons.orders (who text); INSERT INTO commons.orders VALUES ('pa_two_user');
             ALTER TABLE commons.orders ENABLE ROW LEVEL SECURITY;
             CREATE POLICY own ON commons.orders USING (who = current_user); GRANT SELECT ON commons.orders TO PUBLIC",
        );
        let mut session = fleet.log_in("pa-one");
        session
            .batch_execute(
                "CREATE FUNCTION sees_nothing(int) RETURNS boolean LANGUAGE plpgsql AS
                   'BEGIN RETURN NOT EXISTS (SELECT FROM commons.orders); END';
                 CREATE TABLE trap (a int CHECK (sees_nothing(a))); INSERT INTO trap VALUES (1);
                 ALTER TABLE trap ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON trap USING (true)",
            )
            .unwrap();
        there_and_back(&fleet, "pa-one = {}", "");
        assert_eq!(fleet.ask("SELECT count(*) FROM tenant_pa_one.trap"), "1");
    }
}

/// What takes something away is for apply to show, and to be asked about.
#[test]
fn a_restore_into_a_new_database_closes_nothing() {
    for version in BOTH {
        let fleet = project(version, "rcl");
        fleet.declare("rcl-one = {}");
        fleet.apply();
        fleet.declare("");
        fleet.run(&REMOVE).ends(0);
        let (path, _) = manifests(&fleet).pop().unwrap();
        fleet.execute("DROP SCHEMA tenantry CASCADE; GRANT USAGE ON SCHEMA public TO PUBLIC");
        fleet.execute(&format!("GRANT TEMPORARY ON DATABASE {} TO PUBLIC", fleet.database.name));
        fleet.declare("rcl-one = {}");
        fleet.run(&["restore", "-y", path.to_str().unwrap()]).ends(0);
        let open = "SELECT has_schema_privilege('reporting', 'public', 'USAGE'), has_database_privilege('reporting', current_database(), 'TEMP')";
        fleet.execute("DO $$ BEGIN CREATE ROLE reporting; EXCEPTION WHEN duplicate_object THEN NULL; END $$");
        assert_eq!(fleet.ask(open), "t, t");
        fleet.run(&["plan", "--detailed-exitcode"]).ends(2).says("schema public: PUBLIC gets nothing");
        fleet.applies_and_settles();
        assert_eq!(fleet.ask(open), "f, f");
    }
}

/// The deputy's password ends after ten minutes; that pg_restore took longer is played by ending it.
#[test]
fn a_long_restore_brings_its_large_objects_back() {
    for version in BOTH {
        let mut fleet = project(version, "long");
        fleet.declare("lg-one = {}");
        fleet.applies_and_settles();
        let sql = "CREATE TABLE blobs AS SELECT lo_from_bytea(0, 'kept') AS id";
        fleet.log_in("lg-one").batch_execute(sql).unwrap();
        fleet.declare("");
        fleet.run(&REMOVE).ends(0);
        let (path, _) = manifests(&fleet).pop().unwrap();
        fleet.declare("lg-one = {}");
        let real = fleet.env["TENANTRY_PG_BINDIR"].clone();
        instead_of_pg_restore(
            &mut fleet,
            // A newer pg_restore than the server complains of a setting, and goes on.
            &format!(
                "{real}/pg_restore \"$@\"; code=$?; touch restored; while [ ! -e go-on ]; do sleep 0.1; done; exit $code"
            ),
        );
        let restore = fleet.command(&["restore", "-y", path.to_str().unwrap()]).stderr(Stdio::piped()).spawn().unwrap();
        let begun = Instant::now();
        while !fleet.path("restored").exists() {
            assert!(begun.elapsed() < Duration::from_secs(60), "pg_restore never ended");
            std::thread::sleep(Duration::from_millis(20));
        }
        fleet.execute(
            "DO $$ DECLARE r text; BEGIN \
             SELECT deputy INTO STRICT r FROM tenantry.tenants WHERE tenant = 'lg-one'; \
             EXECUTE format('ALTER ROLE %I VALID UNTIL %L', r, 'yesterday'); END $$",
        );
        std::fs::write(fleet.path("go-on"), "").unwrap();
        let output = restore.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        fleet.settled();
        let read = "SELECT convert_from(lo_get(id), 'UTF8') FROM blobs";
        assert_eq!(ask(&mut fleet.log_in("lg-one"), read), "kept");
    }
}

/// What one of the tenant's roles made, the other may not read for having been restored.
#[test]
fn a_restore_grants_nothing_of_its_own() {
    for version in BOTH {
        let fleet = project(version, "own");
        fleet.declare("ow-one = {}");
        fleet.applies_and_settles();
        fleet.log_in("ow-one").batch_execute("CREATE TABLE mine (); CREATE SEQUENCE numbers").unwrap();
        let granted = "SELECT c.relname, a.grantee::regrole, a.privilege_type FROM pg_class c, aclexplode(c.relacl) a \
                       WHERE c.relnamespace = 'tenant_ow_one'::regnamespace AND a.grantee <> c.relowner ORDER BY 1, 2, 3";
        let before = fleet.ask(granted);
        there_and_back(&fleet, "ow-one = {}", "");
        assert_eq!(fleet.ask(granted), before);
    }
}
