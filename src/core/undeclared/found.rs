//! What was found, and what is made of it.

use std::collections::{BTreeMap, BTreeSet};

use crate::core::model::{Access, Grantee, Role, Schema, TenantKey};

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
    /// A program created it, and it is registered: there is nothing to adopt.
    pub is_registered: bool,
}

/// Who owns it or something in it, or may use it by a grant of its own.
pub(super) fn users(schema: &Schema) -> impl Iterator<Item = &str> {
    let owners = schema.objects.iter().map(|group| group.owner.as_str()).chain([schema.owner.as_str()]);
    let granted = schema.acl.entries().filter_map(|entry| match entry.grantee {
        Grantee::Role(role) => Some(role.as_str()),
        Grantee::Public => None,
    });
    owners.chain(granted)
}
