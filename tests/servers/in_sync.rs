//! No false alarm: what apply left is what a plan wants to see, whatever is declared and whatever goes on since.
mod elsewhere;
mod standby;

use crate::fleet::{Admin, BOTH, Fleet};

mod superuser {
    use super::{Admin, elsewhere};

    #[test]
    fn every_option_is_in_sync_after_apply_vacuum_full_and_analyze() {
        super::every_option(Admin::Superuser);
    }

    #[test]
    fn what_tenants_make_is_no_drift() {
        super::what_tenants_make(Admin::Superuser);
    }

    #[test]
    fn a_dump_restored_into_a_new_cluster_is_in_sync() {
        elsewhere::restored(Admin::Superuser);
    }
}

mod createrole {
    use super::{Admin, elsewhere};

    #[test]
    fn every_option_is_in_sync_after_apply_vacuum_full_and_analyze() {
        super::every_option(Admin::Createrole);
    }

    #[test]
    fn what_tenants_make_is_no_drift() {
        super::what_tenants_make(Admin::Createrole);
    }

    #[test]
    fn a_dump_restored_into_a_new_cluster_is_in_sync() {
        elsewhere::restored(Admin::Createrole);
    }
}

/// Every key of a tenant, and every access.
const OPTIONS: &str = r#"
xxx-plain = {}
xxx-owner = { access = "owner" }
xxx-rw = { access = "readwrite" }
xxx-ro = { access = "readonly" }
xxx-limit = { connection_limit = 7 }
xxx-none = { connection_limit = 0, access = "readonly" }
xxx-set = { settings = { statement_timeout = "30s", work_mem = "16384kB", maintenance_work_mem = 65536, jit = false, random_page_cost = 1.10 } }
xxx-units = { access = "owner", settings = { WORK_MEM = "0.5GB", idle_session_timeout = "1d", lock_timeout = "1500ms", vacuum_cost_delay = "2.5" } }
xxx-lists = { settings = { temp_tablespaces = "pg_default, \"pg_default\"", DateStyle = "ISO, DMY", TimeZone = "Europe/Berlin" } }
xxx-empty = { settings = { temp_tablespaces = "", application_name = "" } }
xxx-quotes = { settings = { application_name = "a, b = 'c' \\ \"d\"", "app.plan" = "it's \"gold\" \\o/ é", "App.Other" = " spaced " } }
xxx-names = { schema = "We\"ird xxx", username = "we'ird xxx\\", owner = "Select xxx", access = "full" }
xxx-utf = { schema = "schéma—xxx", username = "пользователь xxx", access = "owner" }
xxx-long = { schema = "sxxx01234567890123456789012345678901234567890123456789012345678", username = "uxxx01234567890123456789012345678901234567890123456789012345678" }
xxx-given = { password_from = "it's \"given\" 100% €" }
xxx-kept = { protected = true, on_remove = "retain" }
xxx-arch = { on_remove = "archive", access = "readonly" }
xxx-share-1 = { owner = "xxx shared", access = "readwrite" }
xxx-share-2 = { owner = "xxx shared", access = "readonly" }
xxx-share-3 = { owner = "xxx shared", access = "full" }
"#;

fn every_option(admin: Admin) {
    for version in BOTH {
        let mut fleet = Fleet::under(admin, version, "options");
        // Roles are the cluster's, and two tests share it.
        let prefix = if admin == Admin::Superuser { "sup" } else { "crr" };
        let mut options = OPTIONS.replace("xxx", prefix);
        let port = fleet.database.server.port();
        fleet.head = format!(
            "[database]\npublic_schema = \"keep\"\nshared_schemas = [\"lookup\", \"Other one\"]\nextensions = [\"pg_trgm\"]\n\
             advertise = {{ host = \"localhost\", port = {port} }}\n[defaults]\non_remove = \"drop\"\n"
        );
        let before = fleet.memberships(admin);
        if admin == Admin::Createrole {
            // Parameters that no module has defined are for a superuser to set, or for who was granted it.
            match version.major() {
                14 => {
                    options = options.replace(
                        "\"app.plan\" = \"it's \\\"gold\\\" \\\\o/ é\", \"App.Other\" = \" spaced \"",
                        "jit = true",
                    )
                }
                _ => {
                    fleet.execute(&format!("GRANT SET ON PARAMETER app.plan, app.other TO {}", fleet.admin_name(admin)))
                }
            }
        }
        fleet.declare(&options);
        fleet.apply();
        in_sync(&fleet, admin, &before);
        fleet.execute("VACUUM FULL");
        fleet.execute("ANALYZE");
        fleet.execute("REINDEX SCHEMA pg_catalog");
        in_sync(&fleet, admin, &before);
        fleet.migration("V3__more.sql", "CREATE TABLE more (id serial PRIMARY KEY, at timestamptz) PARTITION BY RANGE (id);\nCREATE TABLE more_1 PARTITION OF more FOR VALUES FROM (0) TO (9);\nCREATE MATERIALIZED VIEW seen AS SELECT count(*) FROM users;\nCREATE DOMAIN short AS text CHECK (length(VALUE) < 9);\nCREATE TYPE span AS RANGE (subtype = int);\nCREATE TYPE pair AS (a int, b int);\nCREATE PROCEDURE tidy() LANGUAGE sql AS 'DELETE FROM users WHERE false';\nCREATE AGGREGATE top (int) (sfunc = int4larger, stype = int);\nCREATE STATISTICS st ON id, owner FROM projects;\nCREATE INDEX ON users (lower(email));");
        fleet.apply();
        in_sync(&fleet, admin, &before);
        // What stays of a tenant that is retained is nobody's drift either.
        fleet.declare(&options.replace("protected = true", "protected = false"));
        fleet.apply();
        let without = options.lines().filter(|line| !line.contains("-kept = "));
        fleet.declare(&without.collect::<Vec<_>>().join("\n"));
        fleet.run(&["apply", "-y", "--allow-removals", "1"]).ends(0);
        in_sync(&fleet, admin, &before);
        fleet.execute("VACUUM FULL");
        in_sync(&fleet, admin, &before);
    }
}

/// Plan and drift say nothing, and the admin holds what it held.
#[track_caller]
fn in_sync(fleet: &Fleet, admin: Admin, memberships: &str) {
    fleet.run(&["plan", "--detailed-exitcode", "-v"]).ends(0);
    fleet.run(&["drift"]).ends(0);
    assert_eq!(fleet.memberships(admin), memberships, "memberships");
}

/// What a tenant that may CREATE does in its schema, with the rights it has.
const OWN: &str = "
CREATE TABLE mine (id serial PRIMARY KEY, n int GENERATED ALWAYS AS (1) STORED, user_id bigint REFERENCES users, t tsvector);
CREATE TABLE parts (id bigint GENERATED BY DEFAULT AS IDENTITY, at date) PARTITION BY RANGE (at);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE TABLE child () INHERITS (mine);
CREATE UNLOGGED TABLE fast (id int) WITH (fillfactor = 50);
CREATE TEMP TABLE scratch (id int);
CREATE TEMP SEQUENCE counted;
CREATE VIEW v AS SELECT * FROM users;
CREATE MATERIALIZED VIEW m AS SELECT count(*) FROM users;
CREATE SEQUENCE own_seq;
CREATE TYPE e AS ENUM ('a', 'b');
CREATE TYPE c AS (a int, b text);
CREATE TYPE r AS RANGE (subtype = date);
CREATE DOMAIN d AS int CHECK (VALUE > 0);
CREATE FUNCTION f(int) RETURNS int LANGUAGE sql AS 'SELECT $1';
CREATE FUNCTION f(text) RETURNS text SECURITY DEFINER LANGUAGE plpgsql AS 'BEGIN RETURN $1; END';
CREATE PROCEDURE p() LANGUAGE plpgsql AS 'BEGIN END';
CREATE AGGREGATE agg (int) (sfunc = int4larger, stype = int);
CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, FUNCTION = int4eq);
CREATE COLLATION co FROM \"C\";
CREATE TEXT SEARCH CONFIGURATION ts (COPY = english);
CREATE STATISTICS st ON id, user_id FROM mine;
CREATE INDEX ON mine (f(id)) WHERE id > 0;
CREATE FUNCTION tr() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER t BEFORE INSERT ON mine FOR EACH ROW EXECUTE FUNCTION tr();
CREATE RULE ru AS ON DELETE TO fast DO INSTEAD NOTHING;
ALTER TABLE mine ENABLE ROW LEVEL SECURITY;
CREATE POLICY po ON mine USING (true);
COMMENT ON TABLE mine IS 'ours';
INSERT INTO users (email) VALUES ('a@example.org');
REFRESH MATERIALIZED VIEW m;
SELECT lo_create(0), nextval('own_seq'), nextval('tickets');
";

/// Granted on its own things, to whom it likes.
const OWN_GRANTS: &str = "
GRANT SELECT ON mine TO PUBLIC;
GRANT SELECT (id), UPDATE (id) ON mine TO reader WITH GRANT OPTION;
GRANT ALL ON v, parts TO reader;
GRANT USAGE ON SEQUENCE own_seq TO PUBLIC;
REVOKE EXECUTE ON FUNCTION f(int) FROM PUBLIC;
REVOKE USAGE ON TYPE e FROM PUBLIC;
REVOKE ALL ON m FROM CURRENT_USER;
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO reader;
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
CREATE TABLE later (id int);
CREATE FUNCTION later() RETURNS int LANGUAGE sql AS 'SELECT 1';
";

fn what_tenants_make(admin: Admin) {
    for version in BOTH {
        let mut fleet = Fleet::under(admin, version, "making");
        let before = fleet.memberships(admin);
        let reader = format!("{}_reader", fleet.database.name);
        fleet.execute(&format!("CREATE ROLE {reader}"));
        let mk = format!("mk{}", &fleet.database.name["making_".len()..]);
        fleet.head.push_str(&format!("username = \"{{tenant}} {mk} u\"\nowner = \"{{tenant}} {mk} o\"\n"));
        fleet.declare("mk-full = {}\nmk-own = { access = \"owner\" }\nmk-rw = { access = \"readwrite\" }");
        fleet.apply();
        in_sync(&fleet, admin, &before);
        let mut sessions: Vec<_> =
            ["mk-full", "mk-own"].into_iter().map(|tenant| (tenant, fleet.log_in(tenant))).collect();
        for (tenant, session) in &mut sessions {
            session.batch_execute(OWN).unwrap_or_else(|error| panic!("{tenant}: {error:?}"));
            // With access "owner" all is the owner's, and what is declared is all there is.
            if *tenant == "mk-full" {
                session
                    .batch_execute(&OWN_GRANTS.replace("reader", &reader))
                    .unwrap_or_else(|error| panic!("{error:?}"));
            }
        }
        fleet
            .log_in("mk-rw")
            .batch_execute("INSERT INTO users (email) VALUES ('b'); CREATE TEMP TABLE t (id int)")
            .unwrap();
        // With the sessions, and their temporary tables, still there; and without.
        in_sync(&fleet, admin, &before);
        drop(sessions);
        in_sync(&fleet, admin, &before);
        fleet.execute("VACUUM FULL");
        fleet.execute("ANALYZE");
        in_sync(&fleet, admin, &before);
        fleet.run(&["verify"]).ends(0);
        // And a migration, which makes a plan look at all of it again.
        fleet.migration("V3__more.sql", "CREATE TABLE more (id int);");
        fleet.declare(
            "mk-full = { connection_limit = 9 }\nmk-own = { access = \"owner\" }\nmk-rw = { access = \"readwrite\" }",
        );
        fleet.apply();
        in_sync(&fleet, admin, &before);
    }
}
