//! Roles and schemas, set by set.

use std::collections::BTreeMap;

use postgres::{Client, Row, Transaction};

use super::database::acl;
use super::{LOCK_NOT_AVAILABLE, LOCK_TIMEOUT};
use crate::error::{Doing, Error};
use crate::model::{DefaultAcl, ObjectGroup, ObjectKind, Role, Schema};

pub(super) fn roles(
    transaction: &mut Transaction<'_>,
    names: &[String],
    sees_passwords: bool,
) -> Result<BTreeMap<String, Role>, Error> {
    let mut roles = BTreeMap::new();
    for row in transaction.query(include_str!("sql/roles.sql"), &[&names]).doing("reading the roles")? {
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
        let rows = transaction.query(include_str!("sql/without_password.sql"), &[&names]);
        for row in rows.doing("looking for roles without a password")? {
            if let Some(role) = roles.get_mut(row.get::<_, &str>("name")) {
                role.lacks_password = true;
            }
        }
    }
    for row in transaction.query(include_str!("sql/role_settings.sql"), &[&names]).doing("reading role settings")? {
        let setting: String = row.get("setting");
        let Some((parameter, value)) = setting.split_once('=') else { continue };
        if let Some(role) = roles.get_mut(row.get::<_, &str>("role")) {
            let settings = if row.get("in_database") { &mut role.database_settings } else { &mut role.settings };
            settings.insert(parameter.to_ascii_lowercase(), value.to_owned());
        }
    }
    for row in transaction.query(include_str!("sql/memberships.sql"), &[&names]).doing("reading memberships")? {
        let (name, member): (String, String) = (row.get("role"), row.get("member"));
        if let Some(role) = roles.get_mut(&name) {
            if row.get("is_admin") {
                role.admin_is_member |= row.get::<_, bool>("usable");
            } else if row.get("counts") {
                role.members.insert(member.clone());
            }
        }
        if let Some(role) = roles.get_mut(&member) {
            role.member_of.insert(name);
        }
    }
    Ok(roles)
}

pub(super) fn schemas(
    transaction: &mut Transaction<'_>,
    names: &[String],
    history_table: &str,
) -> Result<BTreeMap<String, Schema>, Error> {
    let mut schemas = BTreeMap::new();
    for row in transaction.query(include_str!("sql/schemas.sql"), &[&names]).doing("reading the schemas")? {
        let schema = Schema {
            oid: row.get("oid"),
            owner: row.get("owner"),
            acl: acl(&row.get::<_, Vec<String>>("acl"))?,
            tables: row.get("tables"),
            relations: row.get("relations"),
            ..Schema::default()
        };
        schemas.insert(row.get("name"), schema);
    }
    let kind = |letter: &str| letter.chars().next().and_then(ObjectKind::from_letter);
    let rows = transaction.query(include_str!("sql/objects.sql"), &[&names, &history_table]);
    for row in rows.doing("reading the objects in the schemas")? {
        let (Some(schema), Some(kind)) = (schemas.get_mut(row.get::<_, &str>("schema")), kind(row.get("kind"))) else {
            continue;
        };
        schema.objects.push(ObjectGroup {
            kind,
            owner: row.get("owner"),
            acl: acl(&row.get::<_, Vec<String>>("acl"))?,
            count: row.get("count"),
            examples: row.get("examples"),
        });
    }
    let rows = transaction.query(include_str!("sql/default_acls.sql"), &[&names]);
    for row in rows.doing("reading default privileges")? {
        let (Some(schema), Some(kind)) = (schemas.get_mut(row.get::<_, &str>("schema")), kind(row.get("kind"))) else {
            continue;
        };
        schema.default_acls.push(DefaultAcl {
            role: row.get("role"),
            kind,
            acl: acl(&row.get::<_, Vec<String>>("acl"))?,
        });
    }
    Ok(schemas)
}

/// What a removal would take along, and must not.
pub(super) fn dependents(
    transaction: &mut Transaction<'_>,
    names: &[String],
    schemas: &mut BTreeMap<String, Schema>,
) -> Result<(), Error> {
    let rows = transaction.query(include_str!("sql/dependents.sql"), &[&names]);
    for row in rows.doing("looking for what depends on the schemas to remove")? {
        if let Some(schema) = schemas.get_mut(row.get::<_, &str>("schema")) {
            schema.dependents.push(row.get("dependent"));
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

fn measure(client: &mut Client, query: &str, names: &[&str]) -> Result<Vec<Row>, postgres::Error> {
    let mut transaction = client.build_transaction().read_only(true).start()?;
    transaction.batch_execute(LOCK_TIMEOUT)?;
    let rows = transaction.query(query, &[&names])?;
    transaction.commit()?;
    Ok(rows)
}
