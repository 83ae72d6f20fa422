//! Schemas whose drop would not fit PostgreSQL's lock table.

use std::process::Stdio;
use std::time::Duration;

use crate::fleet::{BOTH, Fleet, ask};
use crate::project::{
    REMOVE, assert_gone, assert_holds_nothing, assert_no_deputy, manifests, project, project_of_weak_admin,
};

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
        fleet.run(&["restore", path.to_str().unwrap()]).ends(0);
        fleet.settled();
        assert_eq!(ask(&mut fleet.log_in("hu-arch"), "SELECT id FROM t700"), "700");
    }
}

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
                fleet.run(&["plan"]).ends(0).says("its removal was cut off");
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
