//! The HTTP client below vaultrs: certificates, time limits, redirects.

use std::fs;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Identity};
use url::{Host, Url};

use crate::core::model::vault::VaultSettings;
use crate::engine::secrets::SecretError;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// For one whole request. A store that needs longer is not one to hold transactions open for.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// The client, and the base address to call it with.
pub(super) fn client(settings: &VaultSettings) -> Result<(Client, Url), SecretError> {
    let mut base = parse(settings)?;
    // reqwest asks the process for its provider. One that somebody installed before us serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = Client::builder()
        .tls_backend_rustls()
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(REQUEST_TIMEOUT)
        .redirect(redirects())
        .tls_danger_accept_invalid_certs(settings.skip_verify);
    if is_loopback(&base) {
        // As Go's client does: a proxy has nothing to do with this machine's own.
        builder = builder.no_proxy();
    }
    if base.scheme() == "http" {
        // Reading the system's authorities takes time; there is nothing to check.
        builder = builder.tls_certs_only(Vec::new());
    } else if let Some(trusted) = trusted(settings)? {
        builder = builder.tls_certs_only(trusted);
    }
    if let (Some(cert), Some(key)) = (&settings.client_cert, &settings.client_key) {
        let pem = [read(cert)?, read(key)?].join(&b'\n');
        let identity = Identity::from_pem(&pem)
            .map_err(|error| setting(settings, "client_cert", format!("{}: {error}", cert.display())))?;
        builder = builder.identity(identity);
    }
    if let Some(name) = &settings.tls_server_name {
        // The client asks for the name in its URL. So the name goes there, and its addresses are the real host's.
        let addresses = addresses(&base, &settings.address)?;
        let renamed = base.set_host(Some(name));
        renamed.map_err(|error| setting(settings, "tls_server_name", format!("\"{name}\": {error}")))?;
        builder = builder.resolve_to_addrs(name, &addresses);
    }
    let client = builder.build().map_err(|error| setting(settings, "address", error.to_string()))?;
    Ok((client, base))
}

/// An address that cannot be used is not repeated: it may hold a password, or be one.
fn parse(settings: &VaultSettings) -> Result<Url, SecretError> {
    let address = settings.address.as_str();
    let refuse = |reason: &str| Err(setting(settings, "address", reason.to_owned()));
    let Ok(base) = Url::parse(address) else {
        return refuse("is not a URL; write https://HOST:8200");
    };
    match base.scheme() {
        "http" | "https" if !base.username().is_empty() || base.password().is_some() || address.contains('@') => {
            refuse("contains a user or a password; those belong in auth")
        }
        "http" | "https" if base.host().is_none() => refuse("has no host"),
        "http" | "https" if base.query().is_some() || base.fragment().is_some() => {
            refuse("contains a ? or a #; write https://HOST:8200")
        }
        // vaultrs would put the API's version in front of it.
        "http" | "https" if !matches!(base.path(), "" | "/") => {
            refuse("has a path; the API must be at the root of its host")
        }
        "http" | "https" => Ok(base),
        _ => refuse("is neither https:// nor http://"),
    }
}

/// A standby sends its callers to the active node. Never from TLS to plain text: the request carries the token.
fn redirects() -> Policy {
    Policy::custom(|attempt| {
        let secure = attempt.previous().last().is_some_and(|from| from.scheme() == "https");
        if secure && attempt.url().scheme() != "https" {
            attempt.error("redirected from https to http")
        } else if attempt.previous().len() > 2 {
            attempt.error("redirected too often")
        } else {
            attempt.follow()
        }
    })
}

/// The authorities to trust instead of the system's.
fn trusted(settings: &VaultSettings) -> Result<Option<Vec<Certificate>>, SecretError> {
    let mut files = Vec::new();
    if let Some(file) = &settings.ca_cert {
        files.push(file.clone());
    } else if let Some(dir) = &settings.ca_path {
        let entries = fs::read_dir(dir).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let entries = entries.map_err(|source| io("read", dir, source))?;
        files.extend(entries.into_iter().map(|entry| entry.path()).filter(|path| path.is_file()));
        files.sort();
    } else {
        return Ok(None);
    }
    let mut trusted = Vec::new();
    let key = if settings.ca_cert.is_some() { "ca_cert" } else { "ca_path" };
    for file in &files {
        let found = Certificate::from_pem_bundle(&read(file)?)
            .map_err(|error| setting(settings, key, format!("{}: {error}", file.display())))?;
        if found.is_empty() {
            return Err(setting(settings, key, format!("{} holds no PEM certificate", file.display())));
        }
        trusted.extend(found);
    }
    Ok(Some(trusted))
}

fn addresses(base: &Url, address: &str) -> Result<Vec<SocketAddr>, SecretError> {
    let host = base.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let port = base.port_or_known_default().unwrap_or(8200);
    match (host, port).to_socket_addrs() {
        Ok(addresses) => Ok(addresses.collect()),
        Err(source) => Err(SecretError::Unreachable { address: address.to_owned(), source: source.into() }),
    }
}

fn is_loopback(base: &Url) -> bool {
    match base.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

fn read(path: &Path) -> Result<Vec<u8>, SecretError> {
    crate::engine::private::read(path).map_err(|source| io("read", path, source))
}

fn io(action: &'static str, path: &Path, source: std::io::Error) -> SecretError {
    SecretError::Io { action, path: path.display().to_string(), source }
}

fn setting(settings: &VaultSettings, key: &str, reason: String) -> SecretError {
    SecretError::Settings { key: settings.named(key), reason }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::vault::VaultConfig;

    #[test]
    fn an_address_that_cannot_work_is_refused_with_the_reason() {
        for (address, reason) in [
            ("vault:8200", "is neither"),
            ("vault", "is not a URL"),
            ("unix:///run/vault.sock", "is neither"),
            ("https://gateway/vault", "has a path"),
            ("https://ada:hunter2@vault:8200", "contains a user"),
            ("https://ada:hunter2@vault:82000", "is not a URL"),
            ("ada:hunter2@vault:8200", "is neither"),
            ("https://vault:8200?token=hunter2", "contains a ?"),
            ("https://vault:8200/hunter2@", "contains a user"),
            ("hunter2", "is not a URL"),
        ] {
            let config = VaultConfig { address: Some(address.to_owned()), ..VaultConfig::default() };
            let error = parse(&config.resolve(&|_| None)).unwrap_err().to_string();
            assert!(error.starts_with("[vault] address: ") && error.contains(reason), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
            let env = |name: &str| (name == "VAULT_ADDR").then(|| address.to_owned());
            let error = parse(&VaultConfig::default().resolve(&env)).unwrap_err().to_string();
            assert!(error.starts_with("VAULT_ADDR: ") && error.contains(reason), "{error}");
        }
        let config = VaultConfig { address: Some("https://vault.internal:8200".into()), ..VaultConfig::default() };
        assert!(parse(&config.resolve(&|_| None)).is_ok());
    }
}
