//! Tenants that a table of the database names.

use crate::fleet::{Admin, BOTH, Fleet};

const TABLE: &str = "CREATE SCHEMA crm; CREATE TYPE crm.plan AS ENUM ('free', 'pro'); \
    CREATE TABLE crm.customers (slug text PRIMARY KEY, plan crm.plan, active boolean NOT NULL DEFAULT true, settings jsonb, connections int)";

/// The fleet with a table of customers, and a query over it.
fn fleet(admin: Admin, version: crate::postgres_server::Version, name: &str) -> Fleet {
    let mut fleet = Fleet::under(admin, version, name);
    fleet.execute(TABLE);
    if admin == Admin::Createrole {
        let admin = fleet.admin_name(admin);
        fleet.execute(&format!(
            "GRANT USAGE ON SCHEMA crm TO \"{admin}\"; GRANT SELECT ON crm.customers TO \"{admin}\""
        ));
    }
    asks(
        &mut fleet,
        "SELECT slug AS tenant, plan AS class, settings, connections AS connection_limit FROM crm.customers WHERE active",
    );
    fleet
}

fn asks(fleet: &mut Fleet, query: &str) {
    let head = fleet.head.split("[classes.free]").next().unwrap().to_owned();
    fleet.head =
        format!("{head}[classes.free]\nconnection_limit = 2\n[classes.pro]\n[source]\nquery = '''{query}'''\n");
}

#[test]
fn its_rows_are_tenants_as_those_of_the_file_and_who_is_gone_is_removed_like_any() {
    for version in BOTH {
        for (admin, p) in [(Admin::Superuser, "qs"), (Admin::Createrole, "qc")] {
            let fleet = fleet(admin, version, p);
            fleet.declare(&format!("{p}-file = {{}}"));
            fleet.execute(&format!(
                "INSERT INTO crm.customers VALUES ('{p}-one', 'free', true, '{{\"work_mem\": \"3MB\"}}', NULL), ('{p}-two', NULL, true, NULL, 7), ('{p}-off', 'pro', false, NULL, NULL)"
            ));
            fleet.run(&["validate"]).ends(0).says("[source]");
            fleet.applies_and_settles();
            let limits = format!(
                "SELECT rolname, rolconnlimit, rolconfig::text LIKE '%3MB%' FROM pg_roles WHERE rolname LIKE '{p}%user' ORDER BY 1"
            );
            assert_eq!(fleet.ask(&limits), format!("{p}_file_user, -1, f; {p}_one_user, 2, t; {p}_two_user, 7, f"));
            fleet.log_in(&format!("{p}-one")).batch_execute("SELECT FROM users").unwrap();
            let list = fleet.run(&["list", "--format", "json"]).ends(0).json();
            assert_eq!((&list[0]["declared"], &list[1]["declared"]), (&"file".into(), &"source".into()));
            fleet.run(&["verify"]).ends(0);
            let one = format!("{p}-one");
            fleet.run(&["rotate", "-y", &one]).ends(0).says("1 applied");
            fleet.run(&["show", &one]).ends(0).says("of class free");
            fleet.run(&["apply", "-y", "--target", &one]).ends(0);

            // A saved plan is of these rows.
            fleet.execute(&format!("INSERT INTO crm.customers VALUES ('{p}-new')"));
            fleet.run(&["plan", "--out", "saved.plan"]).ends(0).says("1 to create");
            fleet.execute("UPDATE crm.customers SET connections = 3 WHERE slug LIKE '%-new'");
            fleet.run(&["apply", "-y", "saved.plan"]).ends(1).says("stale");
            fleet.applies_and_settles();

            fleet.execute("DELETE FROM crm.customers");
            fleet.run(&["plan"]).ends(0).says("source_rows").says("returned 0 rows").says("3 to remove");
            fleet.try_apply().ends(1).says("--allow-removals 3");
            fleet.run(&["apply", "-y", "--allow-removals", "3"]).ends(0);
            fleet.settled();
        }
    }
}

#[test]
fn a_query_that_fails_or_rows_that_make_no_sense_remove_nobody() {
    let mut fleet = fleet(Admin::Superuser, BOTH[0], "life_bad");
    fleet.declare("qb-file = {}");
    fleet.execute("INSERT INTO crm.customers VALUES ('qb-one')");
    fleet.applies_and_settles();
    for (query, says) in [
        ("SELECT slug AS tenant FROM crm.nothing", "42P01"),
        ("SELECT slug FROM crm.customers", "has no column \"tenant\""),
        ("SELECT slug AS tenant, plan AS clas FROM crm.customers", "has a column \"clas\""),
        ("SELECT slug AS tenant, 'x' AS password_from FROM crm.customers", "has a column \"password_from\""),
        ("SELECT slug AS tenant, now() AS class FROM crm.customers", "is of type timestamp"),
        (
            "SELECT slug AS tenant FROM crm.customers UNION ALL SELECT slug FROM crm.customers",
            "are of the same tenant: \"qb-one\"",
        ),
        ("SELECT 'qb-file'::text AS tenant", "is declared twice, also in tenants.toml, line"),
        ("SELECT 'Not a key'::text AS tenant", "\"Not a key\""),
        ("SELECT NULL::text AS tenant", "row 1 of [source] query: its tenant is not text"),
        ("SELECT slug AS tenant, 'pr0' AS class FROM crm.customers", "did you mean \"pro\"?"),
        ("SELECT slug AS tenant, true AS protected FROM crm.customers; DROP TABLE crm.customers", "42601"),
        ("DELETE FROM crm.customers RETURNING slug AS tenant", "42601"),
        ("WITH gone AS (DELETE FROM crm.customers RETURNING slug) SELECT slug AS tenant FROM gone", "0A000"),
        (
            "SELECT slug AS tenant FROM crm.customers WHERE pg_sleep(0) IS NOT NULL AND 1 / (random() * 0)::int = 1",
            "22012",
        ),
    ] {
        asks(&mut fleet, query);
        fleet.declare("qb-file = {}");
        for command in [["plan"].as_slice(), &["apply", "-y", "--allow-removals", "9"], &["drift"]] {
            fleet.run(command).ends(1).says(says);
        }
    }
    assert_eq!(fleet.ask("SELECT count(*) FROM tenantry.tenants WHERE state = 'active'"), "2");
    assert_eq!(fleet.ask("SELECT count(*) FROM crm.customers"), "1");
}

#[test]
fn nothing_that_a_tenant_can_write_or_make_decides_who_is_a_tenant() {
    for version in BOTH {
        let mut fleet = fleet(Admin::Superuser, version, "life_hostile");
        fleet.declare("qh-file = {}");
        fleet.execute("INSERT INTO crm.customers (slug) VALUES ('qh-one')");
        fleet.applies_and_settles();
        let refused = |fleet: &Fleet, says: &str| {
            fleet.run(&["plan"]).ends(1).says(says);
            fleet.run(&["apply", "-y", "--allow-removals", "9"]).ends(1).says(says);
        };
        for (made, says, undone) in [
            ("GRANT INSERT ON crm.customers TO PUBLIC", "FROM PUBLIC;", "REVOKE ALL ON crm.customers FROM PUBLIC"),
            (
                "GRANT UPDATE (plan) ON crm.customers TO qh_file_user",
                "FROM \"qh_file_user\";",
                "REVOKE ALL ON crm.customers FROM qh_file_user",
            ),
            (
                "CREATE ROLE qh_app; GRANT DELETE ON crm.customers TO qh_app; GRANT qh_app TO qh_one_owner",
                "(so qh_one_owner may) may write to it",
                "REVOKE ALL ON crm.customers FROM qh_app; DROP ROLE qh_app",
            ),
            (
                "ALTER TABLE crm.customers OWNER TO qh_file_owner",
                "role qh_file_owner owns it",
                "ALTER TABLE crm.customers OWNER TO postgres",
            ),
            (
                "ALTER SCHEMA crm OWNER TO qh_file_owner",
                "role qh_file_owner owns it or its schema",
                "ALTER SCHEMA crm OWNER TO postgres",
            ),
            (
                "CREATE TABLE crm.more () INHERITS (crm.customers); GRANT INSERT ON crm.more TO qh_file_user",
                "crm.more",
                "DROP TABLE crm.more",
            ),
        ] {
            fleet.execute(made);
            refused(&fleet, says);
            fleet.execute(undone);
            fleet.settled();
        }
        // Code of somebody else's: not even planned, as an immutable function would be called for that.
        fleet.execute(
            "CREATE TABLE public.ridden (who text); \
             CREATE FUNCTION tenant_qh_one.f() RETURNS text IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.ridden VALUES (current_user); RETURN 'qh-one'; END $$; \
             CREATE VIEW tenant_qh_one.v AS SELECT tenant_qh_one.f() AS slug; \
             CREATE DOMAIN tenant_qh_one.d AS text CHECK (tenant_qh_one.f() = 'qh-one'); CREATE VIEW crm.w AS SELECT * FROM tenant_qh_one.v",
        );
        for query in [
            "SELECT tenant_qh_one.f() AS tenant",
            "SELECT slug AS tenant FROM tenant_qh_one.v",
            "SELECT slug AS tenant FROM crm.w",
            "SELECT slug::tenant_qh_one.d AS tenant FROM crm.customers",
        ] {
            asks(&mut fleet, query);
            fleet.declare("qh-file = {}");
            refused(&fleet, "which is none of PostgreSQL's own");
        }
        assert_eq!(fleet.ask("SELECT count(*) FROM public.ridden"), "0");
        // A policy that hides rows is no removal.
        fleet.execute(
            "DROP TABLE public.ridden; ALTER TABLE crm.customers ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
        );
        asks(&mut fleet, "SELECT slug AS tenant FROM crm.customers");
        fleet.declare("qh-file = {}");
        fleet.run(&["plan"]).ends(0);
    }
}
