//! What PostgreSQL, the registry and the secret store hold of a tenant, in the lines of the desired side.

use std::collections::BTreeMap;

use crate::core::model::{
    Access, Acl, Column, Desired, Grantee, History, Holding, Membership, ObjectKind, Observed, PasswordSource,
    Registered, Role, Rotation, SecretState, Server, Tenant,
};
use crate::core::plan::{
    Letters, OWNERS_ON_SCHEMA, group_role, held, in_words, is_as_declared, membership_in_words, object_privileges,
    owners_privileges, owners_role, public_privileges, schema_privileges,
};
use crate::core::render::page::Page;

use super::lines::{KEPT, counted, declared_holders, limit, login, one_line, secret_fields};

pub(super) fn text(
    desired: &Desired,
    observed: &Observed,
    declared: Option<&Tenant>,
    registered: Option<&Registered>,
) -> String {
    let mut page = Page::default();
    let pick = |row: fn(&Registered) -> &str, tenant: fn(&Tenant) -> &str| {
        registered.map(row).or_else(|| declared.map(tenant)).unwrap_or_default()
    };
    let name = pick(|row| &row.schema, |tenant| &tenant.schema);
    let username = pick(|row| &row.username, |tenant| &tenant.username);
    let owner = pick(|row| &row.owner, Tenant::owner);
    let access = registered.map(|row| row.access).or(declared.map(|tenant| tenant.access)).unwrap_or_default();
    schema(&mut page, desired, observed, &Whose { name, username, owner, access, declared, server: &observed.server });
    let deputy = registered.and_then(|row| row.deputy.as_deref());
    let database = &observed.database.name;
    let known = Known { groups: [group_role(database), owners_role(database)], deputy };
    if let Some(found) = observed.roles.get(username) {
        role(&mut page, username, found, true, &known);
    }
    let users = registered.map(Registered::login_users).or(declared.map(Tenant::login_users)).unwrap_or_default();
    for user in &users {
        if let Some(found) = observed.roles.get(user) {
            role(&mut page, user, found, true, &known);
        }
    }
    if let Some(found) = observed.roles.get(owner).filter(|_| owner != username) {
        role(&mut page, owner, found, false, &known);
    }
    let history = observed.schemas.get(name).map(|schema| &schema.history);
    page.line(0, "migrations");
    for row in history.map(History::applied).unwrap_or_default() {
        let title = desired.migrations.format.title(row.version, &one_line(&row.name));
        page.line(2, format!("{title} {}", one_line(&row.checksum)));
    }
    secret(&mut page, desired, observed, declared, registered);
    if let Some(row) = registered {
        page.line(0, "registry");
        page.line(2, format!("state {}", row.state.as_str()));
        page.line(2, format!("access {}", row.access.as_str()));
        page.line(2, format!("on_remove {}", row.on_remove.as_str()));
        if row.rotation == Rotation::TwoUser {
            page.line(2, format!("rotation {}", row.rotation.as_str()));
        }
        page.line(2, format!("protected {}", row.protected));
        if row.suspended {
            page.line(2, "suspended true");
        }
    }
    page.into_string()
}

struct Whose<'a> {
    name: &'a str,
    username: &'a str,
    owner: &'a str,
    access: Access,
    declared: Option<&'a Tenant>,
    server: &'a Server,
}

impl Whose<'_> {
    /// Who holds what: in the words of the desired side where a plan sees no difference.
    fn holders(&self, acl: &Acl, columns: &[Column], owner: &str, letters: Letters) -> String {
        match self.as_declared(acl, columns, owner, letters) {
            Some(tenant) => declared_holders(tenant, self.server, letters.tenants, letters.keepers),
            None => holders(acl, owner, letters.by_default, letters.owners),
        }
    }

    fn as_declared(&self, acl: &Acl, columns: &[Column], owner: &str, letters: Letters) -> Option<&Tenant> {
        let is_so =
            |tenant: &&Tenant| tenant.owner() == owner && is_as_declared(tenant, self.server, (acl, columns), letters);
        self.declared.filter(is_so)
    }
}

fn schema(page: &mut Page, desired: &Desired, observed: &Observed, whose: &Whose<'_>) {
    let Some(schema) = observed.schemas.get(whose.name) else { return };
    page.line(0, format!("schema {}", one_line(whose.name)));
    page.line(2, format!("owner {}", one_line(&schema.owner)));
    let access = whose.declared.map_or(whose.access, |tenant| tenant.access);
    let on_schema =
        Letters { tenants: schema_privileges(access), keepers: "U", by_default: "", owners: OWNERS_ON_SCHEMA };
    page.line(2, format!("privileges {}", whose.holders(&schema.acl, &[], &schema.owner, on_schema)));
    for kind in ObjectKind::ALL {
        let plural = kind.plural().to_lowercase();
        let tenants = object_privileges(access, kind, whose.server.major());
        let mut said = false;
        for default in schema.default_acls.iter().filter(|default| default.kind == kind) {
            said |= default.role == whose.owner;
            let role = one_line(&default.role);
            let holders = whose.holders(
                &default.acl,
                &[],
                &default.role,
                Letters { tenants, keepers: "", by_default: "", owners: "" },
            );
            page.line(2, format!("future {plural} of {role}: {holders}"));
        }
        if !said {
            page.line(2, format!("future {plural} of {}: none", one_line(whose.owner)));
        }
        let by_default = public_privileges(kind);
        let owners = owners_privileges(kind, whose.server.major());
        let mut groups: BTreeMap<String, i64> = BTreeMap::new();
        let mut its = 0;
        for group in schema.objects.iter().filter(|group| group.kind == kind) {
            if whose.access == Access::Full && group.owner == whose.username {
                its += group.count;
                continue;
            }
            let found = &group.columns;
            let letters = Letters { tenants, keepers: "", by_default, owners };
            let holders = whose.holders(&group.acl, found, &group.owner, letters);
            *groups.entry(format!("{}: {holders}", one_line(&group.owner))).or_default() += group.count;
            if whose.as_declared(&group.acl, found, &group.owner, letters).is_none() {
                columns(page, found, &group.examples.join(", "), &group.owner);
            }
        }
        for (words, count) in groups {
            page.line(2, format!("{} of {words}", counted(kind, count)));
        }
        if its > 0 {
            page.line(2, format!("{} of {}, its own", counted(kind, its), one_line(whose.username)));
        }
    }
    let table = one_line(&desired.migrations.table);
    match &schema.history {
        History::Absent => {}
        History::Unseen { .. } => page.line(2, format!("history {table}: not read: no permission")),
        History::Locked(by) => page.line(2, format!("history {table}: not read, locked by {}", one_line(&by.who))),
        History::Untrusted(why) => page.line(2, format!("history {table}: not read, {}", one_line(&why.why))),
        History::Read { acl, columns: found, .. } => {
            let owners = owners_privileges(ObjectKind::Table, whose.server.major());
            let letters = Letters { tenants: "r", keepers: "r", by_default: "", owners };
            page.line(2, format!("history {table}: {}", whose.holders(acl, found, whose.owner, letters)));
            if whose.as_declared(acl, found, whose.owner, letters).is_none() {
                columns(page, found, &table, whose.owner);
            }
        }
    }
    let is_tenants = |owner: &str| owner == whose.owner || owner == whose.username;
    let others = schema.objects.iter().filter(|group| group.kind == ObjectKind::Other && !is_tenants(&group.owner));
    for group in others {
        let names: Vec<String> = group.examples.iter().map(|name| one_line(name)).collect();
        page.line(2, format!("{} of {}", names.join(", "), one_line(&group.owner)));
    }
}

fn columns(page: &mut Page, columns: &[Column], of: &str, owner: &str) {
    for column in columns {
        let holders = holders(&column.acl, owner, "", "");
        page.line(2, format!("column {} of {}: {holders}", one_line(&column.name), one_line(of)));
    }
}

/// Who holds what: the owner, when it lacks one of `owners`, and PUBLIC, when it has not what PostgreSQL gives by itself.
fn holders(acl: &Acl, owner: &str, builtin_public: &str, owners: &str) -> String {
    let held_by_owner = acl.of(owner);
    let lacks = owners.chars().any(|letter| !held_by_owner.contains(letter));
    let mut holders: Vec<String> = acl
        .entries()
        .filter(|entry| match entry.grantee {
            Grantee::Public => entry.privileges != builtin_public && !entry.privileges.is_empty(),
            Grantee::Role(role) => role != owner,
        })
        .map(|entry| format!("{}: {}", one_line(&entry.grantee.to_string()), one_line(&held(&entry))))
        .collect();
    if lacks {
        holders.push(format!("{}: {}", one_line(owner), in_words(&held_by_owner)));
    }
    holders.sort();
    if holders.is_empty() { "none".into() } else { holders.join("; ") }
}

/// Roles that a tenant's role is with as a plan has it.
struct Known<'a> {
    groups: [String; 2],
    /// It is a member for as long as it is there.
    deputy: Option<&'a str>,
}

fn role(page: &mut Page, name: &str, role: &Role, with_settings: bool, known: &Known<'_>) {
    page.line(0, format!("role {}", one_line(name)));
    page.line(2, login(role.can_login));
    for power in &role.powers {
        page.line(2, *power);
    }
    if !role.inherit {
        page.line(2, "NOINHERIT");
    }
    page.line(2, format!("connection limit {}", limit(role.connection_limit)));
    if let Some(until) = role.valid_until.as_deref().filter(|until| *until != "infinity") {
        page.line(2, format!("valid until {}", one_line(until)));
    }
    let of_a_group = |membership: &&Membership| known.groups.contains(&membership.role);
    let mut lines: Vec<(&str, String)> = Vec::new();
    // Whoever granted it, and however often: to a plan it is one.
    for group in &known.groups {
        let joined: Vec<_> = role.member_of.iter().filter(|membership| membership.role == *group).collect();
        if !joined.is_empty() {
            let joined = Membership {
                role: group.clone(),
                admin: joined.iter().any(|membership| membership.admin),
                inherit: joined.iter().any(|membership| membership.inherit),
                grantor: None,
            };
            lines.push((group, membership_in_words(&joined, group)));
        }
    }
    let others = role.member_of.iter().filter(|membership| !of_a_group(membership));
    lines.extend(others.map(|other| (other.role.as_str(), membership_in_words(other, &other.role))));
    lines.sort();
    for (_, words) in lines {
        page.line(2, one_line(&words));
    }
    for membership in role.members.iter().filter(|member| known.deputy != Some(member.role.as_str())) {
        page.line(2, format!("has the member {}", one_line(&membership.role)));
    }
    for default in &role.default_acls {
        let holders = holders(&default.acl, name, &default.builtin.of_public(), "");
        if holders != "none" {
            page.line(2, format!("future {} in every schema: {holders}", default.plural.to_lowercase()));
        }
    }
    for outside in &role.outside {
        let object = one_line(&format!("{} {}", outside.kind, outside.identity));
        page.line(
            2,
            match &outside.held {
                Holding::Owned => format!("owns {object}"),
                Holding::Granted { privileges, .. } | Holding::Future { privileges, .. } => {
                    format!("{privileges} on {object}")
                }
            },
        );
    }
    if with_settings {
        for (parameter, value) in &role.settings {
            // As the desired side spells it, so that quotes alone are not a difference.
            let value = if parameter == "search_path" {
                crate::core::plan::split_identifiers(value).join(", ")
            } else {
                value.clone()
            };
            page.line(2, format!("set {} = {}", one_line(parameter), one_line(&value)));
        }
        for (parameter, value) in &role.database_settings {
            page.line(2, format!("set {} in this database = {}", one_line(parameter), one_line(value)));
        }
    }
}

fn secret(
    page: &mut Page,
    desired: &Desired,
    observed: &Observed,
    declared: Option<&Tenant>,
    registered: Option<&Registered>,
) {
    let store = desired.secrets.store.as_str();
    let known = registered.map(|row| &row.secret).filter(|secret| secret.version.is_some() && secret.store == store);
    let Some(path) = known.map(|secret| &secret.path).or(declared.map(|tenant| &tenant.secret_path)) else { return };
    let Some(state) = observed.secrets.get(path) else {
        if registered.is_some_and(|row| row.password_source == PasswordSource::Kept) {
            page.line(0, KEPT);
        }
        return;
    };
    page.line(0, format!("secret {} in {store}", one_line(path)));
    let (version, contents) = match state {
        SecretState::Unseen => return page.line(2, "not read: no permission"),
        SecretState::Foreign(why) => return page.line(2, format!("belongs to someone else: {}", one_line(why))),
        SecretState::Ours { version, contents, .. } => (version, contents),
    };
    if let Some(row) = registered {
        page.line(2, format!("password {}", row.password_source.as_str()));
    }
    let fields = contents.as_ref().map(|contents| &contents.fields).or(known.map(|secret| &secret.fields));
    if let Some(fields) = fields {
        secret_fields(page, fields);
    }
    if contents.as_ref().is_some_and(|contents| !contents.url_says_the_same) {
        page.line(2, "its url does not match");
    }
    if let Some(fault) = contents.as_ref().and_then(|contents| contents.unusable) {
        page.line(2, format!("its password {fault}"));
    }
    if contents.as_ref().and_then(|contents| contents.password_is_given_one) == Some(false) {
        page.line(2, "its password is not the one password_from gives");
    }
    let others_only = contents.as_ref().and_then(|contents| contents.password_is_remembered_one) == Some(true);
    if known.is_some_and(|known| known.version.as_ref() != Some(version)) && !others_only {
        page.line(2, "changed since the last apply");
    }
}
