//! What docs/isolation.md says to be open: shown to be so, by the queries that stand there.

use std::time::{Duration, Instant};

use crate::fleet::{BOTH, Fleet, ask, refused};

/// acme's own, so that what is found is acme's.
const OBJECTS: &str = "
CREATE TYPE mood AS ENUM ('calm');
CREATE TABLE users (id int PRIMARY KEY, email text DEFAULT 'secret default'); COMMENT ON TABLE users IS 'a comment';
INSERT INTO users VALUES (1); CREATE TABLE grown AS SELECT 1 AS n; ALTER TABLE grown ADD since text DEFAULT 'secret since';
CREATE TABLE parts (name text) PARTITION BY LIST (name); CREATE TABLE parts_one PARTITION OF parts FOR VALUES IN ('a customer');
CREATE VIEW seen AS SELECT email FROM users;
CREATE FUNCTION answer() RETURNS int LANGUAGE sql AS 'SELECT 42';
SELECT lo_create(0);
SET application_name = 'acme app'";

/// The queries of the page's table: what is shown, and how it is asked for.
fn queries() -> Vec<(&'static str, &'static str)> {
    let page = include_str!("../../../docs/isolation.md");
    let section = page.split("## Open: what every tenant sees").nth(1).unwrap().split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| ") && line.contains("| `SELECT "));
    rows.map(|row| {
        let mut cells = row.trim_matches('|').split(" | ");
        (cells.next().unwrap().trim(), cells.next().unwrap().trim().trim_matches('`'))
    })
    .collect()
}

#[test]
fn what_the_page_says_every_tenant_sees_is_seen_and_rows_are_not() {
    let queries = queries();
    assert!(queries.len() > 12, "{queries:?}");
    for version in BOTH {
        let fleet = Fleet::new(version, "open");
        fleet.declare(
            "acme = { connection_limit = 7, settings = { work_mem = \"7MB\" } }\nglobex = { access = \"readonly\" }",
        );
        fleet.applies_and_settles();
        let mut acme = fleet.log_in("acme");
        acme.batch_execute(OBJECTS).unwrap();
        acme.batch_execute("ANALYZE users; BEGIN; LOCK TABLE users IN SHARE MODE").unwrap();
        let mut globex = fleet.log_in("globex");
        for (what, query) in &queries {
            assert_eq!(ask(&mut globex, query), "t", "{what}: {query}");
        }
        for closed in
            ["SELECT FROM tenant_acme.users", "SELECT tenant_acme.answer()", "SELECT 'tenant_acme.users'::regclass"]
        {
            assert_eq!(refused(&mut globex, closed), "42501", "{closed}");
        }
        assert_eq!(ask(&mut globex, "SELECT count(*) FROM pg_stats WHERE schemaname = 'tenant_acme'"), "0");
        acme.batch_execute("ROLLBACK").unwrap();
    }
}

#[test]
fn channels_and_advisory_locks_are_the_databases() {
    for version in BOTH {
        let fleet = Fleet::new(version, "shared_channel");
        fleet.declare("ch-one = {}\nch-two = { access = \"readonly\" }");
        fleet.applies_and_settles();
        let (mut one, mut two) = (fleet.log_in("ch-one"), fleet.log_in("ch-two"));
        two.batch_execute("LISTEN orders").unwrap();
        one.batch_execute("NOTIFY orders, 'overheard'; SELECT pg_advisory_lock(7)").unwrap();
        assert_eq!(ask(&mut two, "SELECT pg_try_advisory_lock(7)"), "f");
        let start = Instant::now();
        while two.notifications().is_empty() && start.elapsed() < Duration::from_secs(60) {
            ask(&mut two, "SELECT 1");
        }
        assert_eq!(two.notifications().len(), 1);
    }
}

/// Each statement that the page gives works, and closes what it says.
#[test]
fn what_the_page_says_to_revoke_closes_it_and_hinders_nothing() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "revokes");
        fleet.declare("rv-one = {}");
        fleet.applies_and_settles();
        fleet.execute(
            "REVOKE EXECUTE ON FUNCTION pg_catalog.lo_create(oid), pg_catalog.lo_creat(integer), pg_catalog.lo_from_bytea(oid, bytea) FROM PUBLIC;
             REVOKE UPDATE ON pg_catalog.pg_settings FROM PUBLIC; REVOKE EXECUTE ON FUNCTION pg_catalog.pg_notify FROM PUBLIC",
        );
        let mut one = fleet.log_in("rv-one");
        for closed in [
            "SELECT lo_create(0)",
            "SELECT lo_creat(-1)",
            "SELECT lo_from_bytea(0, 'x')",
            "LOCK TABLE pg_settings IN ACCESS EXCLUSIVE MODE",
            "SELECT pg_notify('a', 'b')",
        ] {
            let closed = format!("BEGIN; {closed}");
            assert_eq!(refused(&mut one, &closed), "42501", "{closed}");
            one.batch_execute("ROLLBACK").unwrap();
        }
        fleet.migration("V3__more.sql", "CREATE TABLE more (n int);");
        fleet.applies_and_settles();
    }
}
