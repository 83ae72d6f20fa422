//! Two tenants with credentials of their own, and the proof that neither sees the other.
//!
//! `cargo run --example per-tenant-credentials` needs the programs of a PostgreSQL (initdb, postgres) and nothing else:
//! it starts a throw-away server, applies the tenants.toml beside this file, and logs in with the delivered secrets.

use std::error::Error;
use std::path::Path;

use secrecy::ExposeSecret;
use tenantry::sandbox::Server;
use tenantry::secrets::{Found, SecretStore, open_file};
use tenantry::{Environment, Intent, Options, Tenantry, render};

const GLOBEX_PASSWORD: &str = "correct horse: battery/staple@2";

fn main() -> Result<(), Box<dyn Error>> {
    print!("{}", run()?);
    Ok(())
}

pub fn run() -> Result<String, Box<dyn Error>> {
    let mut said = String::new();
    let server = Server::builder().start()?;
    let secrets = tempfile::tempdir()?;

    // What `GLOBEX_PASSWORD=… tenantry apply` does.
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/per-tenant-credentials/tenants.toml");
    let dir = secrets.path().join("secrets");
    let env: Environment =
        [("GLOBEX_PASSWORD", GLOBEX_PASSWORD), ("TENANTRY_SECRETS_DIR", &dir.to_string_lossy())].into_iter().collect();
    let options = Options { database_url: Some(server.admin_url()), ..Options::default() };
    let planned = Tenantry::open(&file, &env, options)?.lock()?.plan(Intent::Converge)?;
    let report = planned.approve(&[])?.apply(&())?;
    said.push_str(&format!("{}\n", render::report::summary(&report)));
    if !report.is_success() {
        return Err("not every tenant was applied".into());
    }

    // Each application reads its own secret, and connects with the URL in it.
    let store = open_file(&dir);
    for (tenant, neighbour) in [("acme", "globex"), ("globex", "acme")] {
        let mut session = log_in(&store, tenant)?;
        session.execute("INSERT INTO notes (body) VALUES ($1)", &[&format!("of {tenant}")])?;
        let row = session
            .query_one("SELECT current_user::text, current_schema()::text, string_agg(body, ', ') FROM notes", &[])?;
        let (user, schema, notes): (String, String, String) = (row.get(0), row.get(1), row.get(2));
        said.push_str(&format!("{user} in {schema} sees its notes: {notes}\n"));
        let error = session.query(&format!("SELECT * FROM tenant_{neighbour}.notes"), &[]).unwrap_err();
        let answer = error.as_db_error().map_or_else(|| error.to_string(), |error| error.message().to_owned());
        said.push_str(&format!("{user} asks for {neighbour}'s: {answer}\n"));
    }

    let Found::Readable(_, secret) = store.read("tenants/globex")? else { return Err("globex has no secret".into()) };
    let given = secret.password.expose_secret() == GLOBEX_PASSWORD;
    said.push_str(&format!("globex's password is the one that was given: {given}\n"));
    Ok(said)
}

fn log_in(store: &dyn SecretStore, tenant: &str) -> Result<postgres::Client, Box<dyn Error>> {
    match store.read(&format!("tenants/{tenant}"))? {
        Found::Readable(_, secret) => Ok(postgres::Client::connect(secret.url.expose_secret(), postgres::NoTls)?),
        _ => Err(format!("{tenant} has no secret").into()),
    }
}
