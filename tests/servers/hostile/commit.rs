//! What COMMIT would run as the session's role: deferred triggers, and the queries of cursors WITH HOLD.

use super::attack::{Attack, everywhere};
use crate::fleet::{BOTH, Fleet};

/// Puts its work off again each time it is done.
const AGAIN: &str = "SET CONSTRAINTS ALL DEFERRED; PERFORM ride('deferred'); INSERT INTO again VALUES (NEW.n + 1)";

/// The migration is rolled back, the message names the table, and a neighbour is none the worse.
fn put_off(attack: &Attack, migration: &str, table: &str) {
    attack
        .next_migration(migration)
        .ends(1)
        .says(&format!("a trigger on \"{table}\" defers its work to COMMIT").replace('.', "\".\""))
        .says("look for triggers that use SET CONSTRAINTS and drop them");
    attack.gained_nothing();
    assert_eq!(attack.ran(), "", "rolled back");
}

#[test]
fn a_cursor_with_hold_is_closed_before_commit() {
    everywhere("hold", |attack| {
        attack.table_with_trigger(
            "orders",
            "TRIGGER",
            "EXECUTE 'DECLARE held CURSOR WITH HOLD FOR SELECT ride(''hold'')'; OPEN_IT"
                .replace("; OPEN_IT", "")
                .as_str(),
        );
        attack.next_migration("INSERT INTO orders VALUES (1);").ends(0);
        assert_eq!(attack.ran(), "", "its query never ran");
        attack.gained_nothing();
        attack.fleet.settled();
    });
}

#[test]
fn a_trigger_that_defers_itself_again_is_found() {
    everywhere("again", |attack| {
        attack.table_with_trigger("again", "CONSTRAINT TRIGGER", AGAIN);
        put_off(&attack, "INSERT INTO again VALUES (1);", &format!("{}.again", attack.schema()));
    });
}

/// From 18 on a deferred trigger runs as the role that queued it; what it declares would still run as the session's.
#[test]
fn a_deferred_trigger_that_would_declare_a_cursor_at_commit_is_found() {
    everywhere("late", |attack| {
        attack.table_with_trigger(
            "again",
            "CONSTRAINT TRIGGER",
            "IF NEW.n = 2 THEN EXECUTE 'DECLARE held CURSOR WITH HOLD FOR SELECT ride(''hold'')';
             ELSE SET CONSTRAINTS ALL DEFERRED; INSERT INTO again VALUES (2); END IF",
        );
        put_off(&attack, "INSERT INTO again VALUES (1);", &format!("{}.again", attack.schema()));
    });
}

/// Made by planted code that runs as the owner: its function is the owner's, and so is its table.
#[test]
fn it_is_found_whatever_became_of_the_trigger_and_the_table() {
    let make = |table: &str| {
        format!(
            "EXECUTE 'CREATE TABLE {table} (n int)';
             EXECUTE 'CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS ''BEGIN PERFORM ride(''''late''''); RETURN NULL; END''';
             EXECUTE 'CREATE CONSTRAINT TRIGGER late AFTER INSERT ON {table} DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION late()'"
        )
    };
    // Queued by the deferred trigger of `again`, which runs last of all, so that nothing fires it before COMMIT.
    let after = [
        ("renamed", "ALTER TRIGGER late ON made RENAME TO other; ALTER TABLE made RENAME TO made2", "made2"),
        ("moved", "ALTER TABLE made SET SCHEMA public; ALTER TABLE public.made RENAME TO made2", "made2"),
        ("given", "NULL", "made"),
    ];
    for version in BOTH {
        for (name, sql, table) in after {
            let head = "[database]\npublic_schema = \"keep\"\n";
            let attack = Attack::with_head(version, &format!("hid_{name}"), "owner", head);
            attack.fleet.execute("GRANT CREATE ON SCHEMA public TO PUBLIC");
            let statements = sql
                .split("; ")
                .map(|s| if s == "NULL" { s.into() } else { format!("EXECUTE '{s}'") })
                .collect::<Vec<_>>()
                .join("; ");
            // Another owner can be had only beforehand: with events queued, ALTER TABLE … OWNER TO is refused.
            let given = if name == "given" {
                let group = attack.fleet.ask(&format!(
                    "SELECT roleid::regrole FROM pg_auth_members WHERE member = '{}'::regrole",
                    attack.user()
                ));
                format!(
                    "EXECUTE 'GRANT CREATE ON SCHEMA {} TO {group}'; EXECUTE 'GRANT ALL ON made TO {}';
                     EXECUTE 'ALTER TABLE made OWNER TO {group}'; EXECUTE 'GRANT USAGE ON SCHEMA {} TO {group}'",
                    attack.schema(),
                    attack.user(),
                    attack.schema()
                )
            } else {
                "NULL".into()
            };
            attack.table_with_trigger(
                "again",
                "CONSTRAINT TRIGGER",
                &format!(
                    "{}; {given}; SET CONSTRAINTS ALL DEFERRED; EXECUTE 'INSERT INTO made VALUES (1)'; {statements}",
                    make("made")
                ),
            );
            let run = attack.next_migration("INSERT INTO again VALUES (1);").ends(1);
            run.says(&format!("\"{table}\" defers its work to COMMIT"));
            attack.gained_nothing();
        }
    }
}

#[test]
fn it_is_found_on_a_temporary_table_and_on_a_partition() {
    for version in BOTH {
        let head = "[database]\npublic_schema = \"keep\"\n";
        let attack = Attack::with_head(version, "elsewhere", "owner", head);
        attack.plant("CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM ride(''late''); RETURN NULL; END'");
        attack.plant(
            "CREATE TABLE parts (n int) PARTITION BY RANGE (n); CREATE TABLE part PARTITION OF parts FOR VALUES FROM (0) TO (9);
             CREATE CONSTRAINT TRIGGER late AFTER INSERT ON parts DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION late()",
        );
        attack.table_with_trigger(
            "again",
            "CONSTRAINT TRIGGER",
            "SET CONSTRAINTS ALL DEFERRED; IF NEW.n = 1 THEN INSERT INTO parts VALUES (1); ELSE
             CREATE TEMPORARY TABLE temporary (n int);
             CREATE CONSTRAINT TRIGGER late AFTER INSERT ON temporary DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION late();
             INSERT INTO temporary VALUES (1); END IF",
        );
        attack.next_migration("INSERT INTO again VALUES (1);").ends(1).says("\"part\" defers its work");
        attack.next_migration("INSERT INTO again VALUES (2);").ends(1).says("\"temporary\" defers its work");
        attack.gained_nothing();
    }
}

/// PostgreSQL's own triggers can run a tenant's code: a foreign key whose types need an implicit cast of the tenant's.
#[test]
fn a_foreign_key_that_casts_and_an_exclusion_constraint_on_an_expression_are_found() {
    everywhere("builtin", |attack| {
        attack.table_with_trigger("late", "CONSTRAINT TRIGGER", "PERFORM ride('late')");
        attack.plant(&format!(
            "CREATE TYPE label AS ENUM ('1', '2'); CREATE TABLE pk (id int PRIMARY KEY); INSERT INTO pk VALUES (1);
             {};
             CREATE FUNCTION label_int(label) RETURNS int LANGUAGE plpgsql AS 'BEGIN INSERT INTO late VALUES (1); RETURN 1; END';
             CREATE CAST (label AS int) WITH FUNCTION label_int(label) AS IMPLICIT;
             CREATE TABLE fk (a label REFERENCES pk DEFERRABLE INITIALLY DEFERRED); {};
             CREATE FUNCTION pure(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN PERFORM ride(''exclusion''); RETURN $1; END';
             CREATE TABLE ex (n int, EXCLUDE USING btree ((pure(n)) WITH =) DEFERRABLE INITIALLY DEFERRED); {};
             INSERT INTO ex VALUES (1); DELETE FROM canary;",
            attack.open("pk"),
            attack.open("fk"),
            attack.open("ex"),
        ));
        attack.table_with_trigger(
            "again",
            "CONSTRAINT TRIGGER",
            "SET CONSTRAINTS ALL DEFERRED; IF NEW.n = 1 THEN INSERT INTO fk VALUES ('1'); ELSE INSERT INTO ex VALUES (1); END IF",
        );
        put_off(&attack, "INSERT INTO again VALUES (1);", &format!("{}.fk", attack.schema()));
        put_off(&attack, "INSERT INTO again VALUES (2);", &format!("{}.ex", attack.schema()));
    });
}

#[test]
fn notifications_and_what_on_commit_does_run_no_code() {
    for version in BOTH {
        let attack = Attack::with_head(version, "oncommit", "owner", "[database]\npublic_schema = \"keep\"\n");
        attack.table_with_trigger(
            "orders",
            "TRIGGER",
            "CREATE TEMPORARY TABLE gone (n int DEFAULT ride('on commit')) ON COMMIT DROP;
             CREATE TEMPORARY TABLE emptied (n int) ON COMMIT DELETE ROWS;
             CREATE FUNCTION pure(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN IF current_user = ''postgres'' THEN PERFORM ride(''on commit''); END IF; RETURN 1; END';
             CREATE INDEX ON emptied (pure(n)) WHERE pure(7) = 1; INSERT INTO emptied VALUES (1);
             NOTIFY orders, 'one'; PERFORM pg_notify('orders', 'two')",
        );
        attack.next_migration("INSERT INTO orders VALUES (1);").ends(0);
        assert_eq!(attack.ran(), "");
        attack.gained_nothing();
    }
}

/// Deferring is no crime.
#[test]
fn deferrable_triggers_foreign_keys_and_exclusions_in_migrations_work() {
    for version in BOTH {
        let fleet = Fleet::new(version, "legit");
        fleet.migration(
            "V1__tables.sql",
            "CREATE TABLE parents (id int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED);
             CREATE TABLE strict (id int PRIMARY KEY);
             CREATE TABLE children (id int REFERENCES strict ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED, during int4range,
               EXCLUDE USING gist (during WITH &&) DEFERRABLE INITIALLY DEFERRED);
             CREATE TABLE audit (n int);
             CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO audit VALUES (NEW.id); RETURN NULL; END';
             CREATE CONSTRAINT TRIGGER audit AFTER INSERT ON children DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit();
             INSERT INTO children VALUES (1, '[1,2)'); INSERT INTO strict VALUES (1); INSERT INTO parents VALUES (1);",
        );
        fleet.declare("legit_full = {}\nlegit_owner = { access = \"owner\" }");
        fleet.applies_and_settles();
        fleet.migration(
            "V2__rows.sql",
            "INSERT INTO children VALUES (2, '[2,3)');\nINSERT INTO strict VALUES (2);\nDELETE FROM strict WHERE id = 1;\n\
             UPDATE parents SET id = id + 1;",
        );
        fleet.applies_and_settles();
        for schema in ["tenant_legit_full", "tenant_legit_owner"] {
            assert_eq!(fleet.ask(&format!("SELECT n FROM {schema}.audit ORDER BY n")), "1; 2");
            assert_eq!(fleet.ask(&format!("SELECT id FROM {schema}.children")), "2");
        }
    }
}
