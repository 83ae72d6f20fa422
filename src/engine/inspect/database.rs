//! The server, the database, and what tenants share.

use std::collections::{BTreeMap, BTreeSet};

use postgres::Transaction;

use crate::core::model::{
    Admin, Database, Desired, Extension, Grantee, Group, Keeper, Observed, PublicState, Registry, RegistrySchema, Role,
    Server, SharedSchema, Tablespace, ident,
};
use crate::core::plan;
use crate::engine::database::{Ask, Record, Target, acl};
use crate::engine::error::{Context, Error};
use crate::engine::registry::{self, guard};

pub(super) fn read(transaction: &mut Transaction<'_>, target: &Target, desired: &Desired) -> Result<Observed, Error> {
    let group = plan::group_role(target.database());
    let row = transaction.ask_one(include_str!("sql/server.sql"), &[&guard::tables(), &group]);
    let row = row.doing("identifying the database")?;
    let has_registry = registry(transaction, &row)?;
    // The owners are of no interest here: what PUBLIC holds is asked, whoever granted it.
    let database_acl = acl(&row.get::<_, Vec<String>>("database_acl"), "")?;
    let name: String = row.get("database");
    Ok(Observed {
        server: server(&row, target),
        database: Database {
            name,
            public_has_temp: database_acl.of_public().contains('T'),
            public_has_connect: database_acl.of_public().contains('c'),
            public_schema: public_schema(transaction, &row)?,
            extensions: extensions(transaction)?,
            tablespaces: tablespaces(transaction)?,
            shared_schemas: shared(transaction, desired, &group)?,
            group: None,
            owners_group: None,
        },
        registry: has_registry.then(Registry::default),
        registry_schema: row.get::<_, bool>("has_tenantry_schema").then(RegistrySchema::default),
        ..Observed::default()
    })
}

/// Whether tenantry's own tables are there: in nobody's hands but an administrator's, and ours to read.
fn registry(transaction: &mut Transaction<'_>, row: &Record) -> Result<bool, Error> {
    if let Some(owner) = row.get::<_, Option<String>>("strange_owner") {
        return Err(Error::refused(
            format!(
                "schema tenantry belongs to {owner:?}, who is neither an administrator nor the connected role: nothing in it is trusted"
            ),
            "if it is tenantry's own: ALTER SCHEMA tenantry OWNER TO the role that tenantry connects as; if not, drop or rename it",
        ));
    }
    if let Some(table) = row.get::<_, Option<String>>("strange_table") {
        let (keeper, owner): (String, String) = (row.get("keeper"), row.get("strange_table_owner"));
        return Err(Error::refused(
            format!(
                "{table} belongs to {owner:?}, who is neither an administrator nor the connected role: nothing in it is trusted, since it determines what is altered and dropped"
            ),
            format!(
                "look at what it holds; if it is tenantry's own: ALTER TABLE {table} OWNER TO {}; if not, drop it or move it to another schema",
                ident(&keeper)
            ),
        ));
    }
    let has_registry = registry::is_there(row)?;
    if has_registry && row.get::<_, Option<bool>>("registry_is_readable") != Some(true) {
        let reader = row.get::<_, Option<String>>("reader").unwrap_or_else(|| row.get("admin"));
        let to = ident(&reader);
        return Err(Error::refused(
            format!("{reader} may not read tenantry's own tables, which say which tenants exist"),
            format!("GRANT USAGE ON SCHEMA tenantry TO {to}; GRANT SELECT ON ALL TABLES IN SCHEMA tenantry TO {to};"),
        ));
    }
    if has_registry {
        registry::is_whole(transaction, row)?;
    }
    Ok(has_registry)
}

fn server(row: &Record, target: &Target) -> Server {
    Server {
        version_num: row.get("version_num"),
        system_identifier: row.get("system_identifier"),
        lock_slots: row.get("lock_slots"),
        connection_slots: row.get("connection_slots"),
        logged_by: row.get("logged_by"),
        host: advertised_host(target),
        port: target.port(),
        reached: target.addresses(),
        encrypted: row.get("encrypted"),
        in_recovery: row.get("in_recovery"),
        admin: Admin {
            name: row.get("admin"),
            superuser: row.get("superuser"),
            createrole: row.get("createrole"),
            can_create_schema: row.get("can_create_schema"),
            owns_database: row.get("owns_database"),
            may_grant_connect: row.get("may_grant_connect"),
            may_grant_temp: row.get("may_grant_temp"),
            owns_public: row.get("owns_public"),
            ..Admin::default()
        },
        reader: row.get("reader"),
        keeper: row
            .get::<_, Option<String>>("keeper")
            .map(|name| Keeper { name, superuser: row.get("keeper_is_superuser") }),
    }
}

fn public_schema(transaction: &mut Transaction<'_>, row: &Record) -> Result<Option<PublicState>, Error> {
    if !row.get::<_, bool>("has_public") {
        return Ok(None);
    }
    let acl = acl(&row.get::<_, Vec<String>>("public_acl"), "")?;
    let objects = transaction.ask_one(include_str!("sql/public_objects.sql"), &[]).doing("looking at schema public")?;
    let (objects, examples) = (objects.get("objects"), objects.get("examples"));
    Ok(Some(PublicState { public_privileges: acl.of_public(), objects, examples }))
}

/// A unix socket's directory is not an address that a tenant elsewhere could use.
fn advertised_host(target: &Target) -> String {
    match target.host() {
        host if host.starts_with(['/', '@']) => "localhost".to_owned(),
        host => host.to_owned(),
    }
}

fn extensions(transaction: &mut Transaction<'_>) -> Result<BTreeMap<String, Extension>, Error> {
    let rows = transaction.ask(include_str!("sql/extensions.sql"), &[]).doing("reading the extensions")?;
    let extension = |row: &Record| Extension {
        schema: row.get("schema"),
        owner: row.get("owner"),
        relocatable: row.get("relocatable"),
        open: row.get("open"),
    };
    Ok(rows.iter().map(|row| (row.get("name"), extension(row))).collect())
}

fn tablespaces(transaction: &mut Transaction<'_>) -> Result<BTreeMap<String, Tablespace>, Error> {
    let rows = transaction.ask(include_str!("sql/tablespaces.sql"), &[]).doing("reading the tablespaces")?;
    let tablespace = |row: &Record| {
        let acl = acl(&row.get::<_, Vec<String>>("acl"), row.get("owner"))?;
        Ok((row.get("name"), Tablespace { acl, is_own: row.get("is_own"), is_default: row.get("is_default") }))
    };
    rows.iter().map(tablespace).collect()
}

fn shared(
    transaction: &mut Transaction<'_>,
    desired: &Desired,
    group: &str,
) -> Result<BTreeMap<String, SharedSchema>, Error> {
    let rows = transaction
        .ask(include_str!("sql/shared_schemas.sql"), &[&desired.shared_schemas])
        .doing("reading the shared schemas")?;
    let mut schemas = BTreeMap::new();
    for row in rows {
        let acl = acl(&row.get::<_, Vec<String>>("acl"), row.get("owner"))?;
        // USAGE by PUBLIC serves as well, but for schema public, which is about to be closed.
        let name: String = row.get("name");
        let by_public = name != "public" && acl.of_public().contains('U');
        // Whoever granted it: an admin who is not the schema's owner may have the right to.
        let is_group = |grantee: &Grantee| *grantee == Grantee::Role(group.to_owned());
        let to_group = acl.entries().any(|entry| is_group(entry.grantee) && entry.privileges.contains('U'));
        let group_has_usage = by_public || to_group;
        let shared = SharedSchema {
            owner: row.get("owner"),
            group_has_usage,
            may_grant: row.get("may_grant"),
            may_create: row.get("may_create"),
            ours: row.get("ours"),
            acl,
        };
        schemas.insert(name, shared);
    }
    Ok(schemas)
}

pub(super) fn group(transaction: &mut Transaction<'_>, name: &str, role: Role) -> Result<Group, Error> {
    let row = transaction.ask_one(include_str!("sql/group_role.sql"), &[&name]).doing("reading the group role")?;
    Ok(Group { role, has_connect: row.get("has_connect"), has_temp: row.get("has_temp"), owns: row.get("owns") })
}

/// What of the declared settings and extensions is beyond an admin who is not a superuser.
pub(super) fn forbidden(
    transaction: &mut Transaction<'_>,
    desired: &Desired,
    observed: &mut Observed,
) -> Result<(), Error> {
    if observed.server.admin.superuser {
        return Ok(());
    }
    let mut names = |query: &str, names: &[&str], doing: &str| -> Result<BTreeSet<String>, Error> {
        if names.is_empty() {
            return Ok(BTreeSet::new());
        }
        Ok(transaction.ask(query, &[&names]).doing(doing)?.iter().map(|row| row.get("name")).collect())
    };
    let declared: BTreeSet<&str> =
        desired.tenants.values().flat_map(|tenant| tenant.settings.keys().map(String::as_str)).collect();
    let declared: Vec<&str> = declared.into_iter().collect();
    let doing = "checking which settings we may set";
    let mut settings = names(include_str!("sql/superuser_settings.sql"), &declared, doing)?;
    if observed.server.major() >= 15 {
        let asked: Vec<&str> = settings.iter().map(String::as_str).collect();
        let granted = names(include_str!("sql/granted_settings.sql"), &asked, doing)?;
        settings.retain(|name| !granted.contains(name));
    }
    let there = &observed.database.extensions;
    let missing: Vec<&str> =
        desired.extensions.iter().map(String::as_str).filter(|name| !there.contains_key(*name)).collect();
    let doing = "checking which extensions we may create";
    let extensions = names(include_str!("sql/superuser_extensions.sql"), &missing, doing)?;
    observed.server.admin.forbidden_settings = settings;
    observed.server.admin.forbidden_extensions = extensions;
    Ok(())
}
