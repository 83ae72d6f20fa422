//! Tenants that exist: what tenants.toml says anew, and what drifted.
mod access;
mod delivered;
mod drift;
mod edited;
mod remember;
mod ring;
mod secrets;
mod whole_fleet;

use crate::fleet::{BOTH, Fleet, ask, refused};

#[test]
fn a_connection_limit_is_set_changed_and_lifted() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "limit");
        for (declared, limit) in [("", "-1"), ("connection_limit = 1", "1"), ("connection_limit = 2", "2"), ("", "-1")]
        {
            fleet.declare(&format!("cl-one = {{ {declared} }}"));
            fleet.applies_and_settles();
            assert_eq!(fleet.ask("SELECT rolconnlimit FROM pg_roles WHERE rolname = 'cl_one_user'"), limit);
        }
    }
}

#[test]
fn settings_are_added_changed_and_removed_and_others_are_reset() {
    for version in BOTH {
        let mut fleet = Fleet::usual(version, "settings");
        let now = "SELECT setting FROM pg_db_role_setting, unnest(setconfig) AS setting WHERE setrole = 'se_one_user'::regrole ORDER BY 1";
        fleet.declare("se-one = { settings = { statement_timeout = \"30s\", work_mem = 8192, jit = false } }");
        fleet.applies_and_settles();
        assert_eq!(fleet.ask(now), "jit=off; search_path=tenant_se_one; statement_timeout=30s; work_mem=8192");
        fleet.declare("se-one = { settings = { statement_timeout = \"10s\", \"app.plan\" = \"it's gold\", random_page_cost = 1.1 } }");
        fleet.applies_and_settles();
        assert_eq!(
            fleet.ask(now),
            "app.plan=it's gold; random_page_cost=1.1; search_path=tenant_se_one; statement_timeout=10s"
        );
        assert_eq!(ask(&mut fleet.log_in("se-one"), "SHOW app.plan"), "it's gold");
        // By hand, for the role and for the role in this database.
        let database = &fleet.database.name;
        fleet.execute(&format!(
            "ALTER ROLE se_one_user SET log_min_messages = 'error'; ALTER ROLE se_one_user SET search_path = public; \
             ALTER ROLE se_one_user IN DATABASE {database} SET statement_timeout = '1h'"
        ));
        fleet.run(&["plan", "--detailed-exitcode"]).ends(2);
        fleet.applies_and_settles();
        assert_eq!(ask(&mut fleet.log_in("se-one"), "SHOW statement_timeout"), "10s");
        fleet.head.insert_str(0, "[database]\nshared_schemas = [\"lookup\"]\n");
        fleet.declare("se-one = {}");
        fleet.applies_and_settles();
        assert_eq!(fleet.ask(now), "search_path=tenant_se_one, lookup");
    }
}

#[test]
fn renames_keep_the_data_and_the_password_and_are_told_to_clients() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "renames");
        for access in ["full", "owner", "readwrite", "readonly"] {
            let tenant = format!("rn-{access}");
            let declare = |names: &str| fleet.declare(&format!("rn-{access} = {{ access = \"{access}\", {names} }}"));
            declare("");
            fleet.apply();
            let password = fleet.secret(&tenant)["password"].clone();
            fleet.execute(&format!("INSERT INTO tenant_rn_{access}.users (email) VALUES ('kept')"));
            for names in [
                "owner = \"Rn Owner {tenant}\"",
                "owner = \"Rn Owner {tenant}\", username = \"rn app {tenant}\"",
                "owner = \"Rn Owner {tenant}\", username = \"rn app {tenant}\", schema = \"Rn {tenant}\"",
                "owner = \"{tenant}_back\", username = \"{tenant}_app\", schema = \"{tenant}_schema\"",
                "",
            ] {
                declare(names);
                fleet.applies_and_settles();
                assert_eq!(fleet.secret(&tenant)["password"], password, "{names}");
                assert_eq!(ask(&mut fleet.log_in(&tenant), "SELECT email FROM users"), "kept", "{names}");
            }
            let left = format!(
                "SELECT rolname FROM pg_roles WHERE rolname ~* '^rn' AND rolname ~ '{access}' AND rolname !~ '^rn_{access}_(user|owner)$'"
            );
            assert_eq!(fleet.ask(&left), "");
            fleet.declare("");
            fleet.run(&["apply", "-y", "--allow-removals", "1"]).ends(0);
        }
        let roles = fleet.ask("SELECT rolname FROM pg_roles WHERE rolname ~* '^rn'");
        assert_eq!(roles, "", "a role of a tenant that is gone");
    }
}

#[test]
fn policies_reach_the_registry() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "policies");
        for (declared, row) in [
            ("protected = true", "t, drop"),
            ("protected = true, on_remove = \"retain\"", "t, retain"),
            ("on_remove = \"archive\"", "f, archive"),
            ("", "f, drop"),
        ] {
            fleet.declare(&format!("po-one = {{ {declared} }}"));
            fleet.applies_and_settles();
            assert_eq!(fleet.ask("SELECT protected, on_remove FROM tenantry.tenants"), row);
        }
    }
}

#[test]
fn pending_migrations_are_applied_with_the_declared_privileges() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "pending");
        fleet.declare("pm-full = {}\npm-own = { access = \"owner\" }\npm-rw = { access = \"readwrite\" }\npm-ro = { access = \"readonly\" }");
        fleet.applies_and_settles();
        fleet.migration(
            "V3__add.sql",
            "ALTER TABLE users ADD COLUMN name text;\nCREATE TABLE notes (id serial, body text);",
        );
        fleet.migration("V5__later.sql", "CREATE TABLE later (id int);");
        fleet.run(&["plan", "--detailed-exitcode"]).ends(2);
        fleet.applies_and_settles();
        for tenant in ["pm-full", "pm-own", "pm-rw"] {
            fleet.log_in(tenant).batch_execute("INSERT INTO notes (body) VALUES ('x')").unwrap();
        }
        assert_eq!(refused(&mut fleet.log_in("pm-ro"), "INSERT INTO notes (body) VALUES ('x')"), "42501");
        assert_eq!(
            fleet.ask("SELECT DISTINCT relowner::regrole FROM pg_class WHERE oid = 'tenant_pm_full.notes'::regclass"),
            "pm_full_owner"
        );
        fleet.migration("V4__between.sql", "SELECT 1;");
        fleet.try_apply().ends(1).says("out of order");
        std::fs::rename(fleet.path("migrations/V4__between.sql"), fleet.path("migrations/U4__between.sql")).unwrap();
        fleet.applies_and_settles();
    }
}

#[test]
fn a_later_migration_that_fails_leaves_the_tenant_as_it_was() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "later");
        fleet.declare("lm-one = {}\nlm-bad = {}");
        fleet.applies_and_settles();
        let before = fleet.ask("SELECT t::text FROM tenantry.tenants t WHERE tenant = 'lm-bad'");
        fleet.log_in("lm-bad").batch_execute("INSERT INTO users (email) VALUES ('')").unwrap();
        fleet.migration("V3__fine.sql", "CREATE TABLE fine (id int);");
        fleet.migration("V4__check.sql", "SELECT 1;\nALTER TABLE users\n  ADD CHECK (email <> '');");
        let run = fleet.try_apply().ends(1).says("lm-bad").says("V4__check.sql:2").says("23514");
        assert!(run.stdout.contains("1 applied"), "{}", run.stdout);
        assert_eq!(
            fleet.ask("SELECT to_regclass('tenant_lm_bad.fine')::text, to_regclass('tenant_lm_one.fine')::text"),
            "-, tenant_lm_one.fine"
        );
        assert_eq!(fleet.ask("SELECT t::text FROM tenantry.tenants t WHERE tenant = 'lm-bad'"), before);
        fleet.run(&["verify"]).ends(0);
        fleet.log_in("lm-bad").batch_execute("DELETE FROM users").unwrap();
        fleet.applies_and_settles();
    }
}

#[test]
fn a_migration_waits_for_no_lock_longer_than_lock_timeout() {
    let mut fleet = Fleet::usual(BOTH[1], "patience");
    fleet.head.push_str("[migrations]\nlock_timeout = \"50ms\"\n");
    fleet.declare("lt-one = {}\nlt-two = {}");
    fleet.applies_and_settles();
    fleet.migration("V3__add.sql", "ALTER TABLE users ADD COLUMN name text;");
    let mut client = fleet.log_in("lt-one");
    let mut transaction = client.transaction().unwrap();
    transaction.batch_execute("LOCK TABLE users IN ACCESS SHARE MODE").unwrap();
    let run = fleet.try_apply().ends(1).says("lt-one").says("55P03").says("V3__add.sql:1");
    assert!(run.stdout.contains("1 applied"), "{}", run.stdout);
    transaction.rollback().unwrap();
    fleet.applies_and_settles();
}
