//! What one tenant does to the plans and removals of others, and to its own.

use std::sync::atomic::{AtomicBool, Ordering};

use super::attack::Attack;
use crate::fleet::{BOTH, Fleet};
use crate::postgres_server::{TestDatabase, binaries, database_on, target};
use tenantry::sandbox::Server;

const REMOVE: [&str; 4] = ["apply", "-y", "--allow-removals", "9"];

/// PostgreSQL lets anybody say what it will grant on what it makes in a schema where it may make nothing.
#[test]
fn default_privileges_in_a_neighbours_schema_are_told_and_hold_up_nobody() {
    for version in BOTH {
        for weak in [false, true] {
            let name = if weak { "nw" } else { "ns" };
            let mut fleet = Fleet::usual(version, name);
            if weak {
                fleet.execute(&format!("CREATE ROLE {name}_admin LOGIN CREATEROLE PASSWORD 'a'"));
                fleet.execute(&format!("GRANT CREATE ON DATABASE {} TO {name}_admin", fleet.database.name));
                fleet.url = fleet.database.url_as(&format!("{name}_admin"), "a");
                fleet.head.insert_str(0, "[database]\npublic_schema = \"keep\"\n");
            }
            fleet.declare(&format!("{name}-one = {{ access = \"readonly\" }}\n{name}-two = {{}}"));
            fleet.applies_and_settles();
            fleet
                .log_in(&format!("{name}-one"))
                .batch_execute(&format!(
                    "ALTER DEFAULT PRIVILEGES IN SCHEMA tenant_{name}_two GRANT SELECT ON TABLES TO PUBLIC"
                ))
                .unwrap();
            // An admin who is no superuser has not the rights to take it away, and says who has.
            let says =
                if weak { format!("{name}_one_user can take it away") } else { "PUBLIC: SELECT → none".into() };
            fleet
                .run(&["plan"])
                .ends(0)
                .says(&format!("{name}-two"))
                .says(&format!("future tables of {name}_one_user"))
                .says(&says);
            fleet.migration("V3__more.sql", "CREATE TABLE more (n int);");
            fleet.applies_and_settles();
            fleet.declare(&format!("{name}-one = {{ access = \"readonly\" }}"));
            fleet.run(&REMOVE).ends(0);
            fleet.settled();
        }
    }
}

/// Its locks outlive its sessions.
#[test]
fn a_prepared_transaction_that_holds_a_removal_up_is_named() {
    for version in BOTH {
        let server = Server::builder().binaries(binaries(version)).setting("max_prepared_transactions", "5").start();
        let database = database_on(server.unwrap(), "prepared");
        let raw = "CREATE DATABASE raw TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'";
        target(&database.server.admin_url()).connect_admin().unwrap().batch_execute(raw).unwrap();
        let (server, name) = (database.server.clone(), "raw".to_owned());
        let raw = TestDatabase { url: server.url(&name, "postgres", server.password()), name, server };
        prepared(Fleet::on(database), "pr", "'mine, for ever'", "\"mine, for ever\"");
        // Bytes that are no text in the encoding that we talk.
        prepared(Fleet::on(raw), "px", r"E'caf\xe9, for ever'", "\"caf\u{fffd}, for ever\"");
    }
}

fn prepared(mut fleet: Fleet, prefix: &str, gid: &str, shown: &str) {
    let (one, two) = (format!("{prefix}-one"), format!("{prefix}-two"));
    fleet.migration("V1__users.sql", "CREATE TABLE users (email text);");
    fleet.head.push_str("[migrations]\nlock_timeout = \"300ms\"\n");
    fleet.declare(&format!("{one} = {{}}\n{two} = {{}}"));
    fleet.applies_and_settles();
    let rollback = format!("ROLLBACK PREPARED {gid}");
    let history = format!("LOCK TABLE tenant_{prefix}_one.refinery_schema_history IN ACCESS EXCLUSIVE MODE");
    fleet.execute(&format!("BEGIN; {history}; PREPARE TRANSACTION {gid}"));
    let words = format!("is locked by the prepared transaction {shown} of role postgres");
    fleet.run(&["plan"]).ends(0).says(&words).says(&rollback).says("1 blocked");
    fleet.execute(&rollback);
    fleet
        .log_in(&one)
        .batch_execute(&format!(
            "BEGIN; LOCK TABLE users IN ACCESS EXCLUSIVE MODE; \
             SELECT count(pg_advisory_xact_lock(n)) FROM generate_series(1, 1500) n; PREPARE TRANSACTION {gid}"
        ))
        .unwrap();
    let crowd = format!("role {prefix}_one_user (tenant {one}) holds 150");
    fleet.run(&["list"]).ends(0).says(&crowd).says("pg_prepared_xacts");
    fleet.declare(&format!("{two} = {{}}"));
    let words = format!("{shown} of role {prefix}_one_user");
    fleet.run(&REMOVE).ends(1).says("55P03").says(&words).says(&rollback);
    // Nothing was dropped, and it is let in again.
    fleet.log_in(&one);
    fleet.execute(&rollback);
    fleet.run(&REMOVE).ends(0);
    fleet.settled();
}

/// Whoever may CREATE in the database and owns a schema may rename it, while a plan is carried out too.
#[test]
fn a_schema_that_its_tenant_renames_while_it_is_planned_and_applied_rides_nothing() {
    for version in BOTH {
        let attack = Attack::new(version, "flits", "owner");
        let (schema, tenant, fleet) = (attack.schema(), &attack.tenant, &attack.fleet);
        let declared = format!("{tenant} = {{ access = \"owner\", mode = \"additive\" }}\nflits_z = {{}}");
        fleet.declare(&declared);
        fleet.apply();
        fleet.execute(&format!("GRANT CREATE ON DATABASE {} TO {}", fleet.database.name, attack.user()));
        // What takes the schema's place meanwhile.
        attack.plant(&format!(
            "CREATE SCHEMA bait; CREATE FUNCTION bait.rows() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN {schema}.ride(''bait''); END';
             CREATE VIEW bait.refinery_schema_history AS SELECT bait.rows() AS version, ''::varchar AS name, ''::varchar AS applied_on, ''::varchar AS checksum;
             CREATE TABLE bait.users (email text DEFAULT bait.rows()::text); CREATE TABLE bait.made (n int DEFAULT bait.rows())",
        ));
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut client = fleet.log_in(tenant);
                while !stop.load(Ordering::Relaxed) {
                    for sql in [
                        format!(
                            "BEGIN; ALTER SCHEMA {schema} RENAME TO away; ALTER SCHEMA bait RENAME TO {schema}; COMMIT"
                        ),
                        format!(
                            "BEGIN; ALTER SCHEMA {schema} RENAME TO bait; ALTER SCHEMA away RENAME TO {schema}; COMMIT"
                        ),
                    ] {
                        // A migration that is under way makes it wait, or fail.
                        if client.batch_execute(&sql).is_err() {
                            client.batch_execute("ROLLBACK").unwrap();
                        }
                        std::thread::sleep(std::time::Duration::from_millis(5));
                    }
                }
            });
            for n in 2..8 {
                fleet.migration(&format!("V{n}__next.sql"), "INSERT INTO users DEFAULT VALUES;");
                fleet.run(&["plan"]);
                fleet.try_apply().says("flits_z");
                fleet.run(&["list"]);
                fleet.run(&["drift", "--deep"]);
            }
            stop.store(true, Ordering::Relaxed);
        });
        // Whichever of the two it left under the name.
        let rode = "SELECT count(*) FROM pg_class WHERE relname = 'canary'";
        assert_eq!(fleet.ask(rode), "1");
        if fleet.ask(&format!("SELECT to_regclass('{schema}.canary')")) == "-" {
            fleet.execute(&format!("ALTER SCHEMA {schema} RENAME TO bait; ALTER SCHEMA away RENAME TO {schema}"));
        }
        attack.gained_nothing();
        fleet.try_apply();
        assert_eq!(fleet.ask("SELECT max(version) FROM tenant_flits_z.refinery_schema_history"), "7");
    }
}
