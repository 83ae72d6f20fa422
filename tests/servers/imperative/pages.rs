//! The Rust samples of docs/coming-from-*.md, which are parts of this file.

use std::error::Error;

use tenantry::admin::{AdminError, DatabaseAdmin, TenantConfig};

use super::{Admin, BOTH, Environment, Fleet, connect, pg_dump_dir};
use crate::fleet::ask;
use crate::snapshot;

#[test]
fn the_samples_for_cloacina_run() {
    let fleet = Fleet::under(Admin::Createrole, BOTH[1], "page_cloacina");
    cloacina(&fleet).unwrap();
}

fn cloacina(fleet: &Fleet) -> Result<(), Box<dyn Error>> {
    let url = fleet.url.clone();
    let migrations = fleet.path("migrations");
    let admin = DatabaseAdmin::new(&url)?.with_migrations(&migrations);

    let creds = admin.create_tenant(TenantConfig {
        schema_name: "tenant_acme".to_string(),
        username: "acme_user".to_string(),
        password: "".to_string(), // Empty = auto-generate
    })?;

    println!("Created tenant:");
    println!("  Username: {}", creds.username);
    println!("  Password: {}", creds.password);
    println!("  Connection: {}", creds.connection_string);

    // Create tenant with custom password
    let creds = admin.create_tenant(TenantConfig {
        schema_name: "tenant_xyz".to_string(),
        username: "xyz_user".to_string(),
        password: "custom_secure_password".to_string(),
    })?;
    assert_eq!(creds.password, "custom_secure_password");

    let mut runner = postgres::Client::connect(&creds.connection_string, postgres::NoTls)?;
    let schema: String = runner.query_one("SELECT current_schema()::text", &[])?.get(0);
    assert_eq!(schema, creds.schema_name);

    let config = TenantConfig { username: "xyz_user".into(), schema_name: "tenant_more".into(), ..Default::default() };
    match admin.create_tenant(config) {
        Ok(creds) => println!("{creds}"),
        Err(AdminError::InvalidConfig { message }) => println!("not a tenant: {message}"),
        Err(AdminError::SqlExecution { message }) => println!("not created: {message}"),
        Err(AdminError::Pool(error)) => println!("no connection: {error}"),
        Err(error @ AdminError::Database(_)) => println!("{error}; {}", error.hint().unwrap_or("no hint")),
    }

    admin.remove_tenant("tenant_xyz", "xyz_user")?;
    assert_eq!(admin.list_tenants()?.len(), 1);
    Ok(())
}

#[test]
fn the_samples_for_cinchdb_run() {
    let fleet = Fleet::under(Admin::Superuser, BOTH[1], "page_cinchdb");
    cinchdb(&fleet).unwrap();
}

fn cinchdb(fleet: &Fleet) -> Result<(), Box<dyn Error>> {
    let programs: Environment = [("TENANTRY_PG_BINDIR", pg_dump_dir(BOTH[1]))].into_iter().collect();
    let admin = DatabaseAdmin::new(&fleet.url)?.with_migrations(fleet.path("migrations")).with_environment(programs);

    let create = |name: &str| {
        admin.create_tenant(TenantConfig {
            schema_name: name.to_string(),
            username: format!("{name}_user"),
            password: String::new(),
        })
    };
    let customer_a = create("customer_a")?;
    let customer_b = create("customer_b")?;
    connect(&customer_a).batch_execute("INSERT INTO users (email) VALUES ('a@a.com')")?;
    assert_eq!(ask(&mut connect(&customer_b), "SELECT count(*) FROM users"), "0");

    for tenant in admin.list_tenants()? {
        println!("Tenant: {}, user {}", tenant.schema_name, tenant.username);
    }

    let config = |name: &str| TenantConfig {
        schema_name: name.to_string(),
        username: format!("{name}_user"),
        password: String::new(),
    };
    let with_rows = admin.copy_tenant("customer_a", config("new_customer"), true)?;
    let empty = admin.copy_tenant("customer_a", config("empty_customer"), false)?;
    assert_eq!(ask(&mut connect(&with_rows), "SELECT count(*) FROM users"), "1");
    assert_eq!(ask(&mut connect(&empty), "SELECT count(*) FROM users"), "0");

    let stats = admin.stats("customer_a")?;
    println!("{} bytes in {} tables, {} sessions", stats.bytes, stats.tables, stats.connections);

    let archives = fleet.path("archives");
    let archiving = admin.clone().with_archives(&archives);
    archiving.remove_tenant("customer_b", "customer_b_user")?;
    assert!(std::fs::read_dir(archives)?.count() > 0);
    Ok(())
}

/// Line by line, wherever they stand here.
#[test]
fn what_the_pages_show_is_what_runs() {
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let runs = words(&std::fs::read_to_string(snapshot::root().join("tests/servers/imperative/pages.rs")).unwrap());
    for page in ["docs/coming-from-cloacina.md", "docs/coming-from-cinchdb.md"] {
        let text = std::fs::read_to_string(snapshot::root().join(page)).unwrap();
        let blocks: Vec<&str> = text.split("```rust\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
        assert!(blocks.len() >= 4, "{page}");
        for block in blocks.into_iter() {
            assert!(runs.contains(&words(block)), "{page}: this does not run:\n{block}");
        }
    }
}
