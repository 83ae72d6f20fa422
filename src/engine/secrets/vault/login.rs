//! Logging in, and how long that lasts.

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use secrecy::{ExposeSecret, SecretString};
use vaultrs::api::AuthInfo;
use vaultrs::auth::{approle, kubernetes, oidc, userpass};
use vaultrs::client::VaultClient;
use vaultrs::error::ClientError;
use zeroize::Zeroizing;

use crate::core::model::vault::{VaultAuth, VaultSettings};
use crate::engine::secrets::SecretError;

/// A client that carries a token.
pub(super) struct Login {
    pub client: VaultClient,
    obtained: Instant,
    /// `None`: forever, or unknown.
    lease: Option<Duration>,
    pub renewable: bool,
    /// It was refused at once and may not look at itself: its refusals are its policy's, not its age's.
    pub refused_when_fresh: AtomicBool,
}

impl Login {
    pub(super) fn new(client: VaultClient, lease_seconds: u64, renewable: bool) -> Self {
        Self {
            client,
            obtained: Instant::now(),
            lease: (lease_seconds > 0).then(|| Duration::from_secs(lease_seconds)),
            renewable,
            refused_when_fresh: AtomicBool::new(false),
        }
    }

    /// Whether to renew before the next request. With a third of the lease left there is time to fail and try again.
    pub(super) fn is_due(&self) -> bool {
        self.lease.is_some_and(|lease| self.obtained.elapsed() >= lease * 2 / 3)
    }

    /// A renewal that granted so little has met the token's maximum: a new login gets more.
    pub(super) fn is_running_out(&self, granted_seconds: u64) -> bool {
        self.lease.is_some_and(|lease| Duration::from_secs(granted_seconds) < lease / 2)
    }
}

/// Whether the tool can log in again by itself.
pub(super) fn repeats(auth: &VaultAuth) -> bool {
    !matches!(auth, VaultAuth::Token { .. })
}

/// What is needed for a login, read from the disk where it is there.
pub(super) enum Credential {
    Token(Zeroizing<String>),
    AppRole { role_id: String, secret_id: Zeroizing<String> },
    Kubernetes { role: String, jwt: Zeroizing<String> },
    Jwt { role: String, jwt: Zeroizing<String> },
    Userpass { username: String, password: Zeroizing<String> },
}

/// Gathered again at each login: token files are replaced while we run.
pub(super) fn credential(settings: &VaultSettings) -> Result<Credential, SecretError> {
    Ok(match &settings.auth {
        VaultAuth::Token { token } => Credential::Token(match (token, &settings.token_file) {
            (Some(token), _) => header(settings.named("auth.token"), exposed(token))?,
            (None, Some(file)) if file.exists() => header(file.display().to_string(), read(file)?)?,
            // An agent or a proxy on the way may add one. The server says if none did.
            _ => Zeroizing::default(),
        }),
        VaultAuth::AppRole { role_id, secret_id, .. } => Credential::AppRole {
            role_id: role_id.clone(),
            secret_id: secret_id.as_ref().map_or_else(Zeroizing::default, exposed),
        },
        VaultAuth::Kubernetes { role, token_path, .. } => {
            let path = token_path.as_deref().unwrap_or(Path::new(VaultAuth::SERVICE_ACCOUNT_TOKEN));
            Credential::Kubernetes { role: role.clone(), jwt: read(path)? }
        }
        VaultAuth::Jwt { role, jwt, jwt_path, .. } => Credential::Jwt {
            role: role.clone(),
            jwt: match (jwt, jwt_path) {
                (Some(jwt), _) => exposed(jwt),
                (None, Some(path)) => read(path)?,
                (None, None) => {
                    let reason = "neither jwt nor jwt_path is set".to_owned();
                    return Err(SecretError::Settings { key: settings.named("auth"), reason });
                }
            },
        },
        VaultAuth::Userpass { username, password, .. } => {
            Credential::Userpass { username: username.clone(), password: exposed(password) }
        }
    })
}

/// Trades a credential for a token. `client` carries none.
pub(super) async fn trade(
    client: &VaultClient,
    mount: &str,
    credential: &Credential,
) -> Result<Option<AuthInfo>, ClientError> {
    match credential {
        Credential::Token(_) => return Ok(None),
        Credential::AppRole { role_id, secret_id } => approle::login(client, mount, role_id, secret_id).await,
        Credential::Kubernetes { role, jwt } => kubernetes::login(client, mount, role, jwt).await,
        Credential::Jwt { role, jwt } => oidc::login(client, mount, jwt, Some(role.clone())).await,
        Credential::Userpass { username, password } => userpass::login(client, mount, username, password).await,
    }
    .map(Some)
}

/// What cannot stand in a header would make the client panic.
pub(super) fn header(key: String, value: Zeroizing<String>) -> Result<Zeroizing<String>, SecretError> {
    if !value.is_empty() && value.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return Ok(value);
    }
    Err(SecretError::Settings { key, reason: "is empty or contains characters that no HTTP header can".to_owned() })
}

fn exposed(secret: &SecretString) -> Zeroizing<String> {
    Zeroizing::new(secret.expose_secret().trim().to_owned())
}

fn read(path: &Path) -> Result<Zeroizing<String>, SecretError> {
    match crate::engine::private::read_to_string(path) {
        Ok(text) => Ok(Zeroizing::new(Zeroizing::new(text).trim().to_owned())),
        Err(source) => Err(SecretError::Io { action: "read", path: path.display().to_string(), source }),
    }
}
