//! Certificates for TLS tests, made on the spot.
#![allow(dead_code)] // Each test binary uses a part.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair,
};

/// PEM texts.
pub struct Issued {
    pub certificate: String,
    pub key: String,
}

pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    pub certificate: String,
}

pub struct Leaf {
    names: Vec<String>,
    common: String,
    purpose: ExtendedKeyUsagePurpose,
}

impl Leaf {
    pub fn server(names: &[&str]) -> Self {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        Self { common: names[0].clone(), names, purpose: ExtendedKeyUsagePurpose::ServerAuth }
    }

    pub fn client(user: &str) -> Self {
        Self { common: user.to_owned(), names: Vec::new(), purpose: ExtendedKeyUsagePurpose::ClientAuth }
    }
}

fn params(names: Vec<String>, common: &str) -> CertificateParams {
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common);
    params
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let mut params = params(Vec::new(), name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let certificate = issuer.pem();
        Self { issuer, certificate }
    }

    pub fn issue(&self, leaf: &Leaf) -> Issued {
        let key = KeyPair::generate().unwrap();
        let mut params = params(leaf.names.clone(), &leaf.common);
        params.extended_key_usages = vec![leaf.purpose.clone()];
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Issued { certificate: certificate.pem(), key: key.serialize_pem() }
    }
}

/// A certificate that is its own authority, with the host's name as its CN only.
pub fn self_signed(common: &str) -> Issued {
    let key = KeyPair::generate().unwrap();
    let mut params = params(Vec::new(), common);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    Issued { certificate: params.self_signed(&key).unwrap().pem(), key: key.serialize_pem() }
}
