//! What lets a tenant's programs read its secret in Vault: a policy, and the role that they log in with.

use std::collections::BTreeSet;
use std::fmt;

use super::name::TenantKey;

/// `[vault.access]`: templates, in which `{tenant}` stands for the tenant's key as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VaultAccess {
    pub policy: String,
    /// `None`: who gets the policy is somebody else's business.
    pub login: Option<VaultLogin>,
}

/// The role that a tenant's programs log in with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VaultLogin {
    AppRole { mount: String, role: String },
    Kubernetes { mount: String, role: String, service_account: String, namespace: String },
}

/// Something in Vault that is made for one tenant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum VaultObject {
    Policy {
        name: String,
    },
    /// `mount`: of the auth method, below `auth/`.
    AppRole {
        mount: String,
        name: String,
    },
    Kubernetes {
        mount: String,
        name: String,
    },
}

/// What Vault has there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VaultContents {
    /// The policy's text.
    Policy(String),
    Role(VaultRole),
}

/// What of a role says who gets which policies. The rest of it, such as how long a token lasts, is the admin's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VaultRole {
    pub policies: BTreeSet<String>,
    /// Of a Kubernetes role.
    pub bound: Option<Bound>,
}

/// The service accounts that log in with a Kubernetes role.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bound {
    pub service_accounts: BTreeSet<String>,
    pub namespaces: BTreeSet<String>,
    /// Namespaces by their labels; empty: none.
    pub selector: String,
}

/// Something that tenantry made for a tenant, and the Vault namespace it is in, as configured.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RegisteredVaultObject {
    pub namespace: String,
    pub object: VaultObject,
}

/// One tenant's secret, as a policy names it.
#[derive(Clone, Copy, Debug)]
pub struct Readable<'a> {
    pub tenant: &'a TenantKey,
    pub database: &'a str,
    /// With the mount, as the API has it: `secret/data/tenants/acme`.
    pub path: &'a str,
}

impl VaultAccess {
    /// What a tenant is to have: its policy, then its role.
    #[must_use]
    pub fn of(&self, secret: Readable<'_>) -> Vec<(VaultObject, VaultContents)> {
        let fill = |template: &str| template.replace("{tenant}", secret.tenant.as_str());
        let name = fill(&self.policy);
        let policies = BTreeSet::from([name.clone()]);
        let mut objects = vec![(VaultObject::Policy { name }, VaultContents::Policy(policy(secret)))];
        objects.extend(self.login.as_ref().map(|login| match login {
            VaultLogin::AppRole { mount, role } => (
                VaultObject::AppRole { mount: mount.clone(), name: fill(role) },
                VaultContents::Role(VaultRole { policies, bound: None }),
            ),
            VaultLogin::Kubernetes { mount, role, service_account, namespace } => {
                let bound = Bound {
                    service_accounts: [fill(service_account)].into(),
                    namespaces: [fill(namespace)].into(),
                    selector: String::new(),
                };
                let role = VaultObject::Kubernetes { mount: mount.clone(), name: fill(role) };
                (role, VaultContents::Role(VaultRole { policies, bound: Some(bound) }))
            }
        }));
        objects
    }
}

fn policy(secret: Readable<'_>) -> String {
    let Readable { tenant, database, path } = secret;
    let mark = mark(tenant, database);
    format!("{mark}\npath \"{path}\" {{\n  capabilities = [\"read\"]\n}}\n")
}

/// The first line of a policy, which says whose it is: nothing else in Vault does. A database's name is anybody's; quoted, it
/// does not end the comment.
fn mark(tenant: &TenantKey, database: &str) -> String {
    format!("# Managed by tenantry, which overwrites what is changed below: tenant {tenant}, database {database:?}.")
}

impl VaultContents {
    /// Whether a policy of tenantry's for this tenant; of a role nothing tells.
    #[must_use]
    pub fn is_marked(&self, tenant: &TenantKey, database: &str) -> bool {
        matches!(self, Self::Policy(text) if text.lines().next() == Some(&mark(tenant, database)))
    }
}

impl VaultObject {
    /// As the registry names it; `None`: of a kind that this version does not know.
    #[must_use]
    pub fn read(kind: &str, mount: &str, name: &str) -> Option<Self> {
        let (mount, name) = (mount.to_owned(), name.to_owned());
        match kind {
            "policy" => Some(Self::Policy { name }),
            "approle" => Some(Self::AppRole { mount, name }),
            "kubernetes" => Some(Self::Kubernetes { mount, name }),
            _ => None,
        }
    }

    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Policy { .. } => "policy",
            Self::AppRole { .. } => "approle",
            Self::Kubernetes { .. } => "kubernetes",
        }
    }

    /// Of the auth method; a policy has none.
    #[must_use]
    pub fn mount(&self) -> &str {
        match self {
            Self::Policy { .. } => "",
            Self::AppRole { mount, .. } | Self::Kubernetes { mount, .. } => mount,
        }
    }

    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Policy { name } | Self::AppRole { name, .. } | Self::Kubernetes { name, .. } => name,
        }
    }

    #[must_use]
    pub fn is_policy(&self) -> bool {
        matches!(self, Self::Policy { .. })
    }

    /// Where the API has it, and `bao read` and `vault delete` too.
    #[must_use]
    pub fn path(&self) -> String {
        match self {
            Self::Policy { name } => format!("sys/policies/acl/{name}"),
            Self::AppRole { mount, name } | Self::Kubernetes { mount, name } => format!("auth/{mount}/role/{name}"),
        }
    }
}

impl fmt::Display for VaultObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Policy { name } => write!(f, "Vault policy {name}"),
            Self::AppRole { mount, name } | Self::Kubernetes { mount, name } => {
                write!(f, "Vault role auth/{mount}/role/{name}")
            }
        }
    }
}

/// In one line, for a plan.
impl fmt::Display for VaultContents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |words: &BTreeSet<String>| match words.is_empty() {
            true => "none".to_owned(),
            false => words.iter().map(String::as_str).collect::<Vec<_>>().join(", "),
        };
        match self {
            Self::Policy(text) => f.write_str(&in_one_line(text)),
            Self::Role(VaultRole { policies, bound: None }) => write!(f, "policies {}", list(policies)),
            Self::Role(VaultRole { policies, bound: Some(bound) }) => {
                let Bound { service_accounts, namespaces, selector } = bound;
                write!(
                    f,
                    "policies {}, service accounts {}, namespaces {}",
                    list(policies),
                    list(service_accounts),
                    list(namespaces)
                )?;
                if selector.is_empty() { Ok(()) } else { write!(f, ", and those that {selector} selects") }
            }
        }
    }
}

/// Without its comments.
fn in_one_line(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let joined = lines.collect::<Vec<_>>().join(" ");
    if joined.is_empty() { "nothing".to_owned() } else { joined }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_gets_a_policy_for_its_secret_and_a_role_with_that_policy() {
        let tenant = TenantKey::new("big-corp").unwrap();
        let secret = Readable { tenant: &tenant, database: "a\"\npath \"*\" {}", path: "secret/data/tenants/big-corp" };
        let role = "role-{tenant}".to_owned();
        let login = Some(VaultLogin::AppRole { mount: "approle".into(), role });
        let made = VaultAccess { policy: "tenant-{tenant}".into(), login }.of(secret);
        let said: Vec<String> = made.iter().map(|(object, contents)| format!("{object}: {contents}")).collect();
        assert_eq!(
            said,
            [
                "Vault policy tenant-big-corp: path \"secret/data/tenants/big-corp\" { capabilities = [\"read\"] }",
                "Vault role auth/approle/role/role-big-corp: policies tenant-big-corp",
            ]
        );
        let VaultContents::Policy(text) = &made[0].1 else { panic!("{made:?}") };
        assert_eq!(text.lines().count(), 4, "{text}");
    }

    #[test]
    fn what_the_registry_remembers_is_read_back() {
        let mount = || "k8s".to_owned();
        for object in [
            VaultObject::Policy { name: "a".into() },
            VaultObject::AppRole { mount: mount(), name: "a".into() },
            VaultObject::Kubernetes { mount: mount(), name: "a".into() },
        ] {
            assert_eq!(VaultObject::read(object.kind(), object.mount(), object.name()), Some(object));
        }
        assert_eq!(VaultObject::read("jwt", "jwt", "a"), None);
    }

    #[test]
    fn a_policy_is_tenantrys_by_its_first_line_and_only_for_its_tenant_and_database() {
        let (acme, globex) = (TenantKey::new("acme").unwrap(), TenantKey::new("globex").unwrap());
        let secret = Readable { tenant: &acme, database: "app", path: "secret/data/tenants/acme" };
        let (object, policy) = VaultAccess { policy: "t-{tenant}".into(), login: None }.of(secret).remove(0);
        assert!(object.is_policy() && policy.is_marked(&acme, "app"));
        assert!(!policy.is_marked(&globex, "app") && !policy.is_marked(&acme, "other"));
        let VaultContents::Policy(text) = policy else { panic!("a role") };
        assert!(!VaultContents::Policy(format!("# mine\n{text}")).is_marked(&acme, "app"));
        assert!(!VaultContents::Role(VaultRole::default()).is_marked(&acme, "app"));
        assert!(!VaultObject::AppRole { mount: "approle".into(), name: "t-acme".into() }.is_policy());
    }

    #[test]
    fn what_vault_has_is_shown_in_one_line_without_its_comments() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        let shown = |contents: VaultContents| contents.to_string();
        let policy = "# Managed\n\n  path \"a\" {\n    capabilities = [\"read\"]\n  }\n# end\n";
        assert_eq!(shown(VaultContents::Policy(policy.into())), "path \"a\" { capabilities = [\"read\"] }");
        assert_eq!(shown(VaultContents::Policy("# only this\n".into())), "nothing");
        assert_eq!(shown(VaultContents::Role(VaultRole::default())), "policies none");
        let role =
            |bound: Bound| shown(VaultContents::Role(VaultRole { policies: names(&["b", "a"]), bound: Some(bound) }));
        let bound = Bound { service_accounts: names(&["x"]), namespaces: names(&["n", "m"]), selector: String::new() };
        assert_eq!(role(bound.clone()), "policies a, b, service accounts x, namespaces m, n");
        assert_eq!(
            role(Bound { namespaces: names(&[]), selector: "{\"app\":\"x\"}".into(), ..bound }),
            "policies a, b, service accounts x, namespaces none, and those that {\"app\":\"x\"} selects"
        );
        let role = VaultObject::Kubernetes { mount: "k8s".into(), name: "acme".into() };
        let policy = VaultObject::Policy { name: "acme".into() };
        assert_eq!([role.path(), policy.path()], ["auth/k8s/role/acme", "sys/policies/acl/acme"]);
    }
}
