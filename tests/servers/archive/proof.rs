//! What is seen of an archive before anybody relies on it, and what happens when it would not come back.

use super::project::{REMOVE, assert_no_deputy, manifests, project, project_of_few_locks};
use crate::fleet::{BOTH, ask};
use crate::postgres_server::Version;

/// A CHECK that reads a table which a dump fills later: every pg_restore refuses these rows.
#[test]
fn a_tenant_that_would_not_come_back_is_not_dropped() {
    for version in BOTH {
        let fleet = project(version, "stuck");
        fleet.migration(
            "V3__check.sql",
            "CREATE TABLE zones (zone text);
             CREATE FUNCTION is_zone(z text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RETURN EXISTS (SELECT FROM zones WHERE zone = z); END $$;
             CREATE TABLE areas (zone text CHECK (is_zone(zone)));
             INSERT INTO zones VALUES ('a'); INSERT INTO areas VALUES ('a')",
        );
        fleet.declare("st-one = {}");
        fleet.applies_and_settles();
        fleet
            .run(&["archive", "st-one"])
            .ends(1)
            .says(
                "an archive of st-one could not be restored: new row for relation \"areas\" violates check constraint",
            )
            .says("Failing row contains (a)")
            .says("on_remove = \"retain\"");
        fleet.declare("");
        fleet.run(&REMOVE).ends(1).says("an archive of st-one could not be restored").says("SQLSTATE 23514");
        assert!(manifests(&fleet).is_empty());
        assert_no_deputy(&fleet);
        assert_eq!(ask(&mut fleet.log_in("st-one"), "SELECT zone FROM areas"), "a");
        assert_eq!(fleet.ask("SELECT nspname FROM pg_namespace WHERE nspname ~ 'tenantry_aside'"), "");
        fleet.execute("ALTER TABLE tenant_st_one.areas DROP CONSTRAINT areas_zone_check");
        fleet.run(&REMOVE).ends(0);
        fleet.settled();
        assert_eq!(manifests(&fleet)[0].1["proved"], "rows");
    }
}

#[test]
fn of_many_rows_the_structure_is_tried_and_of_many_objects_nothing() {
    let fleet = project(BOTH[0], "rows_many");
    fleet.declare("rm-one = {}");
    fleet.applies_and_settles();
    fleet.execute(
        "INSERT INTO tenant_rm_one.users (email) SELECT n || repeat('x', 1000) FROM generate_series(1, 17000) n",
    );
    fleet.run(&["archive", "rm-one"]).ends(0).says("restored without rows, then rolled back: its rows exceed 16 MB");
    let manifest = manifests(&fleet).pop().unwrap().1;
    assert_eq!(manifest["proved"], "structure");
    assert_eq!(manifest["proved_no_more_because"], "its rows exceed 16 MB");

    let fleet = project_of_few_locks(Version::V18, "few_locks");
    fleet.declare("fl-one = {}");
    fleet.applies_and_settles();
    let tables: String = (0..40).map(|n| format!("CREATE TABLE t{n} (id int PRIMARY KEY);")).collect();
    fleet.log_in("fl-one").batch_execute(&tables).unwrap();
    fleet.run(&["archive", "fl-one"]).ends(0).says("not tested further: it has too many objects for one transaction");
    assert_eq!(manifests(&fleet).pop().unwrap().1["proved"], "contents");
}

/// What PostgreSQL ships and what the tenant made has one name, and dumps say the name alone: restored, the view would be of the other.
#[test]
fn a_name_that_would_be_understood_otherwise_is_no_proof() {
    let fleet = project(Version::V18, "otherwise");
    fleet.declare("bo-one = {}");
    fleet.applies_and_settles();
    fleet
        .log_in("bo-one")
        .batch_execute(
            "CREATE VIEW joined AS SELECT concat(email, email) AS twice FROM users;
             CREATE FUNCTION concat(text, text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT NULL::text'",
        )
        .unwrap();
    fleet.run(&["archive", "bo-one"]).ends(0).says("refer to other functions or operators");
    assert_eq!(manifests(&fleet).pop().unwrap().1["proved"], "contents");
}

/// Counted by sequences of the tenant's own, which no ROLLBACK takes back: they are in the schema that stands aside meanwhile.
#[test]
fn code_that_runs_while_an_archive_is_tried_is_no_more_than_the_tenant() {
    for version in BOTH {
        let fleet = project(version, "tried_riding");
        fleet.declare("tr-one = {}\ntr-other = {}");
        fleet.applies_and_settles();
        fleet
            .log_in("tr-one")
            .batch_execute(
                "CREATE SEQUENCE ran; CREATE SEQUENCE done;
                 CREATE FUNCTION ride(what text) RETURNS boolean LANGUAGE plpgsql AS $f$
                 DECLARE attempt text; aside text := (SELECT nspname FROM pg_namespace WHERE nspname LIKE 'tenantry\\_aside%');
                 BEGIN
                   IF aside IS NULL THEN RETURN true; END IF;
                   FOREACH attempt IN ARRAY ARRAY['RESET ROLE', 'SET ROLE postgres', 'SET SESSION AUTHORIZATION DEFAULT', 'RESET SESSION AUTHORIZATION',
                     'ALTER ROLE tr_one_user SUPERUSER', 'CREATE ROLE tr_planted', 'SELECT count(*) FROM tenant_tr_other.users',
                     'GRANT tr_other_owner TO tr_one_user', 'COPY tenant_tr_one.users TO PROGRAM ''cat >/dev/null''',
                     'UPDATE tenantry.tenants SET protected = true', 'CREATE SCHEMA tr_planted', 'COMMIT'] LOOP
                     PERFORM nextval(format('%I.ran', aside));
                     BEGIN EXECUTE attempt; PERFORM nextval(format('%I.done', aside)); EXCEPTION WHEN OTHERS THEN NULL; END;
                   END LOOP;
                   -- For what comes after it in that session.
                   SET search_path = tenant_tr_one, pg_catalog; SET standard_conforming_strings = off; SET lock_timeout = 1;
                   RETURN true;
                 END $f$;
                 CREATE FUNCTION constant(n int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $f$ BEGIN PERFORM tenant_tr_one.ride('index'); RETURN n; END $f$;
                 CREATE DOMAIN checked AS int CHECK (tenant_tr_one.ride('domain'));
                 CREATE TABLE trap (n int CHECK (tenant_tr_one.ride('check')), d checked, g int GENERATED ALWAYS AS (tenant_tr_one.constant(1)) STORED);
                 CREATE INDEX ON trap (tenant_tr_one.constant(n));
                 INSERT INTO trap VALUES (1, 1);
                 CREATE MATERIALIZED VIEW seen AS SELECT tenant_tr_one.ride('view')",
            )
            .unwrap();
        fleet.run(&["archive", "tr-one"]).ends(0).says("restored with all rows");
        let counted =
            "SELECT (SELECT last_value FROM tenant_tr_one.ran) > 12, (SELECT is_called FROM tenant_tr_one.done)";
        assert_eq!(fleet.ask(counted), "t, f", "all that was tried was refused");
        assert_no_deputy(&fleet);
        fleet.settled();
    }
}
