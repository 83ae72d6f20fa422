//! Whose a schema is, by who owns it and who may use it.

use std::collections::{BTreeMap, BTreeSet};

use super::found::{Declaration, Undeclared, users};
use crate::core::model::{
    Access, Desired, ObjectKind, Observed, Role, Schema, TenantKey, check_role_name, check_schema_name,
};
use crate::core::plan::TOO_POWERFUL;
use crate::core::words::count;

/// Parameters that tenantry sets itself, or that say who a session is.
const NOT_DECLARED: [&str; 3] = ["search_path", "role", "session_authorization"];

pub(super) struct Guess<'a> {
    desired: &'a Desired,
    observed: &'a Observed,
    undeclared: &'a Undeclared,
    /// In which schemas, of tenants or not, a role owns or may use something.
    uses: BTreeMap<&'a str, BTreeSet<&'a str>>,
}

impl<'a> Guess<'a> {
    pub fn new(desired: &'a Desired, observed: &'a Observed, undeclared: &'a Undeclared) -> Self {
        let mut uses: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (name, schema) in observed.schemas.iter().chain(&undeclared.schemas) {
            for role in users(schema) {
                uses.entry(role).or_default().insert(name);
            }
        }
        Self { desired, observed, undeclared, uses }
    }

    /// `None` for a schema that no tenant could have.
    pub fn declaration(&self, name: &str, key: TenantKey) -> Option<Declaration> {
        let schema = self.undeclared.schemas.get(name)?;
        check_schema_name(name).ok()?;
        let defaults = &self.desired.defaults;
        let username = key.fill(&defaults.username);
        let mut remarks = Vec::new();
        let found = self.username(schema, &username, &mut remarks);
        let access = found.map(|role| access(schema, role));
        let role = found.and_then(|role| self.undeclared.roles.get(role));
        if let (Some(name), Some(role)) = (found, role) {
            remarks.extend(taken_away(name, role));
        }
        let owner = self.owner(schema, found, &mut remarks).filter(|owner| **owner != key.fill(&defaults.owner));
        let limit = role.map(|role| role.connection_limit);
        Some(Declaration {
            schema: (key.fill(&defaults.schema) != name).then(|| name.to_owned()),
            username: found.filter(|found| **found != username).map(str::to_owned),
            owner: owner.map(str::to_owned),
            access: access.filter(|access| *access != defaults.access),
            connection_limit: limit.filter(|limit| i64::from(*limit) != defaults.connection_limit),
            settings: role.map(|role| self.settings(role)).unwrap_or_default(),
            needs_a_baseline: !schema.objects.is_empty() && !self.undeclared.with_history.contains(name),
            is_registered: false,
            remarks,
            key,
        })
    }

    /// The login role that is this schema's and no other's; the one of the default name, the owner, who may create in it, first.
    fn username(&self, schema: &'a Schema, default: &str, remarks: &mut Vec<String>) -> Option<&'a str> {
        let users: BTreeSet<&str> = users(schema).filter(|role| self.logs_in(role)).collect();
        let (mut own, others): (Vec<&str>, Vec<&str>) = users.into_iter().partition(|role| self.may_be_its(role));
        own.sort_by_key(|role| {
            (*role != default, *role != schema.owner, !schema.acl.of(role).contains('C'), (*role).to_owned())
        });
        for role in &others {
            remarks.push(match self.undeclared.roles.get(*role).map(too_powerful) {
                Some(powers) if !powers.is_empty() => {
                    format!("{role:?} has {}, and is never a tenant's", powers.join(", "))
                }
                _ => format!(
                    "{role:?} is used in {}, and loses this one when it is adopted: its programs must log in as the tenant",
                    count(self.uses.get(role).map_or(0, BTreeSet::len), "schema")
                ),
            });
        }
        match own.split_first() {
            Some((first, [])) => Some(first),
            Some((first, more)) => {
                let more: Vec<String> = more.iter().map(|role| format!("{role:?}")).collect();
                remarks.push(format!("{first:?} or {}: which of them is the tenant's?", more.join(", ")));
                Some(first)
            }
            None => {
                if !self.undeclared.roles.contains_key(default) {
                    remarks.push(format!("no login role is this schema's alone: {default:?} is created"));
                }
                None
            }
        }
    }

    fn logs_in(&self, role: &str) -> bool {
        let is_admin = role == self.observed.server.admin.name;
        !is_admin && self.undeclared.roles.get(role).is_some_and(|role| role.can_login)
    }

    /// No other schema has it, and it has no power over them.
    fn may_be_its(&self, name: &str) -> bool {
        let is_alone = self.uses.get(name).is_some_and(|schemas| schemas.len() == 1);
        let role = self.undeclared.roles.get(name);
        is_alone && check_role_name(name).is_ok() && role.is_some_and(|role| too_powerful(role).is_empty())
    }

    /// A role that nobody logs in as, and that owns nothing else.
    fn owner(&self, schema: &'a Schema, username: Option<&str>, remarks: &mut Vec<String>) -> Option<&'a str> {
        let owner = schema.owner.as_str();
        let role = self.undeclared.roles.get(owner).filter(|role| !role.can_login && too_powerful(role).is_empty())?;
        if username == Some(owner) || owner == self.observed.server.admin.name || role.can_login {
            return None;
        }
        if self.may_be_its(owner) {
            return Some(owner);
        }
        remarks.push(format!(
            "{owner:?} owns others too: the tenant gets an owner of its own; to keep one for all: owner = {owner:?} in [defaults]"
        ));
        None
    }

    fn settings(&self, role: &Role) -> BTreeMap<String, String> {
        let mut settings = role.settings.clone();
        settings.extend(role.database_settings.clone());
        let defaults = &self.desired.defaults.settings;
        settings.retain(|name, value| !NOT_DECLARED.contains(&name.as_str()) && defaults.get(name) != Some(value));
        settings
    }
}

/// What it has of the powers that no tenant's role has.
fn too_powerful(role: &Role) -> Vec<&'static str> {
    role.powers.iter().copied().filter(|power| TOO_POWERFUL.contains(power)).collect()
}

fn access(schema: &Schema, username: &str) -> Access {
    if schema.owner == username {
        return Access::Owner;
    }
    let owns = schema.objects.iter().any(|group| group.owner == username);
    if owns || schema.acl.of(username).contains('C') {
        return Access::Full;
    }
    let tables = schema.objects.iter().filter(|group| group.kind == ObjectKind::Table);
    let writes = tables.map(|group| group.acl.of(username)).any(|letters| letters.contains(['a', 'w', 'd']));
    if writes { Access::Readwrite } else { Access::Readonly }
}

/// What a tenant's role does not have, and tenants.toml cannot say.
fn taken_away(name: &str, role: &Role) -> Option<String> {
    let powers = role.powers.iter().map(|power| (*power).to_owned());
    let memberships = role.member_of.iter().map(|membership| format!("membership of {:?}", membership.role));
    let until = role.valid_until.iter().map(|until| format!("VALID UNTIL {until:?}"));
    let is_other = |name: &&String| NOT_DECLARED[1..].contains(&name.as_str());
    let settings = role.settings.iter().filter(|(name, _)| is_other(name));
    let settings = settings.map(|(name, value)| format!("{name} = {value:?}"));
    let taken: Vec<String> = powers.chain(memberships).chain(until).chain(settings).collect();
    (!taken.is_empty()).then(|| format!("adopting it takes from {name:?}: {}", taken.join(", ")))
}
