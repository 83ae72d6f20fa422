//! Why a tenant did not get in: a fault of what was delivered, or of the surroundings.

use crate::core::model::TenantKey;
use crate::engine::database::{ConnectError, DatabaseError};
use crate::engine::error::error_chain;
use crate::engine::secrets::SecretError;

pub(super) struct NoLogin {
    /// The secret is not there, or does not open the database: the tenant's own programs fail as we do. Otherwise nothing is
    /// known of the tenant.
    pub faulty: bool,
    pub sqlstate: Option<String>,
    pub message: String,
}

impl NoLogin {
    /// Of a tenant that was adopted with its own password.
    pub fn unknown(tenant: &TenantKey) -> Self {
        let message = format!(
            "it was adopted with its own password, which tenantry does not know; a new one, in a secret: tenantry rotate {tenant}"
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
