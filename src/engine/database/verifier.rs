//! Judging the server's certificate, per `sslmode`.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
    verify_tls13_signature_with_raw_key,
};
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::roots::store;
use super::sslmode::SslMode;

#[derive(Debug)]
pub(super) struct Verifier {
    /// None: any certificate will do.
    chain: Option<Arc<WebPkiServerVerifier>>,
    check_name: bool,
    trusted: Vec<CertificateDer<'static>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Verifier {
    pub(super) fn new(
        mode: SslMode,
        trusted: Vec<CertificateDer<'static>>,
        crls: Vec<CertificateRevocationListDer<'static>>,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self, String> {
        let chain = if mode.must_verify() || !trusted.is_empty() {
            let builder = WebPkiServerVerifier::builder_with_provider(Arc::new(store(&trusted)), provider.clone());
            Some(builder.with_crls(crls).build().map_err(|error| error.to_string())?)
        } else {
            None
        };
        let algorithms = provider.signature_verification_algorithms;
        Ok(Self { chain, check_name: mode == SslMode::VerifyFull, trusted, algorithms })
    }

    fn check_name(
        &self,
        certificate: &CertificateDer<'_>,
        name: &ServerName<'_>,
        mismatch: Error,
    ) -> Result<ServerCertVerified, Error> {
        let fits = !self.check_name || parse(certificate).is_some_and(|parsed| name_fits(&parsed, &name.to_str()));
        if fits { Ok(ServerCertVerified::assertion()) } else { Err(mismatch) }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(chain) = &self.chain else { return Ok(ServerCertVerified::assertion()) };
        // A certificate that is itself a root we were given needs no chain; webpki refuses it when it is marked as a
        // CA, as `openssl req -x509` marks it.
        if self.trusted.iter().any(|trusted| trusted == certificate) {
            check_dates(certificate, now)?;
            let expected = name.to_owned();
            let mismatch = CertificateError::NotValidForNameContext { expected, presented: Vec::new() }.into();
            return self.check_name(certificate, name, mismatch);
        }
        match chain.verify_server_cert(certificate, intermediates, name, ocsp, now) {
            // webpki looks at the name last: the chain is good.
            Err(
                error @ Error::InvalidCertificate(
                    CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
                ),
            ) => self.check_name(certificate, name, error),
            result => result,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        // webpki reads no version 1 certificates, which `openssl x509 -req` makes as in PostgreSQL's manual. Where the
        // chain is not verified all that matters is the key.
        match parse(certificate) {
            Some(parsed) if self.chain.is_none() => {
                let key = SubjectPublicKeyInfoDer::from(parsed.public_key().raw);
                verify_tls13_signature_with_raw_key(message, &key, signature, &self.algorithms)
            }
            _ => verify_tls13_signature(message, certificate, signature, &self.algorithms),
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

fn parse<'a>(certificate: &'a CertificateDer<'_>) -> Option<X509Certificate<'a>> {
    X509Certificate::from_der(certificate).ok().map(|(_, parsed)| parsed)
}

fn check_dates(certificate: &CertificateDer<'_>, now: UnixTime) -> Result<(), Error> {
    let parsed = parse(certificate).ok_or(Error::InvalidCertificate(CertificateError::BadEncoding))?;
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    if now < parsed.validity().not_before.timestamp() {
        return Err(CertificateError::NotValidYet.into());
    }
    if now > parsed.validity().not_after.timestamp() {
        return Err(CertificateError::Expired.into());
    }
    Ok(())
}

/// Whether the certificate is for this host: by its alternative names or, where it has none, by its CN, as in libpq.
fn name_fits(certificate: &X509Certificate<'_>, host: &str) -> bool {
    let address = host.parse::<std::net::IpAddr>().ok();
    let mut any = false;
    if let Ok(Some(names)) = certificate.subject_alternative_name() {
        for name in &names.value.general_names {
            match (name, address) {
                (GeneralName::DNSName(pattern), _) => {
                    any = true;
                    if address.is_none() && matches(pattern, host) {
                        return true;
                    }
                }
                (GeneralName::IPAddress(bytes), _) => {
                    any = true;
                    let same = match address {
                        Some(std::net::IpAddr::V4(v4)) => v4.octets() == **bytes,
                        Some(std::net::IpAddr::V6(v6)) => v6.octets() == **bytes,
                        None => false,
                    };
                    if same {
                        return true;
                    }
                }
                _ => {}
            }
        }
    }
    let common = certificate.subject().iter_common_name().last().and_then(|name| name.as_str().ok());
    !any && common.is_some_and(|common| matches(common, host))
}

/// A leading `*.` stands for one label.
fn matches(pattern: &str, host: &str) -> bool {
    match pattern.strip_prefix("*.") {
        Some(rest) => {
            host.split_once('.').is_some_and(|(label, tail)| !label.is_empty() && tail.eq_ignore_ascii_case(rest))
        }
        None => pattern.eq_ignore_ascii_case(host),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair};

    fn self_signed(names: &[&str], common: &str) -> CertificateDer<'static> {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name.push(DnType::CommonName, common);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
    }

    fn verify(mode: SslMode, certificate: &CertificateDer<'static>, trusted: bool, host: &str) -> bool {
        let trusted = if trusted { vec![certificate.clone()] } else { vec![self_signed(&["ca"], "ca")] };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = Verifier::new(mode, trusted, Vec::new(), &provider).unwrap();
        let name = ServerName::try_from(host.to_owned()).unwrap();
        verifier.verify_server_cert(certificate, &[], &name, &[], UnixTime::now()).is_ok()
    }

    #[test]
    fn a_self_signed_certificate_is_its_own_root() {
        let certificate = self_signed(&["db.internal", "10.0.0.1"], "other");
        assert!(verify(SslMode::VerifyFull, &certificate, true, "db.internal"));
        assert!(verify(SslMode::VerifyFull, &certificate, true, "10.0.0.1"));
        assert!(!verify(SslMode::VerifyFull, &certificate, true, "10.0.0.2"));
        assert!(!verify(SslMode::VerifyFull, &certificate, true, "other"));
        assert!(verify(SslMode::VerifyCa, &certificate, true, "other"));
        assert!(!verify(SslMode::VerifyCa, &certificate, false, "db.internal"));
    }

    #[test]
    fn the_common_name_counts_only_without_alternative_names() {
        let certificate = self_signed(&[], "*.internal");
        assert!(verify(SslMode::VerifyFull, &certificate, true, "DB.internal"));
        assert!(!verify(SslMode::VerifyFull, &certificate, true, "a.b.internal"));
        assert!(!verify(SslMode::VerifyFull, &certificate, true, "internal"));
    }
}
