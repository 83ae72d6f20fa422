//! `[vault]`: which keys each auth method needs.

use secrecy::SecretString;

use super::fault::Faults;
use super::places::Places;
use super::raw::{RawAuth, RawAuthMethod, RawVault};
use super::vault_access;
use crate::core::model::vault::{VaultAuth, VaultConfig};

pub(super) fn resolve(raw: RawVault, places: &Places<'_>, faults: &mut Faults) -> VaultConfig {
    VaultConfig {
        address: raw.address,
        namespace: raw.namespace,
        mount: raw.mount,
        ca_cert: raw.ca_cert,
        auth: raw.auth.and_then(|auth| resolve_auth(auth, places, faults)),
        access: raw.access.and_then(|access| vault_access::resolve(access, places, faults)),
    }
}

fn resolve_auth(raw: RawAuth, places: &Places<'_>, faults: &mut Faults) -> Option<VaultAuth> {
    let secret = |text: Option<String>| text.map(SecretString::from);
    let mut need = |key: &str, value: Option<String>| {
        if value.is_none() {
            faults.push(places.value(&["vault", "auth"]), format!("auth needs {key} for this method"), None);
        }
        value
    };
    Some(match raw.method {
        RawAuthMethod::Token => VaultAuth::Token { token: secret(raw.token) },
        RawAuthMethod::Approle => VaultAuth::AppRole {
            role_id: need("role_id", raw.role_id)?,
            secret_id: secret(raw.secret_id),
            mount: raw.mount,
        },
        RawAuthMethod::Kubernetes => {
            VaultAuth::Kubernetes { role: need("role", raw.role)?, token_path: raw.token_path, mount: raw.mount }
        }
        RawAuthMethod::Jwt => VaultAuth::Jwt {
            role: need("role", raw.role)?,
            jwt: secret(raw.jwt),
            jwt_path: raw.jwt_path,
            mount: raw.mount,
        },
        RawAuthMethod::Userpass => VaultAuth::Userpass {
            username: need("username", raw.username)?,
            password: SecretString::from(need("password", raw.password)?),
            mount: raw.mount,
        },
    })
}
