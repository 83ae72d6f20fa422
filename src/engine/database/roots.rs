//! The certificates that are trusted.

use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;

/// The trust anchors; a minimal container has no certificates of its own, and then Mozilla's, built in, stand for them.
pub(super) fn store(certificates: &[CertificateDer<'static>]) -> RootCertStore {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(certificates.iter().cloned());
    if store.is_empty() && certificates.is_empty() {
        store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    store
}
