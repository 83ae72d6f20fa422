//! Odd names, many tables, large objects, row security, and an admin who is no superuser.

use std::process::Stdio;

use super::project::{
    REMOVE, assert_gone, assert_holds_nothing, assert_no_deputy, manifests, project, project_of_weak_admin,
    there_and_back,
};
use crate::fleet::{BOTH, ask};
use crate::postgres_server::Version;

#[test]
fn names_that_need_every_quote_there_is() {
    for version in BOTH {
        let fleet = project(version, "odd");
        let declared =
            r#"od-one = { schema = "A.b*c? \"d\" 'e' $f\n|g", username = "od \"u\"\n; --", owner = "od \\ 'o' [x]" }"#;
        fleet.declare(declared);
        fleet.applies_and_settles();
        // A neighbour whose name the pattern would match, were it one.
        fleet.execute("CREATE SCHEMA \"A.bxc\"; CREATE TABLE \"A.bxc\".t ()");
        fleet
            .log_in("od-one")
            .batch_execute(
                "CREATE TABLE \"T.x \"\"y\"\"\nz\" (\"c (\nd\" text); INSERT INTO \"T.x \"\"y\"\"\nz\" VALUES ('kept'); \
                 INSERT INTO users (email) VALUES ('a'), ('b')",
            )
            .unwrap();
        let manifest = there_and_back(&fleet, declared, "");
        let tables = manifest["tables"].as_array().unwrap();
        let rows = |name: &str| tables.iter().find(|t| t["table"] == name).map(|t| t["rows"].clone());
        assert_eq!(rows("T.x \"y\"\nz"), Some(1.into()), "{tables:?}");
        assert_eq!(rows("users"), Some(2.into()), "{tables:?}");
        assert_eq!(ask(&mut fleet.log_in("od-one"), "SELECT * FROM \"T.x \"\"y\"\"\nz\""), "kept");
    }
}

#[test]
fn four_hundred_tables() {
    for version in BOTH {
        let fleet = project(version, "many");
        fleet.declare("ma-one = {}");
        fleet.applies_and_settles();
        let mut session = fleet.log_in("ma-one");
        session
            .batch_execute(
                "DO $$ BEGIN FOR n IN 1..400 LOOP EXECUTE format('CREATE TABLE t%s (id int PRIMARY KEY, a text UNIQUE)', n); \
                 EXECUTE format('INSERT INTO t%s VALUES (%s, ''x'')', n, n); END LOOP; END $$",
            )
            .unwrap();
        let manifest = there_and_back(&fleet, "ma-one = {}", "");
        assert_eq!(manifest["tables"].as_array().unwrap().len(), 403);
        assert_eq!(ask(&mut fleet.log_in("ma-one"), "SELECT id, a FROM t400"), "400, x");
    }
}

#[test]
fn large_objects_go_along_under_their_own_numbers() {
    for version in BOTH {
        let fleet = project(version, "large");
        fleet.declare("la-one = {}\nla-other = {}");
        fleet.applies_and_settles();
        let mut session = fleet.log_in("la-one");
        session
            .batch_execute(
                "CREATE TABLE blobs (what text, id oid); INSERT INTO blobs SELECT 'small', lo_from_bytea(0, 'abc'); \
                 INSERT INTO blobs SELECT 'empty', lo_from_bytea(0, ''); \
                 INSERT INTO blobs SELECT 'large', lo_from_bytea(0, decode(repeat('00ff10', 1000000), 'hex'))",
            )
            .unwrap();
        fleet.log_in("la-other").batch_execute("SELECT lo_from_bytea(0, 'not theirs')").unwrap();
        let digests = "SELECT what, id, length(lo_get(id)), md5(lo_get(id)) FROM blobs ORDER BY 1";
        let before = ask(&mut session, digests);
        let manifest = {
            fleet.declare("la-other = {}");
            fleet.run(&REMOVE).ends(0);
            assert_eq!(
                fleet.ask("SELECT count(*), min(lomowner::regrole::text) FROM pg_largeobject_metadata"),
                "1, la_other_user"
            );
            let (path, manifest) = manifests(&fleet).pop().unwrap();
            fleet.declare("la-one = {}\nla-other = {}");
            fleet.run(&["restore", "-y", path.to_str().unwrap()]).ends(0);
            fleet.settled();
            manifest
        };
        assert_eq!(manifest["large_objects"]["count"], 3);
        let mut session = fleet.log_in("la-one");
        assert_eq!(ask(&mut session, digests), before);
        session.batch_execute("SELECT lo_unlink(id) FROM blobs").unwrap();
        // One that somebody took the number of is told, and nothing is left behind.
        fleet.declare("la-other = {}");
        fleet.run(&REMOVE).ends(0);
        let (path, _) =
            manifests(&fleet).into_iter().find(|(_, m)| m["large_objects"] != serde_json::Value::Null).unwrap();
        let taken = before.split(", ").nth(1).unwrap();
        fleet.execute(&format!("SELECT lo_create({taken})"));
        fleet.declare("la-one = {}\nla-other = {}");
        fleet.run(&["restore", "-y", path.to_str().unwrap()]).ends(1).says("large object");
        assert_gone(&fleet, "la_one");
        fleet.execute(&format!("SELECT lo_unlink({taken})"));
        fleet.run(&["restore", "-y", path.to_str().unwrap()]).ends(0);
        fleet.settled();
    }
}

#[test]
fn rows_behind_policies_are_archived_by_a_superuser() {
    for version in BOTH {
        let fleet = project(version, "policies");
        fleet.declare("po-one = { access = \"owner\" }");
        fleet.applies_and_settles();
        fleet
            .log_in("po-one")
            .batch_execute(
                "INSERT INTO users (email) VALUES ('a'), ('b'); ALTER TABLE users ENABLE ROW LEVEL SECURITY; \
                 ALTER TABLE users FORCE ROW LEVEL SECURITY; CREATE POLICY nobody ON users USING (false)",
            )
            .unwrap();
        let manifest = there_and_back(&fleet, "po-one = { access = \"owner\" }", "");
        let users = manifest["tables"].as_array().unwrap().iter().find(|t| t["table"] == "users").unwrap();
        assert_eq!(users["rows"], 2);
        assert_eq!(fleet.ask("SELECT count(*) FROM tenant_po_one.users"), "2");
        assert_eq!(ask(&mut fleet.log_in("po-one"), "SELECT count(*) FROM users"), "0");
    }
}

#[test]
fn an_admin_who_may_make_roles_and_schemas_only() {
    for version in BOTH {
        let fleet = project_of_weak_admin(version, "weak_admin");
        for access in ["full", "owner", "readwrite"] {
            let declared = format!("we-one = {{ access = \"{access}\" }}");
            fleet.declare(&declared);
            fleet.applies_and_settles();
            let mut session = fleet.log_in("we-one");
            session.batch_execute("INSERT INTO users (email) VALUES ('kept')").unwrap();
            if access != "readwrite" {
                session
                    .batch_execute(
                        "CREATE TABLE mine (a int); INSERT INTO mine VALUES (1); SELECT lo_from_bytea(0, 'x')",
                    )
                    .unwrap();
            }
            fleet.run(&["archive", "we-one"]).ends(0).says("sha256");
            assert_holds_nothing(&fleet, "weak_admin");
            there_and_back(&fleet, &declared, "");
            assert_holds_nothing(&fleet, "weak_admin");
            assert_eq!(ask(&mut fleet.log_in("we-one"), "SELECT email FROM users"), "kept");
            if access == "owner" {
                fleet
                    .log_in("we-one")
                    .batch_execute(
                        "ALTER TABLE users FORCE ROW LEVEL SECURITY; ALTER TABLE users ENABLE ROW LEVEL SECURITY",
                    )
                    .unwrap();
                fleet.declare("");
                fleet.run(&REMOVE).ends(1).says("row-level security").says("apply as a superuser");
                fleet.log_in("we-one").batch_execute("ALTER TABLE users DISABLE ROW LEVEL SECURITY").unwrap();
            }
            fleet.declare("");
            fleet.run(&REMOVE).ends(0);
            assert_holds_nothing(&fleet, "weak_admin");
            std::fs::remove_dir_all(fleet.path("archives")).unwrap();
        }
        assert_eq!(fleet.ask("SELECT rolname FROM pg_roles WHERE rolname ~ '^we_'"), "");
    }
}

#[test]
fn what_is_not_the_tenants_is_not_archived_as_if_it_were() {
    let fleet = project(Version::V18, "strange");
    fleet.declare("st-one = {}");
    fleet.applies_and_settles();
    fleet.execute("CREATE TABLE tenant_st_one.theirs (a int)");
    fleet.declare("");
    fleet.run(&REMOVE).ends(1).says("theirs belongs to \"postgres\"").says("ALTER … OWNER TO");
    fleet.log_in("st-one");
    fleet.execute("ALTER TABLE tenant_st_one.theirs OWNER TO st_one_owner");
    fleet.run(&REMOVE).ends(0);
    fleet.settled();
}

#[test]
fn a_restore_that_fails_or_is_killed_leaves_nothing_or_goes_on() {
    for version in BOTH {
        let fleet = project(version, "failing");
        fleet.declare("fa-one = {}");
        fleet.applies_and_settles();
        // A dump that cannot be restored where its shared schema's function is missing.
        fleet.execute("CREATE SCHEMA elsewhere; CREATE FUNCTION elsewhere.f(int) RETURNS bool LANGUAGE sql AS 'SELECT true'; \
                       GRANT USAGE ON SCHEMA elsewhere TO PUBLIC; INSERT INTO tenant_fa_one.users (email) SELECT 'u' || n FROM generate_series(1, 20000) n");
        fleet.log_in("fa-one").batch_execute("CREATE TABLE needs (a int CHECK (elsewhere.f(a)))").unwrap();
        fleet.declare("");
        fleet.run(&REMOVE).ends(0);
        let (path, _) = manifests(&fleet).pop().unwrap();
        let path = path.to_str().unwrap();
        fleet.execute("ALTER SCHEMA elsewhere RENAME TO away");
        fleet.declare("fa-one = {}");
        fleet.run(&["restore", "-y", path]).ends(1).says("elsewhere");
        assert_gone(&fleet, "fa_one");
        assert_no_deputy(&fleet);
        fleet.execute("ALTER SCHEMA away RENAME TO elsewhere");
        for n in 0..8 {
            let mut child =
                fleet.command(&["restore", "-y", path]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            std::thread::sleep(std::time::Duration::from_millis(90 * n));
            child.kill().unwrap();
            child.wait().unwrap();
            match fleet.ask("SELECT state FROM tenantry.tenants").as_str() {
                // The rest is any apply's to do.
                "active" => {
                    fleet.applies_and_settles();
                    break;
                }
                "restoring" => {
                    fleet.run(&["plan"]).ends(0).says("its restore was interrupted").says("tenantry restore FILE");
                    fleet.run(&["archive", "fa-one"]).ends(1).says("restoring");
                    if n % 2 == 0 {
                        fleet.declare("");
                        fleet.run(&REMOVE).ends(0);
                        fleet.settled();
                        assert_gone(&fleet, "fa_one");
                        fleet.declare("fa-one = {}");
                    }
                }
                "" => {}
                other => panic!("{other}"),
            }
        }
        if fleet.ask("SELECT state FROM tenantry.tenants") != "active" {
            fleet.run(&["restore", "-y", path]).ends(0);
        }
        fleet.settled();
        assert_no_deputy(&fleet);
        assert_eq!(ask(&mut fleet.log_in("fa-one"), "SELECT count(*) FROM users"), "20000");
    }
}

/// Programs that log in for us put tables where our own sessions do.
#[test]
fn a_default_tablespace_that_is_not_the_tenants_keeps_no_restore_from_it() {
    for version in BOTH.into_iter().filter(|version| version.major() >= 15) {
        let fleet = project(version, "space");
        let space = format!("space_{}", fleet.database.name);
        let mut client = fleet.database.client();
        client.batch_execute("SET allow_in_place_tablespaces = on").unwrap();
        client.batch_execute(&format!("CREATE TABLESPACE {space} LOCATION ''")).unwrap();
        fleet.execute(&format!("ALTER DATABASE {} SET default_tablespace = {space}", fleet.database.name));
        let there = || fleet.ask(&format!("SELECT count(*) FROM pg_tables WHERE tablespace = '{space}'"));
        fleet.declare("ts-one = { access = \"readwrite\" }");
        fleet.applies_and_settles();
        there_and_back(&fleet, "ts-one = { access = \"readwrite\" }", "");
        assert_eq!(there(), "0");
        fleet.execute(&format!("GRANT CREATE ON TABLESPACE {space} TO PUBLIC"));
        there_and_back(&fleet, "ts-one = { access = \"readwrite\" }", "");
        assert_eq!(there(), "3");
    }
}

/// pg_dump writes down the settings of all roles in the database, whichever schema it is asked for.
#[test]
fn what_other_roles_set_in_the_database_is_in_no_archive() {
    for version in BOTH {
        let fleet = project(version, "settings");
        fleet.declare("se-one = {}\nse-two = {}");
        fleet.applies_and_settles();
        fleet.execute("INSERT INTO tenant_se_one.users (email) VALUES ('kept')");
        let database = &fleet.database.name;
        let set = format!(
            "DO $$BEGIN EXECUTE pg_catalog.format('ALTER ROLE se_two_user IN DATABASE {database} SET search_path = %L', \
             pg_catalog.repeat('hers-', 8000000)); END$$"
        );
        fleet.log_in("se-two").batch_execute(&set).unwrap();
        fleet.execute(&format!("COMMENT ON DATABASE {database} IS 'hers-too'"));
        fleet.run(&["archive", "se-one"]).ends(0).says("tested: restored with all rows");
        let (path, manifest) = manifests(&fleet).pop().unwrap();
        let dump = path.with_extension("dump");
        let bytes = std::fs::read(&dump).unwrap();
        assert!(bytes.len() < 1 << 20, "{} bytes", bytes.len());
        assert!(!bytes.windows(5).any(|some| some == b"hers-"), "another tenant's");
        assert_eq!(manifest["dump"]["size"], bytes.len());
        // In a file whose places are known, pg_restore takes tables in any order, and several at once.
        let restore = std::path::Path::new(&fleet.env["TENANTRY_PG_BINDIR"]).join("pg_restore");
        let listed = std::process::Command::new(restore).args(["-l", "-v"]).arg(&dump).output().unwrap();
        let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
        assert!(listed.contains("TABLE DATA tenant_se_one users"), "{listed}");
        assert!(!listed.contains("DATABASE"), "{listed}");
        fleet.declare("se-two = {}");
        fleet.run(&REMOVE).ends(0);
        let (path, _) = manifests(&fleet).pop().unwrap();
        fleet.declare("se-one = {}\nse-two = {}");
        fleet.run(&["restore", "-y", path.to_str().unwrap()]).ends(0);
        fleet.settled();
        assert_eq!(ask(&mut fleet.log_in("se-one"), "SELECT email FROM users"), "kept");
    }
}
