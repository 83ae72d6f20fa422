//! What planted code leaves in the session, where the next statements are ours and the next tenant's.

use super::attack::Attack;
use crate::fleet::BOTH;

/// One worker, so that the innocent tenant, later in the alphabet, gets the session that the hostile one had.
fn two(version: crate::postgres_server::Version, name: &str) -> Attack {
    let attack = Attack::with_head(version, name, "owner", "[database]\npublic_schema = \"keep\"\n");
    attack.fleet.declare(&format!("{} = {{ access = \"owner\" }}\nz{name} = {{}}", attack.tenant));
    attack.fleet.apply();
    attack
}

/// `orders` is where the trap is; what comes after it is migrated in the same session, and for the other tenant.
fn apply_with_one_worker(attack: &Attack, then: &str) {
    attack
        .fleet
        .migration("V2__trap.sql", "CREATE TABLE IF NOT EXISTS orders (n int);\nINSERT INTO orders VALUES (1);");
    attack.fleet.migration("V3__then.sql", then);
    attack.fleet.run(&["apply", "-y", "--parallelism", "1"]).ends(0);
}

#[test]
fn settings_are_ours_again_and_the_next_tenants_own() {
    for version in BOTH {
        let attack = two(version, "sets");
        attack.table_with_trigger(
            "orders",
            "TRIGGER",
            "SET search_path = tenant_zsets; SET standard_conforming_strings = off; SET client_encoding = 'LATIN1';
             SET lock_timeout = '1ms'; SET statement_timeout = '1h'; SET DateStyle = 'German'; SET bytea_output = 'escape';
             SET check_function_bodies = off; SET quote_all_identifiers = on; SET default_transaction_read_only = on;
             SET row_security = off; SET default_tablespace = ''; SET escape_string_warning = off; SET \"my.own\" = 'x';
             BEGIN SET session_replication_role = replica; EXCEPTION WHEN insufficient_privilege THEN NULL; END",
        );
        let sql = "CREATE TABLE seen AS SELECT current_schema()::text AS s, current_setting('standard_conforming_strings') AS c, \
                   current_setting('client_encoding') AS e, current_setting('lock_timeout') AS l, current_setting('DateStyle') AS d, \
                   'ä\\n' AS text;";
        apply_with_one_worker(&attack, sql);
        let seen = attack.fleet.ask("SELECT * FROM tenant_zsets.seen");
        assert_eq!(seen, "tenant_zsets, on, UTF8, 5s, ISO, MDY, ä\\n");
        let tables = "SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE relname = 'seen' ORDER BY 1";
        assert_eq!(attack.fleet.ask(tables), "tenant_sets_owner; tenant_zsets");
        attack.gained_nothing();
        attack.fleet.settled();
    }
}

#[test]
fn temporary_tables_prepared_names_listening_and_locks_do_not_reach_the_next_tenant() {
    for version in BOTH {
        let attack = two(version, "leaves");
        attack.table_with_trigger(
            "orders",
            "TRIGGER",
            "CREATE TEMPORARY TABLE users (stolen text);
             CREATE FUNCTION pg_temp.lower(varchar) RETURNS text LANGUAGE sql AS 'SELECT ''stolen''';
             FOR n IN 0..300 LOOP EXECUTE format('PREPARE s%s AS SELECT ride(''prepared'')', n); END LOOP;
             LISTEN everything; PERFORM pg_advisory_lock(42); PERFORM ride('inside')",
        );
        let sql = "INSERT INTO users VALUES (lower('ME'::varchar));\n\
                   CREATE TABLE seen AS SELECT (SELECT count(*) FROM pg_prepared_statements) AS p, (SELECT count(*) FROM pg_listening_channels()) AS l, \
                   (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()) AS a, (SELECT count(*) FROM pg_cursors WHERE is_holdable) AS c, \
                   (SELECT count(*) FROM pg_class WHERE relpersistence = 't' AND relnamespace = pg_my_temp_schema()) AS t;";
        apply_with_one_worker(&attack, sql);
        let seen =
            attack.fleet.ask("SELECT p, l, a, c, t, (SELECT email FROM tenant_zleaves.users) FROM tenant_zleaves.seen");
        assert_eq!(seen, "0, 0, 0, 0, 0, me");
        attack.ran_as_owner("inside");
        attack.gained_nothing();
        attack.fleet.settled();
    }
}

/// A failed migration leaves its session as clean as a good one.
#[test]
fn a_tenant_that_fails_takes_nothing_from_the_next() {
    for version in BOTH {
        let attack = two(version, "fails");
        attack.table_with_trigger(
            "orders",
            "TRIGGER",
            "SET search_path = pg_temp; PERFORM pg_advisory_lock(42); RAISE EXCEPTION E'no\\x1b[2J'",
        );
        attack
            .fleet
            .migration("V2__next.sql", "CREATE TABLE IF NOT EXISTS orders (n int);\nINSERT INTO orders VALUES (1);");
        let run = attack
            .fleet
            .run(&["apply", "-y", "--parallelism", "1", "-v"])
            .ends(1)
            .says("applied: zfails")
            .says("V2__next.sql:2");
        assert!(!run.stdout.contains('\x1b') && !run.stderr.contains('\x1b'), "its message moves no cursor");
        attack.gained_nothing();
    }
}
