//! A sign-up service: each customer gets a schema, a role that reaches nothing else, and a password that only the secret store knows.
//!
//! ```sh
//! DATABASE_URL=postgresql://admin@localhost/app cargo run
//! curl -X POST localhost:3000/customers -H 'content-type: application/json' -d '{"company": "Acme Corp"}'
//! curl -X DELETE localhost:3000/customers/acme_corp
//! ```

use std::path::{Path, PathBuf};

use axum::extract::{Path as UrlPath, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tenantry::Environment;
use tenantry::admin::{AdminError, DatabaseAdmin, Secrets, TenantConfig};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::var("DATABASE_URL")?;
    let secrets = std::env::var_os("SECRETS_DIR").map_or_else(|| PathBuf::from("secrets"), PathBuf::from);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    axum::serve(listener, app(admin(&url, &secrets)?)).await?;
    Ok(())
}

/// Whoever signs up gets what the migrations create; who leaves is archived first.
fn admin(url: &str, secrets: &Path) -> Result<DatabaseAdmin, AdminError> {
    Ok(DatabaseAdmin::new(url)?
        .with_environment(Environment::from_iter(std::env::vars_os()))
        .with_migrations(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations"))
        .with_secrets(Secrets::Files(secrets.to_owned()))
        .with_archives(secrets.join("archives")))
}

fn app(admin: DatabaseAdmin) -> Router {
    Router::new()
        .route("/customers", get(list).post(sign_up))
        .route("/customers/{name}", delete(leave))
        .with_state(admin)
}

#[derive(Deserialize)]
struct SignUp {
    company: String,
}

#[derive(Serialize)]
struct Customer {
    name: String,
    schema: String,
    username: String,
}

impl Customer {
    /// "Acme Corp" is acme_corp, in schema tenant_acme_corp.
    fn named(company: &str) -> Self {
        let letters =
            company.trim().chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' });
        let name: String = letters.collect();
        Self { schema: format!("tenant_{name}"), username: format!("{name}_user"), name }
    }
}

async fn sign_up(State(admin): State<DatabaseAdmin>, Json(form): Json<SignUp>) -> Result<Response, Failure> {
    let customer = Customer::named(&form.company);
    if customer.name.is_empty() {
        return Ok((StatusCode::BAD_REQUEST, Json(json!({"error": "a company has a name"}))).into_response());
    }
    let schema_name = customer.schema.clone();
    let config = TenantConfig { schema_name, username: customer.username.clone(), password: String::new() };
    // The password stays where the customer's workers read it: in the secret store.
    blocking(move || admin.create_tenant(config)).await?;
    Ok((StatusCode::CREATED, Json(customer)).into_response())
}

async fn leave(State(admin): State<DatabaseAdmin>, UrlPath(name): UrlPath<String>) -> Result<StatusCode, Failure> {
    let customer = Customer::named(&name);
    blocking(move || admin.remove_tenant(&customer.schema, &customer.username)).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn list(State(admin): State<DatabaseAdmin>) -> Result<Json<Vec<String>>, Failure> {
    let tenants = blocking(move || admin.list_tenants()).await?;
    Ok(Json(tenants.into_iter().map(|tenant| tenant.schema_name).collect()))
}

/// tenantry waits for PostgreSQL on the thread that calls it.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, AdminError> + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Failure(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?
        .map_err(Failure::from)
}

struct Failure(StatusCode, String);

impl From<AdminError> for Failure {
    fn from(error: AdminError) -> Self {
        let status = match (&error, error.sqlstate()) {
            (AdminError::InvalidConfig { .. }, _) => StatusCode::BAD_REQUEST,
            (AdminError::Pool(_), _) => StatusCode::SERVICE_UNAVAILABLE,
            (_, Some("42P06" | "42710")) => StatusCode::CONFLICT,
            (_, Some("3F000" | "42704")) => StatusCode::NOT_FOUND,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self(status, error.to_string())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (self.0, Json(json!({"error": self.1}))).into_response()
    }
}

#[cfg(test)]
mod tests;
