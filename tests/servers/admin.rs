//! An admin who is no superuser: LOGIN, CREATEROLE, and CREATE on the database.
mod documented;
mod logins;
mod settings;

use crate::fleet;
use crate::fleet::{BOTH, Fleet, ask};
use crate::postgres_server::Version;

const REMOVE: [&str; 4] = ["apply", "-y", "--allow-removals", "9"];

/// A fleet whose admin is this role. `policy` is what [database] says.
fn fleet_of(version: Version, admin: &str, rights: &str, policy: &str) -> Fleet {
    let mut fleet = Fleet::usual(version, admin);
    fleet.execute(&format!("CREATE ROLE {admin} LOGIN {rights} PASSWORD 'a'"));
    fleet.url = fleet.database.url_as(admin, "a");
    fleet.head.insert_str(0, policy);
    fleet
}

const KEEP: &str = "[database]\npublic_schema = \"keep\"\n";

fn grant_create(fleet: &Fleet, admin: &str) {
    fleet.execute(&format!("GRANT CREATE ON DATABASE {} TO {admin}", fleet.database.name));
}

#[test]
fn a_life_under_an_admin_who_may_make_roles_and_schemas_only() {
    for version in BOTH {
        let fleet = fleet_of(version, "keeper", "CREATEROLE", KEEP);
        grant_create(&fleet, "keeper");
        let settles = |tenants: &str| {
            fleet.declare(tenants);
            fleet.run(&REMOVE).ends(0);
            fleet.run(&["plan", "--detailed-exitcode"]).ends(0);
            fleet.run(&["verify"]).ends(0);
            assert_eq!(fleet.held("keeper"), "", "after {tenants}");
        };
        let all = |access: [&str; 4], more: &str| {
            let line = |(n, access): (usize, &str)| format!("kp-{n} = {{ access = \"{access}\" {more} }}\n");
            access.into_iter().enumerate().map(line).collect::<String>()
        };
        settles(&all(["full", "owner", "readwrite", "readonly"], ""));
        fleet
            .log_in("kp-0")
            .batch_execute("INSERT INTO users (email) VALUES ('kept'); CREATE TABLE mine (id int)")
            .unwrap();
        settles(&all(
            ["full", "owner", "readwrite", "readonly"],
            ", connection_limit = 4, settings = { work_mem = \"6MB\" }",
        ));
        fleet.migration("V3__more.sql", "CREATE TABLE more (id int);\nALTER TABLE users ADD COLUMN name text;");
        settles(&all(["full", "owner", "readwrite", "readonly"], ""));
        for turn in [
            ["owner", "readwrite", "readonly", "full"],
            ["readwrite", "readonly", "full", "owner"],
            ["full", "owner", "readwrite", "readonly"],
            ["readonly", "full", "owner", "readwrite"],
            ["owner", "readonly", "full", "full"],
        ] {
            settles(&all(turn, ""));
        }
        assert_eq!(ask(&mut fleet.log_in("kp-0"), "SELECT email, (SELECT count(*) FROM mine) FROM users"), "kept, 0");
        let names = ", schema = \"{tenant} s\", username = \"{tenant} u\", owner = \"{tenant} o\"";
        settles(&all(["owner", "readonly", "full", "full"], names));
        settles(&all(["full", "readonly", "full", "owner"], ""));
        fleet.migration("V4__late.sql", "-- tenantry: no-transaction\nCREATE INDEX CONCURRENTLY more_id ON more (id);");
        fleet.migration("V5__after.sql", "CREATE TABLE after (id int);");
        settles(&all(["full", "readonly", "full", "owner"], ""));
        std::fs::remove_file(fleet.secret_file("kp-1")).unwrap();
        settles(&all(["full", "readonly", "full", "owner"], ", password_from = \"a given password\""));
        settles(&all(["full", "readonly", "full", "owner"], ", on_remove = \"retain\""));
        let mut open = [fleet.log_in("kp-0"), fleet.log_in("kp-3")];
        settles("kp-1 = {}\nkp-2 = {}");
        assert!(open.iter_mut().all(|session| session.batch_execute("SELECT 1").is_err()));
        settles(&all(["full", "readonly", "full", "owner"], ""));
        settles("kp-1 = {}");
        settles("");
        assert_eq!(fleet.ask("SELECT rolname FROM pg_roles WHERE rolname ~ '^kp'"), "");
    }
}

#[test]
fn one_owner_role_for_many_works_under_such_an_admin() {
    for version in BOTH {
        let mut fleet = fleet_of(version, "sharer", "CREATEROLE", KEEP);
        grant_create(&fleet, "sharer");
        fleet.head.push_str("owner = \"shared_by_many\"\naccess = \"readwrite\"\n");
        for tenants in ["sh-one = {}\nsh-two = {}", "sh-two = {}\nsh-three = {}", ""] {
            fleet.declare(tenants);
            fleet.run(&REMOVE).ends(0);
            fleet.settled();
            assert_eq!(fleet.held("sharer"), "", "after {tenants}");
        }
        assert_eq!(fleet.ask("SELECT rolname FROM pg_roles WHERE rolname ~ '^(sh_|shared)'"), "");
    }
}

#[test]
fn a_membership_that_the_admin_has_anyway_is_left_to_it() {
    for version in BOTH {
        let fleet = fleet_of(version, "member", "CREATEROLE", KEEP);
        grant_create(&fleet, "member");
        fleet.declare("mb-one = {}\nmb-two = {}");
        fleet.applies_and_settles();
        // From 16 on the creator is a member with ADMIN alone, and a plain GRANT leaves that as it is.
        let with = if version.major() >= 16 { "WITH INHERIT TRUE, SET TRUE" } else { "" };
        fleet.execute(&format!("GRANT mb_one_owner TO member {with}"));
        assert_eq!(fleet.held("member"), "mb_one_owner");
        fleet.migration("V3__more.sql", "CREATE TABLE more (id int);");
        fleet.applies_and_settles();
        assert_eq!(fleet.held("member"), "mb_one_owner");
    }
}

#[test]
fn what_is_not_the_admins_to_close_is_told_with_its_sql_and_its_owner_can() {
    for version in BOTH {
        let fleet = fleet_of(version, "closer", "CREATEROLE", "");
        grant_create(&fleet, "closer");
        fleet.execute("GRANT CREATE ON SCHEMA public TO PUBLIC");
        fleet.declare("cz-one = {}");
        fleet.apply().says("REVOKE ALL ON SCHEMA public FROM PUBLIC").says("REVOKE TEMPORARY ON DATABASE");
        fleet.run(&["verify"]).ends(2).says("public");
        let database = &fleet.database.name;
        fleet.execute(&format!(
            "REVOKE ALL ON SCHEMA public FROM PUBLIC; REVOKE TEMPORARY ON DATABASE {database} FROM PUBLIC"
        ));
        fleet.settled();
    }
}

#[test]
fn the_owner_of_the_database_closes_it_itself() {
    for version in BOTH {
        let fleet = fleet_of(version, "holder", "CREATEROLE", "");
        let database = &fleet.database.name;
        fleet.execute(&format!("ALTER DATABASE {database} OWNER TO holder; ALTER SCHEMA public OWNER TO holder; REVOKE CONNECT ON DATABASE {database} FROM PUBLIC"));
        fleet.declare("hd-one = {}\nhd-two = { access = \"owner\" }");
        fleet.applies_and_settles();
        assert_eq!(fleet.held("holder"), "");
    }
}

/// The statement that a refusal prints, as one would copy it.
fn printed(run: &fleet::Run) -> String {
    let (_, hint) = run.stderr.split_once("as a superuser").unwrap_or_else(|| panic!("{}", run.stderr));
    let (_, sql) = hint.split_once(": ").unwrap();
    sql.split_whitespace().filter(|word| *word != "│").collect::<Vec<_>>().join(" ")
}

#[test]
fn every_right_that_is_missing_is_named_before_anything_changes_with_the_statement_that_grants_it() {
    for version in BOTH {
        let mut fleet = fleet_of(version, "lacking", "", "");
        let database = fleet.database.name.clone();
        fleet.execute(&format!(
            "REVOKE CONNECT ON DATABASE {database} FROM PUBLIC; GRANT CONNECT ON DATABASE {database} TO lacking; \
             CREATE ROLE lacking_dba; CREATE SCHEMA lookup AUTHORIZATION lacking_dba"
        ));
        fleet.head.insert_str(
            0,
            "[database]\npublic_schema = \"keep\"\nshared_schemas = [\"lookup\"]\nextensions = [\"pg_trgm\", \"pageinspect\"]\n",
        );
        let settings = "log_statement = \"ddl\", \"app.plan\" = \"gold\"";
        fleet.declare(&format!("la-one = {{ settings = {{ {settings} }} }}\nla-two = {{ access = \"owner\" }}"));
        let granted = |right: &str, sql: &str| {
            let run = fleet.try_apply().ends(1).says(&format!("lacks {right}")).says(sql).says("nothing was changed");
            // A plan says it too.
            fleet
                .run(&["plan"])
                .ends(0)
                .says("apply would refuse this: lacking")
                .says(&printed(&run))
                .says("2 to create");
            let made = "SELECT rolname FROM pg_roles WHERE rolname ~ '^(la_|tenantry_lacking)' UNION ALL SELECT nspname FROM pg_namespace WHERE nspname ~ '^tenant'";
            assert_eq!(fleet.ask(made), "");
            assert!(!fleet.secret_file("la-one").exists());
            fleet.execute(&printed(&run));
        };
        granted("CREATEROLE", "ALTER ROLE \"lacking\" CREATEROLE");
        granted("CREATE on the database", &format!("GRANT CREATE ON DATABASE \"{database}\" TO \"lacking\""));
        granted(
            "the right to grant CONNECT to tenants",
            &format!("GRANT CONNECT ON DATABASE \"{database}\" TO \"lacking\""),
        );
        granted("the right to grant tenants USAGE on schema lookup", "GRANT USAGE ON SCHEMA \"lookup\" TO \"lacking\"");
        granted("the right to create extension pageinspect", "CREATE EXTENSION \"pageinspect\" SCHEMA \"lookup\"");
        granted("CREATE on schema lookup", "GRANT CREATE ON SCHEMA \"lookup\" TO \"lacking\"");
        if version.major() >= 15 {
            granted(
                "the right to set app.plan, log_statement",
                "GRANT SET ON PARAMETER \"app\".\"plan\", \"log_statement\"",
            );
        } else {
            fleet
                .try_apply()
                .ends(1)
                .says("only a superuser may set app.plan")
                .says("app.plan, log_statement out of settings");
            fleet.declare("la-one = {}\nla-two = { access = \"owner\" }");
        }
        fleet.applies_and_settles();
        assert_eq!(fleet.held("lacking"), "");
    }
}

/// As after an upgrade from 15, or when somebody else made them.
#[test]
fn roles_that_the_admin_has_no_admin_option_on_are_named_with_the_statement_that_gives_it() {
    for version in BOTH.into_iter().filter(|version| version.major() >= 16) {
        let fleet = fleet_of(version, "upgraded", "CREATEROLE", KEEP);
        grant_create(&fleet, "upgraded");
        let declare = |tenants: usize, more: &str| {
            fleet.declare(&(0..tenants).map(|n| format!("up-{n} = {{ {more} }}\n")).collect::<String>());
        };
        for (tenants, words) in [(2, "lacks ADMIN on up_0_owner, up_0_user"), (9, "up_0_owner and 17 other roles")] {
            declare(tenants, "");
            fleet.applies_and_settles();
            fleet.execute(
                "DO $$ DECLARE r text; BEGIN FOR r IN SELECT roleid::regrole::text FROM pg_auth_members WHERE member = 'upgraded'::regrole \
                 AND roleid::regrole::text ~ '^up_' LOOP EXECUTE 'REVOKE ' || r || ' FROM upgraded'; END LOOP; END $$",
            );
            fleet.settled();
            declare(tenants + 1, "connection_limit = 3");
            let run = fleet.try_apply().ends(1).says(words).says("nothing was changed");
            fleet.execute(&printed(&run));
            fleet.applies_and_settles();
            assert_eq!(fleet.held("upgraded"), "");
        }
    }
}

#[test]
fn what_such_an_admin_may_put_right_is_and_the_rest_is_told_with_who_can() {
    for version in BOTH {
        let fleet = fleet_of(version, "mender", "CREATEROLE", KEEP);
        grant_create(&fleet, "mender");
        fleet.declare("mn-one = {}\nmn-two = { access = \"owner\" }");
        fleet.execute("CREATE ROLE mn_bob; CREATE TABLE public.mn_prices (a int)");
        fleet.applies_and_settles();
        for drift in [
            "GRANT SELECT (email) ON tenant_mn_one.users TO mn_bob",
            "GRANT USAGE ON SCHEMA tenant_mn_one TO mn_bob; GRANT SELECT ON tenant_mn_one.users TO mn_bob WITH GRANT OPTION; SET ROLE mn_bob; \
             GRANT SELECT (email) ON tenant_mn_one.users TO mn_two_user",
            "GRANT UPDATE (email) ON tenant_mn_two.users TO mn_bob",
            "ALTER DEFAULT PRIVILEGES FOR ROLE mn_one_owner GRANT SELECT ON TABLES TO mn_bob",
            "ALTER DEFAULT PRIVILEGES FOR ROLE mn_two_user GRANT SELECT ON TABLES TO mn_bob",
            "SET ROLE mender; CREATE SCHEMA mn_ours; GRANT USAGE ON SCHEMA mn_ours TO mn_one_user",
        ] {
            fleet.execute(drift);
            assert_eq!(fleet.run(&["drift"]).code, 2, "{drift}");
            fleet.applies_and_settles();
            assert_eq!(fleet.held("mender"), "", "after {drift}");
        }
        fleet.execute("GRANT SELECT ON public.mn_prices TO mn_one_user");
        fleet.run(&["drift"]).ends(0).says("not ours to revoke, postgres can: REVOKE ALL ON TABLE public.mn_prices");
        fleet.execute("REVOKE SELECT ON public.mn_prices FROM mn_one_user");
        fleet.settled();
        // The superuser's plan leaves what the registry's owner needs.
        let url = fleet.database.url.clone();
        fleet.run(&["plan", "--detailed-exitcode", "--database-url", &url]).ends(0);
    }
}

/// Whoever looks compares with what the registry's keeper would want.
#[test]
fn show_and_plan_agree_whoever_looks() {
    for version in BOTH {
        let mut fleet = fleet_of(version, "looked", "CREATEROLE", KEEP);
        grant_create(&fleet, "looked");
        fleet.declare("sh-one = {}\nsh-own = { access = \"owner\" }");
        fleet.apply();
        let in_sync = |fleet: &Fleet| {
            fleet.run(&["plan", "--detailed-exitcode", "-v"]).ends(0);
            for tenant in ["sh-one", "sh-own"] {
                fleet.run(&["show", tenant]).ends(0).says("In sync");
            }
        };
        in_sync(&fleet);
        fleet.url = fleet.database.url.clone();
        in_sync(&fleet);
        // Within the rights on the table it says nothing new.
        fleet.execute("GRANT SELECT (email) ON tenant_sh_one.users TO sh_one_user");
        in_sync(&fleet);
        // Another admin of the same kind, who may read what the keeper reads.
        fleet.execute(
            "CREATE ROLE looked_too LOGIN CREATEROLE PASSWORD 'a'; GRANT USAGE ON SCHEMA tenantry TO looked_too;
             GRANT SELECT ON ALL TABLES IN SCHEMA tenantry TO looked_too; GRANT pg_read_all_data TO looked_too",
        );
        fleet.url = fleet.database.url_as("looked_too", "a");
        in_sync(&fleet);
        fleet.url = fleet.database.url.clone();
        fleet.execute("REVOKE USAGE ON SCHEMA tenant_sh_one FROM looked");
        fleet.run(&["plan", "--detailed-exitcode"]).ends(2);
        fleet.run(&["show", "sh-one"]).ends(0).says("looked: USAGE");
    }
}
