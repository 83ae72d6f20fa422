//! Tenants that cannot be made: what is said, and that nothing of them is left.

use std::fs;

use crate::fleet::{BOTH, Fleet};

/// Fails in the schema of tenant f-bad only.
fn fails_with(what: &str) -> String {
    format!(
        "CREATE TABLE before_it (id int);\n\nDO $$ BEGIN\n  IF current_schema() LIKE '%bad' THEN\n    {what};\n  END IF;\nEND $$;\nCREATE TABLE after_it (id int);\n"
    )
}

#[test]
fn a_migration_that_fails_for_one_tenant_leaves_nothing_of_it_and_the_others_are_applied() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "failing");
        fleet.migration(
            "V3__data.sql",
            &fails_with(
                "RAISE EXCEPTION 'no such plan: %', 7 USING ERRCODE = 'TN001', HINT = 'buy one', DETAIL = 'sold out'",
            ),
        );
        fleet.declare("f-one = {}\nf-bad = {}\nf-two = { access = \"owner\" }");
        let run = fleet.try_apply().ends(1);
        let text = run.stdout.clone() + &run.stderr;
        for word in ["f-bad", "V3__data.sql:3", "TN001", "no such plan: 7", "buy one"] {
            assert!(text.contains(word), "{word:?} in {text}");
        }
        assert!(!text.contains("tenantry_t"), "our own function is nobody's business: {text}");
        fleet.assert_no_trace_of("f-bad");
        assert_eq!(fleet.ask("SELECT tenant FROM tenantry.tenants ORDER BY 1"), "f-one; f-two");
        fleet.run(&["verify", "f-one", "f-two"]).ends(0);
        let json = fleet.run(&["apply", "-y", "--format", "json"]).ends(1).json();
        assert_eq!(json["summary"]["failed"], 1);
        assert_eq!(json["summary"]["unchanged"], 2);
        assert_eq!(json["tenants"][0]["error"]["sqlstate"], "TN001");
        assert_eq!(json["tenants"][0]["error"]["hint"], "buy one");
        fleet.migration("V3__data.sql", &fails_with("NULL"));
        // The others ran the file as it was: it may not change under them.
        fleet.run(&["plan"]).says("was changed after it was applied");
        fleet.migration("V3__data.sql", "");
        fs::remove_file(fleet.path("migrations/V3__data.sql")).unwrap();
        fleet.run(&["plan"]).says("its file is missing");
    }
}

#[test]
fn every_kind_of_failure_names_the_file_and_the_line() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "kinds");
        fleet.declare("k-bad = {}");
        let function =
            "CREATE FUNCTION g() RETURNS int LANGUAGE plpgsql AS $$\nBEGIN\n  RETURN 1 / 0;\nEND $$;\n\nSELECT g();";
        let nested = "DO $$\nBEGIN\n  EXECUTE 'SELECT nope';\nEND $$;";
        for (sql, place, sqlstate, message) in [
            ("CREATE TABLE ok (id int);\n\nCREATE TABEL bad (id int);\n", "V3__bad.sql:3", "42601", "syntax error"),
            ("SELECT 1;\nSELECT\n  nope\nFROM users;", "V3__bad.sql:3", "42703", "nope"),
            (
                "INSERT INTO users (email) VALUES ('a');\nINSERT INTO users (email)\nVALUES ('a');",
                "V3__bad.sql:2",
                "23505",
                "duplicate key",
            ),
            (function, "V3__bad.sql:6", "22012", "division by zero"),
            (nested, "V3__bad.sql:3", "42703", "nope"),
            ("\n\nCREATE TABLE users (id int);", "V3__bad.sql:3", "42P07", "already exists"),
            ("SELECT 1;\nDO $$ BEGIN SET ROLE postgres; END $$;", "V3__bad.sql:2", "42501", "role"),
        ] {
            fleet.migration("V3__bad.sql", sql);
            let run = fleet.try_apply().ends(1);
            let text = run.stdout + &run.stderr;
            for word in ["k-bad", place, sqlstate, message] {
                assert!(text.contains(word), "{word:?} in {text}");
            }
            fleet.assert_no_trace_of("k-bad");
        }
        fs::remove_file(fleet.path("migrations/V3__bad.sql")).unwrap();
        fleet.applies_and_settles();
    }
}

#[test]
fn a_secret_of_somebody_elses_blocks_and_is_left_as_it_is() {
    let fleet = Fleet::usual(BOTH[1], "foreign");
    fleet.declare("x-one = {}\nx-two = {}\nx-three = {}");
    fs::create_dir_all(fleet.secret_file("x").parent().unwrap()).unwrap();
    let theirs = "{\"api_key\": \"of another program\"}\n";
    fs::write(fleet.secret_file("x-one"), theirs).unwrap();
    fleet.try_apply().ends(1).says("x-one").says("someone else");
    assert_eq!(fs::read_to_string(fleet.secret_file("x-one")).unwrap(), theirs);
    fs::remove_file(fleet.secret_file("x-one")).unwrap();
    fleet.assert_no_trace_of("x-one");
    // A secret of another tenant's, or of another database's.
    let mut secret = fleet.secret("x-two");
    fs::write(fleet.secret_file("x-one"), secret.to_string()).unwrap();
    fleet.try_apply().ends(1).says("it names the tenant \"x-two\"");
    secret["tenant"] = "x-one".into();
    secret["database"] = "elsewhere".into();
    fs::write(fleet.secret_file("x-one"), secret.to_string()).unwrap();
    fleet.try_apply().ends(1).says("it names the database \"elsewhere\"");
    fs::remove_file(fleet.secret_file("x-one")).unwrap();
    fleet.applies_and_settles();
}

#[test]
fn a_role_or_schema_that_is_not_in_the_registry_blocks_and_is_left_as_it_is() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "unregistered");
        fleet.execute("CREATE ROLE u_one_user; CREATE ROLE u_two_owner; CREATE SCHEMA tenant_u_three; CREATE TABLE tenant_u_three.kept ()");
        fleet.declare("u-one = {}\nu-two = {}\nu-three = {}\nu-four = {}");
        let run = fleet.try_apply().ends(1);
        for what in ["u_one_user", "u_two_owner", "tenant_u_three"] {
            assert!(run.stdout.contains(what), "{what}: {}", run.stdout);
        }
        let run = run
            .says("not managed by tenantry")
            .says("adopt it: tenantry adopt u-one")
            .says("ALTER SCHEMA \"tenant_u_three\" RENAME TO");
        assert!(run.stdout.contains("1 applied") && run.stdout.contains("3 skipped"), "{}", run.stdout);
        assert_eq!(fleet.ask("SELECT tenant FROM tenantry.tenants"), "u-four");
        assert_eq!(fleet.ask("SELECT rolcanlogin FROM pg_roles WHERE rolname = 'u_one_user'"), "f");
        fleet.run(&["plan", "--detailed-exitcode"]).ends(2);
        fleet.execute("DROP ROLE u_one_user; DROP ROLE u_two_owner; DROP SCHEMA tenant_u_three CASCADE");
        fleet.applies_and_settles();
    }
}

#[test]
fn a_secret_of_ours_for_a_role_that_does_not_exist_is_reused() {
    let fleet = Fleet::usual(BOTH[1], "reused");
    fleet.declare("re-one = {}");
    fleet.applies_and_settles();
    let before = fleet.secret("re-one");
    // As after a crash between the secret and COMMIT: nothing of the tenant is there, and the registry is the one that wrote it.
    fleet.execute("DELETE FROM tenantry.tenants; DROP SCHEMA tenant_re_one CASCADE; DROP OWNED BY re_one_user; DROP ROLE re_one_user; DROP OWNED BY re_one_owner; DROP ROLE re_one_owner");
    fleet.applies_and_settles();
    assert_eq!(fleet.secret("re-one"), before);
}
