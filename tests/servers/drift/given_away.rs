//! What the migrations made stays theirs, whoever is made its owner; what a tenant made itself stays the tenant's.

use crate::fleet::{Admin, BOTH, Fleet};

const MORE: &str = "CREATE TABLE tasks (id serial PRIMARY KEY, title text);
    CREATE MATERIALIZED VIEW seen AS SELECT count(*) FROM tasks;
    CREATE DOMAIN short AS text CHECK (length(VALUE) < 9);
    CREATE FUNCTION f(a int, b short[]) RETURNS int LANGUAGE sql AS 'SELECT 1';
    CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, FUNCTION = int4eq);
    CREATE COLLATION co FROM \"C\";
    CREATE TABLE parts (id int) PARTITION BY RANGE (id);
    CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (9);
";

/// Each kind of what the migrations made, and what a plan calls it.
const THINGS: &[&str] = &[
    "TABLE users",
    "TABLE busy",
    "SEQUENCE tickets",
    "TYPE mood",
    "FUNCTION user_count()",
    "TABLE tasks",
    "MATERIALIZED VIEW seen",
    "DOMAIN short",
    "FUNCTION f(int, short[])",
    "OPERATOR ===(int, int)",
    "COLLATION co",
    "TABLE parts_1",
];

const OWN: &str = "CREATE TABLE mine (id serial); CREATE VIEW own AS SELECT * FROM mine; CREATE FUNCTION g() RETURNS int LANGUAGE sql AS 'SELECT 1'; \
    CREATE TYPE own_type AS ENUM ('a')";

fn fleet(admin: Admin, version: crate::postgres_server::Version, name: &str) -> (Fleet, String) {
    let mut fleet = Fleet::under(admin, version, name);
    let prefix = fleet.database.name.replace('_', "");
    fleet.head.push_str(&format!("username = \"{prefix}_{{tenant}}_user\"\nowner = \"{prefix}_{{tenant}}_owner\"\n"));
    fleet.migration("V3__more.sql", MORE);
    (fleet, prefix)
}

fn give(fleet: &Fleet, schema: &str, thing: &str, to: &str) {
    fleet.execute(&format!("SET search_path = {schema}; ALTER {thing} OWNER TO {to}"));
}

/// Of everything in the schema but indexes and what hangs on others: kind, name, owner.
fn owners(fleet: &Fleet, schema: &str) -> String {
    fleet.ask(&format!(
        "SELECT c.relname, c.relowner::regrole FROM pg_class c WHERE c.relnamespace = '{schema}'::regnamespace AND c.relkind <> 'i' \
         UNION ALL SELECT p.proname, p.proowner::regrole FROM pg_proc p WHERE p.pronamespace = '{schema}'::regnamespace \
         UNION ALL SELECT t.typname, t.typowner::regrole FROM pg_type t WHERE t.typnamespace = '{schema}'::regnamespace \
         UNION ALL SELECT o.oprname, o.oprowner::regrole FROM pg_operator o WHERE o.oprnamespace = '{schema}'::regnamespace \
         UNION ALL SELECT o.collname, o.collowner::regrole FROM pg_collation o WHERE o.collnamespace = '{schema}'::regnamespace ORDER BY 1, 2"
    ))
}

#[test]
fn what_the_migrations_made_and_somebody_gave_to_the_username_comes_back() {
    for version in BOTH {
        for admin in [Admin::Superuser, Admin::Createrole] {
            let (fleet, prefix) = fleet(admin, version, "given");
            fleet.declare("one = {}\ntwo = {}\nrw = { access = \"readwrite\" }");
            fleet.applies_and_settles();
            for tenant in ["one", "two"] {
                fleet.log_in(tenant).batch_execute(OWN).unwrap();
            }
            fleet.run(&["drift"]).ends(0);
            let before = owners(&fleet, "tenant_one");
            let user = format!("{prefix}_one_user");
            for thing in THINGS {
                give(&fleet, "tenant_one", thing, &user);
            }
            give(&fleet, "tenant_rw", "TABLE tasks", &format!("{prefix}_rw_user"));
            let says = format!("owner {user} → owner {prefix}_one_owner");
            fleet.run(&["drift"]).ends(2).says("14 objects").says(&says).says(&format!("owner {prefix}_rw_user →"));
            if admin == Admin::Superuser {
                fleet
                    .run(&["drift", "--deep"])
                    .ends(2)
                    .says(&format!("tasks: owner is {user}, not {prefix}_one_owner"));
                fleet.run(&["show", "one", "--shape"]).ends(0);
            }
            // The migrations have the right to it again, in the transaction that heals.
            fleet.migration("V4__late.sql", "ALTER TABLE users ADD COLUMN late int; CREATE TABLE later (n int);");
            fleet.applies_and_settles();
            let after = owners(&fleet, "tenant_one");
            let of_v4 = |line: &&str| !line.starts_with("later, ") && !line.starts_with("_later, ");
            assert_eq!(after.split("; ").filter(of_v4).collect::<Vec<_>>(), before.split("; ").collect::<Vec<_>>());
            fleet.run(&["drift", "--deep"]).ends(0).says("mine");
            // What came with an upgrade is known as well.
            give(&fleet, "tenant_two", "TABLE later", &format!("{prefix}_two_user"));
            fleet.run(&["drift"]).ends(2).says("later").says(&format!("owner {prefix}_two_user → "));
            fleet.applies_and_settles();
        }
    }
}

#[test]
fn a_fleet_of_an_older_version_learns_at_its_next_apply_what_the_migrations_made() {
    for version in BOTH {
        let (fleet, prefix) = fleet(Admin::Superuser, version, "older");
        fleet
            .migration("V4__late.sql", "-- tenantry: no-transaction\nCREATE INDEX CONCURRENTLY late ON tasks (title);");
        fleet.declare("one = {}\ntwo = {}");
        fleet.applies_and_settles();
        fleet.log_in("one").batch_execute(OWN).unwrap();
        fleet.unmark(&["one", "two"]);
        fleet.execute(
            "DROP TABLE tenantry.migration_objects, tenantry.migration_sets, tenantry.apply_lock; DELETE FROM tenantry.refinery_schema_history WHERE version >= 5",
        );
        fleet.run(&["plan", "--detailed-exitcode"]).ends(2).says("pending upgrades: 9");
        let older =
            "tenantry's own tables have version 4, as an older tenantry left them, and this one needs version 13";
        for args in [&["rotate", "--all", "-y"][..], &["archive", "one"], &["recover"]] {
            fleet.run(args).ends(1).says(older).says(": tenantry apply");
        }
        fleet.applies_and_settles();
        give(&fleet, "tenant_one", "TABLE tasks", &format!("{prefix}_one_user"));
        fleet.run(&["drift"]).ends(2).says("tasks").says(&format!("owner {prefix}_one_user → "));
        fleet.applies_and_settles();
        assert_eq!(
            fleet.ask("SELECT relowner::regrole FROM pg_class WHERE oid = 'tenant_one.mine'::regclass"),
            format!("{prefix}_one_user")
        );
    }
}
