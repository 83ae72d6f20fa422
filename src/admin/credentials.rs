//! What a tenant is to be, and what came of it. A password is shown by neither Debug nor Display.

use std::fmt;

use secrecy::ExposeSecret;

use crate::core::model::secret::Secret;

const MASK: &str = "********";

/// The tenant to create.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct TenantConfig {
    /// The schema: any name that PostgreSQL can quote, up to 63 bytes.
    pub schema_name: String,
    /// The role that the tenant logs in as.
    pub username: String,
    /// Its password; empty: one is generated.
    pub password: String,
}

/// What the tenant connects with.
#[derive(Clone, PartialEq, Eq)]
pub struct TenantCredentials {
    pub username: String,
    /// As it was given, or generated.
    pub password: String,
    pub schema_name: String,
    /// A percent-encoded `postgresql://` url. Whoever opens it is in the tenant's schema: the role's search_path says so.
    ///
    /// `sslmode` is "require" where the admin's own connection is encrypted, otherwise "disable", as in a project's secret. The admin's
    /// `sslrootcert` is a file of this machine: a tenant that is to verify the server puts `sslmode=verify-full&sslrootcert=…`, with
    /// a file of its own, in the place of that. [`DatabaseAdmin::with_advertise`](super::DatabaseAdmin::with_advertise) says another host,
    /// port or `sslmode`.
    pub connection_string: String,
}

impl TenantCredentials {
    pub(super) fn of(secret: &Secret) -> Self {
        Self {
            username: secret.fields.username.clone(),
            password: secret.password.expose_secret().to_owned(),
            schema_name: secret.fields.schema.clone(),
            connection_string: secret.url.expose_secret().to_owned(),
        }
    }

    /// The url with the password masked, for a log.
    #[must_use]
    pub fn masked_connection_string(&self) -> String {
        match self.parts() {
            Some([username, _, place]) => format!("postgresql://{username}:{MASK}@{place}"),
            None => MASK.to_owned(),
        }
    }

    /// The url as Java's driver takes it: it reads a user and a password before the host as a part of its name. `None`: it cannot
    /// connect to a socket's directory.
    ///
    /// Source: pgJDBC, "Initializing the Driver".
    #[must_use]
    pub fn jdbc_url(&self) -> Option<String> {
        let [username, password, place] = self.parts().filter(|[.., place]| !place.starts_with("%2F"))?;
        let more = if place.contains('?') { '&' } else { '?' };
        Some(format!("jdbc:postgresql://{place}{more}user={username}&password={password}"))
    }

    /// The user, the password and what follows, percent-encoded; so that the first ":" and the first "@" are the url's own.
    fn parts(&self) -> Option<[&str; 3]> {
        let (login, place) = self.connection_string.strip_prefix("postgresql://")?.split_once('@')?;
        let (username, password) = login.split_once(':')?;
        Some([username, password, place])
    }
}

impl fmt::Debug for TenantConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantConfig")
            .field("schema_name", &self.schema_name)
            .field("username", &self.username)
            .field("password", &if self.password.is_empty() { "" } else { MASK })
            .finish()
    }
}

impl fmt::Display for TenantConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let password = if self.password.is_empty() { "a generated password" } else { "the password that was given" };
        write!(f, "schema {}, user {}, {password}", self.schema_name, self.username)
    }
}

impl fmt::Debug for TenantCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantCredentials")
            .field("username", &self.username)
            .field("password", &MASK)
            .field("schema_name", &self.schema_name)
            .field("connection_string", &self.masked_connection_string())
            .finish()
    }
}

impl fmt::Display for TenantCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { username, schema_name, .. } = self;
        write!(f, "schema {schema_name}, user {username}, {}", self.masked_connection_string())
    }
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;
    use crate::core::model::SecretFields;

    #[test]
    fn javas_driver_gets_the_login_after_the_place() {
        let of = |host: &str| {
            let fields = SecretFields {
                username: "o'b@x".into(),
                host: host.into(),
                port: 5432,
                database: "a/b".into(),
                ..SecretFields::default()
            };
            TenantCredentials::of(&Secret::new("t", fields, SecretString::from("p+&=?@:/% ".to_owned()))).jdbc_url()
        };
        let login = "user=o%27b%40x&password=p%2B%26%3D%3F%40%3A%2F%25%20";
        assert_eq!(of("::1"), Some(format!("jdbc:postgresql://[::1]:5432/a%2Fb?{login}")));
        assert_eq!(of("/run/postgresql"), None);
    }

    #[test]
    fn no_password_is_shown() {
        let config = TenantConfig { schema_name: "s".into(), username: "u".into(), password: "hush-hush".into() };
        let every: String = ('!'..='~').collect();
        let fields = SecretFields {
            username: "o'brien:@/%".into(),
            schema: "s".into(),
            host: "::1".into(),
            ..SecretFields::default()
        };
        let credentials =
            TenantCredentials::of(&Secret::new("t", fields, SecretString::from(format!("hush-hush{every}"))));
        for text in [format!("{config:?} {config}"), format!("{credentials:?} {credentials} {credentials:#?}")] {
            assert!(!text.contains("hush") && text.contains(MASK) || text.contains("given"), "{text}");
            assert!(!text.contains("hush"), "{text}");
        }
        assert!(
            credentials.masked_connection_string().starts_with("postgresql://o%27brien%3A%40%2F%25:********@[::1]:"),
            "{credentials}"
        );
    }
}
