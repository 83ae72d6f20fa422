//! Migrations of new tenants: refinery's history, sizes, encodings, and files that need no transaction.

use refinery_core::Migration;

use crate::fleet::{BOTH, Fleet, MIGRATIONS, ask};
use crate::postgres_server::Version;

#[test]
fn the_history_is_one_that_refinery_itself_would_have_written() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "history");
        fleet.declare("h-one = {}");
        fleet.applies_and_settles();
        let rows = fleet
            .database
            .client()
            .query(
                "SELECT version, name, checksum, applied_on FROM tenant_h_one.refinery_schema_history ORDER BY version",
                &[],
            )
            .unwrap();
        assert_eq!(rows.len(), 2);
        for (row, (file, sql)) in rows.iter().zip(MIGRATIONS) {
            let file = Migration::unapplied(file.trim_end_matches(".sql"), sql).unwrap();
            assert_eq!(row.get::<_, i32>("version"), file.version());
            assert_eq!(row.get::<_, String>("name"), file.name());
            assert_eq!(row.get::<_, String>("checksum"), file.checksum().to_string());
            // refinery reads it as RFC 3339, and panics at anything else.
            row.get::<_, String>("applied_on").parse::<jiff::Timestamp>().unwrap();
        }
    }
}

#[test]
fn a_tenant_of_four_hundred_tables_fits_one_transaction() {
    for version in BOTH {
        let fleet = Fleet::new(version, "many_tables");
        let table = |n| format!("CREATE TABLE t{n} (id bigint PRIMARY KEY, name text);\n");
        fleet.migration("V1__tables.sql", &(0..400).map(table).collect::<String>());
        fleet.declare("m-big = {}");
        fleet.applies_and_settles();
        assert_eq!(
            ask(&mut fleet.log_in("m-big"), "SELECT count(*) FROM pg_tables WHERE schemaname = 'tenant_m_big'"),
            "401"
        );
        fleet.declare("m-big = { access = \"readonly\" }");
        fleet.applies_and_settles();
        fleet.declare("");
        fleet.run(&["apply", "-y", "--allow-removals", "1"]).ends(0);
        fleet.settled();
    }
}

#[test]
fn a_project_without_a_migration_yet_works() {
    for version in BOTH {
        let fleet = Fleet::new(version, "empty");
        fleet.declare("e-one = {}\ne-two = { access = \"owner\" }\ne-three = { access = \"readonly\" }");
        fleet.applies_and_settles();
        fleet.migration("V1__first.sql", "CREATE TABLE first (id int);");
        fleet.applies_and_settles();
    }
}

#[test]
fn files_from_windows_work_and_keep_their_checksums() {
    for version in BOTH {
        let fleet = Fleet::new(version, "windows");
        fleet.migration(
            "V1__crlf.sql",
            "-- a comment\r\nCREATE TABLE a (\r\n  id int\r\n);\r\nINSERT INTO a VALUES (1);\r\n",
        );
        fleet.migration("V2__bom.sql", "\u{feff}CREATE TABLE b (id int);\r\n");
        fleet.migration("V3__empty.sql", "");
        fleet.migration("V4__comment.sql", "-- nothing yet\r\n");
        fleet.declare("w-one = {}");
        fleet.applies_and_settles();
        assert_eq!(ask(&mut fleet.log_in("w-one"), "SELECT count(*) FROM a"), "1");
        assert_eq!(fleet.ask("SELECT count(*) FROM tenant_w_one.refinery_schema_history"), "4");
    }
}

#[test]
fn what_migrations_may_hold_is_what_postgresql_takes() {
    for version in BOTH {
        let fleet = Fleet::new(version, "syntax");
        fleet.migration(
            "V1__all.sql",
            "CREATE TABLE p (id int, day date) PARTITION BY RANGE (day);\n\
             CREATE TABLE p1 PARTITION OF p FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');\n\
             CREATE TABLE acc (id int PRIMARY KEY, up int REFERENCES acc DEFERRABLE INITIALLY DEFERRED);\n\
             INSERT INTO acc VALUES (1, 2), (2, 1);\n\
             CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.id := NEW.id + 1; RETURN NEW; END $$;\n\
             CREATE TRIGGER up BEFORE INSERT ON acc FOR EACH ROW EXECUTE FUNCTION f();\n\
             CREATE MATERIALIZED VIEW mv AS SELECT count(*) FROM acc;\n\
             CREATE PROCEDURE pr() LANGUAGE sql BEGIN ATOMIC INSERT INTO acc VALUES (10, NULL); END;\n\
             CALL pr();\n\
             CREATE DOMAIN email AS text CHECK (VALUE LIKE '%@%');\n\
             CREATE AGGREGATE product(int) (sfunc = int4mul, stype = int, initcond = 1);\n\
             CREATE STATISTICS st ON id, up FROM acc;\n\
             DO $do$ BEGIN EXECUTE 'CREATE TABLE by_do (e email)'; END $do$;\n",
        );
        fleet.migration("V2__set.sql", "SET search_path = pg_catalog;\nCREATE TABLE tenant_y_one.elsewhere ();");
        fleet.migration("V3__after.sql", "CREATE TABLE after (id int);");
        fleet.declare("y-one = {}");
        fleet.applies_and_settles();
        assert_eq!(ask(&mut fleet.log_in("y-one"), "SELECT max(id) FROM acc"), "11");
        for access in ["readonly", "owner", "readwrite", "full"] {
            fleet.declare(&format!("y-one = {{ access = \"{access}\", owner = \"y_owner_{access}\" }}"));
            fleet.applies_and_settles();
        }
    }
}

const LATE: &str =
    "-- tenantry: no-transaction\nCREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS users_email ON users (email);\n";

#[test]
fn a_concurrent_index_is_made_outside_the_transaction_and_recorded() {
    for version in BOTH {
        let fleet = Fleet::new(version, "late");
        fleet.migration("V1__users.sql", "CREATE TABLE users (email text);");
        fleet.migration("V2__index.sql", LATE);
        fleet.migration("V3__after.sql", "CREATE TABLE after (id int);");
        fleet.declare("c-one = {}\nc-two = { access = \"owner\" }");
        fleet.applies_and_settles();
        assert_eq!(fleet.ask("SELECT count(*) FROM pg_index i JOIN pg_class c ON c.oid = indexrelid WHERE relname = 'users_email' AND indisvalid"), "2");
        assert_eq!(fleet.ask("SELECT count(*) FROM tenant_c_one.refinery_schema_history"), "3");
        assert_eq!(
            fleet.ask("SELECT relowner::regrole FROM pg_class WHERE oid = 'tenant_c_one.users_email'::regclass"),
            "c_one_owner"
        );
    }
}

#[test]
fn a_concurrent_index_that_failed_is_dropped_and_tried_again() {
    for version in BOTH {
        let fleet = Fleet::new(version, "again");
        fleet.migration(
            "V1__users.sql",
            "CREATE TABLE users (email text);\nINSERT INTO users VALUES ('twice'), ('twice');",
        );
        fleet.migration("V2__index.sql", LATE);
        fleet.migration("V3__after.sql", "CREATE TABLE after (id int);");
        fleet.declare("i-one = {}");
        fleet.try_apply().ends(1).says("V2__index.sql:2").says("23505").says("i-one");
        assert_eq!(
            fleet.ask("SELECT indisvalid FROM pg_index WHERE indexrelid = 'tenant_i_one.users_email'::regclass"),
            "f"
        );
        assert_eq!(fleet.ask("SELECT string_agg(version::text, ',') FROM tenant_i_one.refinery_schema_history"), "1");
        fleet.try_apply().ends(1).says("23505");
        fleet.log_in("i-one").batch_execute("DELETE FROM users WHERE ctid = (SELECT min(ctid) FROM users)").unwrap();
        fleet.applies_and_settles();
        assert_eq!(
            fleet.ask("SELECT indisvalid FROM pg_index WHERE indexrelid = 'tenant_i_one.users_email'::regclass"),
            "t"
        );
    }
}

#[test]
fn what_a_reindex_that_was_cut_off_left_is_dropped() {
    for (version, what) in BOTH.into_iter().zip(["INDEX CONCURRENTLY users_email_key", "TABLE CONCURRENTLY users"]) {
        let fleet = Fleet::usual(version, "reindex");
        fleet.declare("ri-one = {}");
        fleet.applies_and_settles();
        let left = "SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE NOT i.indisvalid";
        // It waits for who has the table open, until it is cut off; the index it was building stays.
        let mut tenant = fleet.log_in("ri-one");
        tenant.batch_execute("BEGIN; LOCK TABLE users IN ROW EXCLUSIVE MODE").unwrap();
        let mut admin = fleet.database.client();
        admin.batch_execute("SET statement_timeout = '300ms'").unwrap();
        for _ in 0..2 {
            admin.batch_execute("REINDEX INDEX CONCURRENTLY tenant_ri_one.users_email_key").unwrap_err();
        }
        assert_eq!(fleet.ask(left), "users_email_key_ccnew; users_email_key_ccnew1");
        tenant.batch_execute("ROLLBACK").unwrap();
        fleet.migration("V3__reindex.sql", &format!("-- tenantry: no-transaction\nREINDEX {what};\n"));
        fleet.applies_and_settles();
        assert_eq!(fleet.ask(left), "");
    }
}

const PARTITIONED: &str = "CREATE TABLE events (at date) PARTITION BY RANGE (at);
CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');\n";

#[test]
fn a_partition_is_detached_once_wherever_a_run_was_cut_off() {
    for version in BOTH {
        let fleet = Fleet::new(version, "detach");
        fleet.migration("V1__events.sql", PARTITIONED);
        fleet.declare("de-one = {}\nde-two = {}\nde-three = {}");
        fleet.applies_and_settles();
        // Detached by a run that could not record it, half detached by another, and as it was.
        fleet.execute("ALTER TABLE tenant_de_one.events DETACH PARTITION tenant_de_one.events_1 CONCURRENTLY");
        let mut reader = fleet.database.client();
        reader.batch_execute("BEGIN; SELECT * FROM tenant_de_two.events").unwrap();
        let mut admin = fleet.database.client();
        admin.batch_execute("SET statement_timeout = '300ms'").unwrap();
        admin
            .batch_execute("ALTER TABLE tenant_de_two.events DETACH PARTITION tenant_de_two.events_1 CONCURRENTLY")
            .unwrap_err();
        reader.batch_execute("ROLLBACK").unwrap();
        let pending = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhdetachpending";
        assert_eq!(fleet.ask(pending), "tenant_de_two.events_1");
        fleet.migration(
            "V2__detach.sql",
            "-- tenantry: no-transaction\nALTER TABLE events DETACH PARTITION events_1 CONCURRENTLY;\nVACUUM events_1;\n",
        );
        fleet.applies_and_settles();
        assert_eq!(fleet.ask(pending), "");
        assert_eq!(
            fleet.ask("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent::regclass::text LIKE 'tenant_de%' ORDER BY 1"),
            "tenant_de_one.events_2; tenant_de_three.events_2; tenant_de_two.events_2"
        );
        // A name that is none is PostgreSQL's to refuse.
        fleet.migration(
            "V3__detach.sql",
            "-- tenantry: no-transaction\nALTER TABLE events DETACH PARTITION nothing CONCURRENTLY;\n",
        );
        fleet.try_apply().ends(1).says("V3__detach.sql:2").says("42P01");
    }
}

#[test]
fn migrations_are_run_by_the_owner_not_by_the_admin() {
    let fleet = Fleet::new(Version::V18, "who");
    fleet.migration("V1__who.sql", "CREATE TABLE who AS SELECT current_user::text AS role;");
    fleet.declare("who-one = {}");
    fleet.applies_and_settles();
    assert_eq!(fleet.ask("SELECT role FROM tenant_who_one.who"), "who_one_owner");
    assert_eq!(fleet.ask("SELECT count(*) FROM pg_proc WHERE proname LIKE 'tenantry%'"), "0");
}
