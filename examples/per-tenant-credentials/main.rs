//! Two tenants with credentials of their own, and the proof that neither sees the other.
//!
//! `cargo run --example per-tenant-credentials` needs the programs of a PostgreSQL (initdb, postgres) and nothing else: it starts
//! a throw-away server. With `ADMIN_DATABASE_URL` it works on that database, and removes the two tenants again.

use std::error::Error;

use postgres::{Client, NoTls};
use tenantry::admin::{DatabaseAdmin, TenantConfig};
use tenantry::sandbox::Server;

const GLOBEX_PASSWORD: &str = "correct horse: battery/staple@2";

fn main() -> Result<(), Box<dyn Error>> {
    print!("{}", run(std::env::var("ADMIN_DATABASE_URL").ok())?);
    Ok(())
}

pub fn run(url: Option<String>) -> Result<String, Box<dyn Error>> {
    let mut said = String::new();
    let (_server, url) = match url {
        Some(url) => (None, url),
        None => {
            let server = Server::builder().start()?;
            let url = server.admin_url();
            (Some(server), url)
        }
    };
    let migrations = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/per-tenant-credentials/migrations");
    let admin = DatabaseAdmin::new(&url)?.with_migrations(migrations);

    // 1. The admin creates the tenants: one password is generated, the other one given.
    let acme = admin.create_tenant(TenantConfig {
        schema_name: "tenant_acme".to_string(),
        username: "acme_user".to_string(),
        password: String::new(),
    })?;
    let globex = admin.create_tenant(TenantConfig {
        schema_name: "tenant_globex".to_string(),
        username: "globex_user".to_string(),
        password: GLOBEX_PASSWORD.to_string(),
    })?;

    // 2. Credentials may be logged: Display and Debug mask the password.
    for credentials in [&acme, &globex] {
        let logged = format!("{credentials} {credentials:?}");
        let is_masked = !logged.contains(&credentials.password) && !logged.contains("battery");
        said.push_str(&format!("created schema {}, user {}", credentials.schema_name, credentials.username));
        said.push_str(&format!(", {} characters of password, masked: {is_masked}\n", credentials.password.len()));
    }

    // 3. Each tenant's program connects with its own string, and nothing else.
    for (own, other) in [(&acme, &globex), (&globex, &acme)] {
        let mut runner = with_schema(&own.connection_string, &own.schema_name)?;
        runner.execute("INSERT INTO notes (body) VALUES ($1)", &[&format!("of {}", own.schema_name)])?;
        let row = runner.query_one("SELECT current_user::text, string_agg(body, ', ') FROM notes", &[])?;
        let (user, notes): (String, String) = (row.get(0), row.get(1));
        said.push_str(&format!("{user} sees its notes: {notes}\n"));
        let error = runner.query(&format!("SELECT * FROM {}.notes", other.schema_name), &[]).unwrap_err();
        let answer = error.as_db_error().map_or_else(|| error.to_string(), |error| error.message().to_owned());
        said.push_str(&format!("{user} asks for those of {}: {answer}\n", other.schema_name));
    }

    // 4. One password is replaced; the other tenant's is not.
    let rotated = admin.rotate(&acme.schema_name, &acme.username, "")?;
    let opens = |string: &str| Client::connect(string, NoTls).is_ok();
    said.push_str(&format!("acme's former password opens: {}\n", opens(&acme.connection_string)));
    said.push_str(&format!("its new one opens: {}\n", opens(&rotated.connection_string)));
    said.push_str(&format!("globex's opens: {}\n", opens(&globex.connection_string)));

    // 5. Both go, with all that is theirs.
    for credentials in [&acme, &globex] {
        admin.remove_tenant(&credentials.schema_name, &credentials.username)?;
    }
    said.push_str(&format!("tenants left: {}\n", admin.list_tenants()?.len()));
    Ok(said)
}

/// A session in this schema; with credentials of another tenant it is none.
fn with_schema(connection_string: &str, schema: &str) -> Result<Client, Box<dyn Error>> {
    let mut client = Client::connect(connection_string, NoTls)?;
    let current: Option<String> = client.query_one("SELECT current_schema()::text", &[])?.get(0);
    if current.as_deref() != Some(schema) {
        return Err(format!("these credentials are not those of {schema}").into());
    }
    Ok(client)
}
