//! Schemas and roles that others made, taken under management.

use std::fs;

use crate::fleet::{Admin, BOTH, Fleet, MIGRATIONS, Run, ask, refused};

/// What the migrations make, made by another tool.
fn tables() -> String {
    MIGRATIONS.map(|(_, sql)| sql).concat()
}

/// A session with this URL.
fn session(url: &str) -> postgres::Client {
    postgres::Client::connect(url, postgres::NoTls).unwrap()
}

/// As a program does that makes schema, user and grants, and then runs its migrations as that user: Cloacina's DatabaseAdmin.
fn make_as_cloacina_does(fleet: &Fleet, schema: &str, user: &str) {
    session(&fleet.url)
        .batch_execute(&format!(
            "CREATE SCHEMA IF NOT EXISTS {schema}; CREATE USER {user} WITH PASSWORD 'old'; \
             GRANT USAGE ON SCHEMA {schema} TO {user}; GRANT CREATE ON SCHEMA {schema} TO {user}; \
             GRANT ALL PRIVILEGES ON ALL TABLES IN SCHEMA {schema} TO {user}; \
             GRANT ALL PRIVILEGES ON ALL SEQUENCES IN SCHEMA {schema} TO {user}; \
             ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT ALL ON TABLES TO {user}; \
             ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT ALL ON SEQUENCES TO {user}"
        ))
        .unwrap();
    let mut tenant = session(&fleet.database.url_as(user, "old"));
    tenant.batch_execute(&format!("SET search_path = {schema}; {}", tables())).unwrap();
    tenant.batch_execute(&format!("INSERT INTO {schema}.users (email) VALUES ('a@b'), ('c@d')")).unwrap();
}

fn adopt(fleet: &Fleet, args: &[&str]) -> Run {
    fleet.run(&[&["adopt", "-y", "-v"], args].concat())
}

#[test]
fn a_schema_with_its_user_is_adopted_with_its_password_and_its_rows() {
    for version in BOTH {
        for (admin, prefix) in [(Admin::Superuser, "cs"), (Admin::Createrole, "cc")] {
            let fleet = Fleet::under(admin, version, prefix);
            let (schema, user) = (format!("tenant_{prefix}_one"), format!("{prefix}_one_user"));
            let key = format!("{prefix}-one");
            make_as_cloacina_does(&fleet, &schema, &user);
            fleet.declare(&format!("{key} = {{}}"));
            fleet.run(&["plan"]).ends(0).says("is not managed by tenantry").says(&format!("tenantry adopt {key}"));
            // Nothing is guessed: neither how far its migrations are, nor whether anybody still uses the password.
            adopt(&fleet, &[]).ends(1).says("which of the migrations it has is not known").says("--baseline VERSION");
            let unsaid = adopt(&fleet, &["--baseline", "2"]).ends(1);
            unsaid.says("has a password that tenantry does not know").says("--keep-password").says("--rotate");
            assert_eq!(fleet.ask("SELECT count(*) FROM pg_namespace WHERE nspname = 'tenantry'"), "0");
            adopt(&fleet, &["--baseline", "7"]).ends(1).says("there is no migration of version 7");

            adopt(&fleet, &["--baseline", "2", "--keep-password"]).ends(0).says("1 applied");
            assert!(!fleet.secret_file(&key).exists());
            let owners = format!(
                "SELECT DISTINCT r.rolname FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner \
                 WHERE c.relnamespace = '{schema}'::regnamespace"
            );
            assert_eq!(fleet.ask(&owners), format!("{prefix}_one_owner"));
            let mut tenant = session(&fleet.database.url_as(&user, "old"));
            assert_eq!(ask(&mut tenant, "SELECT count(*), current_schema() FROM users"), format!("2, {schema}"));
            tenant
                .batch_execute("INSERT INTO users (email) VALUES ('e@f'); INSERT INTO projects (owner) VALUES (1)")
                .unwrap();
            assert_eq!(refused(&mut tenant, "DROP TABLE projects"), "42501");
            assert_eq!(
                fleet.ask(&format!("SELECT version, name FROM {schema}.refinery_schema_history ORDER BY 1")),
                "1, create_users; 2, create_projects"
            );
            let audited = "SELECT verb, changes -> 0 ->> 'kind' FROM tenantry.audit_log WHERE tenant <> '' ORDER BY id DESC LIMIT 1";
            assert_eq!(fleet.ask(audited), "adopt, adopt");
            fleet.run(&["plan", "--deep", "--detailed-exitcode", "-v"]).ends(0);
            adopt(&fleet, &[]).ends(0).says("Nothing to adopt");
            adopt(&fleet, &[&key]).ends(1).says("is managed by tenantry already");
            // A job that renews all passwords leaves alone what programs do not read from a secret.
            fleet.run(&["rotate", "-y", "--all"]).ends(0).says("1 tenant left out: with a password of its own");
            fleet.run(&["verify"]).ends(1).says(&format!("tenantry rotate {key}"));

            fleet.migration("V3__more.sql", "CREATE TABLE more (id int);");
            fleet.apply();
            session(&fleet.database.url_as(&user, "old")).batch_execute("INSERT INTO more VALUES (1)").unwrap();
            fleet.run(&["rotate", "-y", &key]).ends(0);
            fleet.settled();
            assert_eq!(ask(&mut fleet.log_in(&key), "SELECT count(*) FROM users"), "3");
            assert_eq!(fleet.memberships(admin), "");
        }
    }
}

#[test]
fn a_fleet_of_one_role_for_all_gets_roles_of_its_own() {
    for version in BOTH {
        let mut fleet = Fleet::usual(version, "django");
        fleet.head.insert_str(0, "[database]\npublic_schema = \"keep\"\n");
        fleet.execute("CREATE ROLE django_app LOGIN PASSWORD 'old'; CREATE ROLE report LOGIN PASSWORD 'old'");
        for schema in ["dj_one", "dj_two"] {
            fleet.execute(&format!(
                "CREATE SCHEMA {schema} AUTHORIZATION django_app; SET ROLE django_app; SET search_path = {schema}; {}; \
                 INSERT INTO users (email) VALUES ('{schema}'); INSERT INTO projects (owner) VALUES (1); \
                 CREATE TABLE django_migrations (id bigserial PRIMARY KEY, app text); \
                 GRANT USAGE ON SCHEMA {schema} TO report; GRANT SELECT ON users TO report; RESET ROLE",
                tables()
            ));
        }
        fleet.execute("CREATE TABLE public.shared (id int); ALTER TABLE public.shared OWNER TO django_app");
        fleet.declare("dj-one = { schema = \"dj_one\" }\ndj-two = { schema = \"dj_two\" }");
        // What the migrations would not make is shown, and somebody says that it is meant.
        let refused_first = adopt(&fleet, &["--baseline", "2"]).ends(1).says("django_migrations");
        let said = refused_first
            .says("--allow-different-shapes 2")
            .says("loses_access: django_app, report can use schema dj_two now");
        assert!(said.stdout.contains("dj_one_user"), "{}", said.stdout);
        adopt(&fleet, &["--baseline", "2", "--allow-different-shapes", "2"]).ends(0).says("2 applied");
        fleet.settled();
        for (tenant, schema) in [("dj-one", "dj_one"), ("dj-two", "dj_two")] {
            let mut session = fleet.log_in(tenant);
            assert_eq!(ask(&mut session, "SELECT email FROM users"), schema);
            // The sequences of serial and identity columns came along.
            session
                .batch_execute("INSERT INTO users (email) VALUES ('x'); INSERT INTO projects (owner) VALUES (1)")
                .unwrap();
            session.batch_execute("INSERT INTO django_migrations (app) VALUES ('x')").unwrap();
        }
        let mut old = session(&fleet.database.url_as("django_app", "old"));
        assert_eq!(refused(&mut old, "SELECT FROM dj_one.users"), "42501");
        // It owns what is none of ours.
        old.batch_execute("INSERT INTO public.shared VALUES (1)").unwrap();
        fleet.migration("V3__more.sql", "ALTER TABLE users ADD COLUMN name text;");
        fleet.applies_and_settles();
    }
}

#[test]
fn a_history_of_refinery_is_compared_as_any() {
    let fleet = Fleet::usual(BOTH[0], "refinery");
    fleet.declare("rf-old = {}");
    fleet.apply();
    fleet.execute(&format!(
        "CREATE ROLE rf_app LOGIN PASSWORD 'old'; CREATE SCHEMA rf AUTHORIZATION rf_app; SET search_path = rf; SET ROLE rf_app; {}; RESET ROLE; \
         CREATE TABLE rf.refinery_schema_history AS TABLE tenant_rf_old.refinery_schema_history; \
         ALTER TABLE rf.refinery_schema_history ADD PRIMARY KEY (version), OWNER TO rf_app",
        tables()
    ));
    fleet.migration("V3__more.sql", "CREATE TABLE more (id int);");
    fleet.declare("rf-old = {}\nrf-new = { schema = \"rf\", username = \"rf_app\" }");
    adopt(&fleet, &["rf-new", "--rotate"]).ends(0).says("V3__more");
    fleet.run(&["rotate", "-y", "rf-new"]).ends(0);
    fleet.applies_and_settles();
    assert_eq!(fleet.ask("SELECT count(*) FROM rf.refinery_schema_history"), "3");

    // A file that is not what was applied.
    fleet.execute(
        "CREATE SCHEMA rg; CREATE TABLE rg.users (); \
         CREATE TABLE rg.refinery_schema_history AS TABLE rf.refinery_schema_history; \
         UPDATE rg.refinery_schema_history SET checksum = '1' WHERE version = 1",
    );
    fleet.declare("rf-old = {}\nrf-new = { schema = \"rf\", username = \"rf_app\" }\nrf-bad = { schema = \"rg\" }");
    adopt(&fleet, &["rf-bad"]).ends(1).says("V1__create_users.sql was changed after it was applied");
    // What is not an ordinary table is not read.
    fleet.execute(
        "DROP TABLE rg.refinery_schema_history; CREATE VIEW rg.refinery_schema_history AS TABLE rf.refinery_schema_history",
    );
    adopt(&fleet, &["rf-bad"]).ends(1).says("cannot be trusted: it is a view");
    // An empty schema needs no history: its migrations run.
    fleet.execute("DROP SCHEMA rg CASCADE; CREATE SCHEMA rg");
    adopt(&fleet, &["rf-bad"]).ends(0).says("1 applied");
    fleet.settled();
}

#[test]
fn a_password_is_taken_from_a_secret_that_opens_the_database_and_from_no_other() {
    let fleet = Fleet::usual(BOTH[1], "proven");
    fleet.declare("pr-model = {}");
    fleet.apply();
    let secret = |password: &str| {
        let mut secret = fleet.secret("pr-model");
        let document = secret.as_object_mut().unwrap();
        let url = document["url"].as_str().unwrap();
        let url = url.replacen(&percent(document["password"].as_str().unwrap()), password, 1);
        let url = url.replace("pr_model_user", "pr_one_user").replace("tenant_pr_model", "tenant_pr_one");
        document.insert("url".into(), url.into());
        for (key, value) in
            [("tenant", "pr-one"), ("username", "pr_one_user"), ("schema", "tenant_pr_one"), ("password", password)]
        {
            document.insert(key.into(), value.into());
        }
        fs::write(fleet.secret_file("pr-one"), secret.to_string()).unwrap();
    };
    fleet.execute(
        "CREATE ROLE pr_one_user LOGIN PASSWORD 'itisthisone'; CREATE SCHEMA tenant_pr_one AUTHORIZATION pr_one_user",
    );
    fleet.declare("pr-model = {}\npr-one = {}");
    secret("itisanother");
    for args in [[].as_slice(), &["--keep-password"]] {
        adopt(&fleet, args).ends(1).says("does not open the database as \"pr_one_user\"").says("--rotate");
    }
    secret("itisthisone");
    adopt(&fleet, &[]).ends(0).says("1 applied");
    assert_eq!(fleet.secret("pr-one")["password"], "itisthisone");
    fleet.settled();

    // Given in tenants.toml: the same rule.
    fleet.execute("CREATE ROLE pr_two_user LOGIN PASSWORD 'given and right'");
    fleet.declare("pr-model = {}\npr-one = {}\npr-two = { password_from = \"given and wrong\" }");
    adopt(&fleet, &[]).ends(1).says("the password that password_from gives does not open the database");
    fleet.declare("pr-model = {}\npr-one = {}\npr-two = { password_from = \"given and right\" }");
    adopt(&fleet, &[]).ends(0);
    fleet.settled();
    // One that nobody can log in as has none to keep.
    fleet.execute("CREATE ROLE pr_three_user NOLOGIN; CREATE ROLE pr_four_user LOGIN");
    fleet.declare(
        "pr-model = {}\npr-one = {}\npr-two = { password_from = \"given and right\" }\npr-three = {}\npr-four = {}",
    );
    adopt(&fleet, &["--keep-password"]).ends(0).says("2 applied");
    fleet.settled();
}

fn percent(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[test]
fn what_is_somebody_elses_is_left_alone() {
    let fleet = Fleet::usual(BOTH[0], "elses");
    fleet.execute(
        "CREATE ROLE el_boss_user SUPERUSER LOGIN; CREATE ROLE el_maker_user CREATEROLE LOGIN; \
         CREATE ROLE el_busy_user LOGIN; CREATE TABLE public.busy (); ALTER TABLE public.busy OWNER TO el_busy_user; \
         CREATE ROLE el_wide_user LOGIN; CREATE SCHEMA tenant_el_wide AUTHORIZATION el_wide_user; \
         CREATE SCHEMA tenant_el_other AUTHORIZATION el_wide_user; \
         CREATE ROLE el_own_owner LOGIN; CREATE SCHEMA tenant_el_own AUTHORIZATION el_own_owner",
    );
    fleet.declare("el-boss = {}\nel-maker = {}\nel-busy = {}\nel-wide = {}\nel-other = {}\nel-own = {}\nel-new = {}");
    let roles = "SELECT rolname, rolsuper, rolcanlogin, rolcreaterole FROM pg_roles WHERE rolname ~ '^el_' ORDER BY 1";
    let before = fleet.ask(roles);
    adopt(&fleet, &["el-boss", "el-maker", "el-busy", "el-wide", "el-own", "--keep-password"])
        .ends(1)
        .says("role \"el_boss_user\" has SUPERUSER: such a role is never made a tenant's")
        .says("role \"el_maker_user\" has CREATEROLE")
        .says("owns more than this tenant's schema: table public.busy")
        .says("owns more than this tenant's schema: schema tenant_el_other, or objects in it")
        .says("role \"el_own_owner\" is to own the schema, and somebody may be logging in as it");
    assert_eq!(fleet.ask(roles), before);
    adopt(&fleet, &["el-new"]).ends(1).says("nothing of tenant el-new is there to adopt");
    adopt(&fleet, &["el-nobody"]).ends(1).says("\"el-nobody\" is not in");
}

#[test]
fn an_admin_that_may_not_act_for_the_old_owner_is_told_which_grant_it_lacks() {
    for version in BOTH {
        let fleet = Fleet::under(Admin::Createrole, version, "lacks");
        fleet.execute(&format!(
            "CREATE ROLE la_old LOGIN; CREATE SCHEMA tenant_la_one AUTHORIZATION la_old; SET ROLE la_old; SET search_path = tenant_la_one; {}; RESET ROLE",
            tables()
        ));
        fleet.declare("la-one = {}");
        let args = ["--baseline", "2"];
        let major: i32 = fleet.ask("SELECT current_setting('server_version_num')::int / 10000").parse().unwrap();
        if major >= 16 {
            let grant = format!(
                "GRANT \"la_old\" TO \"{}\" WITH ADMIN TRUE, INHERIT FALSE, SET FALSE;",
                fleet.admin_name(Admin::Createrole)
            );
            adopt(&fleet, &args).ends(1).says("ADMIN on la_old").says(&grant);
            fleet.execute(&grant);
        }
        adopt(&fleet, &args).ends(0);
        assert_eq!(fleet.memberships(Admin::Createrole), "");
        fleet.settled();
        // A history that it may not read.
        fleet.execute(
            "CREATE ROLE la_more LOGIN; CREATE SCHEMA tenant_la_more AUTHORIZATION la_more; \
             CREATE TABLE tenant_la_more.refinery_schema_history AS TABLE tenant_la_one.refinery_schema_history; \
             ALTER TABLE tenant_la_more.refinery_schema_history ADD PRIMARY KEY (version), OWNER TO la_more",
        );
        fleet.declare("la-one = {}\nla-more = {}");
        let options = if major >= 16 { " WITH INHERIT TRUE, SET TRUE" } else { "" };
        let grant = format!("GRANT \"la_more\" TO \"{}\"{options};", fleet.admin_name(Admin::Createrole));
        adopt(&fleet, &[]).ends(1).says("the history in schema tenant_la_more").says(&grant);
        fleet.execute(&grant);
        adopt(&fleet, &[]).ends(0).says("1 applied");
        fleet.execute(&format!("REVOKE la_more FROM {}", fleet.admin_name(Admin::Createrole)));
        fleet.settled();
        // Nobody but a superuser takes anything from one.
        fleet.execute("CREATE SCHEMA tenant_la_two");
        fleet.declare("la-one = {}\nla-more = {}\nla-two = {}");
        adopt(&fleet, &[])
            .ends(1)
            .says("belongs to the superuser postgres")
            .says("ALTER SCHEMA \"tenant_la_two\" OWNER TO");
    }
}

#[test]
fn what_nobody_declared_is_printed_as_tenants_toml_has_it_and_adopted_so() {
    for version in BOTH {
        let mut fleet = Fleet::usual(version, "print");
        fleet.head.insert_str(0, "[database]\npublic_schema = \"keep\"\n");
        let history = "version int4 PRIMARY KEY, name varchar(255), applied_on varchar(255), checksum varchar(255)";
        make_as_cloacina_does(&fleet, "tenant_pr_cloa", "pr_cloa_user");
        fleet.execute(&format!(
            "ALTER ROLE pr_cloa_user CONNECTION LIMIT 7 CREATEDB; ALTER ROLE pr_cloa_user SET work_mem = '16MB'; \
             ALTER ROLE pr_cloa_user SET \"app.note\" = 'a \"b\" ${{HOME}}'; \
             CREATE ROLE pr_app LOGIN PASSWORD 'old'; CREATE ROLE pr_holds NOLOGIN; CREATE ROLE pr_reads LOGIN PASSWORD 'old'; \
             CREATE ROLE pr_all LOGIN PASSWORD 'old'; CREATE ROLE pr_boss LOGIN SUPERUSER; \
             CREATE SCHEMA \"PR Odd\" AUTHORIZATION pr_app; SET ROLE pr_app; SET search_path = \"PR Odd\"; {tables}; RESET ROLE; \
             CREATE SCHEMA pr_held AUTHORIZATION pr_holds; SET ROLE pr_holds; SET search_path = pr_held; {tables}; \
             CREATE TABLE refinery_schema_history ({history}); RESET ROLE; \
             GRANT USAGE ON SCHEMA pr_held TO pr_reads; GRANT SELECT ON ALL TABLES IN SCHEMA pr_held TO pr_reads; \
             CREATE SCHEMA pr_d1 AUTHORIZATION pr_all; CREATE SCHEMA pr_d2 AUTHORIZATION pr_all; \
             CREATE SCHEMA tenant_pr_boss AUTHORIZATION pr_boss; CREATE SCHEMA elsewhere; \
             CREATE SCHEMA tenant_pr_declared",
            tables = tables()
        ));
        fleet.declare("pr-declared = {}");
        let printed = fleet.run(&["adopt", "--print", "*[pP][rR][_ ]*"]).ends(0);
        let has = |text: &str| assert!(printed.stdout.contains(text), "{text}\n{}", printed.stdout);
        has("# adopting it takes from \"pr_cloa_user\": CREATEDB\n[tenants.pr_cloa]\nconnection_limit = 7\n");
        has("\"work_mem\" = \"16MB\"");
        has("[tenants.pr_odd]\nschema = \"PR Odd\"\nusername = \"pr_app\"\naccess = \"owner\"\n");
        has(
            "[tenants.pr_held]\nschema = \"pr_held\"\nusername = \"pr_reads\"\nowner = \"pr_holds\"\naccess = \"readonly\"\n",
        );
        has("# \"pr_all\" is used in 2 schemas, and loses this one when it is adopted");
        has("# no login role is this schema's alone: \"pr_d1_user\" is created\n[tenants.pr_d1]\nschema = \"pr_d1\"\n");
        has("# \"pr_boss\" has SUPERUSER, and is never a tenant's");
        for none in ["elsewhere", "declared", "tenantry", "information_schema"] {
            assert!(!printed.stdout.contains(none), "{none}\n{}", printed.stdout);
        }
        let printed =
            printed.says("6 tenants of print").says("nothing was changed").says("tenantry adopt --baseline VERSION");
        assert_eq!(fleet.ask("SELECT count(*) FROM pg_namespace WHERE nspname = 'tenantry'"), "0");

        // It parses together with the file, and the plan of those that are adopted so is empty afterwards.
        let file = fleet.path("tenants.toml");
        fs::write(&file, fs::read_to_string(&file).unwrap() + &printed.stdout).unwrap();
        fleet.run(&["validate"]).ends(0);
        fleet.run(&["adopt", "--print", "*[pP][rR][_ ]*"]).ends(0).says("no schema that matches");
        fleet.execute("DROP TABLE pr_held.refinery_schema_history");
        adopt(&fleet, &["--baseline", "2", "--keep-password"]).ends(0).says("7 applied");
        fleet.run(&["plan", "--detailed-exitcode", "-v"]).ends(0);
        let settings = fleet.ask("SELECT rolconfig::text FROM pg_roles WHERE rolname = 'pr_cloa_user'");
        assert!(settings.contains("${HOME}"), "{settings}");
    }
}
