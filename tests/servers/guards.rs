//! What is somebody else's stays belongs to someone else: copies of a database, names taken over, things that hang on a schema.
mod which;

use std::time::Duration;

use crate::fleet::{BOTH, Fleet};
use crate::postgres_server;

const REMOVE: [&str; 4] = ["apply", "-y", "--allow-removals", "9"];

#[test]
fn a_copy_of_the_database_in_its_own_cluster_is_refused() {
    for version in BOTH {
        let mut fleet = Fleet::usual(version, "original");
        fleet.declare("gc-one = {}");
        fleet.applies_and_settles();
        let name = fleet.ask("SELECT current_database()");
        let on = fleet.database.server.clone();
        let url = |database: &str| on.url(database, "postgres", on.password());
        let mut server = postgres::Client::connect(&url("postgres"), postgres::NoTls).unwrap();
        server.batch_execute(&format!("CREATE DATABASE {name}_copy TEMPLATE {name}")).unwrap();
        fleet.url = url(&format!("{name}_copy"));
        for args in [&["plan"][..], &["list"], &["apply", "-y"]] {
            fleet.run(args).ends(1).says("is a copy of").says("DROP SCHEMA tenantry");
        }
        fleet.url = url(&name);
        fleet.settled();
        // With the original gone, the copy is the database.
        server.batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)")).unwrap();
        server.batch_execute(&format!("ALTER DATABASE {name}_copy RENAME TO {name}")).unwrap();
        // CREATE DATABASE copies no privileges of the database itself.
        fleet.applies_and_settles();
    }
}

#[test]
fn a_schema_made_anew_by_somebody_else_is_not_taken_over_and_one_given_away_comes_back() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "anew");
        fleet.declare("ga-one = {}\nga-two = {}");
        fleet.applies_and_settles();
        fleet.execute(
            "CREATE ROLE ga_bob; DROP SCHEMA tenant_ga_one CASCADE; CREATE SCHEMA tenant_ga_one AUTHORIZATION ga_bob;
             CREATE TABLE tenant_ga_one.payroll (); ALTER TABLE tenant_ga_one.payroll OWNER TO ga_bob;
             ALTER SCHEMA tenant_ga_two OWNER TO ga_bob",
        );
        fleet.run(&["plan"]).ends(0).says("is not the one that was registered").says("1 blocked");
        fleet.run(&["apply", "-y"]).ends(1);
        let owner = "SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = ";
        assert_eq!(fleet.ask(&format!("{owner}'tenant_ga_one'")), "ga_bob");
        assert_eq!(fleet.ask(&format!("{owner}'tenant_ga_two'")), "ga_two_owner");
        fleet.execute("DROP SCHEMA tenant_ga_one CASCADE; DROP ROLE ga_bob");
        fleet.applies_and_settles();
    }
}

/// What a tenant wrote as SECURITY DEFINER must not go on as the owner once the owner gets it.
#[test]
fn a_definer_function_that_a_tenant_left_behind_runs_as_its_caller() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "definer");
        fleet.declare("gd-one = {}");
        fleet.applies_and_settles();
        fleet
            .log_in("gd-one")
            .batch_execute(
                "CREATE FUNCTION ex(t text) RETURNS void SECURITY DEFINER LANGUAGE plpgsql AS 'BEGIN EXECUTE t; END'",
            )
            .unwrap();
        fleet.declare("gd-one = { access = \"readonly\" }");
        fleet.applies_and_settles();
        let mut tenant = fleet.log_in("gd-one");
        let error = tenant.batch_execute("SELECT ex('DELETE FROM users')").unwrap_err();
        assert_eq!(error.code().unwrap().code(), "42501");
    }
}

#[test]
fn a_removal_takes_nothing_along_that_lies_outside_the_schema() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "along");
        fleet.declare("gl-one = {}");
        fleet.applies_and_settles();
        fleet.declare("");
        fleet.execute(
            "CREATE SCHEMA other; CREATE COLLATION tenant_gl_one.co FROM \"C\";
             CREATE FUNCTION tenant_gl_one.f() RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT true'",
        );
        for (make, drop) in [
            ("CREATE VIEW other.v AS SELECT * FROM tenant_gl_one.users", "DROP VIEW other.v"),
            ("CREATE TABLE other.c (n text COLLATE tenant_gl_one.co)", "DROP TABLE other.c"),
            ("CREATE TABLE other.p (); CREATE POLICY p ON other.p USING (tenant_gl_one.f())", "DROP TABLE other.p"),
            ("CREATE TABLE other.k (id bigint REFERENCES tenant_gl_one.users)", "DROP TABLE other.k"),
            ("CREATE TABLE other.d (b bool DEFAULT tenant_gl_one.f())", "DROP TABLE other.d"),
        ] {
            fleet.execute(make);
            fleet.run(&REMOVE).ends(1).says("outside schema \"tenant_gl_one\" would be dropped with it").says("other.");
            fleet.execute(drop);
        }
        // Large objects go with their role; what else it has keeps it.
        fleet.log_in("gl-one").batch_execute("SELECT lo_create(0)").unwrap();
        fleet.execute("CREATE TABLE other.mine (); ALTER TABLE other.mine OWNER TO gl_one_owner");
        fleet.run(&REMOVE).ends(1).says("owns table other.mine outside of its schema");
        // Nothing half-made: the tenant still works.
        fleet.log_in("gl-one").batch_execute("SELECT count(*) FROM users").unwrap();
        fleet.execute("DROP TABLE other.mine");
        fleet.run(&REMOVE).ends(0);
        fleet.settled();
        assert_eq!(fleet.ask("SELECT count(*) FROM pg_largeobject_metadata"), "0");
    }
}

#[test]
fn an_owner_role_that_owns_more_is_neither_handed_over_nor_dropped() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "more");
        fleet.declare("gm-one = {}");
        fleet.applies_and_settles();
        fleet.execute("CREATE SCHEMA reports AUTHORIZATION gm_one_owner");
        fleet.declare("gm-one = { access = \"owner\" }");
        fleet.run(&["apply", "-y"]).ends(1).says("owns schema reports outside of its schema");
        assert_eq!(
            fleet.ask("SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = 'reports'"),
            "gm_one_owner"
        );
        fleet.execute("DROP SCHEMA reports");
        fleet.applies_and_settles();
    }
}

#[test]
fn a_tenant_that_holds_locks_holds_up_nobody_else() {
    for version in BOTH {
        let mut fleet = Fleet::usual(version, "locks");
        fleet.head.push_str("[migrations]\nlock_timeout = \"500ms\"\n");
        fleet.declare("gh-own = { access = \"owner\" }\ngh-two = {}");
        fleet.applies_and_settles();
        let mut own = fleet.log_in("gh-own");
        own.batch_execute("BEGIN; LOCK TABLE refinery_schema_history, users").unwrap();
        let begin = std::time::Instant::now();
        fleet.run(&["plan"]).ends(0).says("1 blocked").says("1 unchanged");
        fleet.run(&["list"]).ends(0).says("gh-own");
        assert!(begin.elapsed() < Duration::from_secs(60), "{:?}", begin.elapsed());
        own.batch_execute("ROLLBACK").unwrap();
        fleet.settled();
    }
}

/// A client that reconnects at once, and locks, cannot keep itself from being removed.
#[test]
fn a_tenant_that_keeps_coming_back_is_removed_all_the_same() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "back");
        fleet.declare("gb-one = {}");
        fleet.applies_and_settles();
        let secret = fleet.secret("gb-one");
        let url = secret["url"].as_str().unwrap().to_owned();
        let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let stopped = stop.clone();
        let stubborn = std::thread::spawn(move || {
            while !stopped.load(std::sync::atomic::Ordering::Relaxed) {
                if let Ok(mut client) = postgres::Client::connect(&url, postgres::NoTls) {
                    let _ = client.batch_execute("BEGIN; LOCK TABLE users IN ROW EXCLUSIVE MODE; SELECT pg_sleep(30)");
                }
            }
        });
        std::thread::sleep(Duration::from_millis(300));
        fleet.declare("");
        fleet.run(&REMOVE).ends(0);
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        stubborn.join().unwrap();
        fleet.settled();
    }
}

#[test]
fn a_target_that_matches_nothing_is_no_fleet_in_sync() {
    let fleet = Fleet::usual(postgres_server::Version::V18, "typo");
    fleet.declare("gt-one = {}");
    fleet.applies_and_settles();
    for command in ["plan", "drift", "verify"] {
        fleet.run(&[command, "--target", "gt-oen"]).ends(1).says("matches no tenant");
    }
}

/// A dump that was restored into another cluster, for staging say, has the registry of the database that is in use.
#[test]
fn a_copy_in_another_cluster_takes_no_secret_of_the_original() {
    for version in BOTH {
        let mut fleet = Fleet::usual(version, "gx");
        let usual = fleet.head.clone();
        fleet.declare("gx-one = {}\ngx-two = {}");
        fleet.apply();
        let secrets = |fleet: &Fleet| ["gx-one", "gx-two"].map(|tenant| fleet.secret(tenant));
        fleet.execute("UPDATE tenantry.identity SET system_identifier = '4711'");
        let file = fleet.secret_file("gx-one");
        let here = fleet.ask("SELECT system_identifier FROM pg_control_system()");
        let marked = std::fs::read_to_string(&file).unwrap();
        assert!(marked.contains(&here), "{marked}");
        std::fs::write(&file, marked.replace(&here, "4711")).unwrap();
        let before = secrets(&fleet);
        let plan = fleet.run(&["plan", "--detailed-exitcode"]).ends(2).says("another_cluster").says("4711");
        // That it came from there shows in the registry and in the secrets, and is said once.
        assert_eq!(plan.stdout.matches("another_cluster").count(), 1, "{}", plan.stdout);
        // Nor does an apply that has nothing to do make it this cluster's.
        fleet.run(&["apply", "-y"]).ends(0).says("another_cluster");
        fleet.run(&["rotate", "-y", "--all"]).ends(1).says("came from another cluster").says("gx-one, gx-two");
        fleet.declare("gx-one = {}");
        fleet.run(&REMOVE).ends(1).says("came from another cluster").says("gx-two").says("--moved");
        assert_eq!(fleet.ask("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'tenant_gx_%'"), "2");
        fleet.declare("gx-one = {}\ngx-two = {}");
        assert_eq!(secrets(&fleet), before);
        fleet.head = format!("[database]\nadvertise = {{ host = \"staging.internal\" }}\n{usual}");
        fleet.declare("gx-one = {}\ngx-two = {}");
        fleet.run(&["apply", "-y"]).ends(1).says("came from another cluster");
        assert_eq!(secrets(&fleet), before);
        // Said to have moved, it is this cluster's from then on.
        fleet.run(&["apply", "-y", "--moved"]).ends(0).says("2 applied");
        fleet.run(&["plan", "--detailed-exitcode"]).ends(0);
        fleet.head = usual;
        fleet.declare("gx-one = {}");
        fleet.run(&REMOVE).ends(0);
        fleet.settled();
    }
}

/// As the group role, which every tenant may become, one can make large objects, and nothing else.
#[test]
fn what_the_group_role_owns_is_told() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "gl");
        fleet.declare("gl-one = {}\ngl-two = {}");
        fleet.applies_and_settles();
        let sql = format!("SET ROLE tenantry_{}_tenants; SELECT lo_create(0)", fleet.database.name);
        fleet.log_in("gl-one").batch_execute(&sql).unwrap();
        fleet
            .run(&["plan", "--detailed-exitcode"])
            .ends(0)
            .says("group_role")
            .says("owns an object here")
            .says("lo_unlink");
        fleet.execute("SELECT lo_unlink(oid) FROM pg_largeobject_metadata");
        assert!(!fleet.run(&["plan"]).ends(0).stdout.contains("group_role"));
    }
}
