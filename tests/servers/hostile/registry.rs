//! The registry says what is altered and dropped: nobody but tenantry writes to it, and nobody's code runs when it does.

use crate::fleet::{Admin, BOTH, Fleet, refused};

/// The admin's own rights on everything it makes, opened by a DBA for tables of another kind.
const OPEN_BY_DEFAULT: &str =
    "ALTER DEFAULT PRIVILEGES FOR ROLE {admin} GRANT SELECT, INSERT, UPDATE, DELETE, TRIGGER ON TABLES TO PUBLIC;
    ALTER DEFAULT PRIVILEGES FOR ROLE {admin} GRANT ALL ON SCHEMAS TO PUBLIC;
    ALTER DEFAULT PRIVILEGES FOR ROLE {admin} GRANT ALL ON SEQUENCES TO PUBLIC;
    ALTER DEFAULT PRIVILEGES FOR ROLE {admin} GRANT ALL ON TABLES TO {stranger} WITH GRANT OPTION";

const BY_HAND: &str =
    "GRANT USAGE, CREATE ON SCHEMA tenantry TO PUBLIC; GRANT ALL ON ALL TABLES IN SCHEMA tenantry TO PUBLIC";

const EVIL: &str = "CREATE FUNCTION evil() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN IF (SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user) THEN EXECUTE 'ALTER ROLE ' || session_user || ' CONNECTION LIMIT 3';
       EXECUTE 'ALTER ROLE {user} CREATEDB'; END IF; RETURN NEW; END $$;
    GRANT EXECUTE ON FUNCTION evil() TO PUBLIC;
    CREATE TRIGGER t BEFORE INSERT OR UPDATE ON tenantry.tenants FOR EACH ROW EXECUTE FUNCTION evil()";

const ADMINS: [Admin; 2] = [Admin::Superuser, Admin::Createrole];

/// Roles are the cluster's: each test names its tenants with its database.
fn fleet(admin: Admin, version: crate::postgres_server::Version, name: &str) -> (Fleet, String) {
    let mut fleet = Fleet::under(admin, version, name);
    let prefix = fleet.database.name.replace('_', "");
    fleet.head.push_str(&format!("username = \"{prefix}_{{tenant}}_user\"\nowner = \"{prefix}_{{tenant}}_owner\"\n"));
    fleet.execute(&format!("CREATE ROLE {prefix}_stranger"));
    (fleet, prefix)
}

fn drift(fleet: &Fleet, code: i32) -> crate::fleet::Run {
    fleet.run(&["drift", "-v"]).ends(code)
}

#[test]
fn default_privileges_do_not_open_the_registry_nor_a_shared_schema() {
    for version in BOTH {
        for admin in ADMINS {
            let (mut fleet, prefix) = fleet(admin, version, "opened");
            let sql = OPEN_BY_DEFAULT.replace("{admin}", &fleet.admin_name(admin));
            fleet.execute(&sql.replace("{stranger}", &format!("{prefix}_stranger")));
            fleet.head = fleet.head.replace("[database]\n", "[database]\nshared_schemas = [\"lookup\"]\n");
            fleet.declare("one = {}");
            fleet.applies_and_settles();
            drift(&fleet, 0);
            let mut tenant = fleet.log_in("one");
            for sql in ["SELECT FROM tenantry.tenants", "CREATE TABLE lookup.t (n int)"] {
                assert_eq!(refused(&mut tenant, sql), "42501", "{sql}");
            }
            assert_eq!(fleet.ask("SELECT x.privilege_type FROM pg_class c, aclexplode(c.relacl) x WHERE c.relnamespace = 'tenantry'::regnamespace AND x.grantee = 0"), "");
            // SELECT is what a role that only looks has; never more, nor to be passed on.
            let stranger = fleet.ask(&format!(
                "SELECT DISTINCT x.privilege_type, x.is_grantable FROM pg_class c, aclexplode(c.relacl) x \
                 WHERE c.relnamespace = 'tenantry'::regnamespace AND x.grantee = '{prefix}_stranger'::regrole"
            ));
            assert_eq!(stranger, "SELECT, f");
        }
    }
}

#[test]
fn a_registry_opened_by_hand_is_drift_and_apply_closes_it() {
    for version in BOTH {
        for admin in ADMINS {
            let (fleet, prefix) = fleet(admin, version, "byhand");
            fleet.declare("one = {}\ntwo = {}");
            fleet.applies_and_settles();
            fleet.execute(BY_HAND);
            drift(&fleet, 2).says("schema tenantry: PUBLIC: USAGE, CREATE → PUBLIC: none");
            fleet.applies_and_settles();
            // A role that only looks may.
            fleet.execute(&format!(
                "CREATE ROLE {prefix}_reader; GRANT USAGE ON SCHEMA tenantry TO {prefix}_reader; GRANT SELECT ON ALL TABLES IN SCHEMA tenantry TO {prefix}_reader;
                 ALTER DEFAULT PRIVILEGES FOR ROLE {} IN SCHEMA tenantry GRANT SELECT ON TABLES TO {prefix}_reader",
                fleet.admin_name(admin)
            ));
            drift(&fleet, 0);
            let user = format!("{prefix}_one_user");
            let mut wanted = Vec::new();
            for (sql, says) in [
                (
                    "GRANT SELECT ON tenantry.identity TO {user}",
                    "table tenantry.identity: {user}: SELECT → {user}: none",
                ),
                (
                    "GRANT SELECT (tenant) ON tenantry.tenants TO {user}",
                    "column tenant of tenantry.tenants: {user}: SELECT → {user}: none",
                ),
                (
                    "GRANT UPDATE (state) ON tenantry.tenants TO {stranger}",
                    "column state of tenantry.tenants: {stranger}: UPDATE",
                ),
                (
                    "GRANT USAGE ON SCHEMA tenantry TO {stranger} WITH GRANT OPTION",
                    "schema tenantry: {stranger}: USAGE WITH GRANT OPTION → {stranger}: USAGE",
                ),
                (
                    "GRANT INSERT ON tenantry.audit_log TO {stranger}",
                    "table tenantry.audit_log: {stranger}: INSERT → {stranger}: none",
                ),
                (
                    "GRANT USAGE ON SEQUENCE tenantry.audit_log_id_seq TO {group}",
                    "sequence tenantry.audit_log_id_seq: {group}: USAGE",
                ),
                (
                    "ALTER DEFAULT PRIVILEGES FOR ROLE {admin} IN SCHEMA tenantry GRANT INSERT ON TABLES TO PUBLIC",
                    "future tables of {admin} in tenantry: PUBLIC: INSERT → none",
                ),
            ] {
                let fill = |text: &str| {
                    let group = tenantry::plan::group_role(&fleet.database.name);
                    let stranger = format!("{prefix}_stranger");
                    text.replace("{user}", &user)
                        .replace("{stranger}", &stranger)
                        .replace("{group}", &group)
                        .replace("{admin}", &fleet.admin_name(admin))
                };
                fleet.execute(&fill(sql));
                wanted.push(fill(says));
            }
            wanted.iter().fold(drift(&fleet, 2), |drift, says| drift.says(says));
            fleet.apply();
            drift(&fleet, 0);
            // The reader still may.
            assert_eq!(
                fleet.ask(&format!("SELECT has_table_privilege('{prefix}_reader', 'tenantry.tenants', 'SELECT')")),
                "t"
            );
        }
    }
}

#[test]
fn a_tenants_trigger_on_the_registry_gains_nothing_and_apply_takes_it_away() {
    for version in BOTH {
        for admin in ADMINS {
            let (fleet, prefix) = fleet(admin, version, "planted");
            fleet.declare("one = {}\ntwo = {}");
            fleet.applies_and_settles();
            fleet.execute(BY_HAND);
            let user = format!("{prefix}_one_user");
            fleet.log_in("one").batch_execute(&EVIL.replace("{user}", &user)).unwrap();
            // Closing the schema would leave the trigger.
            fleet.execute(
                "REVOKE ALL ON SCHEMA tenantry FROM PUBLIC; REVOKE ALL ON ALL TABLES IN SCHEMA tenantry FROM PUBLIC",
            );
            for command in [["rotate", "-y", "one"].as_slice(), &["rotate", "-y", "--all"], &["archive", "one"]] {
                fleet
                    .run(command)
                    .ends(1)
                    .says("trigger t on tenantry.tenants does not belong to tenantry")
                    .says("tenantry apply removes it");
            }
            drift(&fleet, 2)
                .says("trigger t on tenantry.tenants, which is not tenantry's → removed")
                .says("DROP TRIGGER t ON tenantry.tenants");
            fleet.applies_and_settles();
            fleet.run(&["rotate", "-y", "one"]).ends(0);
            fleet.settled();
            assert_eq!(
                fleet.ask(&format!("SELECT rolcreatedb, rolconnlimit FROM pg_roles WHERE rolname = '{user}'")),
                "f, -1"
            );
        }
    }
}

#[test]
fn whatever_acts_on_the_registrys_tables_is_drift_and_apply_takes_it_away() {
    for version in BOTH {
        for admin in ADMINS {
            let (fleet, _) = fleet(admin, version, "acting");
            fleet.declare("one = {}");
            fleet.applies_and_settles();
            fleet.execute("CREATE SCHEMA dba; CREATE FUNCTION dba.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'");
            let admin_name = fleet.admin_name(admin);
            let at_once = [
                ("CREATE RULE r AS ON UPDATE TO tenantry.tenants DO INSTEAD NOTHING", "rule r on tenantry.tenants"),
                (
                    "CREATE TRIGGER \"it's\" AFTER INSERT ON tenantry.audit_log EXECUTE FUNCTION dba.f()",
                    "on tenantry.audit_log, which is not",
                ),
                (
                    "CREATE POLICY p ON tenantry.tenants USING (true); ALTER TABLE tenantry.tenants ENABLE ROW LEVEL SECURITY",
                    "policy p on tenantry.tenants",
                ),
                ("ALTER TABLE tenantry.identity ENABLE ROW LEVEL SECURITY", "row security of tenantry.identity"),
                (
                    "CREATE TABLE dba.child () INHERITS (tenantry.former_owners); ALTER TABLE dba.child OWNER TO {admin}",
                    "table dba.child, which inherits from",
                ),
                (
                    "CREATE TABLE dba.refers (t text REFERENCES tenantry.tenants); ALTER TABLE dba.refers OWNER TO {admin}",
                    "foreign key refers_t_fkey of dba.refers",
                ),
                (
                    "ALTER TABLE tenantry.audit_log DISABLE TRIGGER append_only",
                    "trigger append_only on tenantry.audit_log: disabled → as tenantry created it",
                ),
            ];
            let one_by_one = [
                ("DROP TRIGGER append_only ON tenantry.audit_log", "trigger append_only on tenantry.audit_log: gone"),
                (
                    "CREATE OR REPLACE FUNCTION tenantry.refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
                    "keeps the audit log append-only: replaced",
                ),
                ("DROP FUNCTION tenantry.refuse_change() CASCADE", "keeps the audit log append-only: replaced"),
            ];
            fleet.execute("GRANT USAGE ON SCHEMA dba TO PUBLIC");
            for changes in std::iter::once(at_once.as_slice()).chain(one_by_one.chunks(1)) {
                changes.iter().for_each(|(sql, _)| fleet.execute(&sql.replace("{admin}", &admin_name)));
                changes.iter().fold(drift(&fleet, 2), |drift, (_, says)| drift.says(says));
                fleet.apply();
                drift(&fleet, 0);
                assert_eq!(refused(&mut fleet.database.client(), "DELETE FROM tenantry.audit_log"), "42501");
            }
            // What no statement of ours takes away is left to a person, and nothing is written meanwhile.
            fleet.execute("CREATE FUNCTION dba.code() RETURNS bool LANGUAGE sql AS 'SELECT true'; ALTER TABLE tenantry.tenants ADD CHECK (dba.code())");
            fleet.run(&["plan"]).ends(0).says("function dba.code(), which constraint").says("hazard registry_open");
            fleet.declare("one = { connection_limit = 5 }");
            fleet.try_apply().ends(1).says("nothing was changed");
            fleet.run(&["rotate", "-y", "one"]).ends(1).says("nothing was changed");
            fleet.execute("DROP SCHEMA dba CASCADE");
            fleet.applies_and_settles();
        }
    }
}

#[test]
fn a_tenants_table_in_the_registrys_schema_keeps_nobody_out() {
    for version in BOTH {
        for admin in ADMINS {
            let (fleet, prefix) = fleet(admin, version, "stranger");
            fleet.declare("one = {}");
            fleet.applies_and_settles();
            fleet.execute(BY_HAND);
            fleet.log_in("one").batch_execute("CREATE TABLE tenantry.mine (n int); CREATE FUNCTION tenantry.f() RETURNS int LANGUAGE sql AS 'SELECT 1'").unwrap();
            let says = format!("table tenantry.mine of {prefix}_one_user");
            drift(&fleet, 2).says(&says);
            fleet.applies_and_settles();
            fleet.run(&["list"]).ends(0);
            fleet.run(&["plan"]).ends(0).says(&says).says("left unchanged");
            fleet.run(&["rotate", "-y", "one"]).ends(0);
            // A registry table given to a tenant is not healed: what it holds may be the tenant's.
            fleet.execute(&format!("ALTER TABLE tenantry.former_owners OWNER TO {prefix}_one_user"));
            fleet
                .run(&["plan"])
                .ends(1)
                .says("nothing in it is trusted")
                .says("ALTER TABLE tenantry.former_owners OWNER TO");
            fleet.execute(&format!(
                "ALTER TABLE tenantry.former_owners OWNER TO {}; DROP TABLE tenantry.mine; DROP FUNCTION tenantry.f()",
                fleet.admin_name(admin)
            ));
            fleet.settled();
            drift(&fleet, 0);
        }
    }
}

#[test]
fn a_shared_schema_that_tenants_may_make_things_in_is_closed() {
    for version in BOTH {
        for admin in ADMINS {
            let (mut fleet, _) = fleet(admin, version, "lookup");
            fleet.head = fleet.head.replace("[database]\n", "[database]\nshared_schemas = [\"lookup\", \"theirs\"]\n");
            fleet.execute(&format!("CREATE SCHEMA theirs; GRANT ALL ON SCHEMA theirs TO PUBLIC; GRANT USAGE ON SCHEMA theirs TO {} WITH GRANT OPTION", fleet.admin_name(admin)));
            fleet.declare("one = {}");
            fleet.apply();
            if admin == Admin::Createrole {
                fleet
                    .run(&["plan"])
                    .ends(0)
                    .says("hazard shared_schema_open")
                    .says("postgres can: REVOKE CREATE ON SCHEMA \"theirs\" FROM PUBLIC");
                fleet.execute("REVOKE CREATE ON SCHEMA theirs FROM PUBLIC");
            }
            fleet.settled();
            fleet.execute("GRANT CREATE ON SCHEMA lookup TO PUBLIC");
            drift(&fleet, 2).says("schema lookup, shared by the tenants: PUBLIC: CREATE → PUBLIC: none");
            fleet.applies_and_settles();
            drift(&fleet, 0);
        }
    }
}
