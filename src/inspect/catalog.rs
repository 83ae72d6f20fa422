//! Roles and schemas, set by set.

use std::collections::BTreeMap;

use postgres::Transaction;

use super::database::acl;
use crate::error::{Doing, Error};
use crate::model::{DefaultAcl, ObjectGroup, ObjectKind, Role, Schema};

pub(super) fn roles(transaction: &mut Transaction<'_>, names: &[String]) -> Result<BTreeMap<String, Role>, Error> {
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
            ..Role::default()
        };
        roles.insert(row.get("name"), role);
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
    sized: &[&str],
    history_table: &str,
) -> Result<BTreeMap<String, Schema>, Error> {
    let mut schemas = BTreeMap::new();
    for row in transaction.query(include_str!("sql/schemas.sql"), &[&names, &sized]).doing("reading the schemas")? {
        let schema = Schema {
            owner: row.get("owner"),
            acl: acl(&row.get::<_, Vec<String>>("acl"))?,
            tables: row.get("tables"),
            relations: row.get("relations"),
            bytes: row.get("bytes"),
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
