//! What stops a correct tenant for other reasons than privileges is no leak, and what lacks a privilege is a fault.

use serde_json::Value;

use crate::fleet::{BOTH, Fleet, Run};
use crate::postgres_server::Version;

/// Four tenants, one of each access, whose keys begin so.
fn fleet(version: Version, prefix: &str, migration: &str, settings: &str) -> Fleet {
    let fleet = Fleet::new(version, &format!("fa_{prefix}"));
    if !migration.is_empty() {
        fleet.migration("V1__it.sql", migration);
    }
    let line = |access| format!("{prefix}-{access} = {{ access = \"{access}\", settings = {{ {settings} }} }}");
    fleet.declare(&["full", "owner", "readwrite", "readonly"].map(line).join("\n"));
    fleet
}

/// Every check of every tenant.
fn checks(run: &Run) -> Vec<(String, Value)> {
    let document = run.json();
    let tenants = document["tenants"].as_array().unwrap().iter();
    tenants
        .flat_map(|tenant| {
            let key = tenant["tenant"].as_str().unwrap().to_owned();
            tenant["checks"].as_array().unwrap().iter().map(move |check| (key.clone(), check.clone()))
        })
        .collect()
}

const APPEND_ONLY: &str = "CREATE TABLE audit_log (id int PRIMARY KEY, what text);
    CREATE FUNCTION no_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'audit_log is append-only' CODE; END $$;
    CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit_log FOR EACH STATEMENT EXECUTE FUNCTION no_change();";
const RULES: &str = "CREATE TABLE kept (id int PRIMARY KEY); CREATE RULE no_update AS ON UPDATE TO kept DO INSTEAD NOTHING;
    CREATE RULE no_delete AS ON DELETE TO kept DO INSTEAD NOTHING; CREATE RULE no_insert AS ON INSERT TO kept DO INSTEAD NOTHING;";
const POLICIES: &str = "CREATE TABLE notes (id int PRIMARY KEY, whose text); ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
    ALTER TABLE notes FORCE ROW LEVEL SECURITY; CREATE POLICY own ON notes USING (whose = current_setting('app.whose'));";
const RAISING: &str = "CREATE FUNCTION never(int) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'never'; END $$;
    CREATE DOMAIN odd AS int CHECK (never(VALUE)); CREATE TABLE numbers (n odd DEFAULT 1, m int CHECK (never(m)) DEFAULT 1);";
const NO_COLUMNS: &str = "CREATE TABLE bare (); CREATE TABLE computed (n int GENERATED ALWAYS AS IDENTITY);";
const NO_KEY: &str = "CREATE TABLE logged (at int);";

/// Migration, what the superuser does afterwards, what is undone at the end (event triggers are the whole database's), the
/// tenants' settings, and what is said.
const HONEST: [(&str, &str, &str, &str, &str); 12] = [
    ("tr", APPEND_ONLY, "", "", "audit_log is append-only (SQLSTATE P0001), PL/pgSQL function no_change()"),
    ("tc", "", "", "", "audit_log is append-only (SQLSTATE 42501), PL/pgSQL function"),
    ("ru", RULES, "", "", ""),
    ("po", POLICIES, "", "", ""),
    ("ra", RAISING, "", "", ""),
    ("nc", NO_COLUMNS, "", "", ""),
    ("pu", NO_KEY, "CREATE PUBLICATION all_of_it FOR ALL TABLES", "", "update published tables"),
    ("ev", NO_KEY, "EVENT", "", "not today (SQLSTATE P0001)"),
    ("ep", NO_KEY, "EVENT 42501", "", "not today (SQLSTATE 42501)"),
    ("ro", APPEND_ONLY, "", "default_transaction_read_only = \"on\"", "append-only"),
    (
        "st",
        NO_KEY,
        "",
        "statement_timeout = \"20ms\", lock_timeout = \"1ms\", default_transaction_isolation = \"serializable\"",
        "",
    ),
    ("it", NO_KEY, "", "idle_in_transaction_session_timeout = \"1ms\"", ""),
];

#[test]
fn a_correct_tenant_passes_whatever_else_stops_it() {
    for version in BOTH {
        for (prefix, migration, after, settings, says) in HONEST {
            let migration = match prefix {
                "tc" => APPEND_ONLY.replace("CODE", "USING ERRCODE = 'insufficient_privilege'"),
                _ => migration.replace("CODE", ""),
            };
            let fleet = fleet(version, prefix, &migration, settings);
            fleet.apply();
            let code = if after.ends_with("42501") { "USING ERRCODE = '42501'" } else { "" };
            fleet.execute(&match after.strip_prefix("EVENT") {
                None => after.to_owned(),
                Some(_) => format!(
                    "CREATE SCHEMA dba; GRANT USAGE ON SCHEMA dba TO PUBLIC; CREATE FUNCTION dba.no() RETURNS event_trigger LANGUAGE plpgsql AS \
                     $$ BEGIN IF session_user LIKE '{prefix}%' THEN RAISE EXCEPTION 'not today' {code}; END IF; END $$; \
                     CREATE EVENT TRIGGER no ON ddl_command_start EXECUTE FUNCTION dba.no()"
                ),
            });
            fleet.run(&["verify"]).ends(0).says("4 tenants isolated and working, 0 failed;").says(says);
            let run = fleet.run(&["verify", "--format", "json"]).ends(0);
            for (tenant, check) in checks(&run) {
                let [answer, ruling] = ["answer", "ruling"].map(|field| check[field].as_str().unwrap_or_default());
                assert_ne!((answer, ruling), ("refused_otherwise", "wrong"), "{prefix} {tenant} {check}");
                assert!(["right", "said"].contains(&ruling), "{prefix} {tenant} {check}");
            }
        }
    }
}

#[test]
fn a_privilege_that_is_there_is_a_leak_whatever_refuses_its_use() {
    for version in BOTH {
        let fleet = fleet(version, "lk", NO_KEY, "");
        fleet.apply();
        fleet.execute(
            "CREATE SCHEMA dba; GRANT USAGE ON SCHEMA dba TO PUBLIC; CREATE FUNCTION dba.no() RETURNS event_trigger LANGUAGE plpgsql AS \
             $$ BEGIN IF session_user LIKE 'lk%' THEN RAISE EXCEPTION 'no' USING ERRCODE = '42501'; END IF; END $$; \
             CREATE EVENT TRIGGER no ON ddl_command_start EXECUTE FUNCTION dba.no()",
        );
        fleet.run(&["verify"]).ends(0);
        fleet.execute(&format!("GRANT CREATE ON DATABASE {} TO lk_readonly_user", fleet.database.name));
        fleet
            .run(&["verify"])
            .ends(2)
            .says("may not create a schema: it passed the privilege check: no (SQLSTATE 42501)");
    }
}

#[test]
fn a_tenant_that_cannot_be_tried_is_neither_isolated_nor_leaky() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "fa_busy");
        fleet.declare("by-one = { connection_limit = 1 }\nby-two = {}");
        fleet.applies_and_settles();
        let gone = || fleet.ask("SELECT count(*) FROM pg_stat_activity WHERE usename = 'by_one_user'") == "0";
        while !gone() {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let busy = fleet.log_in("by-one");
        let run = fleet.run(&["verify"]).ends(1).says("by-one not tried").says("(SQLSTATE 53300)");
        assert!(run.stdout.contains("Verify: 1 tenant isolated and working, 0 failed, 1 not tried;"), "{}", run.stdout);
        let document = fleet.run(&["verify", "--format", "json"]).ends(1).json();
        assert_eq!(document["summary"], serde_json::json!({ "verified": 1, "failed": 0, "not_tried": 1 }));
        let tenant = &document["tenants"][0];
        assert_eq!((&tenant["ok"], &tenant["tried"]), (&Value::Bool(false), &Value::Bool(false)));
        assert_eq!(tenant["checks"][0]["answer"], "not_tried");
        // A leak of another is not hidden by it.
        fleet.execute("GRANT pg_execute_server_program TO by_two_user");
        fleet.run(&["verify"]).ends(2).says("by-two FAILED").says("by-one not tried");
        fleet.execute("REVOKE pg_execute_server_program FROM by_two_user");
        drop(busy);
    }
}

#[test]
fn every_object_is_asked_about_and_one_of_each_kind_is_tried() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "fa_every");
        fleet.declare("ey-one = {}\new-own = { access = \"owner\" }\ney-ro = { access = \"readonly\" }");
        fleet.applies_and_settles();
        for (change, undo, says) in [
            // Foreign keys are checked as the owner, and views are read as the owner.
            (
                "REVOKE ALL ON ALL TABLES IN SCHEMA tenant_ey_one FROM ey_one_owner",
                "GRANT ALL ON ALL TABLES IN SCHEMA tenant_ey_one TO ey_one_owner",
                "ey_one_owner lacks SELECT, INSERT, UPDATE, DELETE on ",
            ),
            (
                "REVOKE ALL ON TABLE tenant_ew_own.users FROM ew_own_user",
                "GRANT ALL ON TABLE tenant_ew_own.users TO ew_own_user",
                "ew_own_user lacks SELECT, INSERT, UPDATE, DELETE on table users",
            ),
            (
                "ALTER TABLE tenant_ey_one.projects DISABLE TRIGGER ALL",
                "ALTER TABLE tenant_ey_one.projects ENABLE TRIGGER ALL",
                "somebody disabled the triggers of projects_owner_fkey of projects",
            ),
            (
                "REVOKE INSERT ON tenant_ey_one.users FROM ey_one_user",
                "GRANT INSERT ON tenant_ey_one.users TO ey_one_user",
                "it lacks INSERT on table users",
            ),
            (
                "REVOKE USAGE ON SEQUENCE tenant_ey_one.tickets FROM ey_one_user",
                "GRANT USAGE ON SEQUENCE tenant_ey_one.tickets TO ey_one_user",
                "it lacks USAGE on sequence tickets",
            ),
            (
                "GRANT UPDATE (email) ON tenant_ey_ro.users TO ey_ro_user",
                "REVOKE UPDATE (email) ON tenant_ey_ro.users FROM ey_ro_user",
                "it has UPDATE on table users",
            ),
            (
                "GRANT TRIGGER ON tenant_ey_one.users TO ey_one_user",
                "REVOKE TRIGGER ON tenant_ey_one.users FROM ey_one_user",
                "it has TRIGGER on table users",
            ),
        ] {
            fleet.execute(change);
            fleet.run(&["verify"]).ends(2).says(says);
            fleet.execute(undo);
            fleet.run(&["verify"]).ends(0);
        }
        let run = fleet.run(&["verify", "ey-one", "--format", "json"]).ends(0);
        let tried: Vec<_> =
            checks(&run).iter().filter_map(|(_, check)| check["object"].as_str().map(str::to_owned)).collect();
        for object in
            ["table tenant_ey_one.projects", "view tenant_ey_one.busy", "sequence tenant_ey_one.projects_id_seq"]
        {
            assert!(tried.iter().any(|tried| tried == object), "{object}: {tried:?}");
        }
    }
}

/// A tenant may put its own operators before PostgreSQL's in its search_path.
#[test]
fn a_tenants_own_operators_do_not_answer_for_the_catalogs() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "fa_own");
        fleet.declare("oo-one = {}\noo-two = {}");
        fleet.applies_and_settles();
        fleet.execute("GRANT oo_two_user TO oo_one_user");
        fleet
            .log_in("oo-one")
            .batch_execute(
                "CREATE FUNCTION tenant_oo_one.no(name, name) RETURNS boolean LANGUAGE sql AS 'SELECT false';
             CREATE OPERATOR tenant_oo_one.= (LEFTARG = name, RIGHTARG = name, FUNCTION = tenant_oo_one.no);
             ALTER ROLE oo_one_user SET search_path = tenant_oo_one, pg_catalog",
            )
            .unwrap();
        fleet.run(&["verify"]).ends(2).says("it is a member of oo_two_user");
    }
}
