//! What somebody does between the plan and the drop. A lock holds apply up where the question would.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use super::{REMOVE, leaves_alone};
use crate::fleet::{BOTH, Fleet};

/// An apply that waits for the lock that `holding` says.
struct Waiting {
    apply: Child,
    holder: postgres::Client,
}

impl Waiting {
    fn begin(fleet: &Fleet, holding: &str) -> Self {
        let mut holder = fleet.database.client();
        // Apply's own lock_timeout ends a deadlock, whichever of the two would notice it first.
        holder.batch_execute(&format!("SET deadlock_timeout = '1min'; BEGIN; {holding}")).unwrap();
        let args = [&REMOVE[..], &["--parallelism", "1"]].concat();
        let mut command = fleet.command(&args);
        let apply = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let waits =
            "SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        let begin = Instant::now();
        while fleet.ask(waits) != "t" {
            assert!(begin.elapsed() < Duration::from_secs(60), "apply never waited");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { apply, holder }
    }

    /// The holder does this, and lets go. What apply then said.
    fn meanwhile(mut self, sql: &str) -> String {
        self.holder.batch_execute(&format!("{sql}; COMMIT")).unwrap();
        let output = self.apply.wait_with_output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        said
    }
}

fn two(version: crate::postgres_server::Version, name: &str, prefix: &str) -> Fleet {
    let fleet = Fleet::usual(version, name);
    fleet.declare(&format!("{prefix}-one = {{}}\n{prefix}-two = {{}}"));
    fleet.applies_and_settles();
    fleet.declare("");
    fleet
}

#[test]
fn what_came_to_depend_on_a_schema_is_not_dropped_with_it() {
    for version in BOTH {
        let fleet = two(version, "question", "mq");
        fleet.execute("CREATE SCHEMA billing");
        let waiting = Waiting::begin(&fleet, "LOCK TABLE tenant_mq_one.users IN ACCESS SHARE MODE");
        fleet.log_in("mq-two").batch_execute("SELECT 1").unwrap();
        let said = waiting.meanwhile(
            "CREATE VIEW billing.v AS SELECT email FROM tenant_mq_two.users;
             CREATE TABLE billing.t (id bigint REFERENCES tenant_mq_two.users)",
        );
        assert!(said.contains("changed since the plan was made") && said.contains("plan again"), "{said}");
        assert!(said.contains("billing.t") && said.contains("1 applied"), "{said}");
        assert_eq!(fleet.ask("SELECT count(*) FROM billing.v"), "0");
        fleet.log_in("mq-two").batch_execute("SELECT count(*) FROM users").unwrap();
        fleet.run(&REMOVE).ends(1).says("would be dropped with it");
        fleet.execute("DROP SCHEMA billing CASCADE");
        fleet.run(&REMOVE).ends(0);
        fleet.settled();
    }
}

/// After the look that comes before the drop, and before the drop has its locks.
#[test]
fn what_came_to_depend_on_a_schema_at_the_last_moment_is_not_dropped_with_it() {
    for version in BOTH {
        let fleet = two(version, "moment", "mm");
        fleet.execute("CREATE SCHEMA billing");
        for make in [
            "CREATE VIEW billing.v AS SELECT email FROM tenant_mm_one.users",
            "CREATE TABLE tenant_mm_one.fresh (id int); CREATE TABLE billing.c () INHERITS (tenant_mm_one.fresh)",
        ] {
            let waiting = Waiting::begin(&fleet, "LOCK TABLE tenant_mm_one.users IN ACCESS SHARE MODE");
            let said = waiting.meanwhile(make);
            assert!(said.contains("changed since the plan was made") && said.contains("billing."), "{said}");
            fleet.log_in("mm-one").batch_execute("SELECT count(*) FROM users").unwrap();
            fleet.execute("DROP SCHEMA billing CASCADE; CREATE SCHEMA billing");
        }
        fleet.run(&REMOVE).ends(0);
        fleet.settled();
    }
}

#[test]
fn a_schema_that_was_put_in_the_place_of_the_planned_one_is_not_dropped() {
    for version in BOTH {
        let fleet = two(version, "hold", "mh");
        let waiting = Waiting::begin(&fleet, "LOCK TABLE tenant_mh_one.users IN ACCESS SHARE MODE");
        fleet.execute(
            "ALTER SCHEMA tenant_mh_two RENAME TO legal_hold_mh; CREATE SCHEMA tenant_mh_two AUTHORIZATION mh_two_owner;
             CREATE TABLE tenant_mh_two.fresh (); ALTER TABLE tenant_mh_two.fresh OWNER TO mh_two_owner",
        );
        leaves_alone(&fleet, "%_mh_two", || {
            let said = waiting.meanwhile("SELECT 1");
            assert!(said.contains("schema \"tenant_mh_two\" is now a different one"), "{said}");
        });
        leaves_alone(&fleet, "%mh%", || {
            fleet.run(&REMOVE).ends(1).says("that one is now called \"legal_hold_mh\"");
        });
    }
}

#[test]
fn nor_is_it_changed() {
    for version in BOTH {
        let fleet = two(version, "update", "mu");
        fleet.migration("V3__more.sql", "ALTER TABLE users ADD COLUMN name text;");
        fleet.declare("mu-one = {}\nmu-two = { access = \"readwrite\" }");
        let waiting = Waiting::begin(&fleet, "LOCK TABLE tenant_mu_one.users IN ACCESS SHARE MODE");
        fleet.execute(
            "ALTER SCHEMA tenant_mu_two RENAME TO aside_mu; CREATE SCHEMA tenant_mu_two AUTHORIZATION mu_two_owner",
        );
        leaves_alone(&fleet, "%mu%", || {
            // The lock of the first is held until then, so that it is the second that is looked at.
            let said = waiting.meanwhile("SELECT 1");
            assert!(said.contains("schema \"tenant_mu_two\" is now a different one"), "{said}");
        });
    }
}
