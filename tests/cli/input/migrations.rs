//! The migrations directory.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::process::Command;

use super::Project;
use crate::fleet::{BOTH, Fleet, ask};

fn project() -> Project {
    Project::new("[tenants]\nacme = {}\n")
}

fn with(files: &[(&str, &str)]) -> super::Said {
    let project = project();
    files.iter().for_each(|(file, sql)| project.migration(file, sql));
    project.validate("tenants.toml")
}

#[test]
fn two_files_with_one_version_are_refused_and_a_gap_is_not() {
    with(&[("V1__a.sql", ""), ("V01__b.sql", "")]).refuses(&["V1__a.sql has the same version as V01__b.sql"]);
    with(&[("V1__a.sql", ""), ("U1__b.sql", "")]).refuses(&["V1__a.sql has the same version as U1__b.sql"]);
    with(&[("V1__a.sql", "SELECT 1"), ("V20261121__b.sql", "SELECT 1")]).takes();
}

#[test]
fn a_command_that_ends_the_transaction_is_refused_and_the_word_alone_is_not() {
    for command in
        ["COMMIT", "commit and chain", "/* so */ COMMIT", "ROLLBACK TO a", "END WORK", "PREPARE TRANSACTION 'x'"]
    {
        let sql = format!("CREATE TABLE t ();\n\n{command};\nCREATE TABLE u ();\n");
        with(&[("V1__x.sql", &sql)]).refuses(&["V1__x.sql:3 contains a transaction command"]);
    }
    for sql in [
        "DO $$ BEGIN COMMIT; END $$;",
        "CREATE PROCEDURE p() LANGUAGE plpgsql AS $$ BEGIN INSERT INTO t VALUES (1); COMMIT; END $$;",
        "CREATE PROCEDURE p() LANGUAGE plpgsql AS 'BEGIN COMMIT; END';",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; END;",
        "COMMENT ON TABLE t IS 'COMMIT; -- and go';\n-- COMMIT;\n/* COMMIT; */",
        "PREPARE q AS SELECT 1",
    ] {
        with(&[("V1__x.sql", sql)]).takes();
    }
}

#[test]
fn a_file_is_run_under_its_whole_name_or_named_with_the_reason() {
    let project = project();
    project.migration("V1__users.sql", "CREATE TABLE users ();");
    project.migration("V2__add-index.sql", "");
    project.migration("V3__fill.rs", "");
    project.migration("V4__x.SQL", "");
    project.migration("v5__x.sql", "");
    project.migration("V6.1__x.sql", "");
    project.migration("V7_x.sql", "");
    project.migration("|8__x.sql", "");
    project.migration("V99999999999__x.sql", "");
    project.validate("tenants.toml").refuses(&[
        "V2__add-index.sql is not named as refinery names migrations: '-' is not a letter",
        "name it V2__add_index.sql; where it was applied as \"add\", V2__add.sql is that migration",
        "V3__fill.rs is a migration in Rust",
        "V4__x.SQL is not named as refinery names migrations: it does not end in .sql",
        "v5__x.sql is not named as refinery names migrations: it begins with a lower-case v",
        "V6.1__x.sql is not named as refinery names migrations: its version is not a whole number",
        "V7_x.sql is not named as refinery names migrations\n",
        "|8__x.sql is not named as refinery names migrations\n",
        "V99999999999__x.sql has a version above 2147483647",
    ]);
}

#[test]
fn what_lies_beside_the_migrations_is_no_fault_and_is_named() {
    let project = project();
    let at = |name: &str| project.path().join("migrations").join(name);
    for dir in ["2026", ".hidden"] {
        fs::create_dir(at(dir)).unwrap();
    }
    for file in ["V1__a.sql", "README.md", "mod.rs", ".gitkeep", "V9__b.sql.bak", "2026/notes.txt", ".hidden/V9__x.sql"]
    {
        project.migration(file, "SELECT 1;");
    }
    symlink("2026", at("linked")).unwrap();
    let said = project.validate("tenants.toml");
    let line = "not migrations, so not run: 2026/notes.txt, README.md, V9__b.sql.bak, linked (a link to a directory), mod.rs\n";
    assert!(said.text.contains(line), "{}", said.text);
    said.takes();
    // A terminal is told the first.
    (10..35).for_each(|n| project.migration(format!("{n}.txt"), ""));
    let said = project.validate("tenants.toml");
    assert!(said.text.contains("10.txt, 11.txt, ") && said.text.contains("28.txt and 10 more\n"), "{}", said.text);
    said.takes();
}

#[test]
fn two_directories_with_one_version_are_told_apart() {
    let project = project();
    for dir in ["a", "b"] {
        fs::create_dir(project.path().join("migrations").join(dir)).unwrap();
        project.migration(format!("{dir}/V2__x.sql"), "SELECT 1;");
    }
    project.validate("tenants.toml").refuses(&["b/V2__x.sql has the same version as a/V2__x.sql"]);
}

#[test]
fn what_only_psql_understands_is_refused_with_its_line() {
    let dump = "\\restrict x\nSET search_path = '';\nCREATE TABLE t (a text);\nCOPY t (a) FROM stdin;\nit's\n\\.\nSELECT 1 INTO u;\n\\unrestrict x\n";
    with(&[("V1__x.sql", dump)]).refuses(&[
        "V1__x.sql:1 \\restrict is a psql command",
        "V1__x.sql:4 COPY … FROM stdin needs rows from a client",
        "V1__x.sql:7 SELECT INTO is refused",
        "V1__x.sql:8 \\unrestrict is a psql command",
    ]);
}

#[test]
fn select_into_is_refused_with_what_to_write_instead_and_plpgsqls_is_not() {
    let said = with(&[("V1__a.sql", "CREATE TABLE t (id int);\nSELECT * INTO t2 FROM t;\n")]);
    said.refuses(&["V1__a.sql:2 SELECT INTO", "write: CREATE TABLE t2 AS SELECT"]);
    for sql in [
        "WITH few AS (SELECT 1) SELECT * INTO TEMP t2 FROM few",
        "SELECT 1 INTO t2 UNION SELECT 2",
        "(SELECT 1 INTO TABLE t2)",
    ] {
        with(&[("V1__a.sql", &format!("\n{sql};"))]).refuses(&["V1__a.sql:2 SELECT INTO"]);
    }
    for sql in [
        "DO $$ DECLARE n int; BEGIN SELECT 1 INTO n; END $$;",
        "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS 'DECLARE n int; BEGIN SELECT 1 INTO n; RETURN n; END'",
        "INSERT INTO t SELECT 1",
    ] {
        with(&[("V1__a.sql", sql)]).takes();
    }
}

#[test]
fn an_extension_that_is_not_declared_is_refused_with_its_line() {
    let project = Project::new(
        "[database]\nshared_schemas = [\"ext\"]\nextensions = [\"citext\", \"uuid-ossp\"]\n[tenants]\nacme = {}\n",
    );
    let says = |sql: &str, words: &[&str]| {
        project.migration("V1__x.sql", sql);
        project.validate("tenants.toml").refuses(words);
    };
    says(
        "\nCREATE EXTENSION hstore;",
        &["V1__x.sql:2 creates extension hstore", "add \"hstore\" to [database] extensions"],
    );
    says("CREATE EXTENSION IF NOT EXISTS hstore", &["V1__x.sql:1 creates extension hstore"]);
    says("CREATE EXTENSION citext", &["V1__x.sql:1 creates extension citext, which already exists"]);
    says("DROP EXTENSION IF EXISTS citext", &["V1__x.sql:1 drops extension citext"]);
    project.migration(
        "V1__x.sql",
        "CREATE EXTENSION IF NOT EXISTS CITEXT;\nCREATE EXTENSION IF NOT EXISTS \"uuid-ossp\" WITH SCHEMA ext;\nDROP EXTENSION IF EXISTS hstore;",
    );
    project.validate("tenants.toml").takes();
}

#[test]
fn a_label_that_is_used_in_the_file_that_adds_it_is_refused() {
    let sql = "ALTER TYPE mood ADD VALUE 'away';\nALTER TABLE t ALTER COLUMN m SET DEFAULT 'calm';\nUPDATE t SET m = 'away'::mood;\n";
    with(&[("V1__x.sql", sql)]).refuses(&["V1__x.sql:3 uses 'away', which this file adds to an enum"]);
}

#[test]
fn where_the_parser_stops_is_said() {
    let said = with(&[("V1__x.sql", "CREATE TABLE t ();\nCREAT TABLE u ();\nCOMMIT;\n")]);
    assert!(said.text.contains("V1__x.sql:2 is not SQL that tenantry recognizes"), "{}", said.text);
    said.takes();
    // What stands before is checked all the same.
    with(&[("V1__x.sql", "COMMIT;\nCREAT TABLE u ();\n")]).refuses(&["V1__x.sql:1 contains a transaction command"]);
}

#[test]
fn what_cannot_be_read_is_named() {
    let refuses = |make: &dyn Fn(&Project), words: &[&str]| {
        let project = project();
        make(&project);
        project.validate("tenants.toml").refuses(words);
    };
    let at = |project: &Project, name: &str| project.path().join("migrations").join(name);
    refuses(&|p| p.migration("V1__x.sql", b"SELECT 1;\n-- caf\xe9\n"), &["V1__x.sql line 2 is not UTF-8"]);
    refuses(&|p| p.migration(OsStr::from_bytes(b"V1__caf\xe9.sql"), ""), &["has a name that is not UTF-8"]);
    refuses(&|p| p.migration("V1__x.sql", "SELECT '\0';"), &["V1__x.sql", "NUL"]);
    refuses(&|p| symlink("V1__x.sql", at(p, "V1__x.sql")).unwrap(), &["V1__x.sql cannot be read: Too many levels"]);
    refuses(&|p| symlink("gone", at(p, "V1__x.sql")).unwrap(), &["V1__x.sql", "there is no such file"]);
    refuses(&|p| symlink("/dev/zero", at(p, "V1__x.sql")).unwrap(), &["V1__x.sql is a device"]);
    refuses(&|p| drop(UnixListener::bind(at(p, "V1__x.sql")).unwrap()), &["V1__x.sql is a device, a pipe or a socket"]);
    let pipe = |p: &Project| assert!(Command::new("mkfifo").arg(at(p, "V1__x.sql")).status().unwrap().success());
    refuses(&pipe, &["V1__x.sql is a device, a pipe or a socket"]);
    let large = |p: &Project| fs::File::create(at(p, "V1__x.sql")).unwrap().set_len(1 << 40).unwrap();
    refuses(&large, &["V1__x.sql is larger than 32 MB"]);
    let file = |p: &Project| {
        fs::remove_dir(p.path().join("migrations")).unwrap();
        fs::write(p.path().join("migrations"), "").unwrap();
    };
    refuses(&file, &["migrations", "Not a directory"]);
}

#[test]
fn a_directory_that_leads_back_to_itself_is_walked_once() {
    let project = project();
    project.migration("V1__x.sql", "SELECT 1;");
    let below = project.path().join("migrations/2026");
    fs::create_dir(&below).unwrap();
    symlink("..", below.join("again")).unwrap();
    symlink(".", project.path().join("migrations/here")).unwrap();
    fs::write(below.join("V2__y.sql"), "SELECT 2;").unwrap();
    project.validate("tenants.toml").takes();
}

#[test]
fn what_nests_too_deeply_is_refused_and_does_not_end_the_process() {
    for sql in ["(", "SELECT (", "- ", "NOT ", "CASE WHEN ", "1 + ", "f(", "ARRAY[", "{", "BEGIN "] {
        with(&[("V1__x.sql", &format!("SELECT {};", sql.repeat(20_000)))]).refuses(&["V1__x.sql nests deeper than"]);
    }
    with(&[("V1__x.sql", &format!("SELECT {}1{};", "(".repeat(500), ")".repeat(500)))]).takes();
}

#[test]
fn ten_megabytes_in_one_file_are_taken() {
    let row = "('a name of some length', 'and@its.address', 12345.67, now()),\n";
    let rows = row.repeat(10 * 1024 * 1024 / row.len());
    let one = format!("INSERT INTO t VALUES\n{}('b', 'c', 0, now());\n", rows);
    with(&[("V1__x.sql", &one)]).takes();
    let statement = "INSERT INTO t VALUES ('a name of some length', 'and@its.address', 12345.67, now());\n";
    let many = statement.repeat(10 * 1024 * 1024 / statement.len());
    let some = statement.repeat(10_000);
    with(&[("V1__x.sql", &(some + "COMMIT;"))]).refuses(&["V1__x.sql:10001 contains a transaction command"]);
    with(&[("V1__x.sql", &format!("DO $$ BEGIN\n{many}END $$;"))]).takes();
}

#[test]
fn odd_files_work_inside_a_tenants_transaction() {
    for version in BOTH {
        let fleet = Fleet::new(version, "odd_files");
        fleet.migration("V1__empty.sql", "");
        fleet.migration("V2__spaces.sql", " \n\t\r\n");
        fleet.migration("V3__no_newline.sql", "CREATE TABLE a (id int)");
        fleet.migration("V5__after_a_gap.sql", "INSERT INTO a VALUES (1); -- no newline either");
        fleet.migration("V6__bom.sql", "\u{feff}INSERT INTO a VALUES (2);\r\nINSERT INTO a VALUES (3);\r\n");
        fleet.migration("V7__bom_only.sql", "\u{feff}");
        fleet.migration("V8__semicolons.sql", ";;\n;INSERT INTO a VALUES (4);;\n;");
        fleet.migration("V9__quotes.sql", "INSERT INTO a SELECT 5 WHERE $a$';$b$;$a$ <> E'\\';' /* ; /* ; */ */;\n");
        fleet.migration(
            "V10__procedure.sql",
            "CREATE PROCEDURE p() LANGUAGE plpgsql AS $$ BEGIN INSERT INTO a VALUES (6); COMMIT; END $$;",
        );
        fleet.declare("odd-one = {}");
        fleet.applies_and_settles();
        assert_eq!(ask(&mut fleet.log_in("odd-one"), "SELECT count(*) FROM a"), "5");
        ask(&mut fleet.log_in("odd-one"), "CALL p()");
        assert_eq!(ask(&mut fleet.log_in("odd-one"), "SELECT count(*) FROM a"), "6");

        // An error in the last line of a large file.
        let many = "INSERT INTO a VALUES (7);\n".repeat(2_000);
        fleet.migration("V11__large.sql", &format!("{many}INSERT INTO nowhere VALUES (1)"));
        fleet.try_apply().ends(1).says("V11__large.sql:2001").says("42P01").says("odd-one");
        assert_eq!(fleet.ask("SELECT count(*) FROM tenant_odd_one.a"), "6");
        fleet.migration("V11__large.sql", &format!("{many}SELECT 1 +"));
        fleet.try_apply().ends(1).says("V11__large.sql:2001").says("42601").says("odd-one");
        // Where it is code: PostgreSQL refuses a COMMIT inside our transaction.
        fleet.migration("V11__large.sql", "INSERT INTO a VALUES (7);\nDO $$ BEGIN COMMIT; END $$;");
        fleet.try_apply().ends(1).says("V11__large.sql:2").says("2D000").says("odd-one");
        fleet.migration("V11__large.sql", "INSERT INTO a VALUES (7);\nCALL p();");
        fleet.try_apply().ends(1).says("V11__large.sql:2").says("2D000");
        // A syntax that only PostgreSQL knows is not cut; what it holds ends no transaction.
        fleet.migration("V11__large.sql", "INSERT INTO a VALUES (7);\nCREATE GIZMO x WITH 1 2 3;\nCOMMIT;");
        fleet.try_apply().ends(1).says("V11__large.sql:2").says("42601");
        fleet.migration("V11__large.sql", &many);
        fleet.applies_and_settles();
        assert_eq!(fleet.ask("SELECT count(*) FROM tenant_odd_one.a"), "2006");
    }
}
