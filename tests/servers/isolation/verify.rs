//! `verify` finds what was opened by hand, on the database as it is.

use crate::fleet::{BOTH, Fleet};

#[test]
fn verify_names_each_thing_that_was_opened() {
    for version in BOTH {
        let mut fleet = Fleet::usual(version, "opened");
        fleet.head.insert_str(0, "[database]\nshared_schemas = [\"extensions\"]\n");
        fleet.declare("vf-one = {}\nvf-two = {}");
        fleet.applies_and_settles();
        let inherit = if fleet.ask("SELECT current_setting('server_version_num')::int >= 160000") == "t" {
            "GRANT vf_two_user TO vf_one_user WITH INHERIT FALSE"
        } else {
            "ALTER ROLE vf_one_user NOINHERIT; GRANT vf_two_user TO vf_one_user; \
             GRANT CONNECT ON DATABASE {db} TO vf_one_user; GRANT USAGE ON SCHEMA extensions TO vf_one_user"
        };
        for (open, close, says) in [
            (
                inherit,
                "REVOKE vf_two_user FROM vf_one_user; ALTER ROLE vf_one_user INHERIT",
                "it is a member of vf_two_user",
            ),
            (
                "GRANT pg_execute_server_program TO vf_one_user",
                "REVOKE pg_execute_server_program FROM vf_one_user",
                "may not run a program on the server",
            ),
            (
                "GRANT EXECUTE ON FUNCTION pg_catalog.pg_read_file(text) TO vf_one_user",
                "REVOKE EXECUTE ON FUNCTION pg_catalog.pg_read_file(text) FROM vf_one_user",
                "may not read a file on the server",
            ),
            (
                "GRANT CREATE ON SCHEMA extensions TO vf_one_user",
                "REVOKE CREATE ON SCHEMA extensions FROM vf_one_user",
                "may not create in shared schema extensions",
            ),
            (
                "ALTER DATABASE {db} SET lo_compat_privileges = on",
                "ALTER DATABASE {db} RESET lo_compat_privileges",
                "lo_compat_privileges is on",
            ),
            (
                "REVOKE ALL ON SCHEMA tenant_vf_one FROM vf_one_owner",
                "GRANT ALL ON SCHEMA tenant_vf_one TO vf_one_owner",
                "vf_one_owner lacks USAGE, CREATE on schema",
            ),
            (
                "REVOKE USAGE ON SCHEMA tenant_vf_one FROM vf_one_owner",
                "GRANT USAGE ON SCHEMA tenant_vf_one TO vf_one_owner",
                "vf_one_owner lacks USAGE on schema",
            ),
            (
                "ALTER ROLE vf_one_user SET session_replication_role = replica",
                "ALTER ROLE vf_one_user RESET session_replication_role",
                "session_replication_role is replica",
            ),
        ] {
            fleet.execute(&open.replace("{db}", &fleet.database.name));
            fleet.run(&["verify"]).ends(2).says("vf-one").says(says);
            fleet.execute(&close.replace("{db}", &fleet.database.name));
            fleet.run(&["verify"]).ends(0);
        }
    }
}

#[test]
fn verify_that_meets_locks_costs_no_application_its_transaction() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "verify_deadlock");
        fleet.declare("vd-one = {}");
        fleet.apply();
        let has = "ALTER VIEW tenant_vd_one.busy SET (security_barrier = false)";
        let wants = "LOCK TABLE tenant_vd_one.projects IN ACCESS EXCLUSIVE MODE";
        fleet.costs_no_application_its_transaction(&["verify"], "", [has, wants]).ends(0);
    }
}
