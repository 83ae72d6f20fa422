//! Tenants that a program creates and removes one by one, with no tenants.toml: the credentials work as they are, a failure
//! leaves nothing, and nobody else's tenant is touched.

mod credentials;
mod pages;
mod processes;
mod refusals;
mod vault;

use tenantry::Environment;
use tenantry::admin::{AdminError, DatabaseAdmin, Secrets, TenantConfig, TenantCredentials};

use crate::fleet::{Admin, BOTH, Fleet, ask, refused};
use crate::postgres_server::{Version, pg_dump_dir};

/// Which admins a test is run as: a superuser, and one who is none.
const ADMINS: [Admin; 2] = [Admin::Superuser, Admin::Createrole];

#[track_caller]
fn fleet(admin: Admin, version: Version, name: &str) -> (Fleet, DatabaseAdmin) {
    let fleet =
        Fleet::under(admin, version, &format!("{name}_{}", if admin == Admin::Superuser { "su" } else { "cr" }));
    let admin = DatabaseAdmin::new(&fleet.url).unwrap().with_migrations(fleet.path("migrations"));
    (fleet, admin)
}

fn config(schema: &str, username: &str) -> TenantConfig {
    TenantConfig { schema_name: schema.to_owned(), username: username.to_owned(), password: String::new() }
}

/// As the tenant's own program connects: with the string, and nothing else.
#[track_caller]
fn connect(credentials: &TenantCredentials) -> postgres::Client {
    postgres::Client::connect(&credentials.connection_string, postgres::NoTls).unwrap()
}

#[test]
fn a_tenant_is_created_used_listed_and_removed() {
    for version in BOTH {
        for kind in ADMINS {
            let (fleet, admin) = fleet(kind, version, "imp_usual");
            let tag = format!("{}{}", if kind == Admin::Superuser { "s" } else { "c" }, version.major());
            let (schema, user) = (format!("us_{tag}"), format!("us_{tag}_user"));
            let credentials = admin.create_tenant(config(&schema, &user)).unwrap();
            assert_eq!((&credentials.schema_name, &credentials.username), (&schema, &user));
            assert_eq!(credentials.password.len(), 32);
            let mut client = connect(&credentials);
            client.batch_execute("INSERT INTO users (email) VALUES ('a@b'); CREATE TABLE own (n int)").unwrap();
            assert_eq!(
                ask(&mut client, "SELECT current_schema, current_user, user_count()"),
                format!("{schema}, {user}, 1")
            );

            let other = admin.create_tenant(config(&format!("{schema}_2"), &format!("{schema}_2_user"))).unwrap();
            assert!(refused(&mut connect(&other), &format!("SELECT * FROM {schema}.users")).contains("42501"));

            let listed = admin.list_tenants().unwrap();
            let names: Vec<_> =
                listed.iter().map(|info| (&*info.schema_name, &*info.declared_by, &*info.state)).collect();
            assert_eq!(names, [(&*schema, "api", "active"), (&*other.schema_name, "api", "active")]);
            let stats = admin.stats(&schema).unwrap();
            assert!(
                stats.bytes > 0 && stats.tables == 4 && stats.connections == 1 && stats.migration == Some(2),
                "{stats:?}"
            );

            // Whose sessions are open goes all the same.
            admin.remove_tenant(&schema, &user).unwrap();
            assert!(client.simple_query("SELECT 1").is_err());
            assert!(postgres::Client::connect(&credentials.connection_string, postgres::NoTls).is_err());
            let left = format!(
                "SELECT count(*) FROM pg_roles WHERE rolname LIKE '{schema}\\_%' AND rolname NOT LIKE '{schema}\\_2%'"
            );
            assert_eq!(fleet.ask(&left), "0");
            assert_eq!(fleet.ask(&format!("SELECT count(*) FROM pg_namespace WHERE nspname = '{schema}'")), "0");
            // The names are free again.
            let again = admin.create_tenant(config(&schema, &user)).unwrap();
            assert_ne!(again.password, credentials.password);
            assert_eq!(ask(&mut connect(&again), "SELECT user_count()"), "0");
            assert_eq!(fleet.memberships(kind), "");
        }
    }
}

/// The file's plan says that they are there, and leaves them alone; declared, they are the file's.
#[test]
fn no_file_removes_them_and_one_may_declare_them() {
    for kind in ADMINS {
        let (fleet, admin) = fleet(kind, BOTH[1], "imp_file");
        let tag = if kind == Admin::Superuser { "s" } else { "c" };
        let (schema, user) = (format!("fi_{tag}"), format!("fi_{tag}_user"));
        let credentials = admin.create_tenant(config(&schema, &user)).unwrap();
        fleet.declare("");
        fleet.run(&["plan"]).ends(0).says("a program created it");
        fleet.run(&["apply", "-y"]).ends(0);
        fleet.run(&["drift"]).ends(0);
        let why = format!("because a program created them, and tenants.toml does not declare them: {schema}");
        fleet.run(&["query", "SELECT 1"]).ends(0).says(&format!("not asked, {why}"));
        fleet.run(&["exec", "--all", "--", "true"]).ends(0).says(&format!("left out, {why}"));
        assert_eq!(ask(&mut connect(&credentials), "SELECT user_count()"), "0");

        let printed = fleet.run(&["adopt", "--print", "fi_*"]).ends(0);
        assert!(printed.stdout.contains(&format!("[tenants.{schema}]")), "{}", printed.stdout);
        fleet.declare(&printed.stdout);
        fleet.run(&["plan"]).ends(0).says("declared by  api → file");
        fleet.apply();
        fleet.run(&["plan", "--detailed-exitcode"]).ends(0);
        // The password is the tenant's own, until a rotation puts one into the secret store.
        assert_eq!(ask(&mut connect(&credentials), "SELECT user_count()"), "0");
        fleet.run(&["verify"]).says(&format!("a new one, in a secret: tenantry rotate {schema}"));
        fleet.run(&["rotate", "-y", &schema]).ends(0);
        assert!(postgres::Client::connect(&credentials.connection_string, postgres::NoTls).is_err());
        fleet.settled();
        assert_eq!(ask(&mut fleet.log_in(&schema), "SELECT user_count()"), "0");
        let error = admin.remove_tenant(&schema, &user).unwrap_err();
        assert!(error.to_string().contains("is declared in tenants.toml"), "{error}");
        fleet.declare("");
        fleet.run(&["apply", "-y", "--allow-removals", "1"]).ends(0);
        assert_eq!(fleet.ask(&format!("SELECT count(*) FROM pg_namespace WHERE nspname = '{schema}'")), "0");
    }
}

/// With a store the secret is the one that `[secrets]` of tenants.toml would name.
#[test]
fn credentials_are_kept_in_a_store_where_there_is_one() {
    let (fleet, admin) = fleet(Admin::Superuser, BOTH[0], "imp_store");
    let admin = admin.with_secrets(Secrets::Files(fleet.path("kept")));
    let credentials = admin.create_tenant(config("st_one", "st_one_user")).unwrap();
    let read = || std::fs::read_to_string(fleet.path("kept").join("tenants/st_one.json")).unwrap();
    assert!(serde_json::from_str::<serde_json::Value>(&read()).unwrap()["url"] == credentials.connection_string);
    // Whoever does not look there would leave it behind.
    let elsewhere = DatabaseAdmin::new(&fleet.url).unwrap();
    for error in [
        elsewhere.remove_tenant("st_one", "st_one_user").unwrap_err(),
        elsewhere.rotate("st_one", "st_one_user", "").unwrap_err(),
    ] {
        assert!(error.message().contains("is in another store: file"), "{error}");
    }
    connect(&credentials);
    let rotated = admin.rotate("st_one", "st_one_user", "").unwrap();
    assert_ne!(rotated.password, credentials.password);
    assert!(serde_json::from_str::<serde_json::Value>(&read()).unwrap()["url"] == rotated.connection_string);
    connect(&rotated);
    admin.remove_tenant("st_one", "st_one_user").unwrap();
    assert!(!fleet.path("kept").join("tenants/st_one.json").exists());
}

#[test]
fn a_copy_has_the_rows_or_none_and_an_archive_is_written_before_a_removal() {
    let (fleet, admin) = fleet(Admin::Superuser, BOTH[1], "imp_copy");
    let programs: Environment = [("TENANTRY_PG_BINDIR", pg_dump_dir(BOTH[1]))].into_iter().collect();
    let admin = admin.with_environment(programs);
    let from = admin.create_tenant(config("cp_from", "cp_from_user")).unwrap();
    connect(&from).batch_execute("INSERT INTO users (email) VALUES ('a@b'), ('c@d')").unwrap();
    let with = admin.copy_tenant("cp_from", config("cp_with", "cp_with_user"), true).unwrap();
    assert_eq!(ask(&mut connect(&with), "SELECT count(*) FROM users"), "2");
    let without = admin.copy_tenant("cp_from", config("cp_without", "cp_without_user"), false).unwrap();
    assert_eq!(ask(&mut connect(&without), "SELECT count(*) FROM users"), "0");

    let archiving = admin.clone().with_archives(fleet.path("archives"));
    archiving.remove_tenant("cp_with", "cp_with_user").unwrap();
    let archives = std::fs::read_dir(fleet.path("archives")).unwrap().count();
    assert!(archives > 0);
    assert_eq!(ask(&mut connect(&from), "SELECT count(*) FROM users"), "2");
    let error = admin.copy_tenant("cp_nobody", config("cp_x", "cp_x_user"), true).unwrap_err();
    assert!(
        matches!(&error, AdminError::SqlExecution { message } if message.contains("no tenant with schema")),
        "{error}"
    );
}

#[test]
fn twenty_at_once_all_end_well() {
    let (fleet, admin) = fleet(Admin::Createrole, BOTH[0], "imp_many");
    let create = |n: usize| {
        // Each of two tenants is asked for twice, the others once.
        let name = format!("mn_{}", if n < 4 { n / 2 } else { n });
        (name.clone(), admin.create_tenant(config(&name, &format!("{name}_user"))))
    };
    let made: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..20).map(|n| scope.spawn(move || create(n))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let failed: Vec<_> = made.iter().filter_map(|(_, made)| made.as_ref().err()).collect();
    assert_eq!(failed.len(), 2, "{failed:?}");
    assert!(failed.iter().all(|error| error.sqlstate() == Some("42P06")), "{failed:?}");
    made.iter().filter_map(|(_, made)| made.as_ref().ok()).for_each(|credentials| drop(connect(credentials)));
    assert_eq!(admin.list_tenants().unwrap().len(), 18);
    assert_eq!(fleet.ask("SELECT count(*) FROM tenantry.tenants"), "18");
}
