use secrecy::SecretString;
use std::path::PathBuf;

/// `[vault]` of `tenants.toml`; what is `None` falls back to the environment.
#[derive(Clone, Debug, Default)]
pub struct VaultConfig {
    pub address: Option<String>,
    pub namespace: Option<String>,
    pub mount: Option<String>,
    pub ca_cert: Option<PathBuf>,
    pub auth: Option<VaultAuth>,
}

#[derive(Clone, Debug)]
pub enum VaultAuth {
    Token { token: Option<SecretString> },
    AppRole { role_id: String, secret_id: Option<SecretString>, mount: Option<String> },
    Kubernetes { role: String, token_path: Option<PathBuf>, mount: Option<String> },
    Jwt { role: String, jwt: Option<SecretString>, jwt_path: Option<PathBuf>, mount: Option<String> },
    Userpass { username: String, password: SecretString, mount: Option<String> },
}
