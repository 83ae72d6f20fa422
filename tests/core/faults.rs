//! What is wrong with the files, in the words that a person reads; `tests/snapshots/` has them.
//!
//! `INSTA_UPDATE=always cargo test --test core faults` writes them anew.

use std::collections::BTreeSet;

use tenantry::config::{ConfigError, parse};
use tenantry::migrations::{MigrationFile, MigrationSet};
use tenantry::model::vault::VaultAuth;

#[track_caller]
fn assert_is_snapshot(name: &str, text: &str) {
    insta::with_settings!({snapshot_path => "../snapshots", prepend_module_to_snapshot => false}, {
        insta::assert_snapshot!(name, text);
    });
}

fn said(source: &str) -> String {
    match parse("tenants.toml", source, &|_| None) {
        Ok(_) => "nothing\n".into(),
        Err(error) => format!("{}\n{error}\n", error.number()),
    }
}

/// One fault each, and what is all right next to it.
#[test]
fn what_is_wrong_with_a_configuration_is_said_at_its_place() {
    let table = [
        "[tenants]",
        "tenants = 3",
        "tenant = {}",
        "postgresql://admin@db = 1",
        "[tenants]\nacme = 3",
        "[tenants]\nacme = { acces = \"full\" }",
        "[tenants]\nacme = { access = \"ful\" }",
        "[tenants]\nacme = { access = 3 }",
        "[tenants]\nacme = { connection_limit = \"3\" }",
        "[tenants]\nacme = { connection_limit = 3.5 }",
        "[tenants]\nacme = { connection_limit = true }",
        "[tenants]\nacme = { connection_limit = [3] }",
        "[tenants]\nacme = { connection_limit = {} }",
        "[tenants]\nacme = { connection_limit = 3000000000 }",
        "[tenants]\nacme = { connection_limit = -2 }",
        "[tenants]\nacme = { protected = \"yes\" }",
        "[tenants]\nacme = { settings = 3 }",
        "[tenants]\nacme = { settings = { work_mem = 3, jit = true, x = 1.5, y = \"z\" } }",
        "[tenants]\nacme = { settings = { work_mem = [3] } }",
        "[tenants]\nacme = { settings = { \"a b\" = \"c\" } }",
        "[tenants]\nacme = { settings = { search_path = \"x\" } }",
        "[tenants]\nacme = { settings = { work_mem = \"a\\u0000b\" } }",
        "[tenants]\nacme = { username = \"acme\", owner = \"acme\" }",
        "[tenants]\nacme = { username = \"acme\", owner = \"acme\", access = \"owner\" }",
        "[tenants]\nacme = { username = \"\" }",
        "[tenants]\nacme = { username = \"pg_x\" }",
        "[tenants]\nacme = { schema = \"public\" }",
        "[tenants]\nacme = { schema = \"s\" }\nglobex = { schema = \"s\" }",
        "[tenants]\nacme = { username = \"u\" }\nglobex = { username = \"u\" }",
        "[tenants]\nacme = { username = \"u\" }\nglobex = { owner = \"u\" }",
        "[tenants]\n\"\" = {}",
        "[tenants]\n\"a b\" = {}",
        "[tenants]\nacme = { password_from = \"\" }",
        "[tenants]\nacme = { password_from = \"hunter2\\u0000\" }",
        "[tenants]\nacme = { password_from = \"${UNSET}\" }",
        "[tenants]\nacme = { password_from = \"hunter2-hunter2\\u0001-hunter2\" }",
        "[database]\nadvertise = { host = \"a,b\", port = 0 }\n[tenants]",
        "[database]\nadvertise = { port = 65536 }\n[tenants]",
        "[database]\nadvertise = { sslmode = \"sure\" }\n[tenants]",
        "[database]\nextensions = [\"pg_trgm\"]\n[tenants]",
        "[database]\nshared_schemas = [\"extensions\"]\nextensions = [\"pg_trgm\"]\n[tenants]",
        "[database]\nshared_schemas = [\"s\"]\n[tenants]\nacme = { schema = \"s\" }",
        "[database]\nshared_schemas = [\"\"]\n[tenants]",
        "[database]\nshared_schemas = \"s\"\n[tenants]",
        "[database]\npublic_schema = \"open\"\n[tenants]",
        "[secrets]\npath = \"all\"\n[tenants]\nacme = {}\nglobex = {}",
        "[secrets]\npath = \"t/{tenant}/{other}\"\n[tenants]\nacme = {}",
        "[secrets]\nstore = \"vault\"\n[tenants]\nacme = {}",
        "[secrets]\nmax_missing = \"2\"\n[tenants]",
        "[secrets]\nmax_missing = \"200%\"\n[tenants]",
        "[secrets]\nmax_missing = -1\n[tenants]",
        "[migrations]\nlock_timeout = \"5\"\n[tenants]",
        "[migrations]\nlock_timeout = \"0s\"\n[tenants]",
        "[migrations]\nlock_timeout = 5\n[tenants]",
        "[migrations]\ntable = \"\"\n[tenants]",
        "[passwords]\nlength = 3\n[tenants]",
        "[passwords]\nlength = 300000\n[tenants]",
        "[passwords]\ncharset = \"all\"\n[tenants]",
        "[vault]\naddress = \"https://v\"\nauth = { method = \"approle\" }\n[tenants]",
        "[vault]\naddress = \"https://v\"\nauth = { method = \"kubernetes\" }\n[tenants]",
        "[vault]\naddress = \"https://v\"\nauth = { method = \"jwt\" }\n[tenants]",
        "[vault]\naddress = \"https://v\"\nauth = { method = \"userpass\" }\n[tenants]",
        "[vault]\naddress = \"https://v\"\nauth = { method = \"userpass\", username = \"u\" }\n[tenants]",
        "[vault]\naddress = \"https://v\"\nauth = { method = \"magic\" }\n[tenants]",
        "[vault]\naddress = \"https://v\"\nauth = {}\n[tenants]",
        "[tenants]\nacme = {\nglobex = {}",
        "[tenants]\nacme = {}\nacme = {}",
        // The lines before and after one that does not parse are read.
        "[tenants]\nacme = { acces = 1 }\nglobex = {} x\ninitech = { acces = 1 }\nhooli = { acces = 1 }",
    ];
    let one = |source: &&str| {
        let title = source.replace('\n', " ⏎ ").replace("hunter2", "…");
        format!("== {title}\n{}", said(source))
    };
    let out: String = table.iter().map(one).collect();
    assert_is_snapshot("configuration_faults", &out);
    assert!(!out.contains("hunter2"), "a password is shown");
}

#[test]
fn many_faults_are_counted_and_a_long_one_is_cut() {
    let of = |count: usize| -> ConfigError {
        let tenants: String = (0..count).map(|n| format!("t{n} = 3\n")).collect();
        parse("tenants.toml", &format!("[tenants]\n{tenants}"), &|_| None).unwrap_err()
    };
    assert_eq!([1, 2, 100].map(|count| of(count).number()), ["1 fault", "2 faults", "100 faults"]);
    let many = of(500);
    assert_eq!((many.number(), many.faults.len()), ("more than 100 faults".to_owned(), 101));
    assert!(many.faults.iter().any(|fault| fault.message == "there are more faults than these 100"));
    let long = parse("tenants.toml", &format!("{} = 1\n", "x".repeat(5_000)), &|_| None).unwrap_err();
    assert!(long.faults[0].message.len() < 500 && long.faults[0].message.ends_with('…'), "{}", long.faults[0].message);
    let whole = ConfigError::whole("x.toml", "is a directory", Some("name a file".into()));
    assert_eq!(
        (whole.number(), whole.to_string()),
        ("1 fault".into(), "x.toml: is a directory\n  hint: name a file".into())
    );
    assert_eq!(format!("{whole:?}"), whole.to_string());
}

#[test]
fn each_way_to_log_in_to_vault_takes_its_own_keys() {
    let auth = |keys: &str| {
        let source = format!("[vault]\naddress = \"https://v\"\nauth = {{ {keys} }}\n[tenants]\n");
        let parsed = parse("tenants.toml", &source, &|_| None).unwrap_or_else(|error| panic!("{error}"));
        parsed.with_migrations(MigrationSet::default()).secrets.vault.auth
    };
    let shown: String = [
        "method = \"token\"",
        "method = \"token\", token = \"hunter2\"",
        "method = \"approle\", role_id = \"r\", secret_id = \"hunter2\", mount = \"m\"",
        "method = \"kubernetes\", role = \"r\", token_path = \"/t\", mount = \"m\"",
        "method = \"jwt\", role = \"r\", jwt = \"hunter2\", mount = \"m\"",
        "method = \"jwt\", role = \"r\", jwt_path = \"/j\"",
        "method = \"userpass\", username = \"u\", password = \"hunter2\", mount = \"m\"",
    ]
    .iter()
    .map(|keys| format!("{:?}\n", auth(keys)))
    .collect();
    assert_is_snapshot("vault_auth", &shown);
    assert!(!shown.contains("hunter2"));
    assert!(matches!(auth("method = \"token\""), Some(VaultAuth::Token { token: None })));
}

fn file(name: &str, sql: &str) -> MigrationFile {
    MigrationFile::parse(name, sql).unwrap_or_else(|faults| panic!("{faults:?}"))
}

#[test]
fn what_is_wrong_with_a_migration_is_said_with_its_line() {
    let late = "-- tenantry: no-transaction\n";
    let table: Vec<(&str, String)> = vec![
        ("V1__a.sql", "CREATE TABLE a (id int);".into()),
        ("x.sql", String::new()),
        ("V99999999999__x.sql", String::new()),
        ("V1__a.sql", "SELECT 'a\0b';".into()),
        ("V1__a.sql", "SELECT 1;\n\\copy t from 'x'\n".into()),
        ("V1__a.sql", "\\i other.sql\n".into()),
        ("V1__a.sql", "COPY t FROM stdin;\n1\t2\n\\.\n".into()),
        ("V1__a.sql", "SELECT 1;\nCOMMIT;\n".into()),
        ("V1__a.sql", "VACUUM t;".into()),
        ("V1__a.sql", "CREATE INDEX CONCURRENTLY i ON t (a);".into()),
        ("V1__a.sql", format!("{late}SELECT 1;")),
        ("V1__a.sql", format!("{late}VACUUM t;\nFROBNICATE t;")),
        ("V1__a.sql", "FROBNICATE public.t;\nSELECT 1 FROM public.t;".into()),
        ("V1__a.sql", "SET ROLE x;".into()),
        ("V1__a.sql", "CREATE DATABASE x;".into()),
        ("V1__a.sql", "ALTER PUBLICATION p ADD TABLE t;".into()),
        ("V1__a.sql", "ALTER EVENT TRIGGER e DISABLE;".into()),
        ("V1__a.sql", "ALTER TYPE e ADD VALUE 'x';\nSELECT 'x'::e;".into()),
        ("V1__a.sql", format!("SELECT {}1{};", "(".repeat(5_000), ")".repeat(5_000))),
    ];
    let mut out = String::new();
    for (name, sql) in table {
        out += &format!(
            "== {name}: {}\n",
            if sql.len() > 200 { "(((…".to_owned() } else { sql.replace('\n', " ⏎ ").replace('\0', "␀") }
        );
        match MigrationFile::parse(name, &sql) {
            Ok(file) => {
                file.warnings.iter().for_each(|w| out += &format!("  warning {}:{} {}\n", w.file, w.line, w.message))
            }
            Err(faults) => faults
                .iter()
                .for_each(|fault| out += &format!("  {fault}; hint: {}\n", fault.hint.as_deref().unwrap_or_default())),
        }
    }
    assert_is_snapshot("migration_faults", &out);
}

#[test]
fn extensions_are_made_and_dropped_by_nobody_but_apply() {
    let declared: BTreeSet<String> = ["pg_trgm".to_owned()].into();
    let statements = [
        "CREATE EXTENSION IF NOT EXISTS pg_trgm",
        "CREATE EXTENSION pg_trgm",
        "CREATE EXTENSION plpgsql",
        "CREATE EXTENSION IF NOT EXISTS plpgsql",
        "CREATE EXTENSION hstore",
        "CREATE EXTENSION IF NOT EXISTS hstore",
        "DROP EXTENSION pg_trgm",
        "DROP EXTENSION IF EXISTS pg_trgm",
        "DROP EXTENSION hstore",
        "DROP EXTENSION IF EXISTS hstore",
    ];
    let say = |sql: &&str| {
        let faults = file("V1__a.sql", sql).misplaced_extensions(&declared);
        let faults: Vec<_> = faults
            .iter()
            .map(|fault| format!("{fault}; hint: {}", fault.hint.as_deref().unwrap_or_default()))
            .collect();
        format!("{sql}: {}\n", faults.join(" "))
    };
    assert_is_snapshot("misplaced_extensions", &statements.iter().map(say).collect::<String>());
}

#[test]
fn a_set_has_one_file_for_each_version() {
    let files = |names: &[&str]| MigrationSet::new("h", names.iter().map(|name| file(name, "")).collect());
    let set = files(&["V2__b.sql", "U10__c.sql", "V1__a.sql"]).unwrap();
    assert_eq!(set.iter().map(|file| file.version()).collect::<Vec<_>>(), [1, 2, 10]);
    assert_eq!((set.len(), set.latest(), set.is_empty(), set.table.as_str()), (3, Some(10), false, "h"));
    assert_eq!((MigrationSet::default().len(), MigrationSet::default().latest()), (0, None));
    assert!(MigrationSet::default().is_empty());
    assert_eq!(set.get(2).map(|file| file.name()), Some("b"));
    assert!(set.get(3).is_none());
    assert_eq!(set.iter().map(|file| file.is_versioned()).collect::<Vec<_>>(), [true, true, false]);
    let faults = files(&["V1__a.sql", "sub/V1__b.sql", "U1__c.sql"]).unwrap_err();
    let said: Vec<_> = faults.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        ["sub/V1__b.sql has the same version as V1__a.sql", "U1__c.sql has the same version as V1__a.sql"]
    );
}

/// One transaction may hold them all: nothing is CONCURRENTLY, and an enum has all its labels from the first.
#[test]
fn one_transaction_holds_what_is_asked_for() {
    let set = MigrationSet::new(
        "h",
        vec![
            file("V1__a.sql", "CREATE TYPE e AS ENUM ('a', 'b');\nCREATE TABLE t (id int);"),
            file("V2__b.sql", "-- tenantry: no-transaction\nCREATE INDEX CONCURRENTLY i ON t (id);\nVACUUM t;"),
            file("V3__c.sql", "ALTER TYPE e ADD VALUE 'c' BEFORE 'b';"),
            file("V4__d.sql", "ALTER TYPE e RENAME VALUE 'c' TO 'x';\nALTER TYPE e RENAME TO f;"),
            file("V5__e.sql", "ALTER TYPE f ADD VALUE IF NOT EXISTS 'x';\nALTER TYPE f ADD VALUE 'z' AFTER 'a';\nALTER TYPE other ADD VALUE 'q';"),
            file("V6__f.sql", "SELECT 6;"),
        ],
    )
    .unwrap();
    let scratch = set.in_one_transaction(&[1, 2, 3, 4, 5].into());
    assert_eq!((scratch.len(), scratch.table.as_str()), (5, "h"));
    let mut out = String::new();
    for file in scratch.iter() {
        out += &format!("== {} {}\n", file.file, file.no_transaction);
        file.statements.iter().for_each(|statement| out += &format!("{}\n", statement.sql.trim()));
    }
    assert_is_snapshot("in_one_transaction", &out);
    let migration = set.get(1).unwrap().to_refinery().unwrap();
    assert_eq!(
        (migration.version(), migration.name(), migration.checksum().to_string()),
        (1, "a", set.get(1).unwrap().checksum())
    );
}
