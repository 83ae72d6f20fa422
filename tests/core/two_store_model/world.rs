//! What is in PostgreSQL and in the secret store of one tenant, as little of it as matters, and what a look finds of it.

use tenantry::model::{Desired, Membership, Observed, Rotation, SecretState, State};

use crate::support_as_applied::{as_applied, contents_of, server};

/// Its roles: the username, and the two users that may log in for it.
pub const ROLES: [&str; 3] = ["acme_user", "acme_user_a", "acme_user_b"];
pub const PATH: &str = "tenants/acme";

/// Passwords are numbers: who has the same one, has the same password.
pub type Password = u8;

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct World {
    pub roles: [Option<Login>; 3],
    pub schema: bool,
    pub row: Option<Row>,
    pub secret: Option<Stored>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Login {
    pub can_login: bool,
    pub password: Option<Password>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Standing {
    Active,
    Retained,
    Removed,
}

/// The registry's.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Row {
    pub standing: Standing,
    pub two: bool,
    pub version: Option<u8>,
    pub named: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Stored {
    pub version: u8,
    pub named: usize,
    pub password: Password,
}

/// The number of a role's name.
pub fn number(name: &str) -> usize {
    ROLES.iter().position(|role| *role == name).unwrap()
}

impl World {
    /// Who reads the secret can log in.
    pub fn opens(&self) -> bool {
        self.secret.as_ref().is_some_and(|secret| self.lets_in((secret.named, secret.password)))
    }

    pub fn lets_in(&self, (role, password): (usize, Password)) -> bool {
        self.roles[role].is_some_and(|role| role.can_login && role.password == Some(password))
    }

    /// One that nobody has.
    pub fn new_password(&self) -> Password {
        let of_roles = self.roles.iter().flatten().filter_map(|role| role.password);
        let taken: Vec<Password> = of_roles.chain(self.secret.iter().map(|secret| secret.password)).collect();
        (0..).find(|password| !taken.contains(password)).unwrap()
    }

    /// One that neither the store nor the registry has.
    pub fn new_version(&self) -> u8 {
        let noted = self.row.iter().filter_map(|row| row.version);
        let taken: Vec<u8> = noted.chain(self.secret.iter().map(|secret| secret.version)).collect();
        (0..).find(|version| !taken.contains(version)).unwrap()
    }

    /// As a look finds it. `two` and `none`: the tenant with two users, and without it; everything but its roles, row and secret is as
    /// the last apply left it. Who may read `pg_authid` sees which role has no password.
    pub fn observed(&self, two: &Desired, none: &Desired, superuser: bool) -> Observed {
        let server = server(150_000, superuser);
        let mut observed = as_applied(if self.schema { two } else { none }, server.clone());
        let whole = as_applied(two, server);
        for (number, name) in ROLES.into_iter().enumerate() {
            observed.roles.remove(name);
            if let Some(login) = self.roles[number] {
                let mut role = whole.roles[name].clone();
                role.can_login = login.can_login;
                role.lacks_password = superuser && login.password.is_none();
                let is_there = |member: &Membership| self.roles[self::number(&member.role)].is_some();
                role.members.retain(is_there);
                observed.roles.insert(name.to_owned(), role);
            }
        }
        observed.secrets.clear();
        let (key, registered) = whole.registry.unwrap().tenants.into_iter().next().unwrap();
        let registry = observed.registry.as_mut().unwrap();
        registry.tenants.clear();
        if let Some(row) = &self.row {
            let mut found = registered.clone();
            found.state = match row.standing {
                Standing::Active => State::Active,
                Standing::Retained => State::Retained,
                Standing::Removed => State::Removed,
            };
            found.rotation = if row.two { Rotation::TwoUser } else { Rotation::Single };
            found.secret.version = row.version.map(|version| version.to_string());
            found.secret.fields.username = ROLES[row.named].to_owned();
            registry.tenants.insert(key, found);
        }
        if let Some(secret) = &self.secret {
            let is_known = self.row.as_ref().is_some_and(|row| row.version == Some(secret.version));
            let mut fields = registered.secret.fields;
            fields.username = ROLES[secret.named].to_owned();
            let ours = SecretState::Ours {
                version: secret.version.to_string(),
                created: None,
                marked: true,
                belongs: tenantry::model::Belongs::Here,
                contents: (!is_known).then(|| contents_of(fields, None)),
            };
            observed.secrets.insert(PATH.to_owned(), ours);
        }
        observed
    }
}
