//! What somebody changed by hand in PostgreSQL is brought back.

use crate::fleet::{BOTH, Fleet, ask};

#[test]
fn a_role_dropped_by_hand_is_made_again_with_the_delivered_password() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "dropped_role");
        fleet.declare("dr-full = {}\ndr-rw = { access = \"readwrite\" }");
        fleet.applies_and_settles();
        let before = fleet.secret("dr-full");
        fleet.log_in("dr-full").batch_execute("INSERT INTO users (email) VALUES ('kept')").unwrap();
        fleet.execute(
            "DROP OWNED BY dr_full_user; DROP ROLE dr_full_user; DROP OWNED BY dr_rw_user; DROP ROLE dr_rw_user",
        );
        fleet.applies_and_settles();
        assert_eq!(fleet.secret("dr-full"), before);
        assert_eq!(ask(&mut fleet.log_in("dr-full"), "SELECT email FROM users"), "kept");
    }
}

#[test]
fn an_owner_role_dropped_by_hand_blocks_until_the_history_is_its_own_again() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "dropped_owner");
        for (tenant, access, owner) in [("do-one", "full", "do_one_owner"), ("do-own", "owner", "do_own_user")] {
            fleet.declare(&format!("{tenant} = {{ access = \"{access}\" }}"));
            fleet.applies_and_settles();
            fleet.execute(&format!("REASSIGN OWNED BY {owner} TO postgres; DROP OWNED BY {owner}; DROP ROLE {owner}"));
            let schema = format!("tenant_{}", tenant.replace('-', "_"));
            let hint = format!(
                "CREATE ROLE \"{owner}\" NOLOGIN; ALTER TABLE \"{schema}\".\"refinery_schema_history\" OWNER TO \"{owner}\""
            );
            fleet.try_apply().ends(1).says("it belongs to \"postgres\"").says(&hint);
            fleet.execute(&hint);
            fleet.applies_and_settles();
            fleet.declare("");
            fleet.run(&["apply", "-y", "--allow-removals", "1"]).ends(0);
        }
    }
}

#[test]
fn objects_made_by_the_admin_by_hand_get_the_owner_and_the_privileges() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "owner_objects");
        fleet.declare("ob-one = { access = \"readonly\" }");
        fleet.applies_and_settles();
        fleet.execute(
            "SET search_path = tenant_ob_one; CREATE TABLE hand (id serial PRIMARY KEY); CREATE VIEW hand_v AS SELECT * FROM hand; \
             CREATE TYPE hand_t AS ENUM ('a'); CREATE FUNCTION hand_f() RETURNS int LANGUAGE sql AS 'SELECT 1'; \
             CREATE MATERIALIZED VIEW hand_m AS SELECT 1 AS n; CREATE SEQUENCE hand_s; CREATE STATISTICS hand_st ON (id % 2) FROM hand",
        );
        fleet.run(&["plan", "--detailed-exitcode"]).ends(2);
        fleet.applies_and_settles();
        let sql = "SELECT count(*), (SELECT hand_f()) FROM hand, hand_m, hand_v";
        assert_eq!(ask(&mut fleet.log_in("ob-one"), sql), "0, 1");
        assert_eq!(
            fleet.ask(
                "SELECT DISTINCT relowner::regrole FROM pg_class WHERE relnamespace = 'tenant_ob_one'::regnamespace"
            ),
            "ob_one_owner"
        );
    }
}

#[test]
fn powers_memberships_and_grants_given_by_hand_are_taken_back() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "by_hand");
        fleet.declare("bh-one = {}\nbh-two = {}");
        fleet.applies_and_settles();
        let database = &fleet.database.name;
        for drift in [
            "ALTER ROLE bh_one_user CREATEDB CREATEROLE BYPASSRLS NOINHERIT VALID UNTIL '2030-01-01'",
            "ALTER ROLE bh_one_owner LOGIN",
            "GRANT bh_one_owner TO bh_one_user",
            "GRANT bh_two_user TO bh_one_user",
            "GRANT pg_read_all_data TO bh_one_user",
            "GRANT USAGE ON SCHEMA tenant_bh_two TO bh_one_user",
            "GRANT SELECT ON ALL TABLES IN SCHEMA tenant_bh_two TO PUBLIC",
            "GRANT ALL ON SCHEMA tenant_bh_one TO PUBLIC",
            "REVOKE SELECT ON tenant_bh_one.users FROM bh_one_user",
            "GRANT ALL ON tenant_bh_one.refinery_schema_history TO bh_one_user",
            "GRANT TRIGGER ON tenant_bh_one.users TO bh_one_user",
            "ALTER DEFAULT PRIVILEGES FOR ROLE bh_one_owner IN SCHEMA tenant_bh_one GRANT ALL ON TABLES TO PUBLIC",
            "ALTER DEFAULT PRIVILEGES FOR ROLE bh_one_owner IN SCHEMA tenant_bh_one REVOKE SELECT ON TABLES FROM bh_one_user",
            "ALTER SCHEMA tenant_bh_one OWNER TO bh_one_user",
            "ALTER TABLE tenant_bh_one.refinery_schema_history OWNER TO postgres; ALTER TABLE tenant_bh_one.refinery_schema_history OWNER TO bh_one_owner; \
             GRANT CREATE ON SCHEMA public TO PUBLIC",
            &format!("GRANT TEMPORARY ON DATABASE {database} TO PUBLIC"),
            &format!("REVOKE CONNECT ON DATABASE {database} FROM PUBLIC"),
            &format!("REVOKE tenantry_{database}_tenants FROM bh_one_user"),
        ] {
            fleet.execute(drift);
            assert_eq!(fleet.run(&["plan", "--detailed-exitcode"]).code, 2, "{drift}");
            fleet.applies_and_settles();
        }
    }
}

#[test]
fn a_password_changed_by_hand_is_found_out_by_verify() {
    let fleet = Fleet::usual(BOTH[0], "pw_by_hand");
    fleet.declare("ph-one = {}");
    fleet.applies_and_settles();
    fleet.execute("ALTER ROLE ph_one_user PASSWORD 'another'");
    fleet.run(&["verify"]).ends(2).says("password authentication failed");
}

#[test]
fn a_schema_dropped_by_hand_is_made_again_empty_and_the_plan_says_so() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "dropped_schema");
        fleet.declare("ds-one = {}\nds-own = { access = \"owner\" }\nds-ro = { access = \"readonly\" }");
        fleet.applies_and_settles();
        fleet.execute(
            "DROP SCHEMA tenant_ds_one CASCADE; DROP SCHEMA tenant_ds_own CASCADE; DROP SCHEMA tenant_ds_ro CASCADE",
        );
        fleet.run(&["plan", "--detailed-exitcode"]).ends(2).says("is gone");
        fleet.applies_and_settles();
        assert_eq!(ask(&mut fleet.log_in("ds-one"), "SELECT count(*) FROM users"), "0");
    }
}
