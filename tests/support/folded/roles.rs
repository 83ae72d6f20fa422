//! Roles, their attributes, settings and memberships, and wherever they are named.

use tenantry::model::{Acl, Column, Grantee, History, Membership, Role, ident};
use tenantry::plan::action::{AlterRole, Attribute, DropRole, HandOver, Join, Leave, ParkNames, SetSetting, Value};

use super::Fold;
use super::privileges::{change_hands, without};

impl Fold<'_> {
    pub(super) fn create_role(&mut self, name: &str, can_login: bool, connection_limit: i32) {
        let role = Role { can_login, connection_limit, inherit: true, administered: true, ..Role::default() };
        let former = self.observed.roles.insert(name.to_owned(), role);
        assert!(former.is_none(), "role {name} is created twice");
    }

    pub(super) fn alter_role(&mut self, alter: &AlterRole) {
        let role = self.role(&alter.role);
        for attribute in &alter.attributes {
            match attribute {
                Attribute::Login => role.can_login = true,
                Attribute::Without("LOGIN") => role.can_login = false,
                Attribute::Without(power) => {
                    assert!(role.powers.remove(power), "{} has no {power} to lose", alter.role);
                }
                Attribute::Inherit => role.inherit = true,
                Attribute::ConnectionLimit { from, to } => {
                    assert_eq!(role.connection_limit, *from, "of {}", alter.role);
                    role.connection_limit = *to;
                }
                Attribute::ValidForever { .. } => role.valid_until = Some("infinity".into()),
            }
        }
    }

    pub(super) fn park(&mut self, park: &ParkNames) {
        if let Some((from, to)) = &park.schema {
            self.rename_schema(from, to);
        }
        for (from, to) in &park.roles {
            self.rename_role(from, to);
        }
    }

    pub(super) fn rename_schema(&mut self, from: &str, to: &str) {
        let schema =
            self.observed.schemas.remove(from).unwrap_or_else(|| panic!("there is no schema {from} to rename"));
        self.observed.schema_names.insert(schema.oid, to.to_owned());
        let former = self.observed.schemas.insert(to.to_owned(), schema);
        assert!(former.is_none(), "there is a schema {to} already");
    }

    pub(super) fn rename_role(&mut self, from: &str, to: &str) {
        let role = self.observed.roles.remove(from).unwrap_or_else(|| panic!("there is no role {from} to rename"));
        let former = self.observed.roles.insert(to.to_owned(), role);
        assert!(former.is_none(), "there is a role {to} already");
        self.each_name(&|name| (name == from).then(|| to.to_owned()));
    }

    /// Wherever a role is named.
    pub(super) fn each_name(&mut self, new: &dyn Fn(&str) -> Option<String>) {
        let rename = |name: &mut String| {
            if let Some(new) = new(name) {
                *name = new;
            }
        };
        for schema in self.observed.schemas.values_mut() {
            rename(&mut schema.owner);
            schema.default_acls.iter_mut().for_each(|default| rename(&mut default.role));
            schema.objects.iter_mut().chain(&mut schema.taken).for_each(|group| rename(&mut group.owner));
        }
        for role in self.observed.roles.values_mut() {
            for memberships in [&mut role.member_of, &mut role.members] {
                let renamed = std::mem::take(memberships).into_iter().map(|mut membership| {
                    rename(&mut membership.role);
                    membership.grantor.iter_mut().for_each(rename);
                    membership
                });
                *memberships = renamed.collect();
            }
            // Where it is to be another role from login on.
            if let Some(new) = role.settings.get("role").and_then(|name| new(name)) {
                role.settings.insert("role".into(), new);
            }
        }
        self.each_acl(&|acl| acl.renamed(new));
    }

    pub(super) fn each_acl(&mut self, new: &dyn Fn(&Acl) -> Acl) {
        let replace = |acl: &mut Acl| *acl = new(acl);
        let columns = |columns: &mut Vec<Column>| columns.iter_mut().for_each(|column| column.acl = new(&column.acl));
        for schema in self.observed.schemas.values_mut() {
            replace(&mut schema.acl);
            for group in schema.objects.iter_mut().chain(&mut schema.taken) {
                replace(&mut group.acl);
                columns(&mut group.columns);
            }
            schema.default_acls.iter_mut().for_each(|default| replace(&mut default.acl));
            if let History::Read { acl, columns: of_history, .. } | History::Unseen { acl, columns: of_history } =
                &mut schema.history
            {
                replace(acl);
                columns(of_history);
            }
        }
        for role in self.observed.roles.values_mut() {
            role.default_acls.iter_mut().for_each(|default| replace(&mut default.acl));
        }
    }

    pub(super) fn join(&mut self, join: &Join) {
        let role = self.role(&join.role);
        role.member_of.retain(|membership| membership.role != join.group || !join.lacks_inherit);
        role.member_of.insert(Membership::plain(&join.group));
        if let Some(group) = self.observed.roles.get_mut(&join.group) {
            group.members.retain(|membership| membership.role != join.role || !join.lacks_inherit);
            group.members.insert(Membership::plain(&join.role));
        }
    }

    pub(super) fn leave(&mut self, leave: &Leave) {
        let Leave { member, group, membership, admin_option_only } = leave;
        for (role, other) in [(member, group), (group, member)] {
            let Some(role) = self.observed.roles.get_mut(role) else { continue };
            let memberships = if role.member_of.iter().any(|found| found.role == *other) {
                &mut role.member_of
            } else {
                &mut role.members
            };
            let found = Membership { role: other.clone(), ..membership.clone() };
            memberships.remove(&found);
            if *admin_option_only {
                memberships.insert(Membership { admin: false, ..found });
            }
        }
    }

    pub(super) fn set_setting(&mut self, set: &SetSetting) {
        let role = self.role(&set.role);
        let settings = if set.database.is_some() { &mut role.database_settings } else { &mut role.settings };
        assert_eq!(settings.get(&set.parameter), set.from.as_ref(), "{} of {}", set.parameter, set.role);
        match &set.to {
            None => drop(settings.remove(&set.parameter)),
            Some(Value::Text(text) | Value::List(text)) => drop(settings.insert(set.parameter.clone(), text.clone())),
            Some(Value::Names(names)) => {
                let names: Vec<String> = names.iter().map(|name| ident(name)).collect();
                settings.insert(set.parameter.clone(), names.join(", "));
            }
        }
    }

    pub(super) fn drop_role(&mut self, drop: &DropRole) {
        let DropRole { role: from, hand_over, .. } = drop;
        if let Some(HandOver { to, schema }) = hand_over
            && let Some(schema) = self.observed.schemas.get_mut(schema)
        {
            for group in schema.objects.iter_mut().filter(|group| group.owner == *from) {
                change_hands(group, from, to);
            }
        }
        assert!(self.observed.roles.contains_key(from), "there is no role {from} to drop");
        self.forget_role(from);
        self.registry().former_owners.remove(from);
    }

    pub(super) fn forget_role(&mut self, name: &str) {
        self.observed.roles.remove(name);
        for schema in self.observed.schemas.values_mut() {
            assert_ne!(schema.owner, name, "the owner of a schema is dropped");
            schema.default_acls.retain(|default| default.role != name);
        }
        let database = &mut self.observed.database;
        let groups = database.group.iter_mut().chain(&mut database.owners_group).map(|group| &mut group.role);
        for role in self.observed.roles.values_mut().chain(groups) {
            role.members.retain(|membership| membership.role != name);
            role.member_of.retain(|membership| membership.role != name);
        }
        let grantee = Grantee::Role(name.to_owned());
        self.each_acl(&|acl| without(acl, &grantee));
    }
}
