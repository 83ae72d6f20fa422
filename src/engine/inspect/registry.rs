//! Who may do what in the schema `tenantry`, and what of others is there.

use postgres::Transaction;

use super::database::{acl, columns};
use crate::core::model::{DefaultAcl, Foreign, ObjectKind, RegistryObject, RegistrySchema};
use crate::engine::database::Ask;
use crate::engine::error::{Doing, Error};
use crate::engine::registry::guard::{REFUSAL, tables};

/// `admin`: the role that applies.
pub(super) fn read(transaction: &mut Transaction<'_>, admin: &str) -> Result<RegistrySchema, Error> {
    let doing = "looking at schema tenantry";
    let names = tables();
    let mut schema = RegistrySchema::default();
    for row in transaction.ask(include_str!("sql/registry_objects.sql"), &[&names, &admin]).doing(doing)? {
        let owner: String = row.get("owner");
        schema.objects.push(RegistryObject {
            kind: row.get("kind"),
            name: row.get("name"),
            acl: acl(&row.get::<_, Vec<String>>("acl"), &owner)?,
            columns: columns(row.get("columns"), row.get("column_items"), &owner)?,
            ours: row.get("ours"),
            owner,
        });
    }
    let none: &[&str] = &[];
    let rows = transaction.ask(include_str!("sql/default_acls.sql"), &[&["tenantry"].as_slice(), &none]);
    for row in rows.doing(doing)? {
        let role: String = row.get("role");
        if let Some(kind) = row.get::<_, &str>("kind").chars().next().and_then(ObjectKind::from_letter) {
            let acl = acl(&row.get::<_, Vec<String>>("acl"), &role)?;
            schema.default_acls.push(DefaultAcl { role, kind, acl });
        }
    }
    let found = concat!(include_str!("sql/registry_foreign.sql"), include_str!("sql/registry_found.sql"));
    for row in transaction.ask(found, &[&names, &REFUSAL, &admin]).doing(doing)? {
        schema.foreign.push(Foreign {
            what: row.get("what"),
            remedy: row.get("remedy"),
            runs: row.get("runs"),
            ours: row.get("ours"),
        });
    }
    let rows = transaction.ask(include_str!("sql/registry_strangers.sql"), &[&names]).doing(doing)?;
    schema.strangers = rows.iter().map(|row| (row.get("what"), row.get("owner"))).collect();
    Ok(schema)
}

/// Row security that is forced upon the tables' owner keeps it from reading them: that is for a person to take away first.
pub(super) fn unreadable(error: Error, schema: &RegistrySchema) -> Error {
    let secured = schema.foreign.iter().find(|found| found.what.starts_with("row security of "));
    match (&error, secured) {
        (Error::Database { source, .. }, Some(found)) if source.sqlstate() == Some("42501") => Error::refused(
            format!("{} prevents tenantry from reading its own tables", found.what),
            format!(
                "it is not tenantry's; as the tables' owner, or a superuser: {};",
                found.remedy.clone().unwrap_or_default()
            ),
        ),
        _ => error,
    }
}
