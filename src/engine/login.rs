//! Logging in as a tenant, as its own programs do: with what was delivered, and with nothing of ours.

use secrecy::{ExposeSecret, SecretString};

use crate::core::model::secret::{Secret, fault_of_password};
use crate::core::model::{Desired, Observed, PasswordSource, Registered, State, Tenant, TenantKey};
use crate::core::rows::Fault;
use crate::engine::database::{ConnectError, DatabaseError, Target};
use crate::engine::error::error_chain;
use crate::engine::secrets::{Found, SecretError, SecretStore};

/// The role's own settings may be meant for its application's transactions, and end ours. Not all of them are in every version.
pub(crate) const NO_OTHER_LIMITS: &str = "SELECT CASE WHEN pg_catalog.current_setting(n, true) IS NOT NULL THEN pg_catalog.set_config(n, '0', true) END \
     FROM pg_catalog.unnest(ARRAY['idle_in_transaction_session_timeout', 'idle_session_timeout', 'transaction_timeout']) u (n)";

/// What the database holds is not text in its own encoding, perhaps, and an error is an answer, not the session's end.
pub(crate) const WHATEVER_IT_HOLDS: &str = "SET LOCAL exit_on_error = off; SELECT pg_catalog.set_config('client_encoding', 'SQL_ASCII', true) \
     WHERE pg_catalog.current_setting('server_encoding') = 'SQL_ASCII'";

/// What is needed to log in as tenants.
#[derive(Clone, Copy)]
pub struct Logins<'a> {
    pub target: &'a Target,
    pub store: &'a dyn SecretStore,
    pub desired: &'a Desired,
    pub observed: &'a Observed,
}

/// Where one tenant logs in, and as whom.
pub struct Login {
    pub target: Target,
    secret: Secret,
}

impl Logins<'_> {
    /// What the tenant's secret in the store says. Nobody is asked yet whether it opens the database.
    ///
    /// # Errors
    /// When there is no secret, or one that no login is tried with.
    pub fn of(&self, tenant: &Tenant) -> Result<Login, NoLogin> {
        let path = &tenant.secret_path;
        let remembered = self.observed.registry.as_ref().and_then(|registry| registry.tenants.get(&tenant.key));
        let is_kept = remembered.is_some_and(|row| row.password_source == PasswordSource::Kept);
        let secret = match self.store.read(path)? {
            Found::Readable(_, secret) => secret,
            Found::Absent if is_kept => return Err(NoLogin::unknown(&tenant.key)),
            Found::Absent => return Err(format!("there is no secret at {}", self.store.locate(path)).into()),
            Found::Foreign { reason, .. } => return Err(format!("the secret at {path} is not ours: {reason}").into()),
        };
        let (desired, observed) = (self.desired, self.observed);
        let remembered = remembered.map(|row| &row.secret.fields);
        let wanted = desired.secret_fields(tenant, &observed.server, &observed.database.name, remembered);
        // Before anybody is asked: a server elsewhere may let in whoever comes without one.
        if let Some(fault) = fault_of_password(secret.password.expose_secret()) {
            return Err(
                format!("the password in the secret {fault}; tenantry rotate {} replaces it", tenant.key).into()
            );
        }
        if !secret.url_says_the_same() {
            return Err("the secret's url does not match its other keys; tenantry apply rewrites it".to_owned().into());
        }
        // Not by the url: whoever may write the secret could name our own password file in it.
        let target = self.target.of_secret(&secret, &wanted, desired.advertise.host.is_some());
        Ok(Login { target, secret })
    }

    /// As [`Self::of`], for a tenant that is in use.
    pub(crate) fn enter(&self, tenant: &Tenant) -> Result<Login, Closed> {
        let registry = self.observed.registry.as_ref();
        match registry.and_then(|registry| registry.tenants.get(&tenant.key)) {
            None => return Err(Closed::Out("not applied yet".into())),
            Some(Registered { state: State::Active, .. }) => {}
            Some(row) => return Err(Closed::Out(format!("{} and not applied again yet", row.state.as_str()))),
        }
        let login = self
            .of(tenant)
            .map_err(|no| Closed::Failed(Fault { message: no.message, sqlstate: no.sqlstate, hint: None }))?;
        match self.observed.roles.get(login.username()) {
            Some(role) if !role.can_login => {
                Err(Closed::Out(format!("suspended: role {} may not log in", login.username())))
            }
            _ => Ok(login),
        }
    }
}

impl Login {
    #[must_use]
    pub fn username(&self) -> &str {
        self.target.user()
    }

    /// The PG* variables with which programs log in, and `DATABASE_URL`. They hold the password: for a child's environment, never
    /// for an argument or a log.
    #[must_use]
    pub fn environment(&self) -> Vec<(&'static str, SecretString)> {
        let mut variables = self.target.environment();
        variables.retain(|(name, value)| !is_for_libpq_alone(name, value.expose_secret()));
        variables.push(("DATABASE_URL", self.secret.url.clone()));
        variables
    }
}

/// What a program calls itself is its own affair; and Go's lib/pq refuses to connect where there is a variable that it does not
/// implement, even if it only says what is so anyway.
fn is_for_libpq_alone(name: &str, value: &str) -> bool {
    matches!((name, value), ("PGAPPNAME" | "PGGSSENCMODE" | "PGSSLCERTMODE", _) | ("PGCHANNELBINDING", "prefer"))
}

/// Why a tenant is not logged in as.
pub(crate) enum Closed {
    /// It is not meant to be.
    Out(String),
    Failed(Fault),
}

/// Why a tenant did not get in: a fault of what was delivered, or of the surroundings.
#[derive(Debug)]
pub struct NoLogin {
    /// The secret is not there, or does not open the database: the tenant's own programs fail as we do. Otherwise nothing is
    /// known of the tenant.
    pub faulty: bool,
    pub sqlstate: Option<String>,
    pub message: String,
}

impl NoLogin {
    /// Of a tenant that was adopted with its own password, or created by a program that was told it.
    fn unknown(tenant: &TenantKey) -> Self {
        let message = format!(
            "it has a password of its own, which tenantry does not know; a new one, in a secret: tenantry rotate {tenant}"
        );
        Self { faulty: false, sqlstate: None, message }
    }
}

/// What was delivered makes no sense.
impl From<String> for NoLogin {
    fn from(message: String) -> Self {
        Self { faulty: true, sqlstate: None, message }
    }
}

impl From<SecretError> for NoLogin {
    fn from(error: SecretError) -> Self {
        Self { faulty: matches!(error, SecretError::Malformed { .. }), sqlstate: None, message: error_chain(&error) }
    }
}

impl From<ConnectError> for NoLogin {
    fn from(error: ConnectError) -> Self {
        let faulty = error.database().is_some_and(is_refusal);
        Self { faulty, sqlstate: error.sqlstate().map(str::to_owned), message: error_chain(&error) }
    }
}

/// A server that answered, and did not take the login; not one that has no connections left (53), is stopping (57) or failing
/// (58, XX).
fn is_refusal(error: &DatabaseError) -> bool {
    match error.sqlstate() {
        Some(sqlstate) => !["53", "57", "58", "XX"].iter().any(|class| sqlstate.starts_with(class)),
        // The driver's own words: a password that is missing, a method that we cannot do.
        None => {
            let said = error.to_string();
            ["invalid configuration", "authentication error"].iter().any(|words| said.starts_with(words))
        }
    }
}
