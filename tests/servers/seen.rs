//! Whatever somebody changed by hand is seen, named, and put right: one change at a time, on real servers.

use crate::fleet::{BOTH, Fleet};
use crate::postgres_server::Version;

/// A change by hand, and the words by which a plan tells of it.
struct Drift {
    by_hand: String,
    words: Vec<String>,
    /// The first version it exists in.
    since: i32,
}

fn drift(by_hand: &str, words: &[&str]) -> Drift {
    Drift { by_hand: by_hand.into(), words: words.iter().map(|word| (*word).into()).collect(), since: 0 }
}

fn since(version: i32, by_hand: &str, words: &[&str]) -> Drift {
    Drift { since: version, ..drift(by_hand, words) }
}

/// Each is planned in its words, healed by apply, and leaves nothing to do.
fn each_is_seen_and_healed(fleet: &Fleet, drifts: &[Drift]) {
    let major: i32 = fleet.ask("SHOW server_version_num").parse::<i32>().unwrap() / 10_000;
    for Drift { by_hand, words, .. } in drifts.iter().filter(|drift| drift.since <= major) {
        fleet.execute(by_hand);
        let mut plan = fleet.run(&["drift"]);
        assert_eq!(plan.code, 2, "{by_hand}\n{}\n{}", plan.stdout, plan.stderr);
        for words in words {
            plan = plan.says(words);
        }
        fleet.apply();
        let after = fleet.run(&["drift", "-v"]);
        assert_eq!(after.code, 0, "after {by_hand}\n{}", after.stdout);
    }
    fleet.settled();
}

fn fleet_of(version: Version, name: &str) -> Fleet {
    let mut fleet = Fleet::usual(version, name);
    fleet.head.insert_str(0, &format!("[database]\nshared_schemas = [\"{name}_shared\"]\n"));
    fleet
}

#[test]
fn grants_of_every_kind_are_seen_and_taken_back() {
    for version in BOTH {
        let fleet = fleet_of(version, "grants");
        fleet.declare("gr-one = {}\ngr-ro = { access = \"readonly\" }\ngr-own = { access = \"owner\" }");
        fleet.execute("CREATE ROLE gr_intruder; CREATE ROLE gr_friend");
        fleet.applies_and_settles();
        let on = |schema: &str| format!("SET search_path = tenant_{schema};");
        let (one, ro, own) = (on("gr_one"), on("gr_ro"), on("gr_own"));
        each_is_seen_and_healed(
            &fleet,
            &[
                drift(&format!("{one} GRANT SELECT ON users TO gr_intruder"), &["gr_intruder: SELECT"]),
                drift(&format!("{one} GRANT SELECT ON busy TO gr_intruder"), &["gr_intruder: SELECT"]),
                drift(&format!("{one} GRANT USAGE ON SEQUENCE tickets TO PUBLIC"), &["PUBLIC: USAGE"]),
                drift(
                    &format!("{one} GRANT EXECUTE ON FUNCTION user_count() TO gr_intruder"),
                    &["gr_intruder: EXECUTE"],
                ),
                drift(&format!("{one} GRANT USAGE ON TYPE mood TO gr_intruder"), &["gr_intruder: USAGE"]),
                drift(
                    &format!("{one} GRANT SELECT (email) ON users TO gr_intruder"),
                    &["gr_intruder: SELECT on column email of"],
                ),
                drift(
                    &format!("{one} GRANT SELECT (email), UPDATE (id) ON users TO PUBLIC"),
                    &["PUBLIC: SELECT on column email", "UPDATE on column id"],
                ),
                drift(
                    &format!("{ro} GRANT UPDATE (email) ON users TO gr_ro_user"),
                    &["gr_ro_user: UPDATE on column email"],
                ),
                drift(
                    &format!("{own} GRANT SELECT (email) ON users TO gr_intruder"),
                    &["gr_intruder: SELECT on column email"],
                ),
                drift(
                    &format!("{one} GRANT UPDATE (checksum) ON refinery_schema_history TO gr_one_user"),
                    &["gr_one_user: UPDATE on column checksum"],
                ),
                // The option to pass on, and what was passed on.
                drift(
                    &format!("{one} GRANT SELECT ON users TO gr_one_user WITH GRANT OPTION"),
                    &["SELECT WITH GRANT OPTION"],
                ),
                drift(
                    &format!(
                        "{one} GRANT SELECT ON users TO gr_one_user WITH GRANT OPTION; SET ROLE gr_one_user; GRANT SELECT ON users TO gr_friend; GRANT SELECT (email) ON users TO gr_intruder; RESET ROLE"
                    ),
                    &[
                        "gr_friend: SELECT granted by gr_one_user",
                        "gr_intruder: SELECT granted by gr_one_user on column email",
                    ],
                ),
                // The option was on the table, and is gone; the grant on the column is still there.
                drift(
                    &format!(
                        "{one} GRANT USAGE ON SCHEMA tenant_gr_one TO gr_intruder; GRANT SELECT ON users TO gr_intruder WITH GRANT OPTION; SET ROLE gr_intruder; GRANT SELECT (email) ON tenant_gr_one.users TO gr_friend; RESET ROLE; REVOKE ALL ON users FROM gr_intruder CASCADE"
                    ),
                    &["gr_friend: SELECT granted by gr_intruder on column email"],
                ),
                drift(
                    &format!(
                        "{one} GRANT USAGE ON SCHEMA tenant_gr_one TO gr_intruder; GRANT UPDATE ON refinery_schema_history TO gr_intruder WITH GRANT OPTION; SET ROLE gr_intruder; GRANT UPDATE ON refinery_schema_history TO gr_one_user; GRANT UPDATE (name) ON refinery_schema_history TO gr_friend"
                    ),
                    &["UPDATE granted by gr_intruder", "gr_friend: UPDATE granted by gr_intruder on column name"],
                ),
                drift(
                    "GRANT USAGE ON SCHEMA tenant_gr_one TO gr_intruder WITH GRANT OPTION; SET ROLE gr_intruder; GRANT USAGE ON SCHEMA tenant_gr_one TO PUBLIC",
                    &["PUBLIC: USAGE granted by gr_intruder", "gr_intruder: USAGE WITH GRANT OPTION"],
                ),
                drift(
                    "GRANT CREATE ON SCHEMA tenant_gr_one TO gr_one_user WITH GRANT OPTION",
                    &["CREATE WITH GRANT OPTION"],
                ),
                // What the tenant holds from somebody else only.
                drift(
                    &format!(
                        "{one} REVOKE SELECT ON users FROM gr_one_user; GRANT USAGE ON SCHEMA tenant_gr_one TO gr_intruder; GRANT SELECT ON users TO gr_intruder WITH GRANT OPTION; SET ROLE gr_intruder; GRANT SELECT ON users TO gr_one_user"
                    ),
                    &["SELECT granted by gr_intruder"],
                ),
            ],
        );
    }
}

#[test]
fn default_privileges_of_every_kind_are_seen_and_taken_back() {
    for version in BOTH {
        let fleet = fleet_of(version, "defaults");
        fleet.declare("df-one = {}\ndf-own = { access = \"owner\" }");
        fleet.execute("CREATE ROLE df_intruder; CREATE ROLE df_maker");
        fleet.applies_and_settles();
        let default = |of: &str, what: &str| format!("ALTER DEFAULT PRIVILEGES FOR ROLE {of} {what}");
        each_is_seen_and_healed(
            &fleet,
            &[
                drift(
                    &default("df_one_owner", "GRANT SELECT ON TABLES TO df_intruder"),
                    &["future tables of df_one_owner in every schema", "df_intruder: SELECT"],
                ),
                drift(
                    &default("df_own_user", "GRANT ALL ON SEQUENCES TO PUBLIC"),
                    &["future sequences of df_own_user in every schema", "PUBLIC: "],
                ),
                drift(
                    &default("df_one_owner", "GRANT ALL ON SCHEMAS TO df_one_user"),
                    &["future schemas of df_one_owner in every schema"],
                ),
                drift(
                    &default("df_one_owner", "REVOKE SELECT ON TABLES FROM df_one_owner"),
                    &["future tables of df_one_owner in every schema"],
                ),
                drift(
                    &default("df_one_owner", "GRANT EXECUTE ON FUNCTIONS TO df_one_user WITH GRANT OPTION"),
                    &["EXECUTE WITH GRANT OPTION"],
                ),
                since(
                    18,
                    &default("df_one_owner", "GRANT SELECT ON LARGE OBJECTS TO df_intruder"),
                    &["future large objects of df_one_owner"],
                ),
                drift(
                    &default(
                        "df_one_owner",
                        "IN SCHEMA tenant_df_one GRANT SELECT ON TABLES TO df_one_user WITH GRANT OPTION",
                    ),
                    &["SELECT WITH GRANT OPTION"],
                ),
                drift(
                    &default("df_maker", "IN SCHEMA tenant_df_one GRANT SELECT ON TABLES TO df_intruder"),
                    &["future tables of df_maker", "df_intruder: SELECT"],
                ),
                drift(
                    &default("df_maker", "GRANT SELECT ON TABLES TO df_one_user"),
                    &["future tables of df_maker in every schema", "df_one_user: SELECT"],
                ),
                drift(
                    &default("df_maker", "IN SCHEMA defaults_shared GRANT SELECT ON TABLES TO df_one_user"),
                    &["future tables of df_maker in defaults_shared", "df_one_user: SELECT"],
                ),
            ],
        );
        // Less for PUBLIC is no harm, and what a tenant sets for its own objects is its own affair.
        fleet.execute(&default("df_one_owner", "REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC"));
        fleet.execute(&default("df_one_user", "GRANT SELECT ON TABLES TO df_own_user"));
        fleet.execute(&default("df_one_user", "IN SCHEMA tenant_df_one GRANT SELECT ON TABLES TO df_own_user"));
        fleet.settled();
    }
}

#[test]
fn what_a_tenant_was_given_elsewhere_is_seen_and_taken_back() {
    for version in BOTH {
        let fleet = fleet_of(version, "elsewhere");
        fleet.declare("el-one = {}\nel-two = {}");
        let database = fleet.database.name.clone();
        fleet.execute(
            "CREATE ROLE el_bob; CREATE SCHEMA el_other; GRANT USAGE ON SCHEMA el_other TO el_bob; CREATE TABLE el_other.t (a int, b int); CREATE VIEW el_other.v AS SELECT 1 AS n;
             CREATE MATERIALIZED VIEW el_other.m AS SELECT 1 AS n; CREATE SEQUENCE el_other.s; CREATE FUNCTION el_other.f(int) RETURNS int LANGUAGE sql AS 'SELECT 1';
             CREATE PROCEDURE el_other.p() LANGUAGE sql AS 'SELECT 1'; CREATE AGGREGATE el_other.a(int) (SFUNC = int4pl, STYPE = int); CREATE TYPE el_other.e AS ENUM ('x'); CREATE DOMAIN el_other.d AS int;
             CREATE FOREIGN DATA WRAPPER el_fdw; CREATE SERVER el_server FOREIGN DATA WRAPPER el_fdw; CREATE FOREIGN TABLE el_other.ft (a int) SERVER el_server",
        );
        fleet.applies_and_settles();
        let grant = |what: &str, words: &str| drift(&format!("GRANT {what} TO el_one_user"), &[words, "el_one_user: "]);
        let mut drifts = vec![
            grant("SELECT ON el_other.t", "table el_other.t"),
            grant("SELECT (b) ON el_other.t", "column b of table el_other.t"),
            grant("SELECT ON el_other.v", "view el_other.v"),
            grant("SELECT ON el_other.m", "materialized view el_other.m"),
            grant("SELECT ON el_other.ft", "foreign table el_other.ft"),
            grant("USAGE ON SEQUENCE el_other.s", "sequence el_other.s"),
            grant("EXECUTE ON FUNCTION el_other.f(int)", "function el_other.f(integer)"),
            grant("EXECUTE ON PROCEDURE el_other.p()", "procedure el_other.p()"),
            grant("EXECUTE ON FUNCTION el_other.a(int)", "aggregate el_other.a(integer)"),
            grant("USAGE ON TYPE el_other.e", "type el_other.e"),
            grant("USAGE ON DOMAIN el_other.d", "type el_other.d"),
            grant("USAGE ON SCHEMA el_other", "schema el_other"),
            grant("CREATE ON SCHEMA elsewhere_shared", "schema elsewhere_shared"),
            grant("CREATE ON SCHEMA public", "schema public"),
            grant(&format!("CREATE ON DATABASE {database}"), "database elsewhere"),
            grant(&format!("TEMPORARY ON DATABASE {database}"), "database elsewhere"),
            grant(&format!("CONNECT ON DATABASE {database}"), "database elsewhere"),
            grant("CONNECT ON DATABASE postgres", "database postgres"),
            grant("USAGE ON FOREIGN DATA WRAPPER el_fdw", "foreign-data wrapper el_fdw"),
            grant("USAGE ON FOREIGN SERVER el_server", "server el_server"),
            grant("USAGE ON LANGUAGE sql", "language sql"),
            grant("CREATE ON TABLESPACE pg_default", "tablespace pg_default"),
            grant("EXECUTE ON FUNCTION pg_catalog.pg_read_file(text)", "function pg_catalog.pg_read_file"),
            since(15, "GRANT SET ON PARAMETER log_statement TO el_one_owner", &["parameter ACL log_statement"]),
            drift(
                "GRANT SELECT ON el_other.t TO el_bob WITH GRANT OPTION; SET ROLE el_bob; GRANT SELECT ON el_other.t TO el_one_user",
                &["SELECT, granted by el_bob"],
            ),
        ];
        drifts.push(drift("GRANT SELECT ON tenant_el_two.users TO el_one_owner", &["el_one_owner: SELECT"]));
        each_is_seen_and_healed(&fleet, &drifts);
        // What it owns is told, and never dropped.
        fleet.execute("CREATE TABLE el_other.gift (a int); ALTER TABLE el_other.gift OWNER TO el_one_user");
        fleet.run(&["drift"]).ends(0).says("el-one: role el_one_user  owns table el_other.gift");
        fleet.log_in("el-one").batch_execute("SELECT lo_create(0)").unwrap();
        fleet.execute("DROP TABLE el_other.gift");
        fleet.settled();
    }
}

#[test]
fn what_the_group_role_was_given_is_seen_and_taken_back() {
    for version in BOTH {
        let mut fleet = fleet_of(version, "everyone");
        fleet.declare("ev-one = {}\nev-two = {}");
        let group = format!("tenantry_{}_tenants", fleet.database.name);
        fleet.execute("CREATE ROLE ev_stranger; CREATE ROLE ev_other; CREATE TABLE public.ev_secrets (a int)");
        fleet.head = fleet.head.replacen("[database]\n", "[database]\npublic_schema = \"keep\"\n", 1);
        fleet.declare("ev-one = {}\nev-two = {}");
        fleet.apply();
        fleet.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC");
        fleet.execute(&format!("REVOKE TEMPORARY ON DATABASE {} FROM PUBLIC", fleet.database.name));
        let by = |by_hand: &str, words: &[&str]| drift(&by_hand.replace("GROUP", &group), words);
        each_is_seen_and_healed(
            &fleet,
            &[
                by("ALTER ROLE GROUP LOGIN CREATEDB", &["LOGIN, CREATEDB → NOLOGIN, NOCREATEDB"]),
                by("ALTER ROLE GROUP SUPERUSER", &["SUPERUSER → NOSUPERUSER"]),
                by("GRANT pg_read_all_data TO GROUP", &["member of pg_read_all_data, and every tenant with it"]),
                by("GRANT GROUP TO ev_stranger", &["role ev_stranger, which is no tenant's: member of"]),
                by("GRANT GROUP TO ev_one_user WITH ADMIN OPTION", &["WITH ADMIN OPTION"]),
                by(
                    "GRANT GROUP TO ev_one_user WITH ADMIN OPTION; SET ROLE ev_one_user; GRANT GROUP TO ev_stranger",
                    &["role ev_stranger, which is no tenant's"],
                ),
                by("GRANT SELECT ON public.ev_secrets TO GROUP", &["table public.ev_secrets", "SELECT → none"]),
                by("GRANT USAGE ON SCHEMA public TO GROUP", &["schema public"]),
                by("GRANT CREATE ON SCHEMA everyone_shared TO GROUP", &["schema everyone_shared", "CREATE → USAGE"]),
                by(&format!("GRANT CREATE ON DATABASE {} TO GROUP", fleet.database.name), &["CREATE → CONNECT"]),
                by("REVOKE GROUP FROM ev_one_user", &["role ev_one_user  member of"]),
                since(
                    16,
                    &format!("REVOKE {group} FROM ev_one_user; GRANT {group} TO ev_one_user WITH INHERIT FALSE"),
                    &["without INHERIT"],
                ),
                by(
                    "GRANT pg_monitor TO ev_other WITH ADMIN OPTION; SET ROLE ev_other; GRANT pg_monitor TO ev_one_user",
                    &["member of pg_monitor"],
                ),
                by(
                    "GRANT ev_one_owner TO ev_other WITH ADMIN OPTION; SET ROLE ev_other; GRANT ev_one_owner TO ev_stranger",
                    &["role ev_stranger", "member of ev_one_owner"],
                ),
            ],
        );
        // What the tenants share is shared by whoever shares it, until the schema is no longer shared.
        fleet.execute(&format!(
            "CREATE TABLE everyone_shared.codes (a int); GRANT SELECT ON everyone_shared.codes TO {group}"
        ));
        fleet.settled();
        fleet.head = fleet.head.replace("everyone_shared", "everyone_else");
        fleet.declare("ev-one = {}\nev-two = {}");
        fleet
            .run(&["plan"])
            .ends(0)
            .says("schema everyone_shared")
            .says("USAGE → none")
            .says("table everyone_shared.codes");
        fleet.applies_and_settles();
        let left = format!("SELECT has_schema_privilege('{group}', 'everyone_shared', 'USAGE')");
        assert_eq!(fleet.ask(&left), "f");
    }
}

#[test]
fn attributes_settings_and_owners_are_seen_one_by_one() {
    for version in BOTH {
        let fleet = fleet_of(version, "attributes");
        fleet.declare("at-one = { settings = { work_mem = \"8MB\" } }\nat-two = {}");
        fleet.execute("CREATE ROLE at_other; CREATE FOREIGN DATA WRAPPER at_fdw; CREATE SERVER at_server FOREIGN DATA WRAPPER at_fdw");
        fleet.applies_and_settles();
        let database = &fleet.database.name;
        let role = |what: &str, words: &str| drift(&format!("ALTER ROLE at_one_user {what}"), &[words]);
        let owner = |what: &str, words: &str| drift(&format!("ALTER ROLE at_one_owner {what}"), &[words]);
        let inside =
            |sql: &str, words: &str| drift(&format!("SET search_path = tenant_at_one; {sql}"), &[words, "owner "]);
        each_is_seen_and_healed(
            &fleet,
            &[
                role("SUPERUSER", "SUPERUSER → NOSUPERUSER"),
                role("CREATEDB", "CREATEDB → NOCREATEDB"),
                role("CREATEROLE", "CREATEROLE → NOCREATEROLE"),
                role("REPLICATION", "REPLICATION → NOREPLICATION"),
                role("BYPASSRLS", "BYPASSRLS → NOBYPASSRLS"),
                role("NOINHERIT", "NOINHERIT → INHERIT"),
                role("CONNECTION LIMIT 3", "connection limit 3"),
                role("VALID UNTIL '2031-01-01'", "valid until 2031-01-01"),
                role("NOLOGIN", "NOLOGIN → LOGIN"),
                owner("LOGIN", "LOGIN → NOLOGIN"),
                owner("CREATEROLE NOINHERIT", "CREATEROLE, NOINHERIT"),
                role("SET work_mem = '1GB'", "setting work_mem  1GB → 8MB"),
                role("RESET work_mem", "setting work_mem  8MB"),
                role("SET jit = off", "setting jit  off"),
                role("SET search_path = public", "setting search_path"),
                drift(
                    &format!("ALTER ROLE at_one_user IN DATABASE {database} SET jit = off"),
                    &["setting jit in this database  off"],
                ),
                drift("GRANT at_two_owner TO at_one_user", &["role at_one_user  member of at_two_owner"]),
                drift("GRANT at_one_user TO at_other", &["role at_other  member of at_one_user"]),
                drift("ALTER SCHEMA tenant_at_one OWNER TO at_other", &["schema tenant_at_one  owner at_other"]),
                drift("DROP SCHEMA attributes_shared", &["schema attributes_shared"]),
                inside("CREATE TABLE t ()", "t  owner postgres"),
                inside("CREATE VIEW v AS SELECT 1 AS n; ALTER VIEW v OWNER TO at_other", "v  owner at_other"),
                inside("CREATE MATERIALIZED VIEW m AS SELECT 1 AS n", "m  owner postgres"),
                inside("CREATE FOREIGN TABLE ft (a int) SERVER at_server", "ft  owner postgres"),
                inside("CREATE SEQUENCE s", "s  owner postgres"),
                inside("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "f()  owner postgres"),
                inside("CREATE PROCEDURE p() LANGUAGE sql AS 'SELECT 1'", "p()  owner postgres"),
                inside("CREATE AGGREGATE a(int) (SFUNC = int4pl, STYPE = int)", "a()  owner postgres"),
                inside("CREATE DOMAIN d AS int", "d  owner postgres"),
                inside("CREATE COLLATION c FROM \"C\"", "c  owner postgres"),
                inside("CREATE OPERATOR = (FUNCTION = int4eq, LEFTARG = int, RIGHTARG = int)", "=  owner postgres"),
                inside(
                    "CREATE OPERATOR FAMILY of USING btree; ALTER OPERATOR FAMILY of USING btree OWNER TO at_other",
                    "of  owner at_other",
                ),
                inside(
                    "CREATE OPERATOR CLASS oc FOR TYPE int USING hash AS FUNCTION 1 hashint4(int)",
                    "owner postgres",
                ),
                inside("CREATE CONVERSION cv FOR 'UTF8' TO 'LATIN1' FROM utf8_to_iso8859_1", "cv  owner postgres"),
                inside("CREATE TEXT SEARCH DICTIONARY td (TEMPLATE = simple)", "td  owner postgres"),
                inside("CREATE TEXT SEARCH CONFIGURATION tc (COPY = simple)", "tc  owner postgres"),
                inside("CREATE STATISTICS st ON (id % 2) FROM users", "st  owner postgres"),
            ],
        );
    }
}

#[test]
fn additive_mode_keeps_what_was_added_and_adds_what_is_missing() {
    for version in BOTH {
        let mut fleet = fleet_of(version, "additive");
        fleet.head.push_str("mode = \"additive\"\n");
        fleet.declare("ad-one = {}\nad-two = {}");
        fleet.execute("CREATE ROLE ad_reports");
        fleet.applies_and_settles();
        let extras = "GRANT USAGE ON SCHEMA tenant_ad_one TO ad_reports; GRANT SELECT ON ALL TABLES IN SCHEMA tenant_ad_one TO ad_reports; \
            GRANT SELECT (email) ON tenant_ad_two.users TO ad_reports; GRANT pg_monitor TO ad_one_user; ALTER ROLE ad_one_user CREATEDB SET work_mem = '1GB'";
        let extras = extras.replace(" SET work_mem", "; ALTER ROLE ad_one_user SET work_mem");
        fleet.execute(&extras);
        for format in ["text", "markdown", "json"] {
            let drift = fleet.run(&["drift", "--format", format]).ends(0);
            for words in ["ad_reports: USAGE", "member of pg", "CREATEDB", "ad_reports: SELECT on column email"] {
                let words = if format == "markdown" { words.replace('_', "\\_") } else { words.to_owned() };
                assert!(drift.stdout.contains(&words), "{format}: {words}\n{}", drift.stdout);
            }
        }
        fleet.run(&["show", "ad-one"]).ends(0).says("note: schema tenant_ad_one  ad_reports: USAGE");
        fleet.execute(
            "REVOKE SELECT ON tenant_ad_one.users FROM ad_one_user; GRANT UPDATE ON tenant_ad_one.refinery_schema_history TO ad_reports; \
             ALTER ROLE ad_one_user SET search_path = public; ALTER ROLE ad_one_user NOINHERIT",
        );
        fleet.run(&["drift"]).ends(2);
        fleet.apply();
        fleet.run(&["drift"]).ends(0);
        let held = "SELECT has_table_privilege('ad_reports', 'tenant_ad_one.users', 'SELECT'), has_table_privilege('ad_one_user', 'tenant_ad_one.users', 'SELECT'), \
            has_table_privilege('ad_reports', 'tenant_ad_one.refinery_schema_history', 'SELECT'), has_table_privilege('ad_reports', 'tenant_ad_one.refinery_schema_history', 'UPDATE'), \
            has_column_privilege('ad_reports', 'tenant_ad_two.users', 'email', 'SELECT'), pg_has_role('ad_one_user', 'pg_monitor', 'MEMBER'), rolcreatedb, rolinherit \
            FROM pg_roles WHERE rolname = 'ad_one_user'";
        assert_eq!(fleet.ask(held), "t, t, t, f, t, t, t, t");
        // What the former access gave goes with it, and what others were given stays.
        fleet.declare("ad-one = { access = \"readonly\" }\nad-two = {}");
        fleet.apply();
        fleet.run(&["drift"]).ends(0);
        let held = "SELECT has_table_privilege('ad_reports', 'tenant_ad_one.users', 'SELECT'), has_table_privilege('ad_one_user', 'tenant_ad_one.users', 'INSERT')";
        assert_eq!(fleet.ask(held), "t, f");
        fleet.head = fleet.head.replace("additive\"\n", "authoritative\"\n");
        fleet.declare("ad-one = {}\nad-two = {}");
        fleet.applies_and_settles();
        assert_eq!(fleet.ask("SELECT has_table_privilege('ad_reports', 'tenant_ad_one.users', 'SELECT')"), "f");
    }
}
