//! How Vault or OpenBao is reached: as configured, and as resolved with the environment.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use secrecy::SecretString;

use super::vault_access::VaultAccess;

/// The `[vault]` section. What it leaves out comes from the environment, see [`VaultConfig::resolve`].
#[derive(Clone, Debug, Default)]
pub struct VaultConfig {
    pub address: Option<String>,
    pub namespace: Option<String>,
    /// The KV mount; `secret` when absent. May hold slashes.
    pub mount: Option<String>,
    pub ca_cert: Option<PathBuf>,
    pub auth: Option<VaultAuth>,
    /// Who else may read the secrets: each tenant its own.
    pub access: Option<VaultAccess>,
}

/// How to log in. `mount` is where the auth method is mounted, by default under its own name.
#[derive(Clone)]
pub enum VaultAuth {
    /// Absent: the environment's, then `~/.vault-token`.
    Token {
        token: Option<SecretString>,
    },
    AppRole {
        role_id: String,
        /// Absent where the role has `bind_secret_id=false`.
        secret_id: Option<SecretString>,
        mount: Option<String>,
    },
    Kubernetes {
        role: String,
        /// [`VaultAuth::SERVICE_ACCOUNT_TOKEN`] when absent. Read again at each login: the kubelet rotates it.
        token_path: Option<PathBuf>,
        mount: Option<String>,
    },
    Jwt {
        role: String,
        jwt: Option<SecretString>,
        /// Read again at each login.
        jwt_path: Option<PathBuf>,
        mount: Option<String>,
    },
    Userpass {
        username: String,
        password: SecretString,
        mount: Option<String>,
    },
}

/// [`VaultConfig`] with every gap filled.
#[derive(Clone, Debug)]
pub struct VaultSettings {
    pub address: String,
    pub namespace: Option<String>,
    pub mount: String,
    /// Trusted instead of the system's authorities, as Vault's own client does.
    pub ca_cert: Option<PathBuf>,
    /// A directory of such certificates.
    pub ca_path: Option<PathBuf>,
    pub client_cert: Option<PathBuf>,
    pub client_key: Option<PathBuf>,
    pub skip_verify: bool,
    /// The name to ask for and to check the certificate against, where it is not the address's.
    pub tls_server_name: Option<String>,
    pub auth: VaultAuth,
    /// Where `vault login` and `bao login` leave their token.
    pub token_file: Option<PathBuf>,
    /// The variable that gave what has this key in `[vault]`.
    from: BTreeMap<&'static str, String>,
}

impl VaultSettings {
    /// Where a setting comes from, as a person finds it: `[vault] address`, or `VAULT_ADDR`.
    #[must_use]
    pub fn named(&self, key: &str) -> String {
        self.from.get(key).cloned().unwrap_or_else(|| format!("[vault] {key}"))
    }
}

impl VaultAuth {
    pub const SERVICE_ACCOUNT_TOKEN: &'static str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

    /// The method's name, as `[vault].auth.method` spells it.
    pub fn method(&self) -> &'static str {
        match self {
            Self::Token { .. } => "token",
            Self::AppRole { .. } => "approle",
            Self::Kubernetes { .. } => "kubernetes",
            Self::Jwt { .. } => "jwt",
            Self::Userpass { .. } => "userpass",
        }
    }

    /// Where the method is mounted, below `auth/`.
    pub fn mount(&self) -> &str {
        let configured = match self {
            Self::Token { .. } => None,
            Self::AppRole { mount, .. }
            | Self::Kubernetes { mount, .. }
            | Self::Jwt { mount, .. }
            | Self::Userpass { mount, .. } => mount.as_deref(),
        };
        match configured.map(|mount| mount.trim_matches('/')) {
            Some(mount) if !mount.is_empty() => mount.strip_prefix("auth/").unwrap_or(mount),
            _ => self.method(),
        }
    }
}

impl VaultConfig {
    /// Fills the gaps as the stock clients do: each `BAO_*` variable, then its `VAULT_*` sibling, then the default.
    /// An empty variable counts as unset.
    pub fn resolve(&self, env: &dyn Fn(&str) -> Option<String>) -> VaultSettings {
        let set = |name: String| env(&name).filter(|value| !value.is_empty());
        let named = |name: &str| {
            ["BAO", "VAULT"]
                .into_iter()
                .map(|prefix| format!("{prefix}_{name}"))
                .find(|name| set(name.clone()).is_some())
        };
        let fallback = |name: &str| named(name).and_then(set);
        let auth_is_token = matches!(self.auth, None | Some(VaultAuth::Token { token: None }));
        let given = [
            ("address", "ADDR", self.address.is_none()),
            ("namespace", "NAMESPACE", self.namespace.is_none()),
            ("auth.token", "TOKEN", auth_is_token),
            ("ca_cert", "CACERT", self.ca_cert.is_none()),
            ("ca_path", "CAPATH", true),
            ("client_cert", "CLIENT_CERT", true),
            ("client_key", "CLIENT_KEY", true),
            ("tls_server_name", "TLS_SERVER_NAME", true),
        ];
        let given = given.into_iter().filter(|(_, _, is_left_out)| *is_left_out);
        let from = given.filter_map(|(key, name, _)| Some((key, named(name)?))).collect();
        let address =
            self.address.clone().or_else(|| fallback("ADDR")).unwrap_or_else(|| "https://127.0.0.1:8200".to_owned());
        let mount = self.mount.as_deref().map(|mount| mount.trim_matches('/'));
        let auth = match self.auth.clone() {
            None | Some(VaultAuth::Token { token: None }) => {
                VaultAuth::Token { token: fallback("TOKEN").map(SecretString::from) }
            }
            Some(auth) => auth,
        };
        let ca_cert = match &self.ca_cert {
            Some(path) => Some(path.clone()),
            None => fallback("CACERT").map(PathBuf::from),
        };
        VaultSettings {
            address: address.trim_end_matches('/').to_owned(),
            namespace: (self.namespace.clone())
                .or_else(|| fallback("NAMESPACE"))
                .map(|namespace| namespace.trim_matches('/').to_owned())
                .filter(|namespace| !namespace.is_empty()),
            mount: mount.filter(|mount| !mount.is_empty()).unwrap_or("secret").to_owned(),
            // A certificate named by the configuration is not widened by a directory from the environment.
            ca_path: if ca_cert.is_some() { None } else { fallback("CAPATH").map(PathBuf::from) },
            ca_cert,
            client_cert: fallback("CLIENT_CERT").map(PathBuf::from),
            client_key: fallback("CLIENT_KEY").map(PathBuf::from),
            // What Go's strconv.ParseBool accepts as true, since that is what the standard clients use.
            skip_verify: fallback("SKIP_VERIFY")
                .is_some_and(|value| matches!(value.as_str(), "1" | "t" | "T" | "true" | "TRUE" | "True")),
            tls_server_name: fallback("TLS_SERVER_NAME"),
            auth,
            token_file: set("HOME".to_owned()).map(|home| PathBuf::from(home).join(".vault-token")),
            from,
        }
    }
}

impl fmt::Debug for VaultAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct(self.method());
        match self {
            Self::Token { token } => shown.field("token", &token.as_ref().map(|_| "…")),
            Self::AppRole { role_id, .. } => shown.field("role_id", role_id),
            Self::Kubernetes { role, token_path, .. } => shown.field("role", role).field("token_path", token_path),
            Self::Jwt { role, jwt_path, .. } => shown.field("role", role).field("jwt_path", jwt_path),
            Self::Userpass { username, .. } => shown.field("username", username),
        };
        shown.field("mount", &self.mount()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn env(pairs: &'static [(&'static str, &'static str)]) -> impl Fn(&str) -> Option<String> {
        move |name| {
            let found = pairs.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        }
    }

    fn token(settings: &VaultSettings) -> Option<&str> {
        match &settings.auth {
            VaultAuth::Token { token } => token.as_ref().map(ExposeSecret::expose_secret),
            _ => None,
        }
    }

    #[test]
    fn nothing_set_means_the_stock_clients_defaults() {
        let settings = VaultConfig::default().resolve(&env(&[]));
        assert_eq!(settings.address, "https://127.0.0.1:8200");
        assert_eq!(settings.mount, "secret");
        assert_eq!(token(&settings), None);
        assert!(!settings.skip_verify);
    }

    #[test]
    fn the_environment_fills_what_the_configuration_leaves_out() {
        let env = env(&[
            ("VAULT_ADDR", "https://vault:8200/"),
            ("BAO_TOKEN", "from-bao"),
            ("VAULT_TOKEN", "from-vault"),
            ("VAULT_NAMESPACE", "platform/"),
            ("VAULT_CACERT", ""),
            ("VAULT_CAPATH", "/ca.d"),
            ("VAULT_SKIP_VERIFY", "true"),
            ("HOME", "/home/ada"),
        ]);
        let config = VaultConfig { mount: Some("/kv/apps/".to_owned()), ..VaultConfig::default() };
        let settings = config.resolve(&env);
        assert_eq!(settings.address, "https://vault:8200");
        assert_eq!(token(&settings), Some("from-bao"));
        assert_eq!(settings.namespace.as_deref(), Some("platform"));
        assert_eq!(settings.mount, "kv/apps");
        assert_eq!(settings.ca_path, Some("/ca.d".into()));
        assert_eq!(settings.ca_cert, None);
        assert!(settings.skip_verify);
        assert_eq!(settings.token_file, Some("/home/ada/.vault-token".into()));
        let named = ["address", "auth.token", "ca_cert", "ca_path", "mount"].map(|key| settings.named(key));
        assert_eq!(named, ["VAULT_ADDR", "BAO_TOKEN", "[vault] ca_cert", "VAULT_CAPATH", "[vault] mount"]);
    }

    #[test]
    fn the_configuration_wins_over_the_environment() {
        let config = VaultConfig {
            address: Some("http://here:1".to_owned()),
            auth: Some(VaultAuth::Token { token: Some("mine".into()) }),
            ..VaultConfig::default()
        };
        let settings = config.resolve(&env(&[("VAULT_ADDR", "http://there:2"), ("VAULT_TOKEN", "theirs")]));
        assert_eq!(settings.address, "http://here:1");
        assert_eq!(settings.named("address"), "[vault] address");
        assert_eq!(token(&settings), Some("mine"));
    }

    #[test]
    fn debug_never_shows_what_logs_in() {
        let auths = [
            VaultAuth::Token { token: Some("hunter2".into()) },
            VaultAuth::AppRole { role_id: "r".into(), secret_id: Some("hunter2".into()), mount: None },
            VaultAuth::Jwt { role: "r".into(), jwt: Some("hunter2".into()), jwt_path: None, mount: None },
            VaultAuth::Userpass { username: "u".into(), password: "hunter2".into(), mount: None },
        ];
        for auth in auths {
            let config = VaultConfig { auth: Some(auth), ..VaultConfig::default() };
            let shown = format!("{config:?} {:?}", config.resolve(&|_| None));
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }

    #[test]
    fn an_auth_method_is_mounted_under_its_own_name_unless_said_otherwise() {
        let kubernetes = |mount: Option<&str>| VaultAuth::Kubernetes {
            role: "r".into(),
            token_path: None,
            mount: mount.map(str::to_owned),
        };
        assert_eq!(kubernetes(None).mount(), "kubernetes");
        assert_eq!(kubernetes(Some("auth/k8s-eu/")).mount(), "k8s-eu");
        assert_eq!(kubernetes(Some("/")).mount(), "kubernetes");
        let all = [
            VaultAuth::Token { token: None },
            VaultAuth::AppRole { role_id: "r".into(), secret_id: None, mount: None },
            VaultAuth::Jwt { role: "r".into(), jwt: None, jwt_path: None, mount: None },
            VaultAuth::Userpass { username: "u".into(), password: "p".into(), mount: None },
        ];
        let methods = ["token", "approle", "jwt", "userpass"];
        assert_eq!((all.each_ref().map(VaultAuth::method), all.each_ref().map(VaultAuth::mount)), (methods, methods));
    }

    #[test]
    fn a_certificate_that_is_configured_is_not_widened_by_the_environment() {
        let env = env(&[
            ("VAULT_CACERT", "/env.pem"),
            ("VAULT_CAPATH", "/ca.d"),
            ("BAO_CLIENT_CERT", "/me.pem"),
            ("BAO_CLIENT_KEY", "/me.key"),
            ("VAULT_TLS_SERVER_NAME", "vault"),
        ]);
        let configured = VaultConfig { ca_cert: Some("/here.pem".into()), ..VaultConfig::default() }.resolve(&env);
        assert_eq!((configured.ca_cert.clone(), configured.ca_path.clone()), (Some("/here.pem".into()), None));
        assert_eq!(configured.named("ca_cert"), "[vault] ca_cert");
        let left_out = VaultConfig::default().resolve(&env);
        assert_eq!((left_out.ca_cert.clone(), left_out.ca_path.clone()), (Some("/env.pem".into()), None));
        assert_eq!(left_out.named("ca_cert"), "VAULT_CACERT");
        assert_eq!((left_out.client_cert, left_out.client_key), (Some("/me.pem".into()), Some("/me.key".into())));
        assert_eq!(left_out.tls_server_name.as_deref(), Some("vault"));
    }

    #[test]
    fn a_server_is_trusted_unseen_only_where_the_stock_clients_would() {
        let skips = |value: &'static str| {
            VaultConfig::default().resolve(&|name| (name == "VAULT_SKIP_VERIFY").then(|| value.into())).skip_verify
        };
        assert!(["1", "t", "T", "true", "TRUE", "True"].iter().all(|value| skips(value)));
        assert!(!["", "0", "f", "false", "yes", "tRUE"].iter().any(|value| skips(value)));
    }

    #[test]
    fn what_is_configured_or_empty_is_not_taken_from_the_environment() {
        let env = env(&[
            ("BAO_ADDR", ""),
            ("VAULT_ADDR", "https://vault:8200"),
            ("VAULT_NAMESPACE", "theirs"),
            ("VAULT_TOKEN", "theirs"),
        ]);
        let auth = VaultAuth::Userpass { username: "u".into(), password: "p".into(), mount: None };
        let config = VaultConfig {
            namespace: Some("/".into()),
            auth: Some(auth),
            mount: Some("/".into()),
            ..VaultConfig::default()
        };
        let settings = config.resolve(&env);
        assert_eq!(
            (settings.address.as_str(), settings.named("address").as_str()),
            ("https://vault:8200", "VAULT_ADDR")
        );
        assert_eq!((settings.namespace.as_deref(), settings.named("namespace").as_str()), (None, "[vault] namespace"));
        assert_eq!((settings.auth.method(), settings.named("auth.token").as_str()), ("userpass", "[vault] auth.token"));
        assert_eq!(settings.mount, "secret");
    }
}
