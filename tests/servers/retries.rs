//! What another transaction was in the way of is tried again; what nobody was in the way of is not.

use std::thread;
use std::time::{Duration, Instant};

use crate::fleet;
use crate::fleet::{BOTH, Fleet};
use crate::postgres_server::Version;

/// What PostgreSQL says when two transactions met, and one error that only looks like it.
const MEETINGS: [(&str, &str, bool); 6] = [
    ("55P03", "canceling statement due to lock timeout", true),
    ("40P01", "deadlock detected", true),
    ("40001", "could not serialize access due to concurrent update", true),
    ("XX000", "tuple concurrently updated", true),
    ("XX000", "tuple concurrently deleted", true),
    ("XX000", "cache lookup failed for relation 1", false),
];

/// A migration that counts how often it is run (no rollback takes a sequence back) and fails the first `times`.
fn failing(fleet: &Fleet, times: u32, sqlstate: &str, message: &str) {
    fleet.execute(
        "DROP SCHEMA IF EXISTS counting CASCADE; CREATE SCHEMA counting; CREATE SEQUENCE counting.tries; \
         GRANT USAGE ON SCHEMA counting TO PUBLIC; GRANT USAGE ON SEQUENCE counting.tries TO PUBLIC",
    );
    let sql = format!(
        "DO $$ BEGIN IF nextval('counting.tries') <= {times} THEN\n\
         RAISE EXCEPTION USING ERRCODE = '{sqlstate}', MESSAGE = '{message}'; END IF; END $$;\n"
    );
    fleet.migration("V3__failing.sql", &sql);
}

fn tries(fleet: &Fleet) -> String {
    fleet.ask("SELECT last_value FROM counting.tries")
}

#[test]
fn a_transaction_that_met_another_is_run_again() {
    for (version, name) in BOTH.into_iter().zip(["me15", "me18"]) {
        let fleet = Fleet::usual(version, name);
        for (sqlstate, message, again) in MEETINGS {
            failing(&fleet, 2, sqlstate, message);
            fleet.declare(&format!("{name}-one = {{}}"));
            if again {
                fleet.apply();
                assert_eq!(tries(&fleet), "3", "{sqlstate} {message}");
                fleet.settled();
            } else {
                fleet.try_apply().ends(1).says(message).says("V3__failing.sql:1");
                assert_eq!(tries(&fleet), "1", "{sqlstate} {message}");
            }
            fleet.declare("");
            fleet.run(&["apply", "-y", "--allow-removals", "1"]).ends(0);
        }
    }
}

#[test]
fn a_transaction_that_always_meets_another_fails_in_the_end_and_leaves_nothing() {
    let fleet = Fleet::usual(Version::V18, "always");
    failing(&fleet, 99, "40P01", "deadlock detected");
    fleet.declare("al-one = {}");
    let begun = Instant::now();
    fleet.try_apply().ends(1).says("al-one").says("deadlock detected").says("40P01");
    // Six tries, with 50 ms doubled between them, and up to as much again.
    assert_eq!(tries(&fleet), "6");
    assert!(begun.elapsed() > Duration::from_millis(50 + 100 + 200 + 400 + 800), "{:?}", begun.elapsed());
    fleet.assert_no_trace_of("al-one");
}

/// A lock that is let go of between two tries holds nobody up for good; the tenant's own queue waits for lock_timeout.
#[test]
fn a_lock_that_is_let_go_of_is_waited_for() {
    for (version, name) in BOTH.into_iter().zip(["lg15", "lg18"]) {
        let mut fleet = Fleet::usual(version, name);
        fleet.head.push_str("[migrations]\nlock_timeout = \"100ms\"\n");
        fleet.declare(&format!("{name}-one = {{}}"));
        fleet.applies_and_settles();
        fleet.migration("V3__add.sql", "ALTER TABLE users ADD COLUMN name text;\n");
        let mut holder = fleet.log_in(&format!("{name}-one"));
        let (held, holding) = std::sync::mpsc::channel();
        let holder = thread::spawn(move || {
            holder.batch_execute("BEGIN; LOCK TABLE users IN ACCESS SHARE MODE").unwrap();
            held.send(()).unwrap();
            thread::sleep(Duration::from_millis(700));
            holder.batch_execute("COMMIT").unwrap();
        });
        holding.recv().unwrap();
        fleet.applies_and_settles();
        holder.join().unwrap();
    }
}

/// GRANTs on one object meet in its catalog row: concurrent applies of two databases share the cluster's roles, and
/// another program may grant on the same schema.
#[test]
fn what_tenants_share_is_tried_again_too() {
    for (version, name) in BOTH.into_iter().zip(["sh15", "sh18"]) {
        let mut fleet = Fleet::usual(version, name);
        fleet.head.push_str("[migrations]\nlock_timeout = \"100ms\"\n");
        fleet.declare(&format!("{name}-one = {{}}"));
        fleet.applies_and_settles();
        // USAGE for the group is taken away, and the row of the schema held by somebody who has it changed.
        fleet.head.insert_str(0, &format!("[database]\nshared_schemas = [\"{name}_lookup\"]\n"));
        fleet.declare(&format!("{name}-one = {{}}"));
        fleet.apply();
        fleet.execute(&format!("REVOKE ALL ON SCHEMA {name}_lookup FROM tenantry_{}_tenants", fleet.database.name));
        let mut holder = fleet.database.client();
        holder.batch_execute(&format!("BEGIN; GRANT USAGE ON SCHEMA {name}_lookup TO postgres")).unwrap();
        let holder = thread::spawn(move || {
            thread::sleep(Duration::from_millis(700));
            holder.batch_execute("COMMIT").unwrap();
        });
        fleet.applies_and_settles();
        holder.join().unwrap();
    }
}

/// The same without an end, by an administrator: who it is is said, and nobody is ended.
#[test]
fn who_keeps_what_tenants_share_from_being_changed_is_named() {
    for (version, name) in BOTH.into_iter().zip(["sn15", "sn18"]) {
        let mut fleet = Fleet::usual(version, name);
        fleet.head.push_str("[migrations]\nlock_timeout = \"400ms\"\nend_blockers = true\n");
        fleet.head.insert_str(0, &format!("[database]\nshared_schemas = [\"{name}_lookup\"]\n"));
        fleet.declare(&format!("{name}-one = {{}}"));
        fleet.applies_and_settles();
        fleet.execute(&format!("REVOKE ALL ON SCHEMA {name}_lookup FROM tenantry_{}_tenants", fleet.database.name));
        let mut holder = fleet.database.client();
        holder.batch_execute(&format!("BEGIN; GRANT USAGE ON SCHEMA {name}_lookup TO postgres")).unwrap();
        let pid = fleet::ask(&mut holder, "SELECT pg_backend_pid()");
        let who = format!("blocked by PID {pid}, role postgres");
        let run = fleet.try_apply().ends(1).says("55P03").says("what tenants share: waiting").says(&who);
        assert!(run.stderr.contains("whose transaction must end first"), "{run:?}");
        holder.batch_execute("COMMIT").expect("it was not ended");
        fleet.applies_and_settles();
    }
}
