//! `tenants.toml` → [`Desired`](crate::core::model::Desired).
//!
//! Two types, two steps: [`raw`] is what the file says, word for word; `resolve` turns it into the desired state.
//! Every fault is collected with its place, so that one run shows them all.

mod advertise;
mod classes;
mod defaults;
mod duration;
mod edit;
mod fault;
mod interpolate;
mod names;
mod placeholder;
mod places;
pub mod raw;
mod read;
mod redact;
mod resolve;
mod rotation;
mod template;
mod tenant;
mod text;
mod vault;
mod vault_access;

#[cfg(feature = "engine")]
pub(crate) use advertise::faults_of as faults_of_advertise;
pub use duration::duration;
pub use edit::{with_tenant, without_tenant};
pub use fault::{ConfigError, Fault};
pub use interpolate::Lookup;
use places::Places;
pub use resolve::Configuration;
use resolve::resolve;
pub use text::{Text, Unread};

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
    parse_all(&[Text::file(path, source)], &[], env)
}

/// The same of several texts: tenants.toml first, then what declares more tenants and classes. `unread`: what `include` names
/// besides them.
///
/// # Errors
/// All the faults of all of them at once.
pub fn parse_all(texts: &[Text], unread: &[Unread], env: Lookup<'_>) -> Result<Configuration, ConfigError> {
    let mut faults = fault::Faults::default();
    let (mut begins, mut documents, mut next) = (Vec::new(), Vec::new(), 0);
    for text in texts {
        faults.of_file(next);
        documents.push(read::document(text, env, &mut faults));
        begins.push(next);
        next += text.source.len() + 1;
    }
    let mut raw = raw::RawConfig::default();
    for (file, document) in documents.iter().enumerate() {
        faults.of_file(begins[file]);
        match file {
            0 => raw = read::config(document, &mut faults),
            _ => read::more(document, texts[file].origin, &mut raw, &mut faults),
        }
    }
    faults.of_file(0);
    let places = Places::new(&documents, begins);
    for Unread { message, hint } in unread {
        faults.push(places.value(&["include"]), message, hint.clone());
    }
    read::declared_twice(texts, &documents, &places, &mut faults);
    let configuration = resolve(raw, &places, &mut faults);
    faults.into_result(texts, &places)?;
    Ok(configuration)
}

/// What `include` names, of a text that is parsed for good once these files are read: faults are left for then.
#[must_use]
pub fn includes(text: &Text, env: Lookup<'_>) -> Vec<String> {
    let mut faults = fault::Faults::default();
    read::config(&read::document(text, env, &mut faults), &mut faults).include
}

/// A text with everything masked that may be a credential.
#[must_use]
pub fn redacted(text: &Text) -> String {
    let mut faults = fault::Faults::default();
    let documents = [read::document(text, &|_| None, &mut faults)];
    Places::new(&documents, vec![0]).redact(0, &text.source, &[])
}

/// Where one of the texts declares the tenant: "tenants.toml, line 7".
#[must_use]
pub fn declared_in(texts: &[Text], key: &str) -> Option<String> {
    texts.iter().find_map(|text| {
        let documents = [read::document(text, &|_| None, &mut fault::Faults::default())];
        let span = Places::new(&documents, vec![0]).key(&["tenants", key])?;
        Some(text.place(span.start))
    })
}

/// The keys of a tenant.
#[must_use]
pub fn tenant_keys() -> Vec<String> {
    let schema = schemars::schema_for!(raw::RawTenant).to_value();
    schema["properties"].as_object().into_iter().flat_map(|keys| keys.keys().cloned()).collect()
}

/// The JSON schema of `tenants.toml`, for editors.
#[must_use]
pub fn json_schema() -> serde_json::Value {
    schemars::schema_for!(RawConfig).to_value()
}
