//! Does the delivered password open the database? Held against the verifier where we may read it, tried otherwise.

use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use postgres::Client;
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

use super::Deep;
use crate::core::model::secret::fault_of_password;
use crate::core::model::{Delivered, SecretState, Tenant, TenantKey, Unseen};
use crate::core::plan;
use crate::engine::database::{Ask, DatabaseError, Record};
use crate::engine::error::{Context, Error};
use crate::engine::secrets::Found;
use crate::engine::workers::each_of;

/// Tenants that are named where something is said of many.
const NAMED: usize = 3;

/// What PostgreSQL keeps of the passwords, by role; none for a role without one.
pub(super) type Verifiers = BTreeMap<String, Option<SecretString>>;

impl Deep<'_> {
    /// Whether each tenant's password of record opens the database, and what of that could not be found out. Tenants
    /// without a secret of ours are left out: the plan says what is the matter with them.
    ///
    /// # Errors
    /// What PostgreSQL answered. A secret that cannot be read, or a login that fails otherwise, is in the result.
    pub fn passwords(&self, client: &mut Client) -> Result<(BTreeMap<TenantKey, Delivered>, Vec<Unseen>), Error> {
        let observed = self.observed;
        let is_ours = |tenant: &Tenant| {
            matches!(observed.secrets.get(&tenant.secret_path), Some(SecretState::Ours { .. }))
                && observed.roles.get(&self.login(tenant)).is_some_and(|role| role.can_login)
        };
        let tenants: Vec<&Tenant> = self.tenants().map(|(tenant, _)| tenant).filter(|tenant| is_ours(tenant)).collect();
        let verifiers = verifiers(client, &tenants.iter().map(|tenant| self.login(tenant)).collect::<Vec<_>>())?;
        let found = each_of(&tenants, self.parallelism, None, |tenant| self.password(tenant, verifiers.as_ref()));
        let mut delivered = BTreeMap::new();
        let mut unknown = BTreeMap::<String, Vec<&TenantKey>>::new();
        for (tenant, found) in tenants.iter().zip(found) {
            match found {
                Ok(found) => drop(delivered.insert(tenant.key.clone(), found)),
                Err(why) => unknown.entry(why).or_default().push(&tenant.key),
            }
        }
        Ok((delivered, unknown.into_iter().map(|(why, tenants)| unseen(&why, tenants)).collect()))
    }

    fn password(&self, tenant: &Tenant, verifiers: Option<&Verifiers>) -> Result<Delivered, String> {
        let password = match self.store.read(&tenant.secret_path) {
            Ok(Found::Readable(_, secret)) => secret.password,
            // It was there a moment ago.
            Ok(_) => return Err("its secret changed while it was being checked".into()),
            Err(error) => return Err(format!("reading its secret: {error}")),
        };
        self.opens(tenant, password, verifiers)
    }

    /// Whether this password opens the database for the tenant.
    pub(super) fn opens(
        &self,
        tenant: &Tenant,
        password: SecretString,
        verifiers: Option<&Verifiers>,
    ) -> Result<Delivered, String> {
        if fault_of_password(password.expose_secret()).is_some() {
            return Ok(Delivered::Refused);
        }
        match verifiers.and_then(|verifiers| verifiers.get(&self.login(tenant))) {
            Some(None) => return Ok(Delivered::Refused),
            Some(Some(verifier)) => {
                if let Some(fits) = fits(verifier.expose_secret(), password.expose_secret()) {
                    return Ok(if fits { Delivered::Opens } else { Delivered::Refused });
                }
            }
            None => {}
        }
        self.log_in(tenant, password)
    }

    /// Whom the secret names, or is to name.
    fn login(&self, tenant: &Tenant) -> String {
        plan::secrets_user(self.observed, tenant)
    }

    fn log_in(&self, tenant: &Tenant, password: SecretString) -> Result<Delivered, String> {
        let Err(error) = self.target.with_credentials(&self.login(tenant), password).connect() else {
            return Ok(Delivered::Opens);
        };
        match error.sqlstate() {
            Some("28P01") => Ok(Delivered::Refused),
            // Too many connections for the role, or no right to connect: both come after the password.
            Some("53300" | "42501") => Ok(Delivered::Opens),
            // So does what a session says of its settings, which the tenant may have made unreadable for its own role.
            None if error.database().is_some_and(DatabaseError::is_unreadable) => Ok(Delivered::Opens),
            _ => Err(format!("logging in: {}", crate::engine::error::error_chain(&error))),
        }
    }
}

fn unseen(why: &str, mut tenants: Vec<&TenantKey>) -> Unseen {
    tenants.sort();
    let names: Vec<&str> = tenants.iter().take(NAMED).map(|tenant| tenant.as_str()).collect();
    let more = if tenants.len() > NAMED { ", …" } else { "" };
    let what = format!("whether {} passwords work ({}{more}): {why}", tenants.len(), names.join(", "));
    Unseen { what, hint: None }
}

/// `None`: no permission to read them.
pub(super) fn verifiers(client: &mut Client, names: &[String]) -> Result<Option<Verifiers>, Error> {
    let doing = "reading the password verifiers";
    let mut transaction = client.build_transaction().read_only(true).start().doing(doing)?;
    let may = transaction.ask_one("SELECT has_column_privilege('pg_authid', 'rolpassword', 'SELECT')", &[]);
    if !may.doing(doing)?.get::<_, bool>(0) {
        return Ok(None);
    }
    let rows = transaction.ask(include_str!("verifiers.sql"), &[&names]).doing(doing)?;
    let secret = |row: &Record| row.get::<_, Option<String>>("verifier").map(SecretString::from);
    Ok(Some(rows.iter().map(|row| (row.get("name"), secret(row))).collect()))
}

/// A role may set its own verifier, with any count: one of 4 billion would keep us for an hour. PostgreSQL's default is
/// 4,096, and ours.
const MAX_ITERATIONS: u32 = 1_000_000;

/// Whether a SCRAM-SHA-256 verifier (RFC 5803, `SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey`) is this password's.
/// `None`: it is of another kind, as md5 is.
fn fits(verifier: &str, password: &str) -> Option<bool> {
    let (head, keys) = verifier.strip_prefix("SCRAM-SHA-256$")?.split_once('$')?;
    let (iterations, salt) = head.split_once(':')?;
    let (_, server_key) = keys.split_once(':')?;
    let iterations = iterations.parse().ok()?;
    if iterations > MAX_ITERATIONS {
        return Some(false);
    }
    let salt = BASE64_STANDARD.decode(salt).ok()?;
    // As PostgreSQL does it: what SASLprep refuses is taken as it is.
    let prepared = stringprep::saslprep(password).unwrap_or(password.into());
    let mut salted = zeroize::Zeroizing::new([0; 32]);
    pbkdf2::pbkdf2_hmac::<Sha256>(prepared.as_bytes(), &salt, iterations, salted.as_mut());
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
        let verifier = scram_sha_256(b"x").replace("$4096:", "$4000000000:");
        assert_eq!(fits(&verifier, "x"), Some(false), "it is not even tried");
        assert_eq!(fits("md5d41d8cd98f00b204e9800998ecf8427e", "x"), None);
        assert_eq!(fits("SCRAM-SHA-256$x", "x"), None);
    }
}
