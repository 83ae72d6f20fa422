//! Schemas whose drop would not fit PostgreSQL's lock table.

use std::process::Stdio;
use std::time::Duration;

use super::project::{
    REMOVE, assert_gone, assert_holds_nothing, assert_no_deputy, manifests, project, project_of_few_locks,
    project_of_weak_admin, under_weak_admin,
};
use crate::fleet::{BOTH, Fleet, ask, refused};

/// More than half of the lock table of a test server (64 × 200 connections), by the plan's estimate.
const TABLES: usize = 700;

fn fill(fleet: &Fleet, tenant: &str) {
    let mut session = fleet.log_in(tenant);
    for from in (1..=TABLES).step_by(100) {
        let to = from + 99;
        session
            .batch_execute(&format!(
                "DO $$ BEGIN FOR n IN {from}..{to} LOOP EXECUTE format('CREATE TABLE t%s (id int PRIMARY KEY, a text UNIQUE)', n); \
                 EXECUTE format('INSERT INTO t%s VALUES (%s, ''x'')', n, n); END LOOP; END $$"
            ))
            .unwrap();
    }
}

#[test]
fn a_huge_tenant_is_archived_whole_and_dropped_in_pieces() {
    for version in BOTH {
        // Who is no superuser takes the tenant's rights anew for each piece.
        let fleet = project_of_weak_admin(version, "huge_admin");
        let declared = "hu-arch = {}\nhu-drop = { on_remove = \"drop\" }";
        fleet.declare(declared);
        fleet.applies_and_settles();
        fill(&fleet, "hu-arch");
        fill(&fleet, "hu-drop");
        fleet.declare("");
        fleet.run(&["plan"]).ends(0).says("many_locks");
        fleet.run(&["plan", "-v"]).ends(0).says("at a time, each time in a transaction of its own");
        fleet.run(&REMOVE).ends(0).says("Archived: hu-arch");
        fleet.settled();
        assert_holds_nothing(&fleet, "huge_admin");
        for name in ["hu_arch", "hu_drop"] {
            assert_gone(&fleet, name);
        }
        assert_eq!(fleet.ask("SELECT count(*) FROM tenantry.tenants"), "0");
        let (path, manifest) = manifests(&fleet).pop().unwrap();
        assert_eq!(manifest["tables"].as_array().unwrap().len(), TABLES + 3);
        fleet.declare("hu-arch = {}");
        fleet.run(&["restore", "-y", path.to_str().unwrap()]).ends(0);
        fleet.settled();
        assert_eq!(ask(&mut fleet.log_in("hu-arch"), "SELECT id FROM t700"), "700");
    }
}

/// Some times what the small server's lock table really holds, which is more than its settings say.
const OBJECTS: usize = 3000;

#[test]
fn more_large_objects_than_fit_the_lock_table_go_in_pieces_and_come_back() {
    for version in BOTH {
        let fleet = under_weak_admin(project_of_few_locks(version, "objects"), "objects_admin");
        fleet.declare("ob-arch = {}\nob-drop = { on_remove = \"drop\" }");
        fleet.applies_and_settles();
        for tenant in ["ob-arch", "ob-drop"] {
            let sql = format!(
                "CREATE TABLE blobs (id oid); \
                 INSERT INTO blobs SELECT lo_from_bytea(0, convert_to(n::text, 'UTF8')) FROM generate_series(1, {OBJECTS}) n"
            );
            fleet.log_in(tenant).batch_execute(&sql).unwrap();
        }
        let all = "SELECT lo_unlink(oid) FROM pg_largeobject_metadata WHERE lomowner = 'ob_arch_user'::regrole";
        assert_eq!(refused(&mut fleet.database.client(), all), "53200", "or this test tries nothing");
        let digests =
            "SELECT count(*), md5(string_agg(id || convert_from(lo_get(id), 'UTF8'), ',' ORDER BY id)) FROM blobs";
        let before = ask(&mut fleet.log_in("ob-arch"), digests);
        fleet.declare("");
        fleet.run(&["plan"]).ends(0).says("its large objects are dropped a few at a time");
        fleet.run(&["plan", "-v", "--out", "saved"]).ends(0).says("SELECT lo_unlink(...), 50 at a time");
        // One more or less is no reason to look at the plan again.
        fleet.log_in("ob-drop").batch_execute("SELECT lo_from_bytea(0, 'more')").unwrap();
        fleet.run(&["apply", "saved", "-y", "--allow-removals", "2"]).ends(0).says("Archived: ob-arch");
        fleet.settled();
        assert_holds_nothing(&fleet, "objects_admin");
        for name in ["ob_arch", "ob_drop"] {
            assert_gone(&fleet, name);
        }
        assert_eq!(fleet.ask("SELECT count(*) FROM pg_largeobject_metadata"), "0");
        let (path, manifest) = manifests(&fleet).pop().unwrap();
        assert_eq!(manifest["large_objects"]["count"], OBJECTS);
        // The last of them is taken: said before anything is made.
        let last = "SELECT max(id) FROM blobs";
        fleet.declare("ob-arch = {}");
        fleet.run(&["restore", "-y", path.to_str().unwrap()]).ends(0);
        fleet.settled();
        let last = ask(&mut fleet.log_in("ob-arch"), last);
        assert_eq!(ask(&mut fleet.log_in("ob-arch"), digests), before);
        fleet.declare("");
        fleet.run(&REMOVE).ends(0);
        fleet.execute(&format!("SELECT lo_create({last})"));
        fleet.declare("ob-arch = {}");
        fleet.run(&["restore", "-y", path.to_str().unwrap()]).ends(1).says(&format!(
            "1 of the {OBJECTS} large objects in the archive have OIDs that are already taken here: {last} of \"postgres\"; nothing was created"
        ));
        assert_gone(&fleet, "ob_arch");
        assert_eq!(fleet.ask("SELECT count(*) FROM pg_largeobject_metadata"), "1");
    }
}

/// Few tables, and of everything else more than fits.
#[test]
fn more_functions_types_views_and_operators_than_fit_go_in_pieces_and_come_back() {
    for version in BOTH {
        let fleet = under_weak_admin(project_of_few_locks(version, "others"), "others_admin");
        fleet.declare("ot-arch = {}\not-drop = { on_remove = \"drop\" }");
        fleet.applies_and_settles();
        for tenant in ["ot-arch", "ot-drop"] {
            let mut session = fleet.log_in(tenant);
            session.batch_execute(OF_EVERY_KIND).unwrap();
            for n in 0..30 {
                session.batch_execute(&format!("SELECT make({}, {})", n * 100 + 1, n * 100 + 100)).unwrap();
            }
        }
        let all = "DROP SCHEMA tenant_ot_arch CASCADE";
        assert_eq!(refused(&mut fleet.database.client(), all), "53200", "or this test tries nothing");
        fleet.declare("");
        fleet.run(&["plan"]).ends(0).says("many_locks");
        fleet.run(&REMOVE).ends(0).says("Archived: ot-arch");
        fleet.settled();
        assert_holds_nothing(&fleet, "others_admin");
        for name in ["ot_arch", "ot_drop"] {
            assert_gone(&fleet, name);
        }
        let (path, _) = manifests(&fleet).pop().unwrap();
        fleet.declare("ot-arch = {}");
        fleet.run(&["restore", "-y", path.to_str().unwrap()]).ends(0);
        fleet.settled();
        let counted = "SELECT f3000(), (SELECT count(*) FROM pg_type WHERE typname ~ '^[ercd][0-9]+$')";
        assert_eq!(ask(&mut fleet.log_in("ot-arch"), counted), "1, 1200");
    }
}

/// A function that makes objects of every kind but tables, numbered.
const OF_EVERY_KIND: &str = "
CREATE FUNCTION same(a int, b text) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE OPERATOR === (FUNCTION = same, LEFTARG = int, RIGHTARG = text);
CREATE FUNCTION make(first int, last int) RETURNS void LANGUAGE plpgsql AS $f$
BEGIN
  FOR n IN first..last LOOP
    EXECUTE format('CREATE FUNCTION f%s(a int DEFAULT 1) RETURNS int LANGUAGE sql AS ''SELECT 1''', n);
    IF n % 10 = 0 THEN
      EXECUTE format('CREATE TYPE e%1$s AS ENUM (''a''); CREATE TYPE r%1$s AS RANGE (SUBTYPE = int); CREATE DOMAIN d%1$s AS e%1$s;
        CREATE TYPE c%1$s AS (a e%1$s);
        CREATE AGGREGATE a%1$s(int) (SFUNC = int4pl, STYPE = int); CREATE COLLATION co%1$s FROM \"C\";
        CREATE PROCEDURE p%1$s(a c%1$s) LANGUAGE sql AS ''SELECT 1'';
        CREATE TEXT SEARCH CONFIGURATION t%1$s (COPY = simple); CREATE TEXT SEARCH DICTIONARY t%1$s (TEMPLATE = simple)', n);
    END IF;
    -- pg_dump itself takes a lock for each of these.
    IF n % 60 = 0 THEN EXECUTE format('CREATE VIEW v%1$s AS SELECT f%1$s(); CREATE SEQUENCE s%1$s', n); END IF;
  END LOOP;
END $f$;
";

#[test]
fn killed_between_the_pieces_the_next_apply_goes_on() {
    for version in BOTH {
        let fleet = project(version, "cut");
        let mut went_on = 0;
        for n in 0..3 {
            fleet.declare("cu-one = {}");
            fleet.run(&REMOVE).ends(0);
            fill(&fleet, "cu-one");
            fleet.declare("");
            let mut child = fleet.command(&REMOVE).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            // Waits for the first piece to be gone, so that the kill comes between two of them.
            for _ in 0..2000 {
                std::thread::sleep(Duration::from_millis(5));
                let state = fleet.ask("SELECT state FROM tenantry.tenants");
                if state != "active" {
                    break;
                }
            }
            std::thread::sleep(Duration::from_millis(20 * n));
            child.kill().unwrap();
            child.wait().unwrap();
            if fleet.ask("SELECT state FROM tenantry.tenants") == "removing" {
                went_on += 1;
                fleet.declare("cu-one = {}");
                fleet.run(&["plan"]).ends(0).says("its removal was interrupted");
                fleet.declare("");
            }
            fleet.run(&REMOVE).ends(0);
            fleet.settled();
            assert_gone(&fleet, "cu_one");
            assert_no_deputy(&fleet);
            assert_eq!(manifests(&fleet).len() as u64, n + 1, "one archive, made before the first piece went");
        }
        assert!(went_on > 0, "no kill came between two pieces");
    }
}

/// A removal in pieces waits for a table in the middle; then what somebody makes meanwhile is not dropped.
#[test]
fn what_is_made_between_two_pieces_is_not_dropped() {
    for version in BOTH {
        let mut fleet = project_of_few_locks(version, "between");
        fleet.head.insert_str(0, "[migrations]\nlock_timeout = \"60s\"\n");
        for (tenant, make, said, there) in [
            (
                "bw-one",
                "CREATE TABLE tenant_bw_one.late ()",
                "table late was created after the archive was started",
                "tenant_bw_one.late",
            ),
            (
                "bw-two",
                "CREATE SCHEMA other; CREATE VIEW other.v AS SELECT * FROM tenant_bw_two.t2",
                "view other.v outside schema",
                "other.v",
            ),
        ] {
            fleet.declare(&format!("{tenant} = {{}}"));
            fleet.run(&REMOVE).ends(0);
            let tables = "DO $$ BEGIN FOR n IN 1..40 LOOP EXECUTE format('CREATE TABLE t%s (id int PRIMARY KEY)', n); END LOOP; END $$";
            fleet.log_in(tenant).batch_execute(tables).unwrap();
            let mut held = fleet.database.client();
            let schema = format!("tenant_{}", tenant.replace('-', "_"));
            held.batch_execute(&format!("BEGIN; LOCK TABLE {schema}.t20 IN ACCESS SHARE MODE")).unwrap();
            fleet.declare("");
            fleet.run(&["plan"]).ends(0).says("many_locks");
            let run = fleet.command(&REMOVE).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query ~ 't20'";
            for _ in 0..1500 {
                if fleet.ask(waits) == "1" {
                    break;
                }
                std::thread::sleep(Duration::from_millis(40));
            }
            assert_eq!(fleet.ask("SELECT state FROM tenantry.tenants"), "removing");
            fleet.execute(make);
            held.batch_execute("COMMIT").unwrap();
            let output = run.wait_with_output().unwrap();
            let words = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{words}");
            assert!(words.contains(said) && words.contains("Archived: "), "{words}");
            fleet.ask(&format!("SELECT count(*) FROM {there}"));
            fleet.execute("DROP SCHEMA IF EXISTS other CASCADE; DROP TABLE IF EXISTS tenant_bw_one.late");
            fleet.run(&REMOVE).ends(0);
            fleet.settled();
        }
    }
}
