//! Settings of the admin's role and of the database that say otherwise than a session of ours needs.

use crate::fleet::{Admin, BOTH, Fleet, ask, refused};
use crate::postgres_server::Version;

const REMOVE: [&str; 4] = ["apply", "-y", "--allow-removals", "9"];

/// Each the other way round. The first version that knows it; only a superuser may set it.
const HOSTILE: [(&str, &str, u32, bool); 43] = [
    ("default_transaction_isolation", "serializable", 14, false),
    ("default_transaction_read_only", "on", 14, false),
    ("default_transaction_deferrable", "on", 14, false),
    ("search_path", "pg_temp, public", 14, false),
    ("statement_timeout", "900ms", 14, false),
    ("lock_timeout", "1ms", 14, false),
    ("idle_in_transaction_session_timeout", "700ms", 14, false),
    ("idle_session_timeout", "700ms", 14, false),
    ("transaction_timeout", "900ms", 17, false),
    ("DateStyle", "SQL, DMY", 14, false),
    ("IntervalStyle", "sql_standard", 14, false),
    ("TimeZone", "Asia/Tokyo", 14, false),
    ("bytea_output", "escape", 14, false),
    ("standard_conforming_strings", "off", 14, false),
    ("client_encoding", "LATIN1", 14, false),
    ("client_min_messages", "debug1", 14, false),
    ("row_security", "off", 14, false),
    ("check_function_bodies", "off", 14, false),
    ("default_table_access_method", "another_heap", 14, false),
    ("xmloption", "document", 14, false),
    ("xmlbinary", "hex", 14, false),
    ("extra_float_digits", "-5", 14, false),
    ("backslash_quote", "off", 14, false),
    ("array_nulls", "off", 14, false),
    ("transform_null_equals", "on", 14, false),
    ("quote_all_identifiers", "on", 14, false),
    ("synchronous_commit", "off", 14, false),
    ("createrole_self_grant", "set, inherit", 16, false),
    ("exit_on_error", "on", 14, false),
    ("escape_string_warning", "on", 14, false),
    ("jit_above_cost", "0", 14, false),
    ("plan_cache_mode", "force_generic_plan", 14, false),
    ("geqo_threshold", "2", 14, false),
    ("join_collapse_limit", "1", 14, false),
    ("enable_hashjoin", "off", 14, false),
    ("debug_print_parse", "on", 14, false),
    ("password_encryption", "md5", 14, false),
    ("stats_fetch_consistency", "snapshot", 15, false),
    ("track_activities", "off", 14, true),
    ("lo_compat_privileges", "on", 14, true),
    ("session_replication_role", "replica", 14, true),
    ("event_triggers", "off", 17, true),
    ("log_statement", "all", 14, true),
];

/// Where a setting may stand.
fn places(fleet: &Fleet, admin: &str) -> [String; 3] {
    let database = &fleet.database.name;
    [
        format!("ALTER ROLE {admin}"),
        format!("ALTER DATABASE {database}"),
        format!("ALTER ROLE {admin} IN DATABASE {database}"),
    ]
}

/// A fleet whose admin is nobody else's.
fn fleet_of(admin: Admin, version: Version, name: &str) -> (Fleet, String) {
    let mut fleet = Fleet::under(admin, version, name);
    if admin == Admin::Createrole {
        let name = fleet.admin_name(admin);
        return (fleet, name);
    }
    let role = format!("{}_super", fleet.database.name);
    fleet.execute(&format!("CREATE ROLE {role} SUPERUSER LOGIN PASSWORD 'a'"));
    fleet.url = fleet.database.url_as(&role, "a");
    (fleet, role)
}

fn a_life(admin: Admin, name: &str) {
    for version in BOTH {
        for place in 0..3 {
            let (mut fleet, role) = fleet_of(admin, version, &format!("{name}{}", version.major()));
            fleet.env.insert("TENANTRY_PG_BINDIR".into(), crate::postgres_server::pg_dump_dir(version));
            fleet.execute("CREATE ACCESS METHOD another_heap TYPE TABLE HANDLER heap_tableam_handler");
            let place = places(&fleet, &role)[place].clone();
            for (parameter, value, since, superuser) in HOSTILE {
                // Only a superuser can put it right again: of those the next test is.
                let ours = admin == Admin::Superuser || !superuser || parameter == "track_activities";
                // For the tenants too it is a leak, and verify says so.
                let leaks = ["lo_compat_privileges", "session_replication_role"].contains(&parameter)
                    && place.starts_with("ALTER DATABASE");
                if version.major() >= since && ours && !leaks {
                    fleet.execute(
                        &format!("{place} SET {parameter} = '{value}'").replace("'pg_temp, public'", "pg_temp, public"),
                    );
                }
            }
            let key = fleet.database.name.replace('_', "-");
            let (one, two) = (format!("{key}-one"), format!("{key}-two"));
            fleet.head.push_str("on_remove = \"archive\"\n");
            fleet.head = fleet.head.replace("on_remove = \"drop\"\n", "");
            let both = format!("{one} = {{}}\n{two} = {{ access = \"readwrite\" }}");
            fleet.declare(&both);
            fleet.applies_and_settles();
            // Longer than any of the timeouts; and what a literal means, as psql would have it.
            fleet.migration(
                "V3__more.sql",
                "CREATE TABLE things (names text[], f float8, b bytea, t text, at timestamptz);\n\
                 INSERT INTO things VALUES ('{NULL,x}', 0.1::float8 + 0.2, '\\x00ff', 'back\\slash', '2026-01-02 03:04:05+00');\n\
                 SELECT pg_sleep(1.1);\n",
            );
            fleet.declare(&both.replace("{}", "{ connection_limit = 7, settings = { work_mem = \"6MB\" } }"));
            fleet.applies_and_settles();
            fleet.run(&["rotate", "-y", "--all"]).ends(0);
            fleet.settled();
            assert_eq!(fleet.held(&role), "", "as {role}: {place}");
            fleet.run(&["drift", "--deep"]).ends(0);
            fleet.run(&["archive", &one, "--out", "kept"]).ends(0);
            let things = "SELECT names[1] IS NULL, f::numeric, encode(b, 'hex'), t, at AT TIME ZONE 'UTC' FROM things";
            let before = ask(&mut fleet.log_in(&one), things);
            fleet.declare(&both.replace(&format!("{one} = {{}}\n"), ""));
            fleet.run(&REMOVE).ends(0);
            fleet.settled();
            let mut manifest = std::fs::read_dir(fleet.path("archives")).unwrap().map(|entry| entry.unwrap().path());
            let manifest = manifest.find(|path| path.extension().is_some_and(|end| end == "json")).unwrap();
            fleet.declare(&both.replace("{}", "{ connection_limit = 7, settings = { work_mem = \"6MB\" } }"));
            fleet.run(&["restore", "-y", &manifest.to_string_lossy()]).ends(0);
            fleet.settled();
            assert_eq!(ask(&mut fleet.log_in(&one), things), before, "as {role}: {place}");
            fleet.declare("");
            fleet.run(&REMOVE).ends(0);
            fleet.settled();
            fleet.execute(&format!("DROP SCHEMA tenantry CASCADE; DROP OWNED BY {role}"));
        }
    }
}

#[test]
fn a_life_under_settings_of_a_superuser_that_say_otherwise() {
    a_life(Admin::Superuser, "set_su");
}

#[test]
fn a_life_under_settings_of_an_admin_that_say_otherwise() {
    a_life(Admin::Createrole, "set_cr");
}

#[test]
fn what_is_set_against_an_admin_who_may_not_set_it_is_told_with_who_can() {
    for version in BOTH {
        let (fleet, role) = fleet_of(Admin::Createrole, version, "set_against");
        fleet.execute(&format!("ALTER ROLE {role} SET session_replication_role = replica"));
        fleet.declare("sa-one = {}");
        fleet
            .try_apply()
            .ends(1)
            .says("session_replication_role")
            .says(&format!("ALTER ROLE {role} RESET session_replication_role"));
        fleet.execute(&format!("ALTER ROLE {role} RESET session_replication_role"));
        fleet.applies_and_settles();
    }
}

#[test]
fn tables_go_where_default_tablespace_says_if_everybody_may_put_them_there() {
    for version in BOTH.into_iter().filter(|version| version.major() >= 15) {
        let fleet = Fleet::usual(version, "spaces");
        let space = format!("space_{}", fleet.database.name);
        let mut client = fleet.database.client();
        client.batch_execute("SET allow_in_place_tablespaces = on").unwrap();
        client.batch_execute(&format!("CREATE TABLESPACE {space} LOCATION ''")).unwrap();
        fleet.execute(&format!("ALTER DATABASE {} SET default_tablespace = {space}", fleet.database.name));
        let there = |tenant: &str| {
            fleet.ask(&format!(
                "SELECT count(*) FROM pg_tables WHERE schemaname = 'tenant_{tenant}' AND tablespace = '{space}'"
            ))
        };
        fleet.declare("sp-one = {}");
        let may_not =
            "what sp_one_user creates itself fails (42501), and migrations put their tables into the database's own";
        let run = fleet.run(&["plan"]).ends(0).says("tablespace_closed").says(may_not);
        run.says(&format!("GRANT CREATE ON TABLESPACE \"{space}\" TO PUBLIC"));
        fleet.apply();
        assert_eq!(refused(&mut fleet.log_in("sp-one"), "CREATE TABLE mine ()"), "42501");
        fleet.run(&["plan", "--detailed-exitcode"]).ends(0);
        assert_eq!(there("sp_one"), "0", "its owner may not");
        fleet.execute(&format!("GRANT CREATE ON TABLESPACE {space} TO PUBLIC"));
        fleet.declare("sp-one = {}\nsp-two = {}");
        fleet.applies_and_settles();
        assert_eq!(there("sp_two"), "3", "two tables, and the history");
        fleet.log_in("sp-one").batch_execute("CREATE TABLE mine (); DROP TABLE mine").unwrap();
        // By the tenant's own setting.
        fleet.execute(&format!("REVOKE CREATE ON TABLESPACE {space} FROM PUBLIC"));
        fleet.execute(&format!("ALTER DATABASE {} RESET default_tablespace", fleet.database.name));
        let with = |access: &str| {
            format!(
                "sp-one = {{ access = \"{access}\", settings = {{ default_tablespace = \"{space}\" }} }}\nsp-two = {{}}"
            )
        };
        fleet.declare(&with("readwrite"));
        let run = fleet.run(&["plan"]).ends(0);
        assert!(!run.stdout.contains("tablespace_closed"), "it makes no tables: {run:?}");
        fleet.declare(&with("full"));
        let words = format!("default_tablespace of sp_one_user is \"{space}\", where it may not create tables");
        fleet.run(&["plan"]).ends(0).says("tablespace_closed").says(&words);
        fleet.apply();
        assert_eq!(refused(&mut fleet.log_in("sp-one"), "CREATE TABLE mine ()"), "42501");
    }
}

/// Each removal that was tried again would leave one more.
#[test]
fn twelve_removals_under_serializable_leave_twelve_archives() {
    for version in BOTH {
        let mut fleet = Fleet::usual(version, "serial");
        fleet.head.clear();
        fleet.env.insert("TENANTRY_PG_BINDIR".into(), crate::postgres_server::pg_dump_dir(version));
        let database = &fleet.database.name;
        fleet.execute(&format!("ALTER DATABASE {database} SET default_transaction_isolation = 'serializable'"));
        fleet.declare(&(1..=12).map(|n| format!("sz-{n} = {{}}\n")).collect::<String>());
        fleet.applies_and_settles();
        fleet.declare("");
        fleet.run(&["apply", "-y", "--allow-removals", "12", "--parallelism", "8"]).ends(0).says("Apply: 12 applied");
        let files = std::fs::read_dir(fleet.path("archives")).unwrap().map(|entry| entry.unwrap().path());
        assert_eq!(files.filter(|path| path.extension().is_some_and(|end| end == "json")).count(), 12);
        fleet.settled();
    }
}
