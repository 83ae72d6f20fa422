//! Databases whose encoding is not UTF-8: what a tenant wrote goes into an archive and comes back byte for byte.

use std::sync::atomic::{AtomicU32, Ordering};

use super::project::{REMOVE, manifests, project_in, there_and_back};
use crate::fleet::{BOTH, Fleet};
use crate::postgres_server::{TestDatabase, Version, server, target};

/// A database of that encoding, in the locale that goes with all.
fn database_in(version: Version, encoding: &str) -> TestDatabase {
    static NUMBER: AtomicU32 = AtomicU32::new(1);
    let server = server(version);
    let name = format!("in_{}_{}", encoding.to_lowercase(), NUMBER.fetch_add(1, Ordering::Relaxed));
    target(&server.admin_url())
        .connect_admin()
        .unwrap()
        .batch_execute(&format!(
            "CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C'"
        ))
        .unwrap();
    TestDatabase { url: server.url(&name, "postgres", server.password()), name, server }
}

/// Bytes of the server's own: in that encoding they are text.
#[track_caller]
fn bytes(fleet: &Fleet, sql: &str) -> String {
    fleet.ask(&format!(
        "SELECT pg_catalog.encode(pg_catalog.convert_to({sql}, pg_catalog.getdatabaseencoding()), 'hex')"
    ))
}

#[test]
fn rows_and_names_come_back_as_they_were() {
    for version in BOTH {
        for (encoding, word, hex) in [
            ("LATIN1", "café", "636166e9"),
            ("LATIN2", "źdźbło", "bc64bc62b36f"),
            ("KOI8R", "мир", "cdc9d2"),
            ("SQL_ASCII", "", "ff00e9"),
        ] {
            let fleet = project_in(version, database_in(version, encoding));
            let key = format!("en-{}", encoding.to_lowercase().replace('_', "-"));
            let schema = format!("tenant_{}", key.replace('-', "_"));
            fleet.declare(&format!("{key} = {{}}"));
            fleet.applies_and_settles();
            let mut session = fleet.log_in(&key);
            if encoding == "SQL_ASCII" {
                // Sent as numbers: the bytes are no UTF-8, in which the driver talks.
                session
                    .batch_execute(
                        "DO $$BEGIN EXECUTE convert_from('INSERT INTO users (email) VALUES (''caf'::bytea || '\\xe9ff'::bytea || ''')'::bytea, 'SQL_ASCII'); END$$",
                    )
                    .unwrap();
            } else {
                session
                    .batch_execute(&format!(
                        "INSERT INTO users (email) VALUES ('{word}'); CREATE TABLE \"{word}\" (\"{word}\" text CHECK (\"{word}\" <> 'no {word}')); \
                         INSERT INTO \"{word}\" VALUES ('{word}')"
                    ))
                    .unwrap();
            }
            drop(session);
            let users = format!("(SELECT email FROM {schema}.users)");
            let before = bytes(&fleet, &users);
            let manifest = there_and_back(&fleet, &format!("{key} = {{}}"), "");
            assert_eq!(manifest["proved"], "rows", "{encoding}: {manifest}");
            assert_eq!(bytes(&fleet, &users), before, "{encoding}");
            if encoding == "SQL_ASCII" {
                assert_eq!(before, "636166e9ff");
            } else {
                assert_eq!(before, hex);
                let tables: Vec<&str> = manifest["tables"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|table| table["table"].as_str().unwrap())
                    .collect();
                assert!(tables.contains(&word), "{tables:?}");
                assert_eq!(bytes(&fleet, &format!("(SELECT \"{word}\" FROM {schema}.\"{word}\")")), hex);
            }
        }
    }
}

/// Names that are no text in any encoding that the manifest could be in.
#[test]
fn names_that_are_no_utf_8_come_back_too() {
    for version in BOTH {
        let fleet = project_in(version, database_in(version, "SQL_ASCII"));
        fleet.declare("eb-one = {}");
        fleet.applies_and_settles();
        fleet
            .log_in("eb-one")
            .batch_execute(
                "DO $$DECLARE n text := convert_from('caf'::bytea || '\\xe9'::bytea, 'SQL_ASCII'); BEGIN
                   EXECUTE format('CREATE TABLE %I (a text CHECK (a <> %L)); INSERT INTO %1$I VALUES (''kept'');
                     CREATE FUNCTION %1$I() RETURNS int LANGUAGE sql AS ''SELECT 1''; CREATE MATERIALIZED VIEW %3$I AS SELECT * FROM %1$I;
                     GRANT SELECT ON %1$I TO PUBLIC', n, n, n || '2'); END$$",
            )
            .unwrap();
        fleet.declare("");
        fleet.run(&REMOVE).ends(0);
        fleet.settled();
        let (path, manifest) = manifests(&fleet).pop().unwrap();
        assert_eq!(manifest["proved"], "rows", "{manifest}");
        assert!(manifest["tables"].to_string().contains(r#"{"table":"caf\\xE9","rows":1}"#), "{}", manifest["tables"]);
        assert!(manifest["grants"].to_string().contains(r"caf\\xE9"), "{}", manifest["grants"]);
        fleet.declare("eb-one = {}");
        fleet.run(&["restore", "-y", path.to_str().unwrap()]).ends(0);
        let names = "(SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class WHERE relname ~ '^caf' AND relkind IN ('r', 'm'))";
        assert_eq!(bytes(&fleet, names), "636166e920636166e932");
    }
}

/// Roles are the cluster's: named in one encoding, granted something in a database of another.
#[test]
fn a_role_whose_name_is_no_utf_8_keeps_nobody_from_an_archive() {
    for version in BOTH {
        let elsewhere = database_in(version, "SQL_ASCII");
        let raw = "convert_from('\\x636166e9'::bytea, 'SQL_ASCII')";
        let role = "(SELECT rolname FROM pg_roles WHERE textsend(rolname::text) = '\\x636166e9')";
        let run = |sql: &str| format!("DO $$ BEGIN EXECUTE format({sql}); END $$");
        let mut there = target(&elsewhere.url).connect().unwrap();
        there.batch_execute(&run(&format!("'CREATE ROLE %I', {raw}"))).unwrap();
        let fleet = project_in(version, database_in(version, "UTF8"));
        fleet.declare("er-one = {}");
        fleet.applies_and_settles();
        fleet.execute(&run(&format!("'GRANT SELECT ON tenant_er_one.users TO %I', {role}")));
        fleet.run(&["list"]).ends(0);
        fleet.run(&["drift"]).ends(2).says("caf\u{fffd}");
        fleet.run(&["archive", "er-one"]).ends(0);
        let (_, manifest) = manifests(&fleet).pop().unwrap();
        assert!(manifest["grants"].to_string().contains(r"caf\\xE9"), "{}", manifest["grants"]);
        fleet.execute(&run(&format!(
            "'GRANT ALL ON SCHEMA tenant_er_one TO %I; ALTER TABLE tenant_er_one.users OWNER TO %1$I', {role}"
        )));
        fleet
            .run(&["archive", "er-one"])
            .ends(1)
            .says("sequence tenant_er_one.users_id_seq belongs to")
            .says(r"caf\\xE9");
        fleet.execute(&run(&format!(
            "'ALTER TABLE tenant_er_one.users OWNER TO er_one_owner; DROP OWNED BY %I; DROP ROLE %1$I', {role}"
        )));
        fleet.applies_and_settles();
        fleet.declare("");
        fleet.run(&REMOVE).ends(0);
    }
}
