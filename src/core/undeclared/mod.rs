//! Schemas of a live database that nobody declared, as tenants.toml would declare them.
//!
//! A guess, for a person to read: whose schema it is can be told only by who owns it and who may use it.

mod guess;
mod keys;
mod written;

use std::collections::{BTreeMap, BTreeSet};

use crate::core::model::{Access, Desired, Grantee, Observed, Role, Schema, TenantKey};
use guess::Guess;
use keys::Keys;
pub use written::text;

/// What is there and was neither declared nor registered: all of it, since a role that several schemas have is no tenant's.
#[derive(Clone, Debug, Default)]
pub struct Undeclared {
    pub schemas: BTreeMap<String, Schema>,
    pub roles: BTreeMap<String, Role>,
    /// The schemas with a table of the history's name.
    pub with_history: BTreeSet<String>,
}

/// One tenant, as tenants.toml would declare it. What is absent is as `[defaults]` says.
#[derive(Clone, Debug)]
pub struct Declaration {
    pub key: TenantKey,
    pub schema: Option<String>,
    pub username: Option<String>,
    pub owner: Option<String>,
    pub access: Option<Access>,
    pub connection_limit: Option<i32>,
    pub settings: BTreeMap<String, String>,
    /// What a person should know, or decide.
    pub remarks: Vec<String>,
    /// It has objects and no history: adopting it takes a baseline.
    pub needs_a_baseline: bool,
}

impl Undeclared {
    /// The roles that there is more to know of: who owns the schemas or may use them, and who would by `[defaults]`.
    #[must_use]
    pub fn role_names(&self, desired: &Desired, observed: &Observed) -> Vec<String> {
        let mut names: BTreeSet<String> = self.schemas.values().flat_map(users).map(str::to_owned).collect();
        names.extend(self.keys(desired, observed).into_values().map(|key| key.fill(&desired.defaults.username)));
        names.into_iter().filter(|name| !observed.roles.contains_key(name)).collect()
    }

    /// Those whose schema is meant, by its name.
    #[must_use]
    pub fn declare(&self, desired: &Desired, observed: &Observed, is_meant: &dyn Fn(&str) -> bool) -> Vec<Declaration> {
        let guess = Guess::new(desired, observed, self);
        let keys = self.keys(desired, observed).into_iter().filter(|(schema, _)| is_meant(schema));
        keys.filter_map(|(schema, key)| guess.declaration(schema, key)).collect()
    }

    fn keys(&self, desired: &Desired, observed: &Observed) -> BTreeMap<&str, TenantKey> {
        Keys::assign(desired, observed, self.schemas.keys().map(String::as_str))
    }
}

/// Who owns it or something in it, or may use it by a grant of its own.
fn users(schema: &Schema) -> impl Iterator<Item = &str> {
    let owners = schema.objects.iter().map(|group| group.owner.as_str()).chain([schema.owner.as_str()]);
    let granted = schema.acl.entries().filter_map(|entry| match entry.grantee {
        Grantee::Role(role) => Some(role.as_str()),
        Grantee::Public => None,
    });
    owners.chain(granted)
}
