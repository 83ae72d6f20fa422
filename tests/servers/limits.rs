//! What would hurt is said by the plan before it does: too few connections, too few locks, a large table that is blocked.

use crate::fleet::{BOTH, Fleet};
use crate::postgres_server::{binaries, database_on};
use serde_json::Value;
use tenantry::sandbox::Server;

/// The details of the plan's hazards of this kind, the database's and the tenants'.
fn hazards(fleet: &Fleet, kind: &str) -> Vec<String> {
    let plan = fleet.run(&["plan", "--format", "json"]).ends(0).json();
    let tenants = plan["tenants"].as_array().unwrap().iter().map(|tenant| &tenant["hazards"]);
    let all = std::iter::once(&plan["hazards"]).chain(tenants).filter_map(Value::as_array).flatten();
    let of_kind = all.filter(|hazard| hazard["kind"] == kind);
    of_kind.map(|hazard| hazard["detail"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn connection_limits_beyond_the_servers_are_said_when_they_change_and_not_every_day() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "connections");
        // The tests' servers take 200, three of them for superusers.
        fleet.declare("co-a = { connection_limit = 100 }\nco-b = { connection_limit = 97 }\nco-c = {}");
        assert_eq!(hazards(&fleet, "connections_short"), [""; 0]);
        fleet.declare("co-a = { connection_limit = 100 }\nco-b = { connection_limit = 98 }\nco-c = {}");
        let [said] = <[String; 1]>::try_from(hazards(&fleet, "connections_short")).unwrap();
        for words in
            ["limits of 2 tenants (1 more have none) add up to 198", "accepts 197 connections", "53300", "pooler"]
        {
            assert!(said.contains(words), "{words:?} in {said}");
        }
        fleet.applies_and_settles();
        fleet.execute("ALTER ROLE co_c_user NOLOGIN");
        assert_eq!(hazards(&fleet, "connections_short"), [""; 0], "it is none of this plan's");
        fleet.declare("co-a = { connection_limit = 300 }\nco-b = { connection_limit = 98 }\nco-c = {}");
        assert_eq!(hazards(&fleet, "connections_short").len(), 1);
        fleet.applies_and_settles();
    }
}

#[test]
fn a_migration_that_blocks_a_large_table_is_said_with_its_line() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "large");
        fleet.declare("la-a = {}\nla-b = {}");
        fleet.applies_and_settles();
        // A page each.
        fleet.execute(
            "ALTER TABLE tenant_la_a.users ADD COLUMN filler text; ALTER TABLE tenant_la_a.users ALTER COLUMN filler SET STORAGE PLAIN;
             INSERT INTO tenant_la_a.users (email, filler) SELECT n::text, repeat('x', 7000) FROM generate_series(1, 13000) n;
             ANALYZE tenant_la_a.users",
        );
        fleet.migration(
            "V3__more.sql",
            "CREATE TABLE plans (id int);\nCREATE INDEX ON plans (id);\nCREATE INDEX ON users (email);\n\
             ALTER TABLE projects ADD CONSTRAINT c CHECK (id > 0);\n",
        );
        let [said] = <[String; 1]>::try_from(hazards(&fleet, "blocks_table")).unwrap();
        assert!(said.starts_with("V3__more.sql:3 on table users, which is large: writes wait"), "{said}");
        fleet.run(&["plan"]).ends(0).says("V3__more.sql:3").says("CONCURRENTLY");
        fleet.run(&["plan", "--out", "saved"]).ends(0);
        fleet.execute("TRUNCATE tenant_la_a.users CASCADE; ANALYZE tenant_la_a.users");
        assert_eq!(hazards(&fleet, "blocks_table"), [""; 0]);
        // A table's size is no reason to look at the plan again.
        fleet.run(&["apply", "saved", "-y"]).ends(0);
        fleet.settled();
    }
}

#[test]
fn a_new_tenant_that_would_not_fit_the_lock_table_is_said() {
    for version in BOTH {
        let server = Server::builder()
            .binaries(binaries(version))
            .setting("max_connections", "15")
            .setting("max_locks_per_transaction", "10")
            .start()
            .unwrap();
        let fleet = Fleet::on(database_on(server, "locks"));
        let table = |n| format!("CREATE TABLE t{n} (id bigint PRIMARY KEY);\n");
        fleet.migration("V1__tables.sql", &(0..20).map(table).collect::<String>());
        fleet.declare("lo-a = {}");
        fleet.applies_and_settles();
        assert_eq!(hazards(&fleet, "many_locks"), [""; 0]);
        fleet.declare("lo-a = {}\nlo-b = {}");
        let [said] = <[String; 1]>::try_from(hazards(&fleet, "many_locks")).unwrap();
        for words in ["the 150 locks that PostgreSQL has room for", "max_locks_per_transaction"] {
            assert!(said.contains(words), "{words:?} in {said}");
        }
    }
}
