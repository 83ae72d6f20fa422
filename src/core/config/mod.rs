//! `tenants.toml` → [`Desired`](crate::core::model::Desired).
//!
//! Two types, two steps: [`raw`] is what the file says, word for word; `resolve` turns it into the desired state.
//! Every fault is collected with its place, so that one run shows them all.

mod advertise;
mod duration;
mod fault;
mod interpolate;
mod places;
pub mod raw;
mod read;
mod redact;
mod resolve;
mod rotation;
mod template;
mod vault;

pub use duration::duration;
pub use fault::{ConfigError, Fault};
pub use interpolate::Lookup;
use places::Places;
pub use resolve::Configuration;
use resolve::resolve;

use raw::RawConfig;

/// Parses the text of a `tenants.toml` and fills in every default. Reads no file and no environment itself.
///
/// # Errors
/// All the faults of the file at once.
///
/// ```
/// let env = |_: &str| None;
/// let config = tenantry::config::parse("tenants.toml", "[tenants]\nacme = {}\n", &env).unwrap();
/// assert_eq!(config.tenants.values().next().unwrap().schema, "tenant_acme");
///
/// let error = tenantry::config::parse("tenants.toml", "[tenants]\nacme = { acces = \"full\" }\n", &env).unwrap_err();
/// assert!(error.to_string().starts_with("tenants.toml:2:10: unknown key"), "{error}");
/// ```
pub fn parse(path: &str, source: &str, env: Lookup<'_>) -> Result<Configuration, ConfigError> {
    let mut faults = fault::Faults::default();
    let document = read::document(source, env, &mut faults);
    let raw = read::config(&document, &mut faults);
    let configuration = resolve(raw, &Places::new(&document), &mut faults);
    faults.into_result(path, source, &Places::new(&document))?;
    Ok(configuration)
}

/// The JSON schema of `tenants.toml`, for editors.
#[must_use]
pub fn json_schema() -> serde_json::Value {
    schemars::schema_for!(RawConfig).to_value()
}
