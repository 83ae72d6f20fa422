//! A tenant's credentials, as they are delivered to the secret store.

use std::fmt;

use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use thiserror::Error;

use super::SslMode;

/// The keys of the document that are ours.
const KEYS: [&str; 8] = ["tenant", "username", "password", "schema", "host", "port", "database", "url"];

/// What a URL's userinfo and path may hold unescaped in every client: RFC 3986's unreserved characters, nothing more.
/// JDBC and node-postgres disagree about the sub-delimiters, so those are always escaped.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What a secret says, but for the password: the one place that its url is made of too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecretFields {
    pub username: String,
    pub schema: String,
    pub host: String,
    pub port: u16,
    pub database: String,
    /// Always written. `None` of a secret that was read: its url says none, or is not what the other keys give; of one that
    /// the registry remembers: it was written before this was noted.
    pub sslmode: Option<SslMode>,
}

/// What a tenant needs to reach its schema.
#[derive(Clone)]
pub struct Secret {
    pub tenant: String,
    pub fields: SecretFields,
    pub password: SecretString,
    /// Holds the password: as secret as that. As it stands in the document, whatever the other keys say.
    pub url: SecretString,
    /// Keys that others added, as they are. May hold anything: as secret as the password.
    pub others: Map<String, Value>,
    /// Written beside it, and no part of what is delivered.
    pub mark: Mark,
}

/// Whose a secret is: not by its words, which a copy of the database has too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// The identity that the registry made at random. `None`: written before there was one.
    pub fleet: Option<String>,
    /// The system identifier of the cluster.
    pub cluster: Option<String>,
    /// The run that wrote it: a registry that does not know it is not the one that wrote last.
    pub run: Option<String>,
}

impl Mark {
    /// What these are called in the store.
    pub const KEYS: [&'static str; 3] = ["fleet", "fleet_cluster", "fleet_run"];

    /// Those that are known, by what they are called.
    pub fn entries(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let values = [&self.fleet, &self.cluster, &self.run];
        Self::KEYS.into_iter().zip(values).filter_map(|(key, value)| Some((key, value.as_deref()?)))
    }

    /// By what they are called.
    pub fn read(value: impl FnMut(&str) -> Option<String>) -> Self {
        let [fleet, cluster, run] = Self::KEYS.map(value);
        Self { fleet, cluster, run }
    }
}

/// What is known of a stored secret without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretHead {
    /// Opaque, for check-and-set: KV version 2's number, or the counter in the document where the store keeps none.
    pub version: String,
    /// When this version was written, where the store tells.
    pub created: Option<Timestamp>,
    /// `tenantry` for ours. Absent for somebody else's, and for ours when a write was interrupted before its metadata.
    pub managed_by: Option<String>,
    pub tenant: Option<String>,
    pub database: Option<String>,
    pub mark: Mark,
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

    pub fn new(tenant: impl Into<String>, fields: SecretFields, password: SecretString) -> Self {
        let url = postgresql_url(&fields, &password, fields.sslmode);
        Self { tenant: tenant.into(), fields, password, url, others: Map::new(), mark: Mark::default() }
    }

    #[must_use]
    pub fn with_mark(mut self, mark: Mark) -> Self {
        self.mark = mark;
        self
    }

    /// With the keys that others added to the document before.
    #[must_use]
    pub fn with_others(mut self, others: Map<String, Value>) -> Self {
        self.others = others;
        self
    }

    /// The document of the store. Plain text from here on: hand it to the store and to nothing else.
    pub fn to_json(&self) -> Map<String, Value> {
        let SecretFields { username, schema, host, port, database, sslmode: _ } = &self.fields;
        let mut document = Map::new();
        let mut put = |key: &str, value: Value| document.insert(key.to_owned(), value);
        put("tenant", self.tenant.as_str().into());
        put("username", username.as_str().into());
        put("password", self.password.expose_secret().into());
        put("schema", schema.as_str().into());
        put("host", host.as_str().into());
        put("port", (*port).into());
        put("database", database.as_str().into());
        put("url", self.url.expose_secret().into());
        for (key, value) in self.others.iter().filter(|(key, _)| !KEYS.contains(&key.as_str())) {
            put(key, value.clone());
        }
        document
    }

    /// Reads the document back. Keys it does not know are somebody's notes, and stay.
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
        let (tenant, username, password) = (text("tenant"), text("username"), SecretString::from(text("password")));
        let (schema, host, database, url) = (text("schema"), text("host"), text("database"), text("url"));
        let port = document.get("port").and_then(Value::as_u64).and_then(|port| u16::try_from(port).ok());
        let (Some(port), true) = (port, faults.is_empty()) else {
            if port.is_none() {
                let fault = if document.contains_key("port") { "is not a port number" } else { "is missing" };
                faults.push(format!("key \"port\" {fault}"));
            }
            return Err(NotASecret { faults });
        };
        let mut fields = SecretFields { username, schema, host, port, database, sslmode: None };
        let says = |mode: &SslMode| postgresql_url(&fields, &password, Some(*mode)).expose_secret() == url;
        fields.sslmode = SslMode::ALL.into_iter().find(says);
        let others = document.iter().filter(|(key, _)| !KEYS.contains(&key.as_str()));
        let others = others.map(|(key, value)| (key.clone(), value.clone())).collect();
        Ok(Self { tenant, fields, password, url: url.into(), others, mark: Mark::default() })
    }

    /// Whether the url is what the other keys give.
    pub fn url_says_the_same(&self) -> bool {
        self.fields.sslmode.is_some()
            || postgresql_url(&self.fields, &self.password, None).expose_secret() == self.url.expose_secret()
    }

    /// Whether both deliver the very same credentials.
    pub fn same_as(&self, other: &Self) -> bool {
        self.to_json() == other.to_json()
    }
}

/// Why nobody can log in with a password; `None` for one that serves. What SASLprep (RFC 4013) leaves nothing of is an
/// empty password to some clients, and itself to others.
pub fn fault_of_password(password: &str) -> Option<&'static str> {
    match password {
        "" => Some("is empty"),
        text if text.contains('\0') => Some("holds a NUL character"),
        text if stringprep::saslprep(text).is_ok_and(|prepared| prepared.is_empty()) => {
            Some("contains only characters that SASLprep removes")
        }
        _ => None,
    }
}

fn postgresql_url(fields: &SecretFields, password: &SecretString, sslmode: Option<SslMode>) -> SecretString {
    let SecretFields { username, host, port, database, .. } = fields;
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
        url.push_str(sslmode.as_str());
    }
    url.into()
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret").field("tenant", &self.tenant).field("fields", &self.fields).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn secret(password: &str, host: &str, sslmode: Option<SslMode>) -> Secret {
        let fields = SecretFields {
            username: "acme_user".into(),
            schema: "tenant_acme".into(),
            host: host.into(),
            port: 5432,
            database: "app".into(),
            sslmode,
        };
        Secret::new("acme", fields, SecretString::from(password))
    }

    #[test]
    fn the_url_escapes_whatever_a_password_holds() {
        let url = secret("p@ss:w/o?r#d%é ", "db.internal", Some(SslMode::VerifyFull)).url;
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
        assert!(!shown.contains("hunter2") && shown.contains("acme_user"), "{shown}");
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

    #[test]
    fn a_url_that_is_not_what_the_keys_give_is_known_for_one() {
        let read = |change: &dyn Fn(&mut Map<String, Value>)| {
            let mut document = secret("x", "h", Some(SslMode::Require)).to_json();
            change(&mut document);
            Secret::from_json(&Value::Object(document)).unwrap()
        };
        let as_written = read(&|_| {});
        assert_eq!((as_written.fields.sslmode, as_written.url_says_the_same()), (Some(SslMode::Require), true));
        for (key, value) in [("password", "y"), ("host", "other"), ("username", "admin"), ("database", "other")] {
            let changed = read(&|document| drop(document.insert(key.into(), value.into())));
            assert_eq!((changed.fields.sslmode, changed.url_says_the_same()), (None, false), "{key}");
        }
        for more in ["?sslmode=require&hostaddr=127.0.0.1", "?passfile=/home/ops/.pgpass", "?sslmode=none"] {
            let changed = read(&|document| {
                let url = document["url"].as_str().unwrap().replace("?sslmode=require", more);
                document.insert("url".into(), url.into());
            });
            assert_eq!((changed.fields.sslmode, changed.url_says_the_same()), (None, false), "{more}");
        }
        let older = Secret::from_json(&Value::Object(secret("x", "h", None).to_json())).unwrap();
        assert_eq!((older.fields.sslmode, older.url_says_the_same()), (None, true));
    }

    #[test]
    fn keys_of_others_stay_and_never_replace_ours() {
        let mut document = secret("x", "h", None).to_json();
        document.insert("team".into(), json!({"name": "blue"}));
        let read = Secret::from_json(&Value::Object(document)).unwrap();
        let mut others = read.others;
        others.insert("password".into(), "theirs".into());
        let again = secret("y", "h", None).with_others(others).to_json();
        assert_eq!((&again["team"]["name"], &again["password"]), (&json!("blue"), &json!("y")));
    }

    #[test]
    fn a_password_that_nobody_can_use_is_known_for_one() {
        for text in ["", "\0", "a\0b", "\u{ad}", "\u{ad}\u{feff}"] {
            assert!(fault_of_password(text).is_some(), "{text:?}");
        }
        for text in ["x", " ", "\u{ad}x", "naïve Ⅸ", "\u{1}"] {
            assert_eq!(fault_of_password(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn a_url_parses_back_to_what_went_in(password in "[ -~é→]{1,64}", username in "[a-zA-Z@/ :]{1,20}") {
            let fields = SecretFields { username: username.clone(), ..secret("", "h", None).fields };
            let secret = Secret::new("t", fields, SecretString::from(password.as_str()));
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
            let read = Secret::from_json(&Value::Object(document)).unwrap();
            prop_assert!(read.others.contains_key("note"));
            prop_assert!(read.with_others(Map::new()).same_as(&secret));
        }
    }

    #[test]
    fn a_mark_is_read_back_as_it_was_written() {
        let mark = Mark { fleet: Some("f".into()), cluster: None, run: Some("r".into()) };
        let written: Vec<_> = mark.entries().collect();
        assert_eq!(written, [("fleet", "f"), ("fleet_run", "r")]);
        let read = |wanted: &str| written.iter().find(|(key, _)| *key == wanted).map(|(_, value)| (*value).to_owned());
        assert_eq!(Mark::read(read), mark);
        let cluster = Mark { cluster: Some("7".into()), ..Mark::default() };
        assert_eq!(cluster.entries().collect::<Vec<_>>(), [("fleet_cluster", "7")]);
        assert_eq!(secret("x", "h", None).with_mark(mark.clone()).mark, mark);
    }

    #[test]
    fn a_secret_with_another_password_or_another_key_is_another() {
        let one = || secret("x", "h", None);
        assert!(one().same_as(&one().with_mark(Mark { run: Some("r".into()), ..Mark::default() })));
        assert!(!one().same_as(&secret("y", "h", None)) && !one().same_as(&secret("x", "i", None)));
        let note = Map::from_iter([("note".to_owned(), Value::from("somebody's own"))]);
        assert!(!one().same_as(&one().with_others(note)));
    }
}
