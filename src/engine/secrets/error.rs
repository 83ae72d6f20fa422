//! What goes wrong with a secret store, and what to type then. No message ever holds a token or a password.

use std::io;

use thiserror::Error;

/// The source of an error, whatever library it is of.
pub type Source = Box<dyn std::error::Error + Send + Sync>;

#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SecretError {
    #[error("cannot reach the secret store at {address}")]
    Unreachable { address: String, source: Source },

    #[error("the secret store at {address} is sealed")]
    Sealed { address: String },

    #[error("the secret store at {address} is not initialized")]
    Uninitialized { address: String },

    #[error("no trusted connection to the secret store at {address}")]
    Tls { address: String, source: Source },

    #[error("the policy of the secret store's token does not grant {capability} on \"{path}\"")]
    Forbidden { path: String, capability: &'static str },

    #[error("login to the secret store by {method} (mounted at auth/{mount}) failed: {reason}")]
    LoginFailed { method: &'static str, mount: String, reason: String },

    #[error("no token for the secret store, and it does not accept requests without one")]
    NoToken,

    #[error("the token for the secret store is expired, revoked or not from this server")]
    TokenRejected,

    #[error("no KV secrets engine at mount \"{mount}\": {reason}")]
    WrongMount { mount: String, reason: String },

    #[error("no auth method {method} at auth/{mount} in the secret store")]
    NoAuthMethod { mount: String, method: &'static str },

    #[error("no namespace \"{namespace}\" in the secret store")]
    WrongNamespace { namespace: String },

    #[error("secret \"{path}\" {}", conflict(.expected.as_deref(), .found.as_deref()))]
    CheckAndSet { path: String, expected: Option<String>, found: Option<String> },

    #[error("{what} is malformed: {reason}")]
    Malformed { what: String, reason: String },

    #[error("cannot {action} {path}")]
    Io { action: &'static str, path: String, source: io::Error },

    #[error("secret path \"{path}\" {reason}")]
    BadPath { path: String, reason: &'static str },

    /// `key`: as a person finds it, such as `[vault] address` or `VAULT_ADDR`.
    #[error("{key}: {reason}")]
    Settings { key: String, reason: String },

    #[error("the secret store answered {status} for \"{path}\"{}{reason}", if .reason.is_empty() { "" } else { ": " })]
    Other { path: String, status: u16, reason: String },
}

fn conflict(expected: Option<&str>, found: Option<&str>) -> String {
    match (expected, found) {
        (None, Some(found)) => format!("was created by someone else in the meantime: it is at version {found}"),
        (Some(expected), Some(found)) => {
            format!("was changed by someone else in the meantime: it is at version {found}, not {expected}")
        }
        (_, None) => "was deleted by someone else in the meantime".to_owned(),
    }
}

impl SecretError {
    /// The store is there and answers; we may not have what was asked for.
    #[must_use]
    pub fn is_denied(&self) -> bool {
        match self {
            Self::Forbidden { .. } => true,
            Self::Io { source, .. } => source.kind() == io::ErrorKind::PermissionDenied,
            _ => false,
        }
    }

    /// What to type, or look at, next.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unreachable { address, .. } => {
                format!("is it running, and is the address right? try: curl {address}/v1/sys/health")
            }
            Self::Sealed { address } => format!("unseal it: bao operator unseal -address={address} (or vault)"),
            Self::Uninitialized { address } => format!("initialize it: bao operator init -address={address} (or vault)"),
            Self::Tls { .. } => {
                "specify the certificate authority: [vault] ca_cert = \"ca.pem\", or VAULT_CACERT=ca.pem".to_owned()
            }
            Self::Forbidden { path, capability } => {
                format!("add to the token's policy: path \"{path}\" {{ capabilities = [\"{capability}\"] }}")
            }
            Self::LoginFailed { method, .. } => {
                format!("check [vault] auth = {{ method = \"{method}\", … }}; add \"mount\" to it if the method is mounted elsewhere")
            }
            Self::NoToken => "log in (vault login, or bao login), set VAULT_TOKEN, or configure [vault] auth".to_owned(),
            Self::TokenRejected => {
                "log in again (vault login, or bao login), or configure [vault] auth = { method = \"approle\", … }, which logs in by itself"
                    .to_owned()
            }
            Self::WrongMount { .. } => {
                "see the mounts: bao secrets list (or vault secrets list); then set [vault] mount = \"…\"".to_owned()
            }
            Self::NoAuthMethod { mount, method } => {
                format!("enable it: bao auth enable -path={mount} {method} (or vault); or set [vault.access] mount to where it is")
            }
            Self::WrongNamespace { .. } => {
                "see the namespaces: bao namespace list (or vault namespace list); then set [vault] namespace = \"…\"".to_owned()
            }
            Self::CheckAndSet { .. } => "plan again: tenantry plan".to_owned(),
            Self::Io { path, source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                format!("see who owns it: ls -ld {path}")
            }
            Self::BadPath { .. } => "set [secrets] path = \"tenants/{tenant}\", or the like".to_owned(),
            Self::Malformed { .. } | Self::Io { .. } | Self::Settings { .. } | Self::Other { .. } => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conflict_says_what_became_of_the_secret() {
        let said = |expected: Option<&str>, found: Option<&str>| {
            let (expected, found) = (expected.map(str::to_owned), found.map(str::to_owned));
            SecretError::CheckAndSet { path: "tenants/acme".to_owned(), expected, found }.to_string()
        };
        assert_eq!(
            said(None, Some("3")),
            "secret \"tenants/acme\" was created by someone else in the meantime: it is at version 3"
        );
        assert_eq!(
            said(Some("2"), Some("3")),
            "secret \"tenants/acme\" was changed by someone else in the meantime: it is at version 3, not 2"
        );
        assert_eq!(said(Some("2"), None), "secret \"tenants/acme\" was deleted by someone else in the meantime");
    }

    #[test]
    fn a_refusal_hints_at_the_line_of_policy_to_add() {
        let error = SecretError::Forbidden { path: "secret/data/tenants/acme".to_owned(), capability: "update" };
        let hint = "add to the token's policy: path \"secret/data/tenants/acme\" { capabilities = [\"update\"] }";
        assert_eq!(error.hint().as_deref(), Some(hint));
    }
}
