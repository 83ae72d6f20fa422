//! Code on a migration's path: it runs as the owner, and cannot become anybody else.

use super::attack::{Attack, everywhere};
use crate::fleet::{BOTH, refused};

#[test]
fn a_trigger_on_a_migrated_table_wants_a_privilege_that_only_an_owner_has() {
    for version in BOTH {
        let full = Attack::new(version, "trig", "full");
        let trigger = "CREATE FUNCTION fire() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM ride(''trigger''); RETURN NEW; END';
                       CREATE TRIGGER fire BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION fire()";
        assert_eq!(refused(&mut full.fleet.log_in(&full.tenant), trigger), "42501");
        let owner = Attack::new(version, "trig", "owner");
        owner.plant(trigger);
        owner.next_migration("INSERT INTO users VALUES ('a');").ends(0);
        owner.ran_as_owner("trigger");
        owner.gained_nothing();
        owner.fleet.settled();
    }
}

#[test]
fn overloads_in_its_schema_are_called_as_the_owner() {
    everywhere("overload", |attack| {
        attack.plant(
            "CREATE FUNCTION lower(varchar) RETURNS text LANGUAGE plpgsql AS 'BEGIN PERFORM ride(''overload''); RETURN ''l''; END';
             CREATE FUNCTION same(varchar, varchar) RETURNS bool LANGUAGE plpgsql AS 'BEGIN PERFORM ride(''overload''); RETURN true; END';
             CREATE OPERATOR = (LEFTARG = varchar, RIGHTARG = varchar, FUNCTION = same);",
        );
        let sql =
            "INSERT INTO users VALUES (lower('A'::varchar));\nDELETE FROM users WHERE 'a'::varchar = 'b'::varchar;";
        attack.next_migration(sql).ends(0);
        attack.ran_as_owner("overload");
        attack.gained_nothing();
        attack.fleet.settled();
    });
}

#[test]
fn a_table_made_before_create_if_not_exists_rides_nothing() {
    everywhere("early", |attack| {
        attack.table_with_trigger("orders", "TRIGGER", "PERFORM ride('early')");
        attack.next_migration("CREATE TABLE IF NOT EXISTS orders (n int);\nINSERT INTO orders VALUES (1);").ends(0);
        attack.ran_as_owner("early");
        attack.gained_nothing();
    });
}

#[test]
fn every_way_to_become_another_role_is_refused_inside() {
    everywhere("become", |attack| {
        attack.table_with_trigger("orders", "TRIGGER", "PERFORM ride('become')");
        attack.next_migration("INSERT INTO orders VALUES (1);").ends(0);
        let schema = attack.schema();
        let answers = attack.fleet.ask(&format!("SELECT what, answer FROM {schema}.canary ORDER BY what"));
        assert_eq!(answers.matches(", 42501").count(), 8, "{answers}");
        attack.gained_nothing();
    });
}

#[test]
fn the_function_altered_from_inside_is_called_once_and_gone() {
    everywhere("alters", |attack| {
        attack.table_with_trigger(
            "orders",
            "TRIGGER",
            "DECLARE f regprocedure; BEGIN
               SELECT oid INTO f FROM pg_catalog.pg_proc WHERE proname LIKE 'tenantry\\_t%' AND pronamespace = current_schema()::regnamespace;
               EXECUTE format('ALTER FUNCTION %s SECURITY INVOKER', f);
               EXECUTE format('ALTER FUNCTION %s RESET ALL', f);
               EXECUTE format('CREATE OR REPLACE FUNCTION %s RETURNS void LANGUAGE plpgsql AS %L', f, 'BEGIN PERFORM ride(''again''); END');
               PERFORM ride('alters');
             END",
        );
        attack.next_migration("INSERT INTO orders VALUES (1);").ends(0);
        attack.ran_as_owner("alters");
        attack.gained_nothing();
    });
}

#[test]
fn the_function_renamed_or_held_by_a_view_harms_its_tenant_only() {
    for version in BOTH {
        let attack = Attack::new(version, "holds", "owner");
        attack.table_with_trigger(
            "orders",
            "TRIGGER",
            "DECLARE f text; BEGIN
               SELECT proname INTO f FROM pg_catalog.pg_proc WHERE proname LIKE 'tenantry\\_t%' AND pronamespace = current_schema()::regnamespace;
               EXECUTE format('CREATE VIEW holds AS SELECT %I()::text', f);
             END",
        );
        attack
            .next_migration("INSERT INTO orders VALUES (1);")
            .ends(1)
            .says("dropping the function that ran the migrations")
            .says("2BP01");
        attack.gained_nothing();
    }
}

/// The row of the history is written inside as well: triggers, defaults, rules, CHECKs and generated columns are code.
#[test]
fn code_on_the_history_runs_as_the_owner() {
    everywhere("histcode", |attack| {
        attack.plant_as_owner(
            "CREATE FUNCTION fire() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM ride(''history''); RETURN NEW; END';
             CREATE TRIGGER fire BEFORE INSERT ON refinery_schema_history FOR EACH ROW EXECUTE FUNCTION fire();
             CREATE FUNCTION pure(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN ride(''history''); END';
             ALTER TABLE refinery_schema_history ADD COLUMN a int DEFAULT ride('history'), ADD CHECK (ride('history') = 1),
               ADD COLUMN b int GENERATED ALWAYS AS (pure(version)) STORED;
             CREATE RULE r AS ON INSERT TO refinery_schema_history DO ALSO SELECT ride('history');
             DELETE FROM canary;",
        );
        attack.next_migration("CREATE TABLE more (n int);").ends(0);
        attack.ran_as_owner("history");
        attack.gained_nothing();
        attack.fleet.settled();
    });
}
