//! One tenant of tenants.toml, and what can change about it.

use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

/// Several tenants' owner role.
const CROWD: &str = "crowd";
const POLICIES: [&str; 5] = ["archive", "archive", "archive", "retain", "drop"];
/// One user or two: a change of which user a secret names.
pub const ROTATION: &str = "rotation of";

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tenant {
    pub access: &'static str,
    pub on_remove: &'static str,
    pub username: Option<String>,
    pub schema: Option<String>,
    pub owner: Option<String>,
    pub password: Option<String>,
    pub limit: Option<u32>,
    pub work_mem: Option<u32>,
    /// Two users log in for it in turn.
    pub two_user: bool,
    pub suspended: bool,
    pub gold: bool,
    /// Whose rows a new one begins with.
    pub template: Option<String>,
}

/// The names a tenant goes by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    pub schema: String,
    pub username: String,
    pub owner: String,
}

impl Tenant {
    pub fn names(&self, key: &str) -> Names {
        let plain = key.replace('-', "_");
        let username = self.username.clone().unwrap_or_else(|| format!("{plain}_user"));
        let owner = match (&self.owner, self.access) {
            (_, "owner") => username.clone(),
            (Some(owner), _) => owner.clone(),
            (None, _) => format!("{plain}_owner"),
        };
        Names { schema: self.schema.clone().unwrap_or_else(|| format!("tenant_{plain}")), username, owner }
    }

    /// Who logs in for it.
    pub fn logins(&self, key: &str) -> Vec<String> {
        let username = self.names(key).username;
        if self.two_user { ["a", "b"].map(|user| format!("{username}_{user}")).into() } else { vec![username] }
    }

    fn in_crowd(&self) -> bool {
        self.owner.as_deref() == Some(CROWD)
    }

    pub fn variable(key: &str) -> String {
        format!("PASSWORD_OF_{}", key.replace('-', "_"))
    }

    pub fn toml(&self, key: &str) -> String {
        let mut keys = vec![format!("access = \"{}\"", self.access)];
        keys.push(format!("on_remove = \"{}\"", self.on_remove));
        for (name, value) in [("username", &self.username), ("schema", &self.schema), ("owner", &self.owner)] {
            keys.extend(value.iter().map(|value| format!("{name} = \"{value}\"")));
        }
        keys.extend(self.limit.iter().map(|limit| format!("connection_limit = {limit}")));
        keys.extend(self.work_mem.iter().map(|size| format!("settings = {{ work_mem = \"{size}kB\" }}")));
        keys.extend(self.two_user.then(|| "rotation = \"two-user\"".to_owned()));
        keys.extend(self.suspended.then(|| "suspended = true".to_owned()));
        keys.extend(self.gold.then(|| "class = \"gold\"".to_owned()));
        keys.extend(self.template.iter().map(|from| format!("template = \"{from}\", template_data = true")));
        keys.extend(self.password.iter().map(|_| format!("password_from = \"${{{}}}\"", Self::variable(key))));
        format!("{key} = {{ {} }}", keys.join(", "))
    }
}

impl Tenant {
    pub fn random(rng: &mut StdRng) -> Self {
        let access = *["full", "full", "full", "owner", "readwrite", "readonly"].choose(rng).unwrap();
        let crowd = access == "readwrite" && rng.random_bool(0.5);
        Self {
            access,
            on_remove: POLICIES.choose(rng).unwrap(),
            owner: crowd.then(|| CROWD.to_owned()),
            two_user: rng.random_bool(0.2),
            ..Self::default()
        }
        .with_a_password(rng)
    }

    fn with_a_password(mut self, rng: &mut StdRng) -> Self {
        self.password = (!self.two_user && rng.random_bool(0.25)).then(|| word(rng));
        self
    }

    /// One change; says which.
    pub fn change(&mut self, rng: &mut StdRng, key: &str, round: u32) -> &'static str {
        // What needs quotes, in SQL and in a URL.
        let name = |what: &str| Some(format!("{key} {what}@{round}"));
        match rng.random_range(0..13) {
            0 if !self.two_user => {
                self.username = if self.username.is_some() { None } else { name("User") };
                "rename user of"
            }
            1 => {
                self.schema = if self.schema.is_some() { None } else { name("Schema") };
                "rename schema of"
            }
            2 if self.access != "owner" && !self.in_crowd() => {
                self.owner = if self.owner.is_some() { None } else { name("Owner") };
                "rename owner of"
            }
            3 if !self.two_user => {
                self.password = Some(word(rng));
                "give password to"
            }
            4 if self.password.is_some() => {
                self.password = None;
                "generate password of"
            }
            5 => {
                self.work_mem = Some(rng.random_range(64..9999));
                "set work_mem of"
            }
            6 => {
                self.on_remove = POLICIES.choose(rng).unwrap();
                "on_remove of"
            }
            7 => {
                let accesses: &[&'static str] = if self.in_crowd() {
                    &["readwrite", "readonly"]
                } else {
                    &["full", "owner", "readwrite", "readonly"]
                };
                self.access = accesses.choose(rng).unwrap();
                if self.access == "owner" {
                    self.owner = None;
                }
                "access of"
            }
            8 | 9 if self.password.is_none() && !self.suspended => {
                self.two_user = !self.two_user;
                ROTATION
            }
            10 | 11 => {
                self.suspended = !self.suspended;
                "suspension of"
            }
            12 => {
                self.gold = !self.gold;
                "class of"
            }
            _ => {
                self.limit = Some(rng.random_range(5..50));
                "limit of"
            }
        }
    }
}

fn word(rng: &mut StdRng) -> String {
    (0..24).map(|_| *b"abcdefghijkmnpqrstuvwxyz23456789/@:%'".choose(rng).unwrap() as char).collect()
}
