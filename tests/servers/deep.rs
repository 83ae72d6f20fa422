//! `--deep`: passwords that do not open the database, and schemas that are not as the migrations create them.
mod attributes;
mod md5;

use crate::fleet;
use crate::fleet::{BOTH, Fleet};
use crate::postgres_server::Version;
use serde_json::{Value, json};

/// Nothing of the scratch tenant is left: no schema, no role, no row.
#[track_caller]
fn nothing_is_left_of_the_scratch_tenant(fleet: &Fleet) {
    let left = "SELECT nspname::text FROM pg_namespace WHERE nspname ~ '^tenantry_shape_[0-9a-f]{16}' \
                UNION ALL SELECT rolname::text FROM pg_roles WHERE rolname ~ '^tenantry_shape_[0-9a-f]{16}' \
                UNION ALL SELECT tenant FROM tenantry.tenants WHERE tenant LIKE 'tenantry%'";
    assert_eq!(fleet.ask(left), "");
}

/// LOGIN, CREATEROLE, and CREATE on the database: may not read verifiers.
fn under_a_weak_admin(version: Version, name: &str) -> (Fleet, String) {
    let mut fleet = Fleet::usual(version, name);
    let database = fleet.database.name.clone();
    let admin = format!("{database}_admin");
    fleet.execute(&format!(
        "CREATE ROLE {admin} LOGIN CREATEROLE PASSWORD 'a'; GRANT CREATE ON DATABASE {database} TO {admin}"
    ));
    fleet.url = fleet.database.url_as(&admin, "a");
    fleet.head.insert_str(0, "[database]\npublic_schema = \"keep\"\n");
    (fleet, admin)
}

#[track_caller]
fn shape(fleet: &Fleet, code: i32) -> Value {
    let run = fleet.run(&["drift", "--deep", "--format", "json"]).ends(code);
    nothing_is_left_of_the_scratch_tenant(fleet);
    run.json()["shape"].clone()
}

#[test]
fn every_part_that_differs_is_named_and_tenants_are_grouped_by_it() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "shape");
        fleet.declare("sh-a = {}\nsh-b = {}\nsh-c = { access = \"readonly\" }\nsh-d = { access = \"readwrite\" }");
        fleet.apply();
        let as_migrated = json!({"as_migrated": 4, "groups": [], "made_by_tenants": [], "unseen": []});
        assert_eq!(shape(&fleet, 0), as_migrated);
        for tenant in ["sh_a", "sh_b"] {
            fleet.execute(&format!("ALTER TABLE tenant_{tenant}.users ADD COLUMN phone text"));
        }
        fleet.execute(
            "ALTER TABLE tenant_sh_c.users ALTER COLUMN email TYPE varchar(20), ALTER COLUMN email DROP NOT NULL; \
             ALTER TABLE tenant_sh_c.projects DROP CONSTRAINT projects_owner_fkey, ALTER COLUMN mood SET DEFAULT 'busy'; \
             CREATE INDEX mine ON tenant_sh_c.users (email); \
             ALTER TYPE tenant_sh_c.mood ADD VALUE 'odd'; \
             ALTER SEQUENCE tenant_sh_c.tickets INCREMENT 2; \
             CREATE OR REPLACE VIEW tenant_sh_c.busy AS SELECT * FROM tenant_sh_c.projects WHERE mood = 'calm'; \
             CREATE OR REPLACE FUNCTION tenant_sh_c.user_count() RETURNS bigint LANGUAGE sql AS 'SELECT 1::bigint'; \
             CREATE FUNCTION tenant_sh_c.t() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; \
             CREATE TRIGGER tr BEFORE INSERT ON tenant_sh_c.users FOR EACH ROW EXECUTE FUNCTION tenant_sh_c.t(); \
             ALTER FUNCTION tenant_sh_c.t() OWNER TO sh_c_owner; \
             CREATE POLICY p ON tenant_sh_c.users USING (true); ALTER TABLE tenant_sh_c.users ENABLE ROW LEVEL SECURITY; \
             DROP VIEW tenant_sh_d.busy; DROP TABLE tenant_sh_d.projects",
        );
        let text = fleet.run(&["drift", "--deep"]).ends(2).stdout;
        let from = text.find("~ shape of").unwrap();
        insta::with_settings!({snapshot_path => "../snapshots", prepend_module_to_snapshot => false}, {
            insta::assert_snapshot!("drift_deep", &text[from..]);
        });
        let found = shape(&fleet, 2);
        assert_eq!(found["as_migrated"], 0);
        assert_eq!(found["groups"][0]["tenants"], json!(["sh-a", "sh-b"]));
        // Not healed, not forgotten, and no reason for a plan.
        fleet.apply();
        fleet.run(&["plan", "--detailed-exitcode"]).ends(0);
        fleet.run(&["plan", "--deep", "--detailed-exitcode"]).ends(2);
        fleet.run(&["show", "sh-a", "--shape"]).ends(0).says("-     column phone text");
        fleet.run(&["show", "sh-d", "--shape"]).ends(0).says("+ view busy SELECT");
        fleet
            .run(&["drift", "--deep", "--target", "sh-b", "--format", "markdown"])
            .ends(2)
            .says("- sh-b: users has an extra");
    }
}

#[test]
fn what_a_tenant_made_itself_is_its_own_unless_the_shape_is_strict() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "own");
        fleet.migration("V3__log.sql", "CREATE TABLE log (at date NOT NULL) PARTITION BY RANGE (at);");
        let tenants = "ow-full = {}\now-owner = { access = \"owner\" }";
        fleet.declare(tenants);
        fleet.apply();
        for tenant in ["ow-full", "ow-owner"] {
            let mut session = fleet.log_in(tenant);
            session
                .batch_execute(
                    "CREATE TABLE notes (id serial PRIMARY KEY); CREATE INDEX ON notes (id); CREATE VIEW seen AS TABLE notes; \
                     CREATE FUNCTION f(int) RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE TYPE pair AS (a int, b int)",
                )
                .unwrap();
        }
        let schema = "tenant_ow_full";
        fleet.execute(&format!(
            "CREATE TABLE {schema}.log_1 PARTITION OF {schema}.log FOR VALUES FROM ('2026-01-01') TO ('2027-01-01'); \
             ALTER TABLE {schema}.log_1 OWNER TO ow_full_owner"
        ));
        fleet.apply();
        let own = ["function f(integer)", "sequence notes_id_seq", "table notes", "type pair", "view seen"];
        let found = shape(&fleet, 0);
        assert_eq!(found["as_migrated"], 2, "{found:#}");
        let mut with_partition = own.to_vec();
        with_partition.insert(2, "table log_1");
        assert_eq!(found["made_by_tenants"][0], json!({"tenant": "ow-full", "objects": with_partition}));
        assert_eq!(found["made_by_tenants"][1], json!({"tenant": "ow-owner", "objects": own}));
        fleet.declare(&tenants.replace("{", "{ strict_shape = true,").replace(", }", " }"));
        let found = shape(&fleet, 2);
        for group in found["groups"].as_array().unwrap() {
            let extra: Vec<_> = group["differences"].as_array().unwrap().iter().map(|d| d["object"].clone()).collect();
            assert_eq!(extra, own, "{group:#}");
        }
    }
}

#[test]
fn migrations_of_every_kind_come_to_the_same_shape_under_every_name() {
    for version in BOTH {
        let mut fleet = Fleet::usual(version, "kinds");
        fleet.head.insert_str(0, "[database]\nshared_schemas = [\"ki shared\"]\nextensions = [\"pg_trgm\"]\n");
        fleet.migration("V3__kinds.sql", include_str!("../support/kinds.sql"));
        fleet.migration(
            "V4__late.sql",
            "-- tenantry: no-transaction\nCREATE INDEX CONCURRENTLY IF NOT EXISTS late ON users (email);\n\
             ALTER TABLE orders DETACH PARTITION orders_1 CONCURRENTLY;\nVACUUM orders;\nREINDEX (CONCURRENTLY) TABLE users;",
        );
        fleet.migration("V5__after.sql", "ALTER TABLE users ADD COLUMN after text;");
        fleet.declare(
            "ki-full = {}\nki-read = { access = \"readonly\" }\nki-write = { access = \"readwrite\" }\nki-owner = { access = \"owner\" }\n\
             ki-odd = { schema = \"ki 'o\\\"dd\", username = \"Ki \\\"User\\\"\", owner = \"ki'owner\" }\nki = { schema = \"e\", username = \"a\", owner = \"t\" }",
        );
        fleet.apply();
        let found = shape(&fleet, 0);
        assert_eq!(found["as_migrated"], 6, "{found:#}");
        assert_eq!(found["made_by_tenants"], json!([]));
        fleet.execute("VACUUM FULL");
        // Tenants that are behind are held against what they have.
        fleet.migration("V6__more.sql", "ALTER TABLE users ADD COLUMN more text;");
        fleet.declare("ki-new = {}\nki-full = {}");
        fleet.run(&["apply", "-y", "--target", "ki-new"]).ends(0);
        let found = fleet
            .run(&["drift", "--deep", "--target", "ki-full", "--target", "ki-new", "--format", "json"])
            .ends(2)
            .json();
        assert_eq!(found["shape"]["as_migrated"], 2, "{:#}", found["shape"]);
        fleet.execute("DROP SCHEMA e CASCADE; DROP OWNED BY a; DROP OWNED BY t; DROP ROLE a; DROP ROLE t");
    }
}

#[test]
fn what_cannot_be_seen_is_said_and_hides_nothing_else() {
    for version in BOTH {
        let mut fleet = Fleet::usual(version, "unseen");
        fleet.head.insert_str(0, "[migrations]\nlock_timeout = \"300ms\"\n");
        fleet.declare("un-one = {}\nun-two = {}\nun-three = {}");
        fleet.apply();
        fleet.execute("ALTER TABLE tenant_un_two.users ADD COLUMN phone text");
        let mut locker = fleet.database.client();
        let mut transaction = locker.transaction().unwrap();
        transaction.batch_execute("LOCK TABLE tenant_un_one.busy IN ACCESS EXCLUSIVE MODE").unwrap();
        let found = shape(&fleet, 2);
        transaction.rollback().unwrap();
        assert_eq!(found["as_migrated"], 1, "{found:#}");
        assert_eq!(found["groups"][0]["tenants"], json!(["un-two"]));
        assert_eq!(found["unseen"][0]["tenants"], json!(["un-one"]));
        assert!(found["unseen"][0]["reason"].as_str().unwrap().contains("lock"), "{found:#}");
        // A migration that fails on a new tenant.
        fleet.migration("V3__fails.sql", "SELECT 1/0;");
        assert_eq!(shape(&fleet, 2)["as_migrated"], 2);
        fleet.execute(
            "INSERT INTO tenant_un_three.refinery_schema_history SELECT 3, 'fails', applied_on, '1' FROM tenant_un_three.refinery_schema_history LIMIT 1",
        );
        let found = shape(&fleet, 2);
        assert_eq!(found["unseen"][0]["tenants"], json!(["un-three"]), "{found:#}");
        assert!(
            found["unseen"][0]["reason"].as_str().unwrap().contains("V3__fails.sql:1: division by zero"),
            "{found:#}"
        );
    }
}

#[test]
fn an_admin_who_is_no_superuser_sees_shapes_and_one_without_rights_is_told_what_it_lacks() {
    for version in BOTH {
        let (fleet, admin) = under_a_weak_admin(version, "weak");
        let database = &fleet.database.name;
        fleet.declare("we-one = {}\nwe-two = {}");
        fleet.apply();
        fleet.execute("ALTER TABLE tenant_we_two.users ADD COLUMN phone text");
        let found = shape(&fleet, 2);
        assert_eq!(found["as_migrated"], 1, "{found:#}");
        assert_eq!(fleet.ask(&format!("SELECT count(*) FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.member WHERE r.rolname = '{admin}' AND roleid::regrole::text LIKE '%shape%'")), "0");
        fleet.execute(&format!("REVOKE CREATE ON DATABASE {database} FROM {admin}"));
        let found = shape(&fleet, 0);
        assert_eq!(found["unseen"][0]["tenants"], json!(["we-one", "we-two"]));
        let reason = found["unseen"][0]["reason"].as_str().unwrap();
        assert!(reason.contains(&format!("GRANT CREATE ON DATABASE \"{database}\" TO \"{admin}\"")), "{reason}");
    }
}

#[test]
fn a_password_that_does_not_open_the_database_is_seen_and_set_anew() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "deliver");
        passwords(&fleet);
    }
}

#[test]
fn without_reading_verifiers_passwords_are_tried_by_logging_in() {
    for version in BOTH {
        passwords(&under_a_weak_admin(version, "login").0);
    }
}

fn passwords(fleet: &Fleet) {
    let prefix = &fleet.database.name;
    let keys: Vec<String> = ["a", "b", "c", "d"].iter().map(|n| format!("{}-{n}", prefix.replace('_', "-"))).collect();
    let user = |n: usize| format!("{}_user", keys[n].replace('-', "_"));
    let with = |given: &str| {
        format!(
            "{} = {{}}\n{} = {{ connection_limit = 0 }}\n{} = {{ password_from = \"{given}\" }}\n{} = {{}}",
            keys[0], keys[1], keys[2], keys[3]
        )
    };
    fleet.declare(&with("the admins own 1"));
    fleet.apply();
    fleet.run(&["drift", "--deep"]).ends(0);
    fleet.execute(&format!(
        "ALTER ROLE {} PASSWORD 'by hand'; ALTER ROLE {} PASSWORD NULL; ALTER ROLE {} PASSWORD 'by hand'",
        user(0),
        user(1),
        user(2)
    ));
    // Without a deep look a password is taken to be what was set; that there is none, a superuser sees.
    let shallow = fleet.run(&["plan", "--format", "json"]).ends(0).json();
    assert_eq!(shallow["tenants"][0]["verb"], "unchanged", "{shallow:#}");
    let run = fleet.run(&["drift", "--deep", "--format", "json"]).ends(2);
    let plan = run.json();
    let verbs: Vec<_> = plan["tenants"].as_array().unwrap().iter().map(|tenant| tenant["verb"].clone()).collect();
    assert_eq!(verbs, ["update", "update", "update", "unchanged"], "{plan:#}");
    let change = &plan["tenants"][0]["changes"][0];
    assert_eq!((&change["kind"], &change["after"]), (&json!("set_password"), &json!("as in the secret store")));
    // Saved, and applied as saved.
    fleet.run(&["plan", "--deep", "--out", "deep.plan"]).ends(0);
    let before = fleet.secret(&keys[0]);
    fleet.run(&["apply", "-y", "deep.plan"]).ends(0);
    assert_eq!(fleet.secret(&keys[0]), before, "the secret store holds the password of record");
    fleet.run(&["drift", "--deep"]).ends(0);
    assert_eq!(fleet::ask(&mut fleet.log_in(&keys[0]), "SELECT current_user"), user(0));
    fleet.execute(&format!("ALTER ROLE {} PASSWORD 'by hand'", user(3)));
    fleet.run(&["apply", "-y", "--deep"]).ends(0).says("1 applied");
    fleet.log_in(&keys[3]);
}

#[test]
fn a_fleet_without_migrations_or_tenants_has_nothing_to_hold_against() {
    let fleet = Fleet::new(Version::Installed, "bare");
    fleet.declare("");
    fleet.run(&["drift", "--deep"]).ends(0);
    fleet.declare("ba-one = {}");
    fleet.run(&["drift", "--deep"]).ends(2);
    fleet.apply();
    fleet.run(&["drift", "--deep"]).ends(0).says("Shape: 1 tenant as migrated");
}

#[test]
fn a_deep_look_that_meets_locks_costs_no_application_its_transaction() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "deadlock");
        fleet.declare("dl-a = {}\ndl-b = {}");
        fleet.apply();
        let lock = |tenant| format!("LOCK TABLE tenant_{tenant}.projects IN ACCESS EXCLUSIVE MODE");
        let looked =
            fleet.costs_no_application_its_transaction(&["drift", "--deep"], "", [&lock("dl_b"), &lock("dl_a")]);
        looked.ends(0);
    }
}
