//! What is refused, with what it says; and that nothing was changed then.

use super::*;

#[track_caller]
fn not_created(admin: &DatabaseAdmin, schema: &str, user: &str) -> AdminError {
    admin.create_tenant(config(schema, user)).unwrap_err()
}

#[test]
fn what_is_taken_is_not_created_again_and_says_who_has_it() {
    for version in BOTH {
        for kind in ADMINS {
            let (fleet, admin) = fleet(kind, version, "imp_taken");
            let tag = format!("{}{}", if kind == Admin::Superuser { "s" } else { "c" }, version.major());
            let (schema, user) = (format!("tk_{tag}"), format!("tk_{tag}_user"));
            let credentials = admin.create_tenant(config(&schema, &user)).unwrap();

            let error = not_created(&admin, &schema, &user);
            assert_eq!(error.sqlstate(), Some("42P06"));
            assert!(error.message().contains(&format!("schema \"{schema}\" already exists")), "{error}");
            assert!(error.message().contains(&user) && error.hint().unwrap().contains("rotate"), "{error}");

            let error = not_created(&admin, &format!("{schema}_b"), &user);
            assert!(
                error.to_string().starts_with(&format!("SQL execution error: Failed to create user '{user}': role")),
                "{error}"
            );
            assert_eq!(error.sqlstate(), Some("42710"));

            fleet.execute(&format!("CREATE SCHEMA {schema}_own; CREATE ROLE {schema}_role"));
            let error = not_created(&admin, &format!("{schema}_own"), &format!("{schema}_x"));
            assert_eq!(error.sqlstate(), Some("42P06"), "{error}");
            let error = not_created(&admin, &format!("{schema}_c"), &format!("{schema}_role"));
            assert_eq!(error.sqlstate(), Some("42710"), "{error}");
            // None of them changed anything.
            connect(&credentials);
            assert_eq!(fleet.ask(&format!("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'tk\\_{tag}\\_%'")), "3");
            fleet.execute(&format!("DROP ROLE {schema}_role"));
        }
    }
}

#[test]
fn what_is_not_there_or_not_ours_is_not_removed() {
    let (fleet, admin) = fleet(Admin::Superuser, BOTH[0], "imp_away");
    fleet.declare("aw-file = {}");
    fleet.apply();
    let one = admin.create_tenant(config("aw_one", "aw_one_user")).unwrap();
    let two = admin.create_tenant(config("aw_two", "aw_two_user")).unwrap();
    fleet.execute("CREATE SCHEMA aw_foreign; CREATE ROLE aw_stranger");
    let refused = |schema: &str, user: &str, sqlstate: Option<&str>, says: &str| {
        let error = admin.remove_tenant(schema, user).unwrap_err();
        assert_eq!(error.sqlstate(), sqlstate, "{error}");
        assert!(error.message().contains(says), "{error}");
    };
    refused("aw_nobody", "aw_nobody_user", Some("3F000"), "there is no tenant with schema");
    refused("aw_one", "aw_two_user", Some("42704"), "the user of schema \"aw_one\" is \"aw_one_user\"");
    refused("aw_one", "aw_stranger", Some("42704"), "and not \"aw_stranger\"");
    refused("aw_foreign", "aw_stranger", Some("3F000"), "tenant");
    refused("tenant_aw_file", "aw_file_user", None, "declared in tenants.toml");
    refused("public", "aw_one_user", None, "is reserved");
    for error in [admin.rotate("aw_one", "aw_two_user", ""), admin.rotate("tenant_aw_file", "aw_file_user", "")] {
        error.unwrap_err();
    }
    connect(&one);
    connect(&two);
    drop(fleet.log_in("aw-file"));
    assert_eq!(fleet.ask("SELECT count(*) FROM pg_namespace WHERE nspname IN ('aw_foreign', 'tenant_aw_file')"), "2");
}

#[test]
fn names_and_passwords_that_cannot_be_are_named() {
    let (fleet, admin) = fleet(Admin::Superuser, BOTH[0], "imp_names");
    let long = "x".repeat(64);
    for (schema, user, password, says) in [
        ("", "u", "", "Schema name cannot be empty"),
        ("s", "", "", "Username cannot be empty"),
        ("pg_x", "u", "", "begins with \"pg_\""),
        ("tenantry", "u", "", "is reserved"),
        ("information_schema", "u", "", "is reserved"),
        (&long, "u", "", "64 bytes"),
        ("s\0", "u", "", "NUL"),
        ("s", "s_owner", "", "own the schema"),
        ("s", "u", "a\0b", "Password holds a NUL"),
        ("s", "u", "\u{ad}", "SASLprep removes"),
    ] {
        let config = TenantConfig { schema_name: schema.into(), username: user.into(), password: password.into() };
        let error = admin.create_tenant(config).unwrap_err();
        assert!(matches!(&error, AdminError::InvalidConfig { message } if message.contains(says)), "{error}");
    }
    assert_eq!(fleet.ask("SELECT to_regnamespace('tenantry') IS NULL"), "t");
    assert!(matches!(DatabaseAdmin::new(""), Err(AdminError::InvalidConfig { .. })));
    let error = DatabaseAdmin::new("postgresql://nobody@127.0.0.1:1/x").unwrap().list_tenants().unwrap_err();
    assert!(matches!(error, AdminError::Pool(_)), "{error}");
}

#[test]
fn who_lacks_a_right_is_told_which_and_a_migration_that_fails_leaves_nothing() {
    for version in BOTH {
        let (fleet, admin) = fleet(Admin::Createrole, version, "imp_right");
        let name = fleet.admin_name(Admin::Createrole);
        fleet.execute(&format!("REVOKE CREATE ON DATABASE {} FROM {name}", fleet.database.name));
        let error = not_created(&admin, "ri_one", "ri_one_user");
        assert_eq!(error.sqlstate(), Some("42501"), "{error}");
        assert!(
            error.message().contains("permission denied") && error.hint().unwrap().contains("GRANT CREATE"),
            "{error}"
        );
        fleet.execute(&format!("GRANT CREATE ON DATABASE {} TO {name}", fleet.database.name));

        fleet.migration("V3__broken.sql", "CREATE TABLE fine (n int); SELECT 1/0;");
        let error = not_created(&admin, "ri_one", "ri_one_user");
        assert_eq!(error.sqlstate(), Some("22012"), "{error}");
        assert!(error.message().contains("V3__broken.sql"), "{error}");
        assert_eq!(fleet.ask("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'ri\\_one%'"), "0");
        assert_eq!(fleet.ask("SELECT to_regnamespace('ri_one') IS NULL"), "t");
        assert!(admin.list_tenants().unwrap().is_empty());
        std::fs::remove_file(fleet.path("migrations/V3__broken.sql")).unwrap();
        connect(&admin.create_tenant(config("ri_one", "ri_one_user")).unwrap());
        admin.remove_tenant("ri_one", "ri_one_user").unwrap();
    }
}
