//! What refinery takes file by file, each in its transaction, is taken also where the files share one.

use crate::fleet::{BOTH, Fleet, ask};

/// The shape is as the migrations give it, and could be seen.
#[track_caller]
fn deep_can_look(fleet: &Fleet, tenants: u64) {
    let shape = fleet.run(&["drift", "--deep", "--format", "json"]).ends(0).json()["shape"].clone();
    assert_eq!(shape["as_migrated"], tenants, "{shape}");
}

#[test]
fn an_enum_label_is_added_in_one_file_and_used_in_the_next() {
    for version in BOTH {
        let fleet = Fleet::new(version, "labels");
        let mood = "CREATE TYPE mood AS ENUM ('a');\nCREATE TABLE t (id int PRIMARY KEY, m mood NOT NULL);";
        fleet.migration("V1__mood.sql", mood);
        fleet.declare("en-old = {}\nen-own = { access = \"owner\" }");
        fleet.applies_and_settles();
        fleet.migration("V2__add.sql", "ALTER TYPE mood ADD VALUE 'b' BEFORE 'a';");
        fleet.migration("V3__use.sql", "INSERT INTO t VALUES (1, 'b');");
        fleet.migration("V4__both.sql", "ALTER TYPE mood RENAME VALUE 'b' TO 'c';\nALTER TYPE mood ADD VALUE 'd';");
        fleet.migration("V5__use.sql", "INSERT INTO t VALUES (2, 'c'), (3, 'd');");
        fleet.declare("en-old = {}\nen-own = { access = \"owner\" }\nen-fresh = {}");
        let words = "after COMMIT, in a transaction of its own: V2__add.sql adds a label to mood";
        fleet.run(&["plan", "--format", "json"]).ends(0).says(words);
        fleet.applies_and_settles();
        for tenant in ["en_old", "en_own", "en_fresh"] {
            let rows = fleet.ask(&format!("SELECT m FROM tenant_{tenant}.t ORDER BY id"));
            assert_eq!(rows, "c; c; d", "{tenant} on {version:?}");
            let recorded = format!("SELECT max(version) FROM tenant_{tenant}.refinery_schema_history");
            assert_eq!(fleet.ask(&recorded), "5", "{tenant}");
        }
        deep_can_look(&fleet, 3);
    }
}

#[test]
fn a_file_that_uses_a_label_and_fails_leaves_those_before_it_recorded() {
    for version in BOTH {
        let fleet = Fleet::new(version, "label_fails");
        fleet.migration("V1__mood.sql", "CREATE TYPE mood AS ENUM ('a');\nCREATE TABLE t (m mood PRIMARY KEY);");
        fleet.declare("lf-one = {}");
        fleet.applies_and_settles();
        fleet.migration("V2__add.sql", "ALTER TYPE mood ADD VALUE 'b';");
        fleet.migration("V3__use.sql", "INSERT INTO t VALUES ('b');\nINSERT INTO t VALUES ('b');");
        fleet.try_apply().ends(1).says("V3__use.sql:2").says("it is committed").says("23505");
        assert_eq!(fleet.ask("SELECT max(version) FROM tenant_lf_one.refinery_schema_history"), "2");
        assert_eq!(fleet.ask("SELECT count(*) FROM tenant_lf_one.t"), "0");
        fleet.migration("V3__use.sql", "INSERT INTO t VALUES ('b');");
        fleet.applies_and_settles();
    }
}

#[test]
fn deferred_events_of_one_file_do_not_stop_the_next() {
    for version in BOTH {
        let fleet = Fleet::new(version, "deferred");
        fleet.migration(
            "V1__seed.sql",
            "CREATE TABLE org (id int PRIMARY KEY);\n\
             CREATE TABLE member (id int PRIMARY KEY, org int NOT NULL REFERENCES org DEFERRABLE INITIALLY DEFERRED);\n\
             CREATE TABLE seat (n int, CONSTRAINT seat_n UNIQUE (n) DEFERRABLE INITIALLY IMMEDIATE);\n\
             CREATE TABLE noted (what text);\n\
             CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO noted VALUES ('seat'); RETURN NULL; END $$;\n\
             CREATE CONSTRAINT TRIGGER note AFTER INSERT ON seat DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION note();\n\
             INSERT INTO member VALUES (1, 1);\nINSERT INTO org VALUES (1);\nINSERT INTO seat VALUES (1), (2);",
        );
        fleet.migration(
            "V2__note.sql",
            "ALTER TABLE member ADD COLUMN note text;\nALTER TABLE seat ADD COLUMN note text;",
        );
        // Still as declared: the one is deferred, the other is not.
        fleet.migration("V3__again.sql", "INSERT INTO member VALUES (2, 2);\nINSERT INTO org VALUES (2);");
        fleet.migration("V4__later.sql",
            "CREATE TABLE late (org int REFERENCES org DEFERRABLE INITIALLY DEFERRED);\nINSERT INTO late VALUES (3);\nINSERT INTO org VALUES (3);");
        fleet.migration(
            "V5__end.sql",
            "ALTER TABLE late ADD COLUMN note text;\nALTER TABLE member ADD COLUMN more text;",
        );
        fleet.declare("df-one = {}\ndf-own = { access = \"owner\" }");
        fleet.applies_and_settles();
        assert_eq!(fleet.ask("SELECT count(*) FROM tenant_df_one.noted"), "2");
        deep_can_look(&fleet, 2);
        fleet.migration("V6__move.sql", "UPDATE seat SET n = 3 - n;");
        fleet.applies_and_settles();
        fleet.migration("V7__first.sql", "SELECT 1;");
        fleet.migration("V8__twice.sql", "INSERT INTO seat VALUES (1);\nDELETE FROM seat;");
        fleet.try_apply().ends(1).says("V8__twice.sql:1").says("23505");
        fleet.migration("V8__twice.sql", "SELECT 1;");
        // A file's own deferred work is done at its end, and fails there.
        fleet.migration("V9__nowhere.sql", "INSERT INTO member VALUES (9, 9);");
        fleet.migration("V10__somewhere.sql", "INSERT INTO org VALUES (9);");
        fleet.try_apply().ends(1).says("V9__nowhere.sql: ").says("23503");
    }
}

#[test]
fn temporary_tables_work_while_public_is_closed_and_end_as_they_say() {
    for version in BOTH {
        let fleet = Fleet::new(version, "temporary");
        fleet.migration(
            "V1__users.sql",
            "CREATE TABLE users (id int PRIMARY KEY, email text);\n\
             CREATE TEMP TABLE dup ON COMMIT DROP AS SELECT email, min(id) AS id FROM users GROUP BY 1;\n\
             DELETE FROM users u USING dup d WHERE u.email = d.email AND u.id <> d.id;\n\
             CREATE MATERIALIZED VIEW mails AS SELECT id, email FROM users;\n\
             CREATE UNIQUE INDEX ON mails (id);",
        );
        fleet.migration(
            "V2__again.sql",
            "CREATE TEMP TABLE dup ON COMMIT DROP AS SELECT 1 AS one;\nCREATE TEMP TABLE kept (n int);\n\
             CREATE TEMP TABLE emptied (n int) ON COMMIT DELETE ROWS;\nINSERT INTO emptied VALUES (1);\nINSERT INTO kept VALUES (1);\n\
             REFRESH MATERIALIZED VIEW CONCURRENTLY mails;",
        );
        fleet.migration(
            "V3__seen.sql",
            "CREATE TABLE seen AS SELECT (SELECT count(*) FROM kept) AS kept, (SELECT count(*) FROM emptied) AS emptied;",
        );
        fleet.declare("tt-one = {}\ntt-two = {}\ntt-own = { access = \"owner\" }\ntt-ro = { access = \"readonly\" }");
        fleet.run(&["apply", "-y", "--parallelism", "1"]).ends(0);
        fleet.settled();
        assert_eq!(fleet.ask("SELECT * FROM tenant_tt_two.seen"), "1, 0");
        deep_can_look(&fleet, 4);
        for (tenant, may) in [("tt-one", "f"), ("tt-ro", "f"), ("tt-own", "t")] {
            let temp = "SELECT has_database_privilege(current_database(), 'TEMPORARY')";
            assert_eq!(ask(&mut fleet.log_in(tenant), temp), may, "{tenant}");
        }
    }
}

#[test]
fn a_function_that_cannot_be_is_refused_with_file_and_line_whatever_the_administrators_setting() {
    for version in BOTH {
        let fleet = Fleet::new(version, "bodies");
        fleet.execute(&format!("ALTER DATABASE {} SET check_function_bodies = off", fleet.database.name));
        fleet.declare("fb-one = {}");
        let missing = "CREATE FUNCTION f() RETURNS bigint LANGUAGE sql AS $$ SELECT count(*) FROM no_such_table $$;";
        fleet.migration("V1__functions.sql", missing);
        fleet.try_apply().ends(1).says("V1__functions.sql:1: relation \"no_such_table\" does not exist");
        fleet.assert_no_trace_of("fb_one");
        let broken = "\nCREATE FUNCTION g() RETURNS int LANGUAGE plpgsql AS $$\nBEGIN\n  RETRUN 1;\nEND $$;";
        fleet.migration("V1__functions.sql", broken);
        fleet.try_apply().ends(1).says("V1__functions.sql:4: syntax error at or near \"RETRUN\"");
        // As pg_dump has it: said so, unchecked.
        fleet.migration("V1__functions.sql", &format!("SET check_function_bodies = off;\n{missing}"));
        fleet.applies_and_settles();
        deep_can_look(&fleet, 1);
    }
}
