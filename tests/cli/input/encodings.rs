//! Databases in other encodings than UTF-8, and text that is in none.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::fleet::{BOTH, Fleet};
use crate::postgres_server::{TestDatabase, Version, database_of, pg_dump_dir, server, target};

fn database_in(version: Version, encoding: &str) -> TestDatabase {
    static NUMBER: AtomicU32 = AtomicU32::new(1);
    let server = server(version);
    let name = format!("in_{}_{}", encoding.to_lowercase(), NUMBER.fetch_add(1, Ordering::Relaxed));
    let sql = format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C'");
    target(&server.admin_url()).connect_admin().unwrap().batch_execute(&sql).unwrap();
    TestDatabase { url: server.url(&name, "postgres", server.password()), name, server }
}

fn remove(fleet: &Fleet) {
    fleet.run(&["apply", "-y", "--allow-removals", "9"]).ends(0);
    fleet.settled();
}

fn with_archives(database: TestDatabase, version: Version) -> Fleet {
    let mut fleet = Fleet::on(database);
    crate::fleet::MIGRATIONS.iter().for_each(|(file, sql)| fleet.migration(file, sql));
    fleet.head = "[defaults]\non_remove = \"archive\"\n".into();
    fleet.env.insert("TENANTRY_PG_BINDIR".into(), pg_dump_dir(version));
    fleet
}

fn manifest(fleet: &Fleet, tenant: &str) -> String {
    let found = std::fs::read_dir(fleet.path("archives")).unwrap().map(|entry| entry.unwrap().path());
    let of = found
        .filter(|path| path.to_string_lossy().contains(tenant) && path.extension().is_some_and(|end| end == "json"));
    of.last().unwrap().to_string_lossy().into_owned()
}

#[test]
fn a_life_in_a_database_of_another_encoding() {
    for version in BOTH {
        for encoding in ["LATIN1", "LATIN2", "KOI8R", "SQL_ASCII", "EUC_JP", "WIN1252"] {
            let fleet = with_archives(database_in(version, encoding), version);
            let key = fleet.database.name.replace('_', "-");
            let (one, two) = (format!("{key}-one"), format!("{key}-two"));
            fleet.declare(&format!("{one} = {{}}\n{two} = {{ access = \"owner\" }}"));
            fleet.applies_and_settles();
            fleet.migration("V3__more.sql", "CREATE TABLE more (id int, t text);\nINSERT INTO more VALUES (1, 'x');");
            fleet.declare(&format!(
                "{one} = {{ settings = {{ \"app.sign\" = \"a\" }} }}\n{two} = {{ access = \"readonly\" }}"
            ));
            fleet.applies_and_settles();
            fleet.run(&["rotate", "-y", "--all"]).ends(0);
            fleet.run(&["drift", "--deep"]).ends(0);
            fleet.run(&["list"]).ends(0);
            fleet.run(&["show", &one]).ends(0);
            fleet.declare(&format!("{two} = {{ access = \"readonly\" }}"));
            remove(&fleet);
            fleet.declare(&format!(
                "{one} = {{ settings = {{ \"app.sign\" = \"a\" }} }}\n{two} = {{ access = \"readonly\" }}"
            ));
            fleet.run(&["restore", "-y", &manifest(&fleet, &one)]).ends(0);
            fleet.settled();
            // By hand, in words that the database cannot all hold: the plan takes them away, and the audit log keeps them.
            fleet.execute(&format!("ALTER ROLE {}_user SET \"app.sign\" = E'\\\\x24'", one.replace('-', "_")));
            fleet.applies_and_settles();
            fleet.declare("");
            remove(&fleet);
        }
    }
}

/// Names and rows of bytes that are no text in any encoding.
#[test]
fn bytes_that_are_no_text_are_that_tenants_and_the_others_go_on() {
    for version in BOTH {
        let fleet = with_archives(database_in(version, "SQL_ASCII"), version);
        let key = fleet.database.name.replace('_', "-");
        let (odd, fine, other) = (format!("{key}-odd"), format!("{key}-fine"), format!("{key}-other"));
        let declare =
            |keys: &[&String]| fleet.declare(&keys.iter().map(|key| format!("{key} = {{}}\n")).collect::<String>());
        declare(&[&odd, &fine]);
        fleet.applies_and_settles();
        let raw = "DO $$ BEGIN EXECUTE 'CREATE TABLE ' || quote_ident(convert_from('\\x636166e9'::bytea, 'SQL_ASCII')) || ' (id int)'; END $$;
             INSERT INTO projects (mood) VALUES ('calm'); CREATE TABLE words (t text);
             INSERT INTO words VALUES (convert_from('\\x636166e9'::bytea, 'SQL_ASCII'))";
        fleet.log_in(&odd).batch_execute(raw).unwrap();
        for command in [&["plan"][..], &["drift"], &["list"], &["drift", "--deep"], &["show", &odd], &["verify"]] {
            let run = fleet.run(command);
            assert!(run.code == 0 || command.contains(&"--deep") && run.code == 2, "{command:?}: {run:?}");
        }
        declare(&[&odd, &fine, &other]);
        fleet.migration("V3__more.sql", "CREATE TABLE more (id int);");
        fleet.applies_and_settles();
        // The rows are archived and come back as they were; a table of that name cannot be.
        let drop =
            "DO $$ BEGIN EXECUTE 'DROP TABLE ' || quote_ident(convert_from('\\x636166e9'::bytea, 'SQL_ASCII')); END $$";
        declare(&[&fine]);
        let run = fleet.run(&["apply", "-y", "--allow-removals", "2", "--format", "json"]);
        let report = run.json();
        let outcome = |key: &String| {
            let tenants = report["tenants"].as_array().unwrap();
            tenants.iter().find(|tenant| tenant["tenant"] == key.as_str()).unwrap()["outcome"].clone()
        };
        assert_eq!(outcome(&other), "applied", "{report}");
        if outcome(&odd) == "failed" {
            fleet.log_in(&odd).batch_execute(drop).unwrap();
            fleet.run(&["apply", "-y", "--allow-removals", "2"]).ends(0);
        }
        fleet.settled();
        declare(&[&odd, &fine]);
        fleet.run(&["restore", "-y", &manifest(&fleet, &odd)]).ends(0);
        fleet.settled();
        let bytes = "SELECT encode(t::bytea, 'hex') FROM words";
        assert_eq!(crate::fleet::ask(&mut fleet.log_in(&odd), bytes), "636166e9");
        declare(&[]);
        remove(&fleet);
    }
}

/// Roles and their settings are the cluster's: written from a database in SQL_ASCII, read from one in UTF-8.
#[test]
fn what_a_tenant_gives_its_own_role_from_another_database_stops_nobody() {
    for version in BOTH {
        let elsewhere = database_in(version, "SQL_ASCII");
        for encoding in ["UTF8", "LATIN1", "EUC_JP"] {
            let fleet = Fleet::on(if encoding == "UTF8" {
                database_of(version, "settings_of")
            } else {
                database_in(version, encoding)
            });
            crate::fleet::MIGRATIONS.iter().for_each(|(file, sql)| fleet.migration(file, sql));
            let key = fleet.database.name.replace('_', "-");
            let (acme, globex) = (format!("{key}-acme"), format!("{key}-globex"));
            let both = format!("{acme} = {{}}\n{globex} = {{ access = \"readonly\" }}");
            fleet.declare(&both);
            fleet.applies_and_settles();
            let secret = fleet.secret(&globex);
            let (user, password) = (secret["username"].as_str().unwrap(), secret["password"].as_str().unwrap());
            let mut there = target(&elsewhere.url_as(user, password)).connect().unwrap();
            let name = |sql: &str| format!("DO $$ BEGIN EXECUTE {sql}; END $$");
            let bad = "convert_from('\\x636166e9'::bytea, 'SQL_ASCII')";
            there
                .batch_execute(&name(&format!("'ALTER ROLE {user} SET application_name = ' || quote_literal({bad})")))
                .unwrap();
            there
                .batch_execute(&name(&format!("'ALTER ROLE {user} SET search_path = ' || quote_literal({bad})")))
                .unwrap();
            // From 18 on a session tells its search_path to who logs in, and the driver wants to understand it.
            let session = target(&fleet.database.url_as(user, password)).connect();
            assert!(session.is_ok() || version.major() >= 18);
            fleet.run(&["list"]).ends(0);
            fleet.run(&["show", &globex]).ends(0);
            fleet.run(&["drift"]).ends(2).says("application_name");
            fleet.applies_and_settles();
            there
                .batch_execute(&name(&format!("'ALTER ROLE {user} SET application_name = ' || quote_literal({bad})")))
                .unwrap();
            fleet.declare(&format!("{acme} = {{}}"));
            fleet.run(&["apply", "-y", "--allow-removals", "1"]).ends(0);
            fleet.settled();
        }
    }
}

#[test]
fn settings_of_any_length_are_a_few_lines_of_a_plan() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "own_settings");
        let name = format!("os{}", version.major());
        fleet.declare(&format!("{name}-one = {{ settings = {{ work_mem = \"6MB\" }} }}\n{name}-two = {{}}"));
        fleet.applies_and_settles();
        let user = format!("{name}_one_user");
        let mut tenant = fleet.log_in(&format!("{name}-one"));
        for place in [user.clone(), format!("{user} IN DATABASE {}", fleet.database.name)] {
            let sql =
                format!("EXECUTE 'ALTER ROLE {place} SET search_path = ' || quote_literal(repeat('x', 20000000))");
            tenant.batch_execute(&format!("DO $$ BEGIN {sql}; END $$")).unwrap();
        }
        for format in ["text", "json", "markdown"] {
            let run = fleet.run(&["plan", "--format", format]).ends(0).says("bytes, SHA-256");
            assert!(run.stdout.len() < 20_000, "{format}: {} bytes", run.stdout.len());
        }
        fleet.applies_and_settles();
        let longest = fleet.ask("SELECT max(length(changes::text)) FROM tenantry.audit_log");
        assert!(longest.parse::<usize>().unwrap() < 20_000, "{longest}");
    }
}
