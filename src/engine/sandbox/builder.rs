//! How a throw-away server should be.

use super::binaries::Binaries;

#[derive(Debug, Clone, Default)]
pub struct Builder {
    pub(super) binaries: Option<Binaries>,
    pub(super) settings: Vec<(String, String)>,
    pub(super) hba: Vec<String>,
    pub(super) durable: bool,
    pub(super) tls: Option<TlsFiles>,
}

/// PEM texts.
#[derive(Clone)]
pub(super) struct TlsFiles {
    pub(super) certificate: String,
    pub(super) key: String,
    pub(super) client_ca: Option<String>,
}

impl std::fmt::Debug for TlsFiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TlsFiles(…)") // It holds a private key.
    }
}

impl Builder {
    /// These programs, rather than what [`Binaries::find`] finds.
    #[must_use]
    pub fn binaries(self, binaries: Binaries) -> Self {
        Self { binaries: Some(binaries), ..self }
    }

    /// A line of postgresql.conf.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A line of pg_hba.conf, before the usual ones.
    #[must_use]
    pub fn hba(mut self, line: &str) -> Self {
        self.hba.push(line.to_owned());
        self
    }

    /// As careful with its data as any server: what was committed survives [`Server::stop_immediate`](super::Server::stop_immediate) and a crash.
    #[must_use]
    pub fn durable(self) -> Self {
        Self { durable: true, ..self }
    }

    /// TLS with this certificate chain and key, and where given, a CA whose client certificates count.
    #[must_use]
    pub fn tls(self, certificate: &str, key: &str, client_ca: Option<&str>) -> Self {
        let client_ca = client_ca.map(str::to_owned);
        Self { tls: Some(TlsFiles { certificate: certificate.to_owned(), key: key.to_owned(), client_ca }), ..self }
    }
}
