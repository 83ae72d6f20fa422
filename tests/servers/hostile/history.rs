//! What stands under the history's name is read only where reading runs nobody's code.

use std::sync::atomic::{AtomicBool, Ordering};

use super::attack::{Attack, everywhere};
use crate::fleet::BOTH;

/// Every command that looks.
fn look(attack: &Attack, says: &str) {
    let fleet = &attack.fleet;
    fleet.run(&["plan"]).ends(0).says(says);
    fleet.run(&["list"]).ends(0);
    fleet.run(&["show", &attack.tenant]).ends(0);
    fleet.try_apply().ends(1).says(says);
    fleet.run(&["verify"]);
}

#[test]
fn a_view_in_the_historys_place_is_not_read() {
    everywhere("view", |attack| {
        attack.plant_as_owner(
            "ALTER TABLE refinery_schema_history RENAME TO old;
             CREATE FUNCTION rows() RETURNS SETOF old LANGUAGE plpgsql AS 'BEGIN PERFORM ride(''view''); RETURN QUERY SELECT * FROM old; END';
             CREATE VIEW refinery_schema_history AS SELECT * FROM rows();",
        );
        look(&attack, "refinery_schema_history cannot be trusted: it is a view");
        assert_eq!(attack.ran(), "");
        attack.gained_nothing();
    });
}

#[test]
fn row_security_on_the_history_is_not_met() {
    everywhere("policy", |attack| {
        attack.plant_as_owner(
            "CREATE POLICY p ON refinery_schema_history USING (ride('policy') = 1);
             ALTER TABLE refinery_schema_history ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;",
        );
        look(&attack, "cannot be trusted: row security is on");
        assert_eq!(attack.ran(), "");
        attack.gained_nothing();
    });
}

/// Planning a SELECT would fold the constants in these, as the role that plans.
#[test]
fn expressions_in_indexes_and_statistics_of_the_history_are_not_evaluated() {
    everywhere("fold", |attack| {
        attack.plant_as_owner(
            "CREATE FUNCTION pure(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS
               'BEGIN IF current_user = ''postgres'' THEN PERFORM ride(''fold''); END IF; RETURN 1; END';
             CREATE INDEX ON refinery_schema_history ((pure(1)));
             CREATE INDEX ON refinery_schema_history (name) WHERE pure(2) = 1;
             CREATE STATISTICS folds ON (pure(3)), name FROM refinery_schema_history;
             ALTER TABLE refinery_schema_history ADD CHECK (pure(4) = 1);",
        );
        attack.fleet.settled();
        attack.fleet.run(&["list"]).ends(0);
        attack.fleet.run(&["show", &attack.tenant]).ends(0);
        attack.next_migration("CREATE TABLE more (n int);").ends(0);
        attack.fleet.settled();
        assert_eq!(attack.ran(), "");
        attack.gained_nothing();
    });
}

#[test]
fn a_history_of_another_form_or_owner_is_not_read() {
    for version in BOTH {
        let attack = Attack::new(version, "form", "owner");
        let is = |sql: &str, says: &str, undo: &str| {
            attack.plant_as_owner(sql);
            look(&attack, says);
            attack.plant_as_owner(undo);
        };
        is(
            "ALTER TABLE refinery_schema_history RENAME TO old; CREATE DOMAIN d AS varchar CHECK (ride('domain') = 1);
             CREATE TABLE refinery_schema_history (version int, name d, applied_on varchar, checksum varchar);",
            "its columns are not refinery's",
            "DROP TABLE refinery_schema_history; ALTER TABLE old RENAME TO refinery_schema_history",
        );
        is(
            "ALTER TABLE refinery_schema_history RENAME TO old;
             CREATE TABLE refinery_schema_history (version int, name varchar, applied_on varchar, checksum varchar) PARTITION BY LIST (version);",
            "it is a partitioned table",
            "DROP TABLE refinery_schema_history; ALTER TABLE old RENAME TO refinery_schema_history",
        );
        is(
            "ALTER TABLE refinery_schema_history DROP COLUMN checksum;
             ALTER TABLE refinery_schema_history ADD COLUMN checksum varchar GENERATED ALWAYS AS ('1'::varchar) STORED;",
            "its columns are not refinery's",
            "SELECT",
        );
        attack.gained_nothing();
    }
}

/// Between the look and the read: a race, tried a while, with everything that changes what reading would run.
#[test]
fn a_history_swapped_while_it_is_read_runs_nothing() {
    for version in BOTH {
        let attack = Attack::new(version, "swap", "owner");
        attack.plant_as_owner(
            "CREATE FUNCTION pure(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS
               'BEGIN IF current_user = ''postgres'' THEN PERFORM ride(''swap''); END IF; RETURN 1; END';
             CREATE TABLE twin (LIKE refinery_schema_history INCLUDING ALL); INSERT INTO twin TABLE refinery_schema_history;
             CREATE VIEW bait AS SELECT * FROM twin WHERE ride('swap') = 1;",
        );
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut client = attack.fleet.log_in(&attack.tenant);
                while !stop.load(Ordering::Relaxed) {
                    for sql in [
                        "BEGIN; ALTER TABLE refinery_schema_history RENAME TO kept; ALTER VIEW bait RENAME TO refinery_schema_history; COMMIT",
                        "BEGIN; ALTER VIEW refinery_schema_history RENAME TO bait; ALTER TABLE kept RENAME TO refinery_schema_history; COMMIT",
                        "CREATE INDEX folds ON refinery_schema_history ((pure(1)))",
                        "DROP INDEX folds",
                    ] {
                        client.batch_execute(sql).unwrap();
                    }
                }
            });
            for _ in 0..15 {
                attack.fleet.run(&["plan"]).ends(0);
            }
            stop.store(true, Ordering::Relaxed);
        });
        assert_eq!(attack.ran(), "");
        attack.gained_nothing();
    }
}

fn pid_of(client: &mut postgres::Client) -> i32 {
    client.query_one("SELECT pg_backend_pid()", &[]).unwrap().get(0)
}

/// One wait for all of them, at the end.
#[test]
fn many_histories_held_locked_do_not_add_up() {
    for version in BOTH {
        let mut fleet = crate::fleet::Fleet::usual(version, "many_held");
        let wait = std::time::Duration::from_millis(1500);
        fleet.head.push_str("[migrations]\nlock_timeout = \"1500ms\"\n");
        let keys: Vec<String> = (0..6).map(|n| format!("mh-{n}")).collect();
        let declared: String = keys.iter().map(|key| format!("{key} = {{ access = \"owner\" }}\n")).collect();
        fleet.declare(&format!("{declared}mh-free = {{}}"));
        fleet.applies_and_settles();
        let held: Vec<_> = keys
            .iter()
            .map(|key| {
                let mut client = fleet.log_in(key);
                client.batch_execute("BEGIN; LOCK TABLE refinery_schema_history IN ACCESS EXCLUSIVE MODE").unwrap();
                client
            })
            .collect();
        fleet.migration("V3__next.sql", "CREATE TABLE more (n int);");
        let begun = std::time::Instant::now();
        let run = fleet.run(&["plan"]).ends(0).says("6 blocked").says("V3__next");
        assert!(begun.elapsed() < wait * 3, "{:?}", begun.elapsed());
        assert_eq!(run.stdout.matches("is locked by PID").count(), 6, "{run:?}");
        drop(held);
        fleet.applies_and_settles();
    }
}

#[test]
fn a_history_held_locked_blocks_its_tenant_and_no_other() {
    for version in BOTH {
        let attack = Attack::with_head(version, "held", "owner", "[migrations]\nlock_timeout = \"300ms\"\n");
        attack.fleet.declare(&format!("{} = {{ access = \"owner\" }}\nheld_other = {{}}", attack.tenant));
        attack.fleet.apply();
        let mut client = attack.fleet.log_in(&attack.tenant);
        client.batch_execute("BEGIN; LOCK TABLE refinery_schema_history, users IN ACCESS EXCLUSIVE MODE").unwrap();
        attack.fleet.migration("V2__next.sql", "CREATE TABLE more (n int);");
        let pid = pid_of(&mut client);
        let words =
            format!("refinery_schema_history is locked by PID {pid}, role {} and could not be read", attack.user());
        let end = format!("SELECT pg_terminate_backend({pid})");
        attack.fleet.run(&["plan"]).ends(0).says(&words).says(&end).says("held_other");
        attack.fleet.run(&["show", &attack.tenant]).ends(0).says("not read, locked by PID");
        attack.fleet.run(&["list"]).ends(0).says("held_other");
        attack.fleet.try_apply().ends(1).says("applied: held_other");
        client.batch_execute("ROLLBACK").unwrap();
        attack.fleet.applies_and_settles();
    }
}
