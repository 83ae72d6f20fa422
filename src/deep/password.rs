//! Does the delivered password open the database? Held against the verifier where we may read it, tried otherwise.

use std::collections::BTreeMap;
use std::sync::Mutex;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use postgres::Client;
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

use super::Deep;
use crate::error::{Doing, Error};
use crate::model::{Delivered, SecretState, Tenant, TenantKey};
use crate::secrets::Found;
use crate::workers::lock;

/// What PostgreSQL keeps of the passwords, by role; none for a role without one.
type Verifiers = BTreeMap<String, Option<SecretString>>;

impl Deep<'_> {
    /// Whether each tenant's password of record opens the database. Tenants without a secret of ours are left out: the
    /// plan says what is the matter with them.
    ///
    /// # Errors
    /// What PostgreSQL answered. A secret that cannot be read, or a login that fails otherwise, is in the result.
    pub fn passwords(&self, client: &mut Client) -> Result<BTreeMap<TenantKey, Delivered>, Error> {
        let observed = self.observed;
        let is_ours = |tenant: &Tenant| {
            matches!(observed.secrets.get(&tenant.secret_path), Some(SecretState::Ours { .. }))
                && observed.roles.get(&tenant.username).is_some_and(|role| role.can_login)
        };
        let tenants: Vec<&Tenant> = self.tenants().map(|(tenant, _)| tenant).filter(|tenant| is_ours(tenant)).collect();
        let verifiers = verifiers(client, &tenants)?;
        let queue = Mutex::new(tenants.iter());
        let found = Mutex::new(BTreeMap::new());
        std::thread::scope(|scope| {
            for _ in 0..self.parallelism.clamp(1, tenants.len().max(1)) {
                scope.spawn(|| {
                    loop {
                        let next = lock(&queue).next();
                        let Some(tenant) = next else { return };
                        let delivered = self.password(tenant, verifiers.as_ref());
                        lock(&found).insert(tenant.key.clone(), delivered);
                    }
                });
            }
        });
        Ok(found.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    fn password(&self, tenant: &Tenant, verifiers: Option<&Verifiers>) -> Delivered {
        let password = match self.store.read(&tenant.secret_path) {
            Ok(Found::Readable(_, secret)) => secret.password,
            // It was there a moment ago.
            Ok(_) => return Delivered::Unknown("its secret changed while we looked".into()),
            Err(error) => return Delivered::Unknown(format!("reading its secret: {error}")),
        };
        match verifiers.and_then(|verifiers| verifiers.get(&tenant.username)) {
            Some(None) => return Delivered::Refused,
            Some(Some(verifier)) => {
                if let Some(fits) = fits(verifier.expose_secret(), password.expose_secret()) {
                    return if fits { Delivered::Opens } else { Delivered::Refused };
                }
            }
            None => {}
        }
        self.log_in(tenant, password)
    }

    fn log_in(&self, tenant: &Tenant, password: SecretString) -> Delivered {
        let Err(error) = self.target.with_credentials(&tenant.username, password).connect() else {
            return Delivered::Opens;
        };
        match error.sqlstate() {
            Some("28P01") => Delivered::Refused,
            // Too many connections for the role, or no right to connect: both come after the password.
            Some("53300" | "42501") => Delivered::Opens,
            _ => Delivered::Unknown(format!("logging in: {}", crate::error::with_causes(&error))),
        }
    }
}

/// `None`: we may not read them.
fn verifiers(client: &mut Client, tenants: &[&Tenant]) -> Result<Option<Verifiers>, Error> {
    let doing = "reading the password verifiers";
    let names: Vec<&str> = tenants.iter().map(|tenant| tenant.username.as_str()).collect();
    let mut transaction = client.build_transaction().read_only(true).start().doing(doing)?;
    let may = transaction.query_one("SELECT has_column_privilege('pg_authid', 'rolpassword', 'SELECT')", &[]);
    if !may.doing(doing)?.get::<_, bool>(0) {
        return Ok(None);
    }
    let rows = transaction.query(include_str!("verifiers.sql"), &[&names]).doing(doing)?;
    let secret = |row: &postgres::Row| row.get::<_, Option<String>>("verifier").map(SecretString::from);
    Ok(Some(rows.iter().map(|row| (row.get("name"), secret(row))).collect()))
}

/// Whether a SCRAM-SHA-256 verifier (RFC 5803, `SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey`) is this password's.
/// `None`: it is of another kind, as md5 is.
fn fits(verifier: &str, password: &str) -> Option<bool> {
    let (head, keys) = verifier.strip_prefix("SCRAM-SHA-256$")?.split_once('$')?;
    let (iterations, salt) = head.split_once(':')?;
    let (_, server_key) = keys.split_once(':')?;
    let salt = BASE64_STANDARD.decode(salt).ok()?;
    // As PostgreSQL does it: what SASLprep refuses is taken as it is.
    let prepared = stringprep::saslprep(password).unwrap_or(password.into());
    let mut salted = zeroize::Zeroizing::new([0; 32]);
    pbkdf2::pbkdf2_hmac::<Sha256>(prepared.as_bytes(), &salt, iterations.parse().ok()?, salted.as_mut());
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(salted.as_ref()).ok()?;
    mac.update(b"Server Key");
    Some(mac.verify_slice(&BASE64_STANDARD.decode(server_key).ok()?).is_ok())
}

#[cfg(test)]
mod tests {
    use super::fits;
    use postgres_protocol::password::scram_sha_256;

    #[test]
    fn a_verifier_is_known_by_its_password_alone() {
        for password in ["correct horse", "naïve Ⅸ", "\u{1}control"] {
            let verifier = scram_sha_256(password.as_bytes());
            assert_eq!(fits(&verifier, password), Some(true), "{password}");
            assert_eq!(fits(&verifier, "wrong"), Some(false));
        }
        assert_eq!(fits("md5d41d8cd98f00b204e9800998ecf8427e", "x"), None);
        assert_eq!(fits("SCRAM-SHA-256$x", "x"), None);
    }
}
