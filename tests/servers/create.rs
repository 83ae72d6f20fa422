//! Tenants that did not exist: everything they get, and nothing else.
mod compatibility;
mod extensions;
mod failures;
mod files;
mod migrations;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::fleet::{BOTH, Fleet, ask, refused};
use crate::postgres_server::Version;

#[test]
fn every_access_gives_what_it_says_and_no_more() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "access");
        fleet.declare(
            "a-full = {}\na-own = { access = \"owner\" }\na-rw = { access = \"readwrite\" }\na-ro = { access = \"readonly\" }",
        );
        fleet.applies_and_settles();
        let insert = "INSERT INTO users (email) VALUES ('a@b')";
        let create = "CREATE TABLE made (id int)";
        let alter = "ALTER TABLE users ADD COLUMN x int";
        for (tenant, allowed, denied) in [
            ("a-full", vec![insert, create, "TRUNCATE projects", "SELECT nextval('tickets')"], vec![alter]),
            ("a-own", vec![insert, create, alter, "DROP VIEW busy"], vec![]),
            ("a-rw", vec![insert, "SELECT user_count()"], vec![create, alter, "TRUNCATE projects"]),
            (
                "a-ro",
                vec!["SELECT * FROM busy", "SELECT user_count()"],
                vec![insert, create, "SELECT nextval('tickets')"],
            ),
        ] {
            let mut client = fleet.log_in(tenant);
            for sql in allowed {
                client.batch_execute(sql).unwrap_or_else(|error| panic!("{tenant}: {sql}: {error:?}"));
            }
            for sql in denied {
                assert_eq!(refused(&mut client, sql), "42501", "{tenant}: {sql}");
            }
            if tenant != "a-own" {
                assert_eq!(refused(&mut client, "DELETE FROM refinery_schema_history"), "42501");
                let trigger =
                    "CREATE TRIGGER t BEFORE INSERT ON users EXECUTE FUNCTION suppress_redundant_updates_trigger()";
                assert_eq!(refused(&mut client, trigger), "42501");
                assert_eq!(refused(&mut client, "CREATE TEMPORARY TABLE t ()"), "42501");
            }
            assert_eq!(ask(&mut client, "SELECT count(*) FROM refinery_schema_history"), "2");
            let other = if tenant == "a-rw" { "tenant_a_ro" } else { "tenant_a_rw" };
            assert_eq!(refused(&mut client, &format!("SELECT FROM {other}.users")), "42501");
        }
        fleet.settled();
    }
}

#[test]
fn the_secret_has_eight_keys_and_its_url_lands_in_the_schema() {
    for version in BOTH {
        let mut fleet = Fleet::usual(version, "secret");
        fleet.head.push_str("[passwords]\nlength = 64\n");
        fleet.declare(
            "s-keys = { connection_limit = 7, settings = { statement_timeout = \"30s\", work_mem = \"5MB\" } }",
        );
        fleet.applies_and_settles();
        let file = fleet.secret_file("s-keys");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(file.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
        let secret = fleet.secret("s-keys");
        assert_eq!(secret["tenant"], "s-keys");
        assert_eq!(secret["username"], "s_keys_user");
        assert_eq!(secret["schema"], "tenant_s_keys");
        assert_eq!(secret["host"], "127.0.0.1");
        assert_eq!(secret["port"], fleet.database.server.port());
        assert_eq!(secret["database"], fleet.database.name.as_str());
        assert_eq!(secret["password"].as_str().unwrap().len(), 64);
        let sql =
            "SELECT current_user, current_schema(), current_setting('statement_timeout'), current_setting('work_mem')";
        assert_eq!(ask(&mut fleet.log_in("s-keys"), sql), "s_keys_user, tenant_s_keys, 30s, 5MB");
        // libpq reads the same url.
        let psql = fleet.database.server.binaries().program("psql");
        if psql.exists() {
            let output = std::process::Command::new(psql)
                .args([secret["url"].as_str().unwrap(), "-XAtc", "SELECT current_schema()"])
                .output()
                .unwrap();
            assert_eq!(String::from_utf8_lossy(&output.stdout), "tenant_s_keys\n", "{output:?}");
        }
    }
}

#[test]
fn no_password_reaches_postgresql_or_the_terminal() {
    for version in BOTH {
        let mut fleet = Fleet::usual(version, "quiet");
        let given = "the-admin's 0wn p@ss/word";
        fleet.env.insert("GIVEN_PASSWORD".into(), given.into());
        fleet.execute(&format!("ALTER DATABASE {} SET log_statement = 'all'", fleet.database.name));
        fleet.declare("q-made = {}\nq-given = { password_from = \"${GIVEN_PASSWORD}\" }");
        let run = fleet.run(&["apply", "-y", "-vv"]).ends(0);
        let shown = fleet.run(&["show", "q-given"]).ends(0).stdout + &fleet.run(&["plan", "--format", "json"]).stdout;
        fleet.settled();
        let log = fleet.database.server.log();
        assert!(log.contains("ROLE \"q_made_user\""), "the statements are in the log");
        for tenant in ["q-made", "q-given"] {
            let secret = fleet.secret(tenant);
            let password = secret["password"].as_str().unwrap();
            let encoded = secret["url"].as_str().unwrap().split(['@', ':']).nth(2).unwrap().to_owned();
            for (place, text) in [("the log", &log), ("stdout", &run.stdout), ("stderr", &run.stderr), ("show", &shown)]
            {
                assert!(!text.contains(password) && !text.contains(&encoded), "the password is in {place}");
            }
            // No verifier of it on the terminal either.
            assert!(![&run.stdout, &run.stderr].iter().any(|text| text.contains("SCRAM-SHA-256$4096")));
            let verifiers = format!(
                "SELECT left(rolpassword, 19) FROM pg_authid WHERE rolname = '{}'",
                secret["username"].as_str().unwrap()
            );
            assert_eq!(fleet.ask(&verifiers), "SCRAM-SHA-256$4096:");
            let registry =
                fleet.ask("SELECT t::text FROM tenantry.tenants t; SELECT a::text FROM tenantry.audit_log a");
            assert!(!registry.contains(password) && !registry.contains("SCRAM"), "{registry}");
        }
        assert_eq!(fleet.secret("q-given")["password"], given);
    }
}

#[test]
fn the_registry_remembers_the_tenant_and_the_audit_log_the_change() {
    let fleet = Fleet::usual(Version::V18, "registry");
    fleet.declare("r-one = { protected = true, on_remove = \"retain\" }");
    fleet.applies_and_settles();
    let sql = "SELECT tenant, schema_name, username, owner, access, state, on_remove, protected, password_source, secret_store, \
               secret_path, secret_version, password_changed_at IS NOT NULL FROM tenantry.tenants";
    assert_eq!(
        fleet.ask(sql),
        "r-one, tenant_r_one, r_one_user, r_one_owner, full, active, retain, t, generated, file, tenants/r-one, 1, t"
    );
    let sql = "SELECT session_username, tenant, verb, jsonb_array_length(changes) > 5, xmin::text = transaction_id::xid::text \
               FROM tenantry.audit_log WHERE verb <> 'database'";
    assert_eq!(fleet.ask(sql), "postgres, r-one, create, t, t");
    let kinds =
        fleet.ask("SELECT DISTINCT c ->> 'kind' FROM tenantry.audit_log, jsonb_array_elements(changes) c ORDER BY 1");
    for kind in ["create_role", "create_owner", "create_schema", "grant_schema", "migrate", "write_secret"] {
        assert!(kinds.contains(kind), "{kind} in {kinds}");
    }
    assert_eq!(refused(&mut fleet.database.client(), "DELETE FROM tenantry.audit_log"), "42501");
}

#[test]
fn any_name_that_postgresql_can_quote_works_from_end_to_end() {
    let longest = format!("{}x", "ü".repeat(31));
    assert_eq!(longest.len(), 63);
    let names = ["Bobby\"; DROP SCHEMA public; --", "select", "Ünïcode $tenantry$ %s", "a.b", "it's \\ odd", &longest];
    for version in BOTH {
        let fleet = Fleet::usual(version, "names");
        let tenants = |suffix: &str| {
            let mut text = String::new();
            for (n, name) in names.iter().enumerate() {
                let owner = format!("{n} {}", name.chars().take(20).collect::<String>());
                let [schema, username, owner] = [*name, name, &owner].map(|name| serde_json::json!(name).to_string());
                text.push_str(&format!(
                    "[tenants.n{n}]\nschema = {schema}\nusername = {username}\nowner = {owner}\n{suffix}\n"
                ));
            }
            text
        };
        fleet.declare(&tenants(""));
        fleet.applies_and_settles();
        for (n, name) in names.iter().enumerate() {
            let mut client = fleet.log_in(&format!("n{n}"));
            let row = client.query_one("SELECT current_user::text, current_schema()::text", &[]).unwrap();
            assert_eq!((row.get::<_, String>(0), row.get::<_, String>(1)), (name.to_string(), name.to_string()));
            client.batch_execute("INSERT INTO users (email) VALUES ('x'); CREATE TABLE \"t\"\"x\" ()").unwrap();
        }
        assert_eq!(fleet.ask("SELECT count(*) FROM pg_namespace WHERE nspname = 'public'"), "1");
        // Changes of every kind spell the names too.
        fleet.declare(&tenants("access = \"readonly\"\nconnection_limit = 3"));
        fleet.applies_and_settles();
        fleet.declare(&tenants("access = \"owner\""));
        fleet.applies_and_settles();
        fleet.declare("");
        fleet.run(&["apply", "-y", "--allow-removals", "6"]).ends(0);
        fleet.settled();
        assert_eq!(fleet.ask("SELECT count(*) FROM pg_roles WHERE rolname LIKE '%Bobby%' OR rolname LIKE '%ü%'"), "0");
    }
}

#[test]
fn a_name_of_64_bytes_is_refused_before_anything_happens() {
    let fleet = Fleet::usual(Version::V18, "long");
    fleet.declare(&format!("l-one = {{ schema = \"{}\" }}", "ü".repeat(32)));
    fleet.try_apply().ends(1).says("64 bytes").says("tenants.toml");
    assert_eq!(fleet.ask("SELECT to_regnamespace('tenantry')::text"), "-");
}

#[test]
fn what_tenants_share_is_theirs_to_use() {
    for version in BOTH {
        let mut fleet = Fleet::usual(version, "shared");
        fleet
            .head
            .insert_str(0, "[database]\nshared_schemas = [\"extensions\", \"lookup\"]\nextensions = [\"pg_trgm\"]\n");
        fleet.migration(
            "V3__similar.sql",
            "CREATE EXTENSION IF NOT EXISTS pg_trgm;\nCREATE INDEX ON users USING gin (email gin_trgm_ops);",
        );
        fleet.declare("sh-one = {}\nsh-two = { access = \"readonly\" }");
        fleet.applies_and_settles();
        let sql = "SELECT similarity('acme', 'acne') > 0, current_setting('search_path')";
        for tenant in ["sh-one", "sh-two"] {
            let schema = tenant.replace('-', "_");
            let expected = format!("t, tenant_{schema}, extensions, lookup");
            assert_eq!(ask(&mut fleet.log_in(tenant), sql).replace('"', ""), expected);
        }
        assert_eq!(refused(&mut fleet.log_in("sh-one"), "CREATE TABLE extensions.mine ()"), "42501");
    }
}

#[test]
fn one_owner_role_may_own_for_many() {
    for version in BOTH {
        let mut fleet = Fleet::usual(version, "one_owner");
        fleet.head = "[defaults]\non_remove = \"drop\"\nowner = \"the_one_owner\"\naccess = \"readwrite\"\n".into();
        fleet.declare("o-one = {}\no-two = {}\no-three = {}");
        fleet.applies_and_settles();
        let owners = "SELECT DISTINCT nspowner::regrole::text FROM pg_namespace WHERE nspname LIKE 'tenant\\_%'";
        assert_eq!(fleet.ask(owners), "the_one_owner");
        fleet.declare("o-one = {}\no-four = {}");
        fleet.run(&["apply", "-y", "--allow-removals", "2"]).ends(0);
        fleet.settled();
        fleet.declare("");
        fleet.run(&["apply", "-y", "--allow-removals", "2"]).ends(0);
        fleet.settled();
        assert_eq!(
            fleet.ask("SELECT rolname FROM pg_roles WHERE rolname = 'the_one_owner' OR rolname LIKE 'o\\_%'"),
            ""
        );
    }
}
