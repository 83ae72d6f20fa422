//! `[vault.access]`: what the file says, and what it means for each tenant.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::fault::Faults;
use super::places::Places;
use crate::core::model::vault::VaultConfig;
use crate::core::model::{StoreKind, Tenant, TenantKey, VaultAccess, VaultLogin};

/// Lets the programs of each tenant read that tenant's secret, and nothing else: a policy, and a role to log in with.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawAccess {
    /// The policy's name, such as "tenant-{tenant}".
    pub policy: String,
    /// The AppRole to log in with, such as "tenant-{tenant}".
    pub approle: Option<String>,
    pub kubernetes: Option<RawKubernetes>,
    /// The path the auth method is mounted at, when it is not the method's name.
    pub mount: Option<String>,
}

/// The role of the Kubernetes auth method, and the service account that logs in with it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawKubernetes {
    /// Such as "tenant-{tenant}".
    pub role: String,
    /// Such as "{tenant}".
    pub service_account: String,
    /// The Kubernetes namespace of the service account.
    pub namespace: String,
}

pub(super) fn resolve(raw: RawAccess, places: &Places<'_>, faults: &mut Faults) -> Option<VaultAccess> {
    let mount = |method: &str| {
        let mount = raw.mount.as_deref().unwrap_or_default().trim_matches('/');
        let mount = mount.strip_prefix("auth/").unwrap_or(mount);
        if mount.is_empty() { method.to_owned() } else { mount.to_owned() }
    };
    let login = match (raw.approle, raw.kubernetes) {
        (Some(_), Some(_)) => {
            let hint = "leave one of them out; what already has a role of its own needs only the policy";
            faults.push(places.value(&["vault", "access"]), "both approle and kubernetes are set", Some(hint.into()));
            return None;
        }
        (Some(role), None) => Some(VaultLogin::AppRole { mount: mount("approle"), role }),
        (None, Some(RawKubernetes { role, service_account, namespace })) => {
            Some(VaultLogin::Kubernetes { mount: mount("kubernetes"), role, service_account, namespace })
        }
        (None, None) => None,
    };
    Some(VaultAccess { policy: raw.policy, login })
}

/// What only the whole file can tell. `secrets`: the store, and the template of the path.
pub(super) fn check(
    vault: &VaultConfig,
    secrets: (StoreKind, &str),
    tenants: &BTreeMap<TenantKey, Tenant>,
    places: &Places<'_>,
    faults: &mut Faults,
) {
    let Some(access) = &vault.access else { return };
    let (store, path) = secrets;
    if store != StoreKind::Vault {
        let hint = "set [secrets] store = \"vault\", or take [vault.access] out".to_owned();
        faults.push(places.value(&["vault", "access"]), "the secrets are in files, not in Vault", Some(hint));
    }
    for (key, value) in
        [(&["secrets", "path"], path), (&["vault", "mount"], vault.mount.as_deref().unwrap_or("secret"))]
    {
        let literal = value.replace("{tenant}", "");
        if let Some(c) = literal.chars().find(|c| "*+\"\\{}".contains(*c) || c.is_control()) {
            let message =
                format!("{c:?} means something else in a policy, and [vault.access] would open other secrets");
            faults.push(places.value(key), message, Some("choose a path without it".into()));
        }
    }
    Names { tenants, places, faults }.check(access);
}

struct Names<'a, 'p> {
    tenants: &'a BTreeMap<TenantKey, Tenant>,
    places: &'a Places<'p>,
    faults: &'a mut Faults,
}

impl Names<'_, '_> {
    fn check(&mut self, access: &VaultAccess) {
        self.name(&["vault", "access", "policy"], &access.policy);
        let reserved = |key: &&TenantKey| {
            let name = access.policy.replace("{tenant}", key.as_str());
            ["root", "default", "response-wrapping", "control-group"].contains(&name.as_str())
        };
        if let Some(key) = self.tenants.keys().find(reserved) {
            let message = format!("the policy of tenant {key} would be one of Vault's own");
            let hint = "add something to the name, as in \"tenant-{tenant}\"";
            self.fault(&["vault", "access", "policy"], message, hint);
        }
        match &access.login {
            None => {}
            Some(VaultLogin::AppRole { role, .. }) => self.name(&["vault", "access", "approle"], role),
            Some(VaultLogin::Kubernetes { role, service_account, namespace, .. }) => {
                let at = |key| ["vault", "access", "kubernetes", key];
                self.name(&at("role"), role);
                self.label(&at("namespace"), namespace);
                self.label(&at("service_account"), service_account);
                let both = format!("{namespace}/{service_account}");
                if !both.contains("{tenant}") {
                    let hint = "put {tenant} into service_account or namespace";
                    self.fault(&at("service_account"), "it is the same for every tenant".to_owned(), hint);
                }
            }
        }
    }

    /// Vault turns names into lower case, and two that differ in nothing else are one.
    fn name(&mut self, path: &[&str], template: &str) {
        if !template.contains("{tenant}") {
            let message = "the name is the same for every tenant".to_owned();
            self.fault(path, message, "put {tenant} into it, as in \"tenant-{tenant}\"");
        }
        let literal = template.replace("{tenant}", "");
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-.".contains(c);
        if let Some(c) = literal.chars().find(|c| !fits(*c)) {
            let message = format!("the name contains {c:?}");
            self.fault(path, message, "a to z, 0 to 9, \"_\", \"-\" and \".\" can be used");
        }
    }

    /// A "*" would let every service account in.
    fn label(&mut self, path: &[&str], template: &str) {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c);
        let literal = template.replace("{tenant}", "");
        if let Some(c) = literal.chars().find(|c| !fits(*c)) {
            let message = format!("a name in Kubernetes does not contain {c:?}");
            self.fault(path, message, "a to z, 0 to 9, \"-\" and \".\" can be used");
        }
        let odd = |key: &&TenantKey| template.contains("{tenant}") && key.as_str().contains('_');
        if let Some(key) = self.tenants.keys().find(odd) {
            let message = format!("tenant {key} contains \"_\", which no name in Kubernetes does");
            self.fault(path, message, "such a tenant cannot log in by Kubernetes; rename it, or use approle");
        }
        if literal.is_empty() && !template.contains("{tenant}") {
            self.fault(path, "it is empty".to_owned(), "name it as Kubernetes does");
        }
    }

    fn fault(&mut self, path: &[&str], message: String, hint: &str) {
        self.faults.push(self.places.value(path), message, Some(hint.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use crate::core::config::parse;
    use crate::core::model::VaultLogin;

    fn faults(access: &str, more: &str) -> Vec<String> {
        crate::core::config::fault::tests_support::messages(&format!("[vault.access]\n{access}\n{more}\n"))
    }

    const VAULT: &str = "[secrets]\nstore = \"vault\"\n[tenants]\nacme = {}\nbig-corp = {}";
    const KUBERNETES: &str =
        "kubernetes = { role = \"{tenant}\", service_account = \"{tenant}\", namespace = \"apps\" }";

    #[test]
    fn a_role_is_of_the_method_that_is_named_and_where_it_is_mounted() {
        let source =
            format!("[vault.access]\npolicy = \"t-{{tenant}}\"\n{KUBERNETES}\nmount = \"auth/k8s-eu/\"\n{VAULT}\n");
        let parsed = parse("t.toml", &source, &|_| None).unwrap();
        let login = parsed.secrets.access().unwrap().login.clone();
        assert!(matches!(login, Some(VaultLogin::Kubernetes { mount, .. }) if mount == "k8s-eu"));
        assert!(faults("policy = \"t-{tenant}\"\napprole = \"{tenant}\"", VAULT).is_empty());
        assert!(faults("policy = \"t-{tenant}\"", VAULT).is_empty());
        assert!(faults("policy = \"a.b_c-1-{tenant}\"\napprole = \"0_{tenant}.x\"", VAULT).is_empty());
        let named = KUBERNETES.replace("\"apps\"", "\"apps-1.x\"");
        assert!(faults(&format!("policy = \"t-{{tenant}}\"\n{named}"), VAULT).is_empty());
        let by_namespace = "kubernetes = { role = \"{tenant}\", service_account = \"app\", namespace = \"{tenant}\" }";
        assert!(faults(&format!("policy = \"t-{{tenant}}\"\n{by_namespace}"), VAULT).is_empty());
    }

    #[test]
    fn what_would_open_the_secret_of_another_is_refused() {
        let policy = "policy = \"t-{tenant}\"";
        assert_eq!(faults("policy = \"tenants\"", VAULT), ["the name is the same for every tenant"]);
        assert_eq!(faults("policy = \"T-{tenant}\"", VAULT), ["the name contains 'T'"]);
        assert_eq!(faults(&format!("{policy}\napprole = \"a\""), VAULT).len(), 1);
        let same = KUBERNETES.replace("service_account = \"{tenant}\"", "service_account = \"apps\"");
        assert_eq!(faults(&format!("{policy}\n{same}"), VAULT), ["it is the same for every tenant"]);
        let any = KUBERNETES.replace("\"apps\"", "\"*\"");
        assert_eq!(faults(&format!("{policy}\n{any}"), VAULT), ["a name in Kubernetes does not contain '*'"]);
        let empty = KUBERNETES.replace("\"apps\"", "\"\"");
        assert_eq!(faults(&format!("{policy}\n{empty}"), VAULT), ["it is empty"]);
        assert_eq!(faults(&format!("{policy}\n{KUBERNETES}\napprole = \"{{tenant}}\""), VAULT).len(), 1);
        assert_eq!(faults(&format!("{policy}\n{KUBERNETES}"), &format!("{VAULT}\na_b = {{}}")).len(), 1);
        assert_eq!(faults("policy = \"{tenant}\"", &format!("{VAULT}\nroot = {{}}")).len(), 1);
        for path in ["t/*/{tenant}", "+/{tenant}", "x}/{tenant}", "a\\\"b/{tenant}"] {
            let secrets = VAULT.replace("\"vault\"", &format!("\"vault\"\npath = \"{path}\""));
            assert_eq!(faults(policy, &secrets).len(), 1, "{path}");
        }
        assert_eq!(faults(policy, "[tenants]\nacme = {}"), ["the secrets are in files, not in Vault"]);
    }
}
