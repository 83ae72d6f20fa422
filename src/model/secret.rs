//! A tenant's credentials, as they are delivered to the secret store.

use std::fmt;

use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use thiserror::Error;

/// What a URL's userinfo and path may hold unescaped in every client: RFC 3986's unreserved characters, nothing more.
/// JDBC and node-postgres disagree about the sub-delimiters, so those are always escaped.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What a tenant needs to reach its schema.
#[derive(Clone)]
pub struct Secret {
    pub tenant: String,
    pub username: String,
    pub password: SecretString,
    pub schema: String,
    pub host: String,
    pub port: u16,
    pub database: String,
    /// Holds the password: as secret as that.
    pub url: SecretString,
}

/// What is known of a stored secret without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretHead {
    /// Opaque, for check-and-set: KV version 2's number, or the counter in the document where the store keeps none.
    pub version: String,
    /// When this version was written, where the store tells.
    pub created: Option<Timestamp>,
    /// `tenantry` for ours. Absent for somebody else's, and for ours when a write was cut off before its metadata.
    pub managed_by: Option<String>,
    pub tenant: Option<String>,
    pub database: Option<String>,
}

/// A document that is not a tenant's secret. Names keys, never values.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{}", .faults.join(", "))]
pub struct NotASecret {
    pub faults: Vec<String>,
}

impl Secret {
    /// The value of `managed_by` in what tenantry writes.
    pub const MANAGED_BY: &'static str = "tenantry";

    #[expect(clippy::too_many_arguments, reason = "the keys of the document, in its order")]
    pub fn new(
        tenant: impl Into<String>,
        username: impl Into<String>,
        password: SecretString,
        schema: impl Into<String>,
        host: impl Into<String>,
        port: u16,
        database: impl Into<String>,
        sslmode: Option<&str>,
    ) -> Self {
        let (username, host, database) = (username.into(), host.into(), database.into());
        let url = postgresql_url(&username, &password, &host, port, &database, sslmode);
        Self { tenant: tenant.into(), username, password, schema: schema.into(), host, port, database, url }
    }

    /// The document of the store. Plain text from here on: hand it to the store and to nothing else.
    pub fn to_json(&self) -> Map<String, Value> {
        let mut document = Map::new();
        let mut put = |key: &str, value: Value| document.insert(key.to_owned(), value);
        put("tenant", self.tenant.as_str().into());
        put("username", self.username.as_str().into());
        put("password", self.password.expose_secret().into());
        put("schema", self.schema.as_str().into());
        put("host", self.host.as_str().into());
        put("port", self.port.into());
        put("database", self.database.as_str().into());
        put("url", self.url.expose_secret().into());
        document
    }

    /// Reads the document back. Keys it does not know are somebody's notes, and are let be.
    pub fn from_json(document: &Value) -> Result<Self, NotASecret> {
        let Some(document) = document.as_object() else {
            return Err(NotASecret { faults: vec!["not a JSON object".to_owned()] });
        };
        let mut faults = Vec::new();
        let mut text = |key: &str| match document.get(key) {
            Some(Value::String(text)) => text.clone(),
            Some(_) => {
                faults.push(format!("key \"{key}\" is not a string"));
                String::new()
            }
            None => {
                faults.push(format!("key \"{key}\" is missing"));
                String::new()
            }
        };
        let (tenant, username, password) = (text("tenant"), text("username"), text("password"));
        let (schema, host, database, url) = (text("schema"), text("host"), text("database"), text("url"));
        let port = match document.get("port") {
            Some(port) => port.as_u64().and_then(|port| u16::try_from(port).ok()),
            None => None,
        };
        match (port, document.contains_key("port")) {
            (Some(port), _) if faults.is_empty() => {
                Ok(Self { tenant, username, password: password.into(), schema, host, port, database, url: url.into() })
            }
            (port, present) => {
                if port.is_none() {
                    let fault = if present { "is not a port number" } else { "is missing" };
                    faults.push(format!("key \"port\" {fault}"));
                }
                Err(NotASecret { faults })
            }
        }
    }

    /// Whether both deliver the very same credentials.
    pub fn same_as(&self, other: &Self) -> bool {
        self.to_json() == other.to_json()
    }
}

fn postgresql_url(
    username: &str,
    password: &SecretString,
    host: &str,
    port: u16,
    database: &str,
    sslmode: Option<&str>,
) -> SecretString {
    let escaped = |text: &str| utf8_percent_encode(text, ESCAPED).to_string();
    let host = if host.contains(':') && !host.starts_with('/') {
        // An IPv6 address; RFC 6874 escapes the "%" of its zone.
        format!("[{}]", host.trim_matches(['[', ']']).replace('%', "%25"))
    } else {
        escaped(host)
    };
    let mut url = format!(
        "postgresql://{}:{}@{host}:{port}/{}",
        escaped(username),
        escaped(password.expose_secret()),
        escaped(database),
    );
    if let Some(sslmode) = sslmode {
        url.push_str("?sslmode=");
        url.push_str(&escaped(sslmode));
    }
    url.into()
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret")
            .field("tenant", &self.tenant)
            .field("username", &self.username)
            .field("schema", &self.schema)
            .field("host", &self.host)
            .field("port", &self.port)
            .field("database", &self.database)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn secret(password: &str, host: &str, sslmode: Option<&str>) -> Secret {
        let password = SecretString::from(password);
        Secret::new("acme", "acme_user", password, "tenant_acme", host, 5432, "app", sslmode)
    }

    #[test]
    fn the_url_escapes_whatever_a_password_holds() {
        let url = secret("p@ss:w/o?r#d%é ", "db.internal", Some("verify-full")).url;
        assert_eq!(
            url.expose_secret(),
            "postgresql://acme_user:p%40ss%3Aw%2Fo%3Fr%23d%25%C3%A9%20@db.internal:5432/app?sslmode=verify-full"
        );
    }

    #[test]
    fn an_ipv6_host_is_bracketed_and_a_socket_directory_is_escaped() {
        let url = |host| secret("x", host, None).url.expose_secret().to_owned();
        assert_eq!(url("::1"), "postgresql://acme_user:x@[::1]:5432/app");
        assert_eq!(url("fe80::1%eth0"), "postgresql://acme_user:x@[fe80::1%25eth0]:5432/app");
        assert_eq!(url("/var/run/postgresql"), "postgresql://acme_user:x@%2Fvar%2Frun%2Fpostgresql:5432/app");
    }

    #[test]
    fn debug_never_shows_the_password() {
        let shown = format!("{:?}", secret("hunter2", "h", None));
        assert!(!shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn the_document_has_exactly_the_promised_keys_in_order() {
        let document = secret("x", "h", None).to_json();
        let keys: Vec<_> = document.keys().map(String::as_str).collect();
        let promised = ["tenant", "username", "password", "schema", "host", "port", "database", "url"];
        assert_eq!(keys, promised);
    }

    #[test]
    fn a_document_of_another_shape_is_refused_by_key_and_without_values() {
        let fault =
            Secret::from_json(&json!({"password": 7, "port": "hunter2", "token": "s.abc"})).unwrap_err().to_string();
        assert_eq!(
            fault,
            "key \"tenant\" is missing, key \"username\" is missing, key \"password\" is not a string, \
             key \"schema\" is missing, key \"host\" is missing, key \"database\" is missing, \
             key \"url\" is missing, key \"port\" is not a port number"
        );
        let fault = Secret::from_json(&json!([1])).unwrap_err().to_string();
        assert_eq!(fault, "not a JSON object");
    }

    proptest! {
        #[test]
        fn a_url_parses_back_to_what_went_in(password in "[ -~é→]{1,64}", username in "[a-zA-Z@/ :]{1,20}") {
            let secret = Secret::new("t", &*username, SecretString::from(password.as_str()), "s", "h", 1, "d", None);
            let url = url::Url::parse(secret.url.expose_secret()).unwrap();
            let decoded = |text| percent_encoding::percent_decode_str(text).decode_utf8().unwrap().into_owned();
            prop_assert_eq!(decoded(url.password().unwrap()), password);
            prop_assert_eq!(decoded(url.username()), username);
        }

        #[test]
        fn a_document_reads_back_as_it_was_written(password in ".{0,64}") {
            let secret = secret(&password, "h", None);
            let mut document = secret.to_json();
            document.insert("note".to_owned(), "somebody's own".into());
            prop_assert!(Secret::from_json(&Value::Object(document)).unwrap().same_as(&secret));
        }
    }
}
