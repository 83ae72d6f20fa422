//! A session with the server that outlasts its tokens: logs in, renews, logs in again, repeats what may pass.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use backon::{BlockingRetryable, ExponentialBuilder};
use rustify::clients::reqwest::Client as Http;
use tokio::runtime::Runtime;
use url::Url;
use vaultrs::api::{self, EndpointMiddleware};
use vaultrs::client::{VaultClient, VaultClientSettings};
use vaultrs::error::ClientError;
use vaultrs::token;
use zeroize::Zeroizing;

use super::failure::Failure;
use super::login::{Credential, Login, credential, header, repeats, trade};
use super::{endpoints, http};
use crate::core::model::vault::{VaultAuth, VaultSettings};
use crate::engine::secrets::SecretError;

/// Between attempts. In all short enough to hold a transaction open for, long enough for a leader to step down.
const BACKOFF: ExponentialBuilder =
    ExponentialBuilder::new().with_min_delay(Duration::from_millis(100)).with_factor(3.0).with_max_times(4);
/// No attempt begins later than this after the first: slow failures are not multiplied.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) struct Session {
    settings: VaultSettings,
    http: reqwest::Client,
    base: Url,
    runtime: Arc<Runtime>,
    current: RwLock<Option<Arc<Login>>>,
    /// One thread renews or logs in; the others wait and find it done.
    renewing: Mutex<()>,
}

/// What a request is for: the words of a refusal, and the lines of a policy.
#[derive(Clone, Copy)]
pub(super) struct Access<'a> {
    pub path: &'a str,
    pub capability: &'static str,
}

/// An answer that the caller may know better than this module: 404, 400, 405.
#[derive(Debug)]
pub(super) struct Refusal {
    pub code: u16,
    pub reasons: Vec<String>,
}

impl Refusal {
    pub(super) fn says(&self, words: &str) -> bool {
        self.reasons.iter().any(|reason| reason.contains(words))
    }

    pub(super) fn into_error(self, path: &str) -> SecretError {
        let reason: Vec<_> = self.reasons.iter().map(|reason| reason.trim()).collect();
        SecretError::Other { path: path.to_owned(), status: self.code, reason: reason.join("; ") }
    }
}

impl Session {
    pub(super) fn new(settings: VaultSettings) -> Result<Self, SecretError> {
        if let Some(namespace) = &settings.namespace {
            header(settings.named("namespace"), Zeroizing::new(namespace.clone()))?;
        }
        let (http, base) = http::client(&settings)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("tenantry-vault")
            .enable_all()
            .build()
            .map_err(|source| SecretError::Io { action: "start", path: "the Vault client".to_owned(), source })?;
        let runtime = Arc::new(runtime);
        Ok(Self { settings, http, base, runtime, current: RwLock::new(None), renewing: Mutex::new(()) })
    }

    /// The same server, logged in to as somebody else.
    pub(super) fn as_another(&self, auth: VaultAuth) -> Self {
        let mut settings = self.settings.clone();
        settings.auth = auth;
        let (http, base, runtime) = (self.http.clone(), self.base.clone(), Arc::clone(&self.runtime));
        Self { settings, http, base, runtime, current: RwLock::new(None), renewing: Mutex::new(()) }
    }

    /// Ends the token, if there is one. One that cannot be ended ends by itself.
    pub(super) fn revoke(&self) {
        if let Some(login) = self.current() {
            drop(self.repeat(&login.client, async |client| token::revoke_self(client).await));
        }
    }

    pub(super) fn address(&self) -> &str {
        &self.settings.address
    }

    /// Sends a request, with a token that lives, again where that may help.
    pub(super) fn call<T>(
        &self,
        access: Access<'_>,
        request: impl AsyncFn(&VaultClient) -> Result<T, ClientError>,
    ) -> Result<Result<T, Refusal>, SecretError> {
        let mut login = self.login()?;
        let mut fresh = false;
        loop {
            match self.repeat(&login.client, &request) {
                Ok(answer) => return Ok(Ok(answer)),
                Err(Failure::Status { code: 403, reasons }) => {
                    let is_policys = login.refused_when_fresh.load(Ordering::Relaxed) || !self.has_ended(&login)?;
                    if fresh && !is_policys {
                        // Brand-new, and said to have ended: it may not look at itself. No login will change that.
                        login.refused_when_fresh.store(true, Ordering::Relaxed);
                    }
                    if fresh || is_policys {
                        return if access.capability == PROBE {
                            Ok(Err(Refusal { code: 403, reasons }))
                        } else {
                            let path = access.path.to_owned();
                            Err(SecretError::Forbidden { path, capability: access.capability })
                        };
                    }
                    login = self.replace(&login)?;
                    fresh = true;
                }
                Err(Failure::Status { code, reasons }) if is_callers(code, &reasons) => {
                    return Ok(Err(Refusal { code, reasons }));
                }
                Err(failure) => return Err(self.error(access.path, failure)),
            }
        }
    }

    /// Whether the server answers, and is ready to.
    pub(super) fn check_ready(&self) -> Result<(), SecretError> {
        // Without the namespace: a seal is the server's, and not every version answers for it within one.
        let client = self.client(String::new(), None);
        let asked =
            self.repeat(&client, async |client| api::exec_with_no_result(client, endpoints::seal_status()).await);
        let address = self.settings.address.clone();
        match asked {
            Ok(status) if !status.initialized => Err(SecretError::Uninitialized { address }),
            Ok(status) if status.sealed => Err(SecretError::Sealed { address }),
            Ok(_) => Ok(()),
            Err(Failure::Status { code: 501, .. }) => Err(SecretError::Uninitialized { address }),
            // A gateway that hides it. The login will tell.
            Err(Failure::Status { code, .. }) if code < 500 && code != 400 => Ok(()),
            Err(failure) => Err(self.error("sys/seal-status", failure)),
        }
    }

    /// The token to use now; a new one when there is none or the lease is about to end.
    pub(super) fn login(&self) -> Result<Arc<Login>, SecretError> {
        let usable = |login: &Arc<Login>| !login.is_due() || !self.can_prolong(login);
        if let Some(login) = self.current().filter(usable) {
            return Ok(login);
        }
        let _one = self.one_at_a_time();
        match self.current() {
            Some(login) if usable(&login) => Ok(login),
            Some(login) => {
                let prolonged = match self.renew(&login)? {
                    Some(renewed) => renewed,
                    None if repeats(&self.settings.auth) => self.log_in()?,
                    // Not to be had for longer; good until the server says otherwise.
                    None => Login::new(self.same_client(&login), 0, false),
                };
                Ok(self.keep(prolonged))
            }
            None => Ok(self.keep(self.log_in()?)),
        }
    }

    fn can_prolong(&self, login: &Login) -> bool {
        login.renewable || repeats(&self.settings.auth)
    }

    /// `None` when it takes a new login.
    fn renew(&self, login: &Login) -> Result<Option<Login>, SecretError> {
        if !login.renewable {
            return Ok(None);
        }
        match self.repeat(&login.client, async |client| token::renew_self(client, None).await) {
            Ok(granted) if repeats(&self.settings.auth) && login.is_running_out(granted.lease_duration) => Ok(None),
            Ok(granted) => Ok(Some(Login::new(self.same_client(login), granted.lease_duration, granted.renewable))),
            Err(Failure::Status { .. }) => Ok(None),
            Err(failure) => Err(self.error("auth/token/renew-self", failure)),
        }
    }

    /// Asked after a refusal: is it the token, or its policy?
    fn has_ended(&self, login: &Login) -> Result<bool, SecretError> {
        match self.repeat(&login.client, async |client| api::exec_with_result(client, endpoints::token_self()).await) {
            Ok(_) => Ok(false),
            // A token without the policy "default" may not even ask. The server words that differently.
            Err(Failure::Status { code: 403, reasons }) => Ok(!is_policy(&reasons)),
            Err(failure) => Err(self.error("auth/token/lookup-self", failure)),
        }
    }

    /// Logs in for a token that has ended, once for all threads that noticed.
    fn replace(&self, ended: &Arc<Login>) -> Result<Arc<Login>, SecretError> {
        let _one = self.one_at_a_time();
        match self.current() {
            Some(login) if !Arc::ptr_eq(&login, ended) => Ok(login),
            _ => Ok(self.keep(self.log_in()?)),
        }
    }

    fn log_in(&self) -> Result<Login, SecretError> {
        let credential = credential(&self.settings)?;
        let (method, mount) = (self.settings.auth.method(), self.settings.auth.mount());
        if let Credential::Token(token) = &credential {
            return self.adopt_token(token);
        }
        let client = self.client(String::new(), self.settings.namespace.clone());
        match self.repeat(&client, async |client| trade(client, mount, &credential).await) {
            Ok(Some(granted)) => {
                let token = header(self.settings.named("auth"), Zeroizing::new(granted.client_token))?;
                let client = self.client(token.to_string(), self.settings.namespace.clone());
                tracing::debug!(method, lease = granted.lease_duration, "logged in to the secret store");
                Ok(Login::new(client, granted.lease_duration, granted.renewable))
            }
            Ok(None) => Err(SecretError::NoToken),
            Err(Failure::Status { code, reasons }) if is_callers(code, &reasons) => {
                let reason: Vec<_> = reasons.iter().map(|reason| reason.trim()).collect();
                let reason = if reason.is_empty() { format!("status {code}") } else { reason.join("; ") };
                Err(SecretError::LoginFailed { method, mount: mount.to_owned(), reason })
            }
            Err(failure) => Err(self.error(&format!("auth/{mount}/login"), failure)),
        }
    }

    /// A token that was given needs no login, but a look: is it alive, for how long, can it be renewed?
    fn adopt_token(&self, token: &str) -> Result<Login, SecretError> {
        let client = self.client(token.to_owned(), self.settings.namespace.clone());
        match self.repeat(&client, async |client| api::exec_with_result(client, endpoints::token_self()).await) {
            // Somebody on the way added one, and keeps it alive.
            Ok(_) if token.is_empty() => Ok(Login::new(client, 0, false)),
            Ok(found) => Ok(Login::new(client, found.ttl, found.renewable.unwrap_or(false))),
            Err(Failure::Status { code: 403, reasons }) if is_policy(&reasons) => Ok(Login::new(client, 0, false)),
            // "missing client token" is a 400 to some versions.
            Err(Failure::Status { code: 400 | 401 | 403, .. }) if token.is_empty() => Err(SecretError::NoToken),
            Err(Failure::Status { code: 401 | 403, .. }) => Err(SecretError::TokenRejected),
            Err(failure) => Err(self.error("auth/token/lookup-self", failure)),
        }
    }

    /// Sends a request until it succeeds, cannot, or patience ends.
    fn repeat<T>(
        &self,
        client: &VaultClient,
        request: impl AsyncFn(&VaultClient) -> Result<T, ClientError>,
    ) -> Result<T, Failure> {
        let begun = Instant::now();
        let attempt = || self.runtime.block_on(request(client)).map_err(Failure::of);
        let again = |failure: &Failure| {
            let sealed = matches!(failure, Failure::Status { code: 503, reasons } if says(reasons, "sealed"));
            !sealed && failure.is_passing() && begun.elapsed() < PATIENCE
        };
        attempt.retry(BACKOFF).when(again).call()
    }

    fn error(&self, path: &str, failure: Failure) -> SecretError {
        let address = self.settings.address.clone();
        match failure {
            // A server that is not initialized says "sealed" too; it is asked which.
            Failure::Status { code: 503, reasons } if path != "sys/seal-status" => match self.check_ready() {
                Err(error) => error,
                Ok(()) => Refusal { code: 503, reasons }.into_error(path),
            },
            Failure::Status { code: 501, .. } => SecretError::Uninitialized { address },
            Failure::Status { code: 404, reasons } if says(&reasons, "namespace not found") => {
                SecretError::WrongNamespace { namespace: self.settings.namespace.clone().unwrap_or_default() }
            }
            // Go's own words, whatever runs on it.
            Failure::Status { code: 400, reasons } if says(&reasons, "HTTP request to an HTTPS server") => {
                let reason = format!("the server at {address} uses TLS; write https://");
                SecretError::Settings { key: self.settings.named("address"), reason }
            }
            Failure::Status { code, reasons } => Refusal { code, reasons }.into_error(path),
            Failure::Transport(source) => SecretError::Unreachable { address, source },
            Failure::Tls(source) => SecretError::Tls { address, source },
            Failure::Malformed(reason) => {
                SecretError::Malformed { what: format!("the answer for \"{path}\""), reason: reason.to_owned() }
            }
            Failure::Client(reason) => SecretError::Malformed { what: format!("the request for \"{path}\""), reason },
        }
    }

    /// All clients share one pool of connections; a token is a client's own.
    fn client(&self, token: String, namespace: Option<String>) -> VaultClient {
        VaultClient {
            http: Http::new(self.base.as_str(), self.http.clone()),
            middle: EndpointMiddleware {
                token: token.clone(),
                version: "v1".to_owned(),
                wrap: None,
                namespace: namespace.clone(),
            },
            settings: VaultClientSettings {
                address: self.base.clone(),
                ca_certs: Vec::new(),
                identity: None,
                timeout: None,
                token,
                verify: !self.settings.skip_verify,
                version: 1,
                wrapping: false,
                namespace,
                proxy: None,
            },
        }
    }

    fn same_client(&self, login: &Login) -> VaultClient {
        self.client(login.client.settings.token.clone(), self.settings.namespace.clone())
    }

    fn current(&self) -> Option<Arc<Login>> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn keep(&self, login: Login) -> Arc<Login> {
        let login = Arc::new(login);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&login));
        login
    }

    fn one_at_a_time(&self) -> MutexGuard<'_, ()> {
        self.renewing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The capability of a request whose refusal is an answer too.
pub(super) const PROBE: &str = "";

/// Whether an answer is about the request, rather than about the server or the way to it.
fn is_callers(code: u16, reasons: &[String]) -> bool {
    let way = says(reasons, "namespace not found") || says(reasons, "HTTP request to an HTTPS server");
    code < 500 && code != 429 && !way
}

fn says(reasons: &[String], words: &str) -> bool {
    reasons.iter().any(|reason| reason.contains(words))
}

/// "1 error occurred: * permission denied" is a policy's refusal. A token the server does not know gets a bare
/// "permission denied", and on newer Vaults "invalid token" beside it.
fn is_policy(reasons: &[String]) -> bool {
    says(reasons, "1 error occurred") && !says(reasons, "invalid token")
}
