//! What `tenants.toml` and the migrations say of a tenant, in lines.

use std::collections::BTreeMap;

use crate::core::model::{Access, Desired, ObjectKind, Observed, PasswordSource, SecretFields, Tenant};
use crate::core::plan::{
    group_role, object_privileges, owners_role, owners_want_temp, schema_privileges, secrets_user,
};
use crate::core::render::page::Page;

use super::lines::{KEPT, counted, declared_holders, limit, login, one_line, secret_fields};

pub(super) fn text(desired: &Desired, observed: &Observed, tenant: &Tenant) -> String {
    let mut page = Page::default();
    schema(&mut page, desired, observed, tenant);
    let mut groups = vec![group_role(&observed.database.name)];
    let of_user = groups.clone();
    if owners_want_temp(desired, observed) {
        // The order the observed side has: by name.
        groups.insert(0, owners_role(&observed.database.name));
    }
    let owns = tenant.access == Access::Owner;
    let users = tenant.login_users();
    let limit = tenant.connection_limit;
    role(
        &mut page,
        &tenant.username,
        users.is_empty() && !tenant.suspended,
        limit,
        if owns { &groups } else { &of_user },
    );
    users.iter().for_each(|user| page.line(2, format!("has the member {}", one_line(user))));
    let path: Vec<String> =
        std::iter::once(&tenant.schema).chain(&desired.shared_schemas).map(|n| one_line(n)).collect();
    let mut settings = tenant.settings.clone();
    settings.insert("search_path".into(), path.join(", "));
    set(&mut page, &settings);
    settings.insert("role".into(), tenant.username.clone());
    let fields = secret_of(desired, observed, tenant);
    for user in &users {
        // Whether the one that is not in force may still log in is nobody's wish.
        let found = observed.roles.get(user);
        let can_login = fields.username == *user || found.is_some_and(|found| found.can_login);
        role(&mut page, user, can_login, limit, std::slice::from_ref(&tenant.username));
        set(&mut page, &settings);
    }
    if tenant.access != Access::Owner {
        role(&mut page, &tenant.owner_role, false, -1, &groups);
    }
    migrations(&mut page, desired);
    let remembered = observed.registry.as_ref().and_then(|registry| registry.tenants.get(&tenant.key));
    let is_kept = remembered.is_some_and(|row| row.password_source == PasswordSource::Kept);
    if is_kept && tenant.password.is_none() {
        page.line(0, KEPT);
    } else {
        page.line(0, format!("secret {} in {}", one_line(&tenant.secret_path), desired.secrets.store.as_str()));
        page.line(2, format!("password {}", tenant.password_source().as_str()));
        secret_fields(&mut page, &fields);
    }
    page.line(0, "registry");
    page.line(2, "state active");
    page.line(2, format!("access {}", tenant.access.as_str()));
    page.line(2, format!("on_remove {}", tenant.on_remove.as_str()));
    if !users.is_empty() {
        page.line(2, format!("rotation {}", tenant.rotation.as_str()));
    }
    page.line(2, format!("protected {}", tenant.protected));
    if tenant.suspended {
        page.line(2, "suspended true");
    }
    page.into_string()
}

fn schema(page: &mut Page, desired: &Desired, observed: &Observed, tenant: &Tenant) {
    let user = one_line(&tenant.username);
    let owner = one_line(tenant.owner());
    let by_grant = tenant.access != Access::Owner;
    let line = |letters: &str, keepers: &str| declared_holders(tenant, &observed.server, letters, keepers);
    page.line(0, format!("schema {}", one_line(&tenant.schema)));
    page.line(2, format!("owner {owner}"));
    page.line(2, format!("privileges {}", line(schema_privileges(tenant.access), "U")));
    let found = observed.registry.as_ref().and_then(|registry| registry.tenants.get(&tenant.key));
    let found = observed.schemas.get(found.map_or(&tenant.schema, |row| &row.schema));
    for kind in ObjectKind::ALL {
        let letters = object_privileges(tenant.access, kind, observed.server.major());
        let plural = kind.plural().to_lowercase();
        page.line(2, format!("future {plural} of {owner}: {}", line(letters, "")));
        let groups = found.map(|schema| schema.objects.as_slice()).unwrap_or_default();
        let mine = |group: &&crate::core::model::ObjectGroup| group.kind == kind;
        // What the tenant made itself is its own.
        let own = |role: &str| by_grant && tenant.access == Access::Full && role == tenant.username;
        let total: i64 = groups.iter().filter(mine).filter(|group| !own(&group.owner)).map(|group| group.count).sum();
        let its: i64 = groups.iter().filter(mine).filter(|group| own(&group.owner)).map(|group| group.count).sum();
        if total > 0 {
            page.line(2, format!("{} of {owner}: {}", counted(kind, total), line(letters, "")));
        }
        if its > 0 {
            page.line(2, format!("{} of {user}, its own", counted(kind, its)));
        }
    }
    if !desired.migrations.is_empty() || found.is_some_and(|schema| !schema.history.applied().is_empty()) {
        page.line(2, format!("history {}: {}", one_line(&desired.migrations.table), line("r", "r")));
    }
}

fn set(page: &mut Page, settings: &BTreeMap<String, String>) {
    for (parameter, value) in settings {
        page.line(2, format!("set {} = {}", one_line(parameter), one_line(value)));
    }
}

fn secret_of(desired: &Desired, observed: &Observed, tenant: &Tenant) -> SecretFields {
    let remembered = observed.registry.as_ref().and_then(|registry| registry.tenants.get(&tenant.key));
    let remembered = remembered.map(|row| &row.secret.fields);
    let fields = desired.secret_fields(tenant, &observed.server, &observed.database.name, remembered);
    // Whom the secret names in the store is in force.
    SecretFields { username: tenant.login(Some(&secrets_user(observed, tenant))), ..fields }
}

fn role(page: &mut Page, name: &str, can_login: bool, connections: i32, groups: &[String]) {
    page.line(0, format!("role {}", one_line(name)));
    page.line(2, login(can_login));
    page.line(2, format!("connection limit {}", limit(connections)));
    groups.iter().for_each(|group| page.line(2, format!("member of {}", one_line(group))));
}

fn migrations(page: &mut Page, desired: &Desired) {
    page.line(0, "migrations");
    for file in desired.migrations.iter() {
        page.line(
            2,
            format!("{} {}", desired.migrations.format.title(file.version(), &one_line(file.name())), file.checksum()),
        );
    }
}
