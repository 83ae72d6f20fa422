//! Roles and schemas, set by set.

use std::collections::BTreeMap;

use postgres::{Client, GenericClient, Transaction};

use crate::core::model::{
    DefaultAcl, Dependent, GlobalDefaultAcl, Holding, LARGE_TABLE_BYTES, Membership, ObjectGroup, ObjectKind, Outside,
    Role, Schema,
};
use crate::engine::database::{Ask, Record, acl, columns};
use crate::engine::error::{Context, Error};

/// Looking waits for no tenant: one that holds a lock costs this long, and is told apart from the others.
const LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout = '2s'";
/// SQLSTATE `lock_not_available`.
const LOCK_NOT_AVAILABLE: &str = "55P03";

/// A setting longer than this is cut, and told with its length and digest: a tenant may give its own role one of 300 MB.
/// Nobody declares one as long.
pub(crate) const LONG_SETTING: i32 = 8192;

/// What one role has that is not text in this database's encoding (22021, character_not_in_repertoire; 22P05 where there is no
/// such character in UTF-8) would keep all of them from us: then they are read as they are, and nothing is converted.
fn settings(transaction: &mut Transaction<'_>, names: &[String]) -> Result<Vec<Record>, postgres::Error> {
    let query = include_str!("sql/role_settings.sql");
    let mut savepoint = transaction.savepoint("settings")?;
    match savepoint.ask(query, &[&names, &LONG_SETTING]) {
        Ok(rows) => {
            savepoint.commit()?;
            return Ok(rows);
        }
        Err(error) if error.code().is_some_and(|code| ["22021", "22P05"].contains(&code.code())) => {
            savepoint.rollback()?;
        }
        Err(error) => return Err(error),
    }
    let mut savepoint = transaction.savepoint("settings")?;
    savepoint
        .batch_execute("SELECT pg_catalog.set_config('client_encoding', pg_catalog.getdatabaseencoding(), true)")?;
    let rows = savepoint.ask(query, &[&names, &LONG_SETTING])?;
    // As before, the encoding too.
    savepoint.rollback()?;
    Ok(rows)
}

/// `parameter=value`, or as much of it as was read.
fn setting(row: &Record) -> String {
    let bytes: Vec<u8> = row.get("setting");
    let text = String::from_utf8_lossy(&bytes);
    match (row.get::<_, Option<i32>>("cut_from"), row.get::<_, Option<&str>>("digest")) {
        (Some(length), Some(digest)) => {
            let begin = text.trim_end_matches(char::REPLACEMENT_CHARACTER);
            format!("{begin}… ({length} bytes, SHA-256 {digest})")
        }
        _ => text.into_owned(),
    }
}

pub(super) fn roles(
    transaction: &mut Transaction<'_>,
    names: &[String],
    admin: &str,
    sees_passwords: bool,
) -> Result<BTreeMap<String, Role>, Error> {
    roles_without_members(transaction, names, &[], admin, sees_passwords)
}

/// The same; who else is a member of `crowds`, which are among them, nobody wants to know.
pub(super) fn roles_without_members(
    transaction: &mut Transaction<'_>,
    names: &[String],
    crowds: &[String],
    admin: &str,
    sees_passwords: bool,
) -> Result<BTreeMap<String, Role>, Error> {
    let mut roles = BTreeMap::new();
    for row in transaction.ask(include_str!("sql/roles.sql"), &[&names]).doing("reading the roles")? {
        let powers = [
            ("rolsuper", "SUPERUSER"),
            ("rolcreatedb", "CREATEDB"),
            ("rolcreaterole", "CREATEROLE"),
            ("rolreplication", "REPLICATION"),
            ("rolbypassrls", "BYPASSRLS"),
        ];
        let role = Role {
            can_login: row.get("rolcanlogin"),
            inherit: row.get("rolinherit"),
            powers: powers.into_iter().filter(|(column, _)| row.get(*column)).map(|(_, power)| power).collect(),
            connection_limit: row.get("rolconnlimit"),
            valid_until: row.get("valid_until"),
            administered: row.get("administered"),
            ..Role::default()
        };
        roles.insert(row.get("name"), role);
    }
    if sees_passwords {
        let rows = transaction.ask(include_str!("sql/without_password.sql"), &[&names]);
        for row in rows.doing("looking for roles without a password")? {
            if let Some(role) = roles.get_mut(row.get::<_, &str>("name")) {
                role.lacks_password = true;
            }
        }
    }
    for row in transaction.ask(include_str!("sql/powers.sql"), &[&names]).doing("looking for powerful roles")? {
        if let Some(role) = roles.get_mut(row.get::<_, &str>("role")) {
            role.powerful.insert(row.get("via"), row.get("powers"));
        }
    }
    for row in settings(transaction, names).doing("reading role settings")? {
        let setting = setting(&row);
        let Some((parameter, value)) = setting.split_once('=') else { continue };
        if let Some(role) = roles.get_mut(row.get::<_, &str>("role")) {
            let settings = if row.get("in_database") { &mut role.database_settings } else { &mut role.settings };
            settings.insert(parameter.to_ascii_lowercase(), value.to_owned());
        }
    }
    for row in
        transaction.ask(include_str!("sql/memberships.sql"), &[&names, &admin, &crowds]).doing("reading memberships")?
    {
        let (name, member): (String, String) = (row.get("role"), row.get("member"));
        let seen_from = |role: &str| Membership {
            role: role.to_owned(),
            admin: row.get("admin_option"),
            inherit: row.get("inherits"),
            grantor: row.get("grantor"),
        };
        if let Some(role) = roles.get_mut(&name) {
            if row.get("is_admin") {
                role.admin_is_member |= row.get::<_, bool>("usable");
            } else if row.get("counts") {
                role.members.insert(seen_from(&member));
            }
        }
        if let Some(role) = roles.get_mut(&member) {
            role.member_of.insert(seen_from(&name));
        }
    }
    Ok(roles)
}

pub(super) fn schemas(
    transaction: &mut Transaction<'_>,
    names: &[String],
    history_tables: &[String],
) -> Result<BTreeMap<String, Schema>, Error> {
    let mut schemas = BTreeMap::new();
    for row in transaction.ask(include_str!("sql/schemas.sql"), &[&names]).doing("reading the schemas")? {
        let schema = Schema {
            oid: row.get("oid"),
            owner: row.get("owner"),
            acl: acl(&row.get::<_, Vec<String>>("acl"), row.get("owner"))?,
            tables: row.get("tables"),
            relations: row.get("relations"),
            ..Schema::default()
        };
        schemas.insert(row.get("name"), schema);
    }
    let kind = |letter: &str| letter.chars().next().and_then(ObjectKind::from_letter);
    let rows = transaction.ask(include_str!("sql/objects.sql"), &[&names, &history_tables]);
    for row in rows.doing("reading the objects in the schemas")? {
        let (Some(schema), Some(kind)) = (schemas.get_mut(row.get::<_, &str>("schema")), kind(row.get("kind"))) else {
            continue;
        };
        schema.objects.push(ObjectGroup {
            kind,
            owner: row.get("owner"),
            acl: acl(&row.get::<_, Vec<String>>("acl"), row.get("owner"))?,
            columns: columns(row.get("columns"), row.get("column_items"), row.get("owner"))?,
            count: row.get("count"),
            examples: row.get("examples"),
        });
    }
    Ok(schemas)
}

/// What the schemas with these OIDs are called now.
pub(super) fn schema_names(transaction: &mut Transaction<'_>, oids: &[u32]) -> Result<BTreeMap<u32, String>, Error> {
    let rows = transaction.ask(include_str!("sql/schema_names.sql"), &[&oids]);
    let rows = rows.doing("looking for the registered schemas under other names")?;
    Ok(rows.iter().map(|row| (row.get("oid"), row.get("name"))).collect())
}

const DEFAULT_ACLS: &str = include_str!("sql/default_acls.sql");

/// Default privileges in this schema, whoever's.
pub(super) fn default_acls_in(transaction: &mut Transaction<'_>, schema: &str) -> Result<Vec<DefaultAcl>, Error> {
    let none: &[&str] = &[];
    let rows = transaction.ask(DEFAULT_ACLS, &[&[schema].as_slice(), &none]);
    let rows = rows.doing(format!("reading default privileges in schema {schema}"))?;
    let mut found = Vec::new();
    for row in &rows {
        let role: String = row.get("role");
        if let Some(kind) = row.get::<_, &str>("kind").chars().next().and_then(ObjectKind::from_letter) {
            let acl = acl(&row.get::<_, Vec<String>>("acl"), &role)?;
            found.push(DefaultAcl { role, kind, acl });
        }
    }
    Ok(found)
}

/// Default privileges: in the schemas, whoever's; in every schema, the roles'.
pub(super) fn default_acls(
    transaction: &mut Transaction<'_>,
    roles: &mut BTreeMap<String, Role>,
    schemas: &mut BTreeMap<String, Schema>,
) -> Result<(), Error> {
    let names = |names: Vec<&String>| names.into_iter().cloned().collect::<Vec<String>>();
    let (schema_names, role_names) = (names(schemas.keys().collect()), names(roles.keys().collect()));
    let rows = transaction.ask(DEFAULT_ACLS, &[&schema_names, &role_names]);
    for row in rows.doing("reading default privileges")? {
        let (role, letter): (String, &str) = (row.get("role"), row.get("kind"));
        let acl = acl(&row.get::<_, Vec<String>>("acl"), &role)?;
        let kind = letter.chars().next().and_then(ObjectKind::from_letter);
        match row.get::<_, Option<&str>>("schema") {
            Some(schema) => {
                if let (Some(schema), Some(kind)) = (schemas.get_mut(schema), kind) {
                    schema.default_acls.push(DefaultAcl { role, kind, acl });
                }
            }
            None => {
                let plural = match (letter, kind) {
                    ("n", _) => "SCHEMAS",
                    ("L", _) => "LARGE OBJECTS",
                    (_, Some(kind)) => kind.plural(),
                    _ => continue,
                };
                let builtin = crate::engine::database::acl(&row.get::<_, Vec<String>>("builtin"), &role)?;
                if let Some(role) = roles.get_mut(&role) {
                    role.default_acls.push(GlobalDefaultAcl { plural, acl, builtin });
                }
            }
        }
    }
    Ok(())
}

/// What the roles have outside of these schemas.
pub(super) fn outside(
    transaction: &mut Transaction<'_>,
    roles: &mut BTreeMap<String, Role>,
    schemas: &[String],
    admin: &str,
) -> Result<(), Error> {
    let names: Vec<String> = roles.keys().cloned().collect();
    let rows = transaction.ask(include_str!("sql/outside.sql"), &[&names, &schemas, &admin]);
    for row in rows.doing("looking for what the roles have outside of their schemas")? {
        let held = match row.get::<_, Option<String>>("plural") {
            _ if row.get("owned") => Holding::Owned,
            Some(plural) => Holding::Future {
                of: row.get::<_, Option<String>>("owner").unwrap_or_default(),
                plural,
                privileges: row.get("privileges"),
                ours: row.get("ours"),
            },
            None => Holding::Granted {
                column: row.get("column"),
                privileges: row.get("privileges"),
                grantor: row.get("grantor"),
                owner: row.get::<_, Option<String>>("owner").unwrap_or_default(),
                ours: row.get("ours"),
            },
        };
        let outside = Outside { kind: row.get("kind"), identity: row.get("identity"), schema: row.get("schema"), held };
        if let Some(role) = roles.get_mut(row.get::<_, &str>("role")) {
            role.outside.push(outside);
        }
    }
    Ok(())
}

/// What a removal would take along, and must not.
pub(super) fn dependents(
    transaction: &mut Transaction<'_>,
    names: &[String],
    schemas: &mut BTreeMap<String, Schema>,
) -> Result<(), Error> {
    let rows = transaction.ask(include_str!("sql/dependents.sql"), &[&names]);
    for row in rows.doing("looking for what depends on the schemas to remove")? {
        if let Some(schema) = schemas.get_mut(row.get::<_, &str>("schema")) {
            schema.dependents.push(dependent(&row));
        }
    }
    Ok(())
}

/// What a removal unlinks with the roles.
pub(super) fn large_objects(
    transaction: &mut Transaction<'_>,
    names: &[String],
    roles: &mut BTreeMap<String, Role>,
) -> Result<(), Error> {
    let rows = transaction.ask(include_str!("sql/large_objects.sql"), &[&names]);
    for row in rows.doing("counting the large objects of the tenants to remove")? {
        if let Some(role) = roles.get_mut(row.get::<_, &str>("role")) {
            role.large_objects = row.get("large_objects");
            role.large_object_bytes = row.get("bytes");
        }
    }
    Ok(())
}

/// What a removal of this schema would take along right now.
///
/// # Errors
/// What PostgreSQL answered.
pub(crate) fn dependents_of(client: &mut impl GenericClient, schema: &str) -> Result<Vec<Dependent>, Error> {
    let rows = client.ask(include_str!("sql/dependents.sql"), &[&[schema].as_slice()]);
    Ok(rows.doing(format!("looking for what depends on schema {schema}"))?.iter().map(dependent).collect())
}

fn dependent(row: &Record) -> Dependent {
    Dependent { what: row.get("dependent"), remedy: row.get("remedy") }
}

pub(super) fn large_tables(
    transaction: &mut Transaction<'_>,
    names: &[String],
    schemas: &mut BTreeMap<String, Schema>,
) -> Result<(), Error> {
    let rows = transaction.ask(include_str!("sql/large_tables.sql"), &[&names, &LARGE_TABLE_BYTES]);
    for row in rows.doing("looking for large tables")? {
        if let Some(schema) = schemas.get_mut(row.get::<_, &str>("schema")) {
            schema.large_tables.insert(row.get("name"));
        }
    }
    Ok(())
}

/// Measures these schemas. In transactions of its own, because a tenant that locks its tables must not hold us up.
///
/// # Errors
/// What PostgreSQL answered.
pub(super) fn sizes(client: &mut Client, names: &[&str], schemas: &mut BTreeMap<String, Schema>) -> Result<(), Error> {
    if names.is_empty() {
        return Ok(());
    }
    let rows = match measure(client, include_str!("sql/sizes.sql"), names) {
        Err(error) if error.code().is_some_and(|code| code.code() == LOCK_NOT_AVAILABLE) => {
            measure(client, include_str!("sql/sizes_estimated.sql"), names)
        }
        other => other,
    };
    for row in rows.doing("measuring the schemas")? {
        if let Some(schema) = schemas.get_mut(row.get::<_, &str>("name")) {
            schema.bytes = row.get("bytes");
        }
    }
    Ok(())
}

fn measure(client: &mut Client, query: &str, names: &[&str]) -> Result<Vec<Record>, postgres::Error> {
    let mut transaction = client.build_transaction().read_only(true).start()?;
    transaction.batch_execute(LOCK_TIMEOUT)?;
    let rows = transaction.ask(query, &[&names])?;
    transaction.commit()?;
    Ok(rows)
}
