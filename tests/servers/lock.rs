//! The lock of apply ends with its session: whoever works on under it finds out, and a removal looks at the registry again.

use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::fleet::{Admin, BOTH, Fleet};
use crate::postgres_server::Version;
use postgres::Client;
use serde_json::Value;

const APPLY: [&str; 8] = ["apply", "-y", "--allow-removals", "9", "--parallelism", "1", "--format", "json"];

fn fleet(admin: Admin, version: Version, name: &str) -> Fleet {
    let mut fleet = Fleet::under(admin, version, name);
    fleet.head.insert_str(0, "[migrations]\nlock_timeout = \"60s\"\n");
    fleet
}

fn begin(fleet: &Fleet) -> Child {
    fleet.command(&APPLY).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// The report of a run that failed.
#[track_caller]
fn end(run: Child) -> Value {
    let output = run.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{}\n{said}", String::from_utf8_lossy(&output.stdout));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[track_caller]
fn of<'a>(report: &'a Value, tenant: &str) -> &'a Value {
    report["tenants"].as_array().unwrap().iter().find(|t| t["tenant"] == tenant).unwrap()
}

/// A session that keeps the tenant's table from being dropped.
fn hold(fleet: &Fleet, table: &str) -> Client {
    let mut session = fleet.database.client();
    session.batch_execute(&format!("BEGIN; LOCK TABLE {table} IN ACCESS SHARE MODE")).unwrap();
    session
}

/// Until so many sessions of this database wait for a lock.
#[track_caller]
fn wait_for(fleet: &Fleet, waiting: &str) {
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let begun = Instant::now();
    while fleet.ask(sql) != waiting {
        assert!(begun.elapsed() < Duration::from_secs(60), "nobody waits");
        sleep(Duration::from_millis(20));
    }
}

#[test]
fn an_apply_whose_lock_is_lost_commits_nothing_any_more() {
    for version in BOTH {
        for (admin, name) in [(Admin::Superuser, "lk_super"), (Admin::Createrole, "lk_weak")] {
            let fleet = fleet(admin, version, name);
            let of_name = |tenant: &str| format!("{}-{tenant}", name.replace('_', "-"));
            let (six, seven) = (of_name("a6"), of_name("a7"));
            fleet.declare(&format!("{six} = {{}}"));
            fleet.applies_and_settles();
            let mut held = hold(&fleet, &format!("tenant_{name}_a6.users"));
            fleet.declare(&format!("{seven} = {{}}"));
            let first = begin(&fleet);
            wait_for(&fleet, "1");
            assert_eq!(fleet.ask("SELECT pg_terminate_backend(backend, 5000) FROM tenantry.apply_lock"), "t");
            // Somebody else applies at once, and the tenant is to stay, whatever happens.
            fleet.declare(&format!("{six} = {{ protected = true }}"));
            let second = fleet.command(&["apply", "-y"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            wait_for(&fleet, "2");
            held.batch_execute("COMMIT").unwrap();
            let report = end(first);
            assert_eq!(of(&report, &six)["outcome"], "failed", "{report}");
            let message = of(&report, &six)["error"]["message"].as_str().unwrap();
            assert!(message.contains("apply has lost its lock: the session that held it (backend "), "{report}");
            assert_eq!(of(&report, &seven)["outcome"], "skipped", "{report}");
            let message = of(&report, &seven)["error"]["message"].as_str().unwrap();
            assert!(message.contains("apply lost its lock before it started"), "{report}");
            let output = second.wait_with_output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            fleet.log_in(&six).batch_execute("SELECT count(*) FROM users").unwrap();
            assert_eq!(fleet.ask("SELECT tenant, state, protected FROM tenantry.tenants"), format!("{six}, active, t"));
            fleet.assert_no_trace_of(&seven.replace('-', "_"));
            fleet.settled();
        }
    }
}

#[test]
fn what_became_protected_after_the_plan_is_not_dropped() {
    for version in BOTH {
        let fleet = fleet(Admin::Createrole, version, "lk_late");
        fleet.declare("lk-late-a1 = {}\nlk-late-a2 = {}");
        fleet.applies_and_settles();
        let mut held = hold(&fleet, "tenant_lk_late_a1.users");
        fleet.declare("");
        let run = begin(&fleet);
        wait_for(&fleet, "1");
        fleet.execute("UPDATE tenantry.tenants SET protected = true WHERE tenant = 'lk-late-a2'");
        held.batch_execute("COMMIT").unwrap();
        let report = end(run);
        assert_eq!(of(&report, "lk-late-a1")["outcome"], "applied", "{report}");
        assert_eq!(of(&report, "lk-late-a2")["outcome"], "failed", "{report}");
        let message = of(&report, "lk-late-a2")["error"]["message"].as_str().unwrap();
        assert!(message.contains("the tenant is active, and protected"), "{report}");
        fleet.log_in("lk-late-a2").batch_execute("SELECT count(*) FROM users").unwrap();
    }
}

#[test]
fn a_lock_whose_row_was_deleted_is_put_back() {
    for version in BOTH {
        for admin in [Admin::Superuser, Admin::Createrole] {
            let fleet = fleet(admin, version, "row_deleted");
            fleet.declare("lr-one = {}");
            fleet.applies_and_settles();
            fleet.execute("TRUNCATE tenantry.apply_lock");
            fleet.settled();
            fleet.declare("lr-one = { connection_limit = 3 }");
            fleet.applies_and_settles();
            assert_eq!(
                fleet.ask("SELECT count(*), bool_and(backend <> 0 AND fence > 1000000) FROM tenantry.apply_lock"),
                "1, t"
            );
            fleet.execute("DELETE FROM tenantry.apply_lock");
            fleet.declare("");
            fleet.run(&["apply", "-y", "--allow-removals", "1"]).ends(0);
            assert_eq!(fleet.ask("SELECT count(*) FROM tenantry.apply_lock"), "1");
        }
    }
}

/// docs/isolation.md says how to keep tenants from advisory locks; who is no superuser then needs a grant.
#[test]
fn an_administrator_without_the_lock_functions_is_told_what_to_grant() {
    for version in BOTH {
        let fleet = fleet(Admin::Createrole, version, "lk_functions");
        fleet.declare("lf-one = {}");
        fleet.applies_and_settles();
        let revoke = "DO $$ DECLARE f text; BEGIN FOR f IN SELECT oid::regprocedure FROM pg_proc WHERE proname ~ 'advisory' \
                      AND pronamespace = 'pg_catalog'::regnamespace LOOP EXECUTE 'REVOKE EXECUTE ON FUNCTION ' || f || ' FROM PUBLIC'; END LOOP; END $$";
        fleet.execute(revoke);
        fleet.declare("lf-one = { connection_limit = 3 }");
        fleet.run(&["plan"]).ends(0).says("connection limit 3");
        let run = fleet.run(&["apply", "-y"]).ends(1).says("pg_catalog.pg_try_advisory_lock(bigint)").says("42501");
        let (_, grant) = run.stderr.split_once("as a superuser, in this database: ").unwrap();
        fleet.execute(grant.lines().next().unwrap());
        fleet.applies_and_settles();
    }
}
