//! Around the migrations: the lock, the registry's name, names that change, and commands that only look.

use std::time::{Duration, Instant};

use super::attack::Attack;
use crate::fleet::{BOTH, Fleet, refused};

const KEY: i64 = i64::from_be_bytes(*b"tenantry");

/// Advisory locks are anybody's to take: the lock of apply is a row of the registry.
#[test]
fn a_tenant_that_takes_every_lock_it_can_keeps_no_apply_away() {
    for version in BOTH {
        let attack = Attack::new(version, "locks", "full");
        let mut client = attack.fleet.log_in(&attack.tenant);
        client.execute("SELECT pg_advisory_lock($1)", &[&KEY]).unwrap();
        for sql in [
            "DO $$BEGIN LOCK TABLE tenantry.apply_lock IN ACCESS SHARE MODE; END$$",
            "SELECT FROM tenantry.apply_lock FOR KEY SHARE",
            "UPDATE tenantry.apply_lock SET fence = fence",
        ] {
            let error = client.batch_execute(sql).unwrap_err();
            assert_eq!(error.code().unwrap().code(), "42501", "{sql}: {error}");
        }
        attack.next_migration("CREATE TABLE more (n int);").ends(0);
        attack.fleet.settled();
    }
}

/// The lock is ours while migrations run: planted code can neither take it nor give it up.
#[test]
fn planted_code_does_not_get_at_the_lock() {
    for version in BOTH {
        let attack = Attack::new(version, "unlocks", "owner");
        attack.table_with_trigger(
            "orders",
            "TRIGGER",
            &format!(
                "PERFORM pg_advisory_unlock_all(), pg_try_advisory_lock({KEY});
                 INSERT INTO canary SELECT current_user, 'lock', 'try', has_table_privilege(current_user, c.oid, 'UPDATE')::text
                 FROM pg_class c WHERE c.relname = 'apply_lock'"
            ),
        );
        attack.next_migration("INSERT INTO orders VALUES (1);").ends(0);
        assert_eq!(attack.fleet.ask(&format!("SELECT answer FROM {}.canary", attack.schema())), "false");
        attack.fleet.settled();
    }
}

#[test]
fn a_schema_under_the_registrys_name_that_a_tenant_made_is_not_trusted() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "squat");
        let name = fleet.ask("SELECT current_database()");
        fleet.execute(&format!(
            "DROP ROLE IF EXISTS squatter; CREATE ROLE squatter; GRANT CREATE ON DATABASE {name} TO squatter; SET ROLE squatter;
             CREATE SCHEMA tenantry; CREATE FUNCTION tenantry.f() RETURNS text LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''rode''; END';
             CREATE VIEW tenantry.tenants AS SELECT tenantry.f() AS tenant;
             CREATE VIEW tenantry.refinery_schema_history AS SELECT tenantry.f();"
        ));
        fleet.declare("squat = {}");
        for command in [vec!["plan"], vec!["list"], vec!["apply", "-y"], vec!["verify"]] {
            fleet.run(&command).ends(1).says("schema tenantry belongs to \"squatter\"").says("drop or rename it");
        }
    }
}

/// A tenant cannot rename its schema; whoever can, an administrator, makes its data unreachable, not somebody else's.
#[test]
fn a_schema_renamed_under_the_tools_feet_is_told_and_left_alone() {
    for version in BOTH {
        let attack = Attack::new(version, "renames", "owner");
        let (schema, tenant) = (attack.schema(), &attack.tenant);
        assert_eq!(
            refused(&mut attack.fleet.log_in(tenant), &format!("ALTER SCHEMA {schema} RENAME TO mine")),
            "42501"
        );
        attack.fleet.execute(&format!("ALTER SCHEMA {schema} RENAME TO moved_{tenant}; CREATE SCHEMA {schema}"));
        attack.fleet.run(&["plan"]).ends(0).says(&schema);
        attack.fleet.run(&["list"]).ends(0);
        attack.fleet.run(&["show", tenant]).ends(0);
        attack.fleet.try_apply();
        assert_eq!(attack.fleet.ask(&format!("SELECT count(*) FROM moved_{tenant}.refinery_schema_history")), "1");
        attack.gained_nothing();
    }
}

/// Sleeping triggers and locked tables: looking ends nevertheless, and soon.
#[test]
fn verify_and_list_do_not_wait_for_a_tenant_that_wants_them_to() {
    let attack = Attack::new(BOTH[0], "stalls", "full");
    let mut client = attack.fleet.log_in(&attack.tenant);
    client.batch_execute("BEGIN; LOCK TABLE users IN ACCESS EXCLUSIVE MODE").unwrap();
    let start = Instant::now();
    attack.fleet.run(&["list"]).ends(0).says(&attack.tenant);
    attack.fleet.run(&["verify"]).ends(0).says("could not be tried").says("lock timeout");
    assert!(start.elapsed() < Duration::from_secs(60));
}

/// Everybody holds UPDATE on the view pg_settings, and so may lock it against all who read it.
#[test]
fn a_lock_on_the_view_of_settings_stalls_nobody_but_its_readers() {
    for version in BOTH {
        let attack = Attack::new(version, "settings", "full");
        let mut client = attack.fleet.log_in(&attack.tenant);
        client.batch_execute("BEGIN; LOCK TABLE pg_catalog.pg_settings IN ACCESS EXCLUSIVE MODE").unwrap();
        let start = Instant::now();
        attack.fleet.run(&["plan"]).ends(0);
        attack.fleet.run(&["drift", "--deep"]).ends(0);
        attack.fleet.run(&["list"]).ends(0);
        attack.next_migration("CREATE TABLE more (n int);").ends(0);
        attack.fleet.settled();
        assert!(start.elapsed() < Duration::from_secs(60));
        client.batch_execute("ROLLBACK").unwrap();
    }
}

/// Functions, operators and casts in a tenant's schema do not come into any query of ours, nor into its own login's probes.
#[test]
fn looking_calls_nothing_of_a_tenants() {
    for version in BOTH {
        let attack = Attack::new(version, "shadows", "owner");
        attack.plant(
            "CREATE FUNCTION same(name, name) RETURNS bool LANGUAGE plpgsql AS 'BEGIN PERFORM ride(''shadow''); RETURN true; END';
             CREATE OPERATOR = (LEFTARG = name, RIGHTARG = name, FUNCTION = same);
             CREATE FUNCTION current_database() RETURNS name LANGUAGE plpgsql AS 'BEGIN PERFORM ride(''shadow''); RETURN ''x''; END';
             CREATE FUNCTION count() RETURNS bigint LANGUAGE plpgsql AS 'BEGIN PERFORM ride(''shadow''); RETURN 1; END';
             CREATE TABLE pg_class (a int); CREATE VIEW pg_namespace AS SELECT ride('shadow') AS oid;
             CREATE VIEW \"we\"\"ird; DROP ROLE postgres; --\" AS SELECT ride('shadow');
             COMMENT ON TABLE users IS E'\\x1b[2J';",
        );
        for command in
            [vec!["plan"], vec!["list"], vec!["show", &attack.tenant], vec!["verify"], vec!["plan", "--format", "json"]]
        {
            let run = attack.fleet.run(&command).ends(0);
            assert!(!run.stdout.contains('\x1b'));
        }
        assert_eq!(attack.ran(), "");
        attack.gained_nothing();
    }
}
