//! TLS as libpq's `sslmode` has it, on rustls.
//!
//! rustls on its own knows only what libpq calls verify-full. The other modes, and certificates that OpenSSL takes and
//! webpki does not (self-signed ones, and names given only as the CN, both made by the commands in PostgreSQL's own
//! manual), are handled by the verifier in `verifier.rs`.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rustls::ClientConfig;
use rustls::crypto::ring;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use thiserror::Error;

use super::sslmode::SslMode;
use super::verifier::Verifier;

/// What the connection parameters say about TLS; paths that nobody named are there only when the files are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct TlsSettings {
    pub(super) sslmode: SslMode,
    pub(super) roots: Roots,
    pub(super) crl: Option<PathBuf>,
    pub(super) client: Option<(PathBuf, PathBuf)>,
    pub(super) no_sni: bool,
    pub(super) direct: bool,
    pub(super) oldest: Option<Version>,
    pub(super) newest: Option<Version>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Roots {
    /// No root certificates: fine unless the mode verifies.
    #[default]
    None,
    /// Where they would have been, for the error that says so.
    Missing(PathBuf),
    File(PathBuf),
    /// `sslrootcert=system`.
    System,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Version {
    Tls12,
    Tls13,
}

#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TlsError {
    #[error("sslmode={mode} needs root certificates, and {} does not exist", path.display())]
    NoRoots { mode: SslMode, path: PathBuf },
    #[error("cannot read {what} {}", path.display())]
    Unreadable { what: &'static str, path: PathBuf, source: io::Error },
    #[error("{what} {} holds nothing usable: {problem}", path.display())]
    Unusable { what: &'static str, path: PathBuf, problem: String },
    #[error("private key {} can be read by other users", path.display())]
    OpenKey { path: PathBuf },
    #[error("cannot set up TLS")]
    Rustls(#[from] rustls::Error),
    #[error("cannot set up TLS: {0}")]
    Verifier(String),
}

impl TlsError {
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoRoots { .. } => Some(
                "set sslrootcert to the CA certificate's file, or sslrootcert=system for a certificate that browsers trust".into(),
            ),
            Self::OpenKey { path } => Some(format!("chmod 0600 {}", path.display())),
            Self::Unusable { what: "private key", .. } => {
                Some("the key must be PEM and not encrypted: openssl pkey -in KEY -out PLAIN_KEY".into())
            }
            _ => None,
        }
    }
}

/// The settings, and what was made of them: read once, however many connections follow.
#[derive(Debug, Clone)]
pub(super) struct Tls {
    pub(super) settings: TlsSettings,
    made: Arc<OnceLock<Arc<ClientConfig>>>,
}

impl Tls {
    pub(super) fn new(settings: TlsSettings) -> Self {
        Self { settings, made: Arc::default() }
    }

    pub(super) fn config(&self) -> Result<ClientConfig, TlsError> {
        if let Some(config) = self.made.get() {
            return Ok(config.as_ref().clone());
        }
        let config = self.settings.build()?;
        Ok(self.made.get_or_init(|| Arc::new(config)).as_ref().clone())
    }
}

impl Version {
    fn in_words(self) -> String {
        match self {
            Self::Tls12 => "TLSv1.2",
            Self::Tls13 => "TLSv1.3",
        }
        .to_owned()
    }
}

impl TlsSettings {
    /// The same for libpq. It knows more ways to encrypt and to show who one is than we do; those are closed.
    pub(super) fn environment(&self) -> Vec<(&'static str, String)> {
        let path = |path: &Path| path.to_string_lossy().into_owned();
        let mut variables = vec![("PGSSLMODE", self.sslmode.to_string()), ("PGGSSENCMODE", "disable".to_owned())];
        match &self.roots {
            Roots::File(file) => variables.push(("PGSSLROOTCERT", path(file))),
            Roots::System => variables.push(("PGSSLROOTCERT", "system".into())),
            Roots::None | Roots::Missing(_) => {}
        }
        variables.extend(self.crl.as_ref().map(|file| ("PGSSLCRL", path(file))));
        match &self.client {
            Some((certificate, key)) => {
                variables.extend([("PGSSLCERT", path(certificate)), ("PGSSLKEY", path(key))]);
            }
            // The usual file in the home directory is for our own login.
            None => variables.push(("PGSSLCERTMODE", "disable".to_owned())),
        }
        variables.extend(self.oldest.map(|version| ("PGSSLMINPROTOCOLVERSION", version.in_words())));
        variables.extend(self.newest.map(|version| ("PGSSLMAXPROTOCOLVERSION", version.in_words())));
        variables.extend(self.no_sni.then(|| ("PGSSLSNI", "0".to_owned())));
        variables.extend(self.direct.then(|| ("PGSSLNEGOTIATION", "direct".to_owned())));
        variables
    }

    fn build(&self) -> Result<ClientConfig, TlsError> {
        // Named, because a process default would depend on what else was linked in.
        let provider = Arc::new(ring::default_provider());
        let versions: Vec<_> = [(Version::Tls12, &rustls::version::TLS12), (Version::Tls13, &rustls::version::TLS13)]
            .into_iter()
            .filter(|(version, _)| self.oldest.is_none_or(|oldest| *version >= oldest))
            .filter(|(version, _)| self.newest.is_none_or(|newest| *version <= newest))
            .map(|(_, version)| version)
            .collect();
        let roots = self.root_certificates()?;
        let crls = match &self.crl {
            Some(path) => CertificateRevocationListDer::pem_slice_iter(&read("revocation list", path)?)
                .collect::<Result<Vec<_>, _>>()
                .map_err(|error| unusable("revocation list", path, &error))?,
            None => Vec::new(),
        };
        let verifier = Verifier::new(self.sslmode, roots, crls, &provider).map_err(TlsError::Verifier)?;
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&versions)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = match &self.client {
            Some((certificate, key)) => {
                builder.with_client_auth_cert(certificates("client certificate", certificate)?, private_key(key)?)?
            }
            None => builder.with_no_client_auth(),
        };
        config.enable_sni = !self.no_sni;
        if self.direct {
            config.alpn_protocols = vec![b"postgresql".to_vec()]; // The server refuses direct TLS without it.
        }
        Ok(config)
    }

    fn root_certificates(&self) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        match &self.roots {
            Roots::File(path) => certificates("root certificate file", path),
            Roots::Missing(path) if self.sslmode.must_verify() => {
                Err(TlsError::NoRoots { mode: self.sslmode, path: path.clone() })
            }
            Roots::None if self.sslmode.must_verify() => {
                Err(TlsError::NoRoots { mode: self.sslmode, path: "~/.postgresql/root.crt".into() })
            }
            Roots::None | Roots::Missing(_) => Ok(Vec::new()),
            Roots::System => Ok(rustls_native_certs::load_native_certs().certs),
        }
    }
}

fn read(what: &'static str, path: &Path) -> Result<Vec<u8>, TlsError> {
    crate::engine::private::read(path).map_err(|source| TlsError::Unreadable { what, path: path.to_owned(), source })
}

fn unusable(what: &'static str, path: &Path, problem: &dyn ToString) -> TlsError {
    TlsError::Unusable { what, path: path.to_owned(), problem: problem.to_string() }
}

fn certificates(what: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found = CertificateDer::pem_slice_iter(&read(what, path)?)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| unusable(what, path, &error))?;
    if found.is_empty() { Err(unusable(what, path, &"no PEM certificate in it")) } else { Ok(found) }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    // libpq's rule: one's own key is closed to everybody else, one of root's may be open to its group.
    if let Ok(metadata) = fs::metadata(path) {
        use std::os::unix::fs::MetadataExt;
        let open = if metadata.uid() == 0 { 0o037 } else { 0o077 };
        if metadata.permissions().mode() & open != 0 {
            return Err(TlsError::OpenKey { path: path.to_owned() });
        }
    }
    PrivateKeyDer::from_pem_slice(&read("private key", path)?).map_err(|error| unusable("private key", path, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verifying_without_root_certificates_is_refused_before_connecting() {
        let settings = TlsSettings {
            sslmode: SslMode::VerifyFull,
            roots: Roots::Missing("/home/a/.postgresql/root.crt".into()),
            ..TlsSettings::default()
        };
        let error = settings.build().unwrap_err();
        assert_eq!(
            error.to_string(),
            "sslmode=verify-full needs root certificates, and /home/a/.postgresql/root.crt does not exist"
        );
        assert!(error.hint().unwrap().contains("sslrootcert=system"));
    }

    #[test]
    fn a_file_without_certificates_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let settings = TlsSettings { roots: Roots::File(file.path().into()), ..TlsSettings::default() };
        assert!(settings.build().unwrap_err().to_string().contains(file.path().to_str().unwrap()));
    }

    #[test]
    fn the_system_roots_always_hold_something() {
        let settings = TlsSettings { sslmode: SslMode::VerifyFull, roots: Roots::System, ..TlsSettings::default() };
        settings.build().unwrap();
    }
}
