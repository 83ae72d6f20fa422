//! Whether what bears a tenant's name is what was registered under it. Names change hands; an OID does not.

use super::fleet::Fleet;
use super::tenant_plan::Blocked;
use crate::core::model::{Registered, Schema, TenantKey, ident};

/// The tenant's schema; `None` when it is gone altogether. Whose it is says its OID, where that is known.
///
/// # Errors
/// When another schema bears its name, or it bears another name.
pub(super) fn schema<'a>(fleet: &Fleet<'a>, key: &TenantKey, row: &Registered) -> Result<Option<&'a Schema>, Blocked> {
    let name = &row.schema;
    let found = fleet.observed.schemas.get(name);
    let Some(oid) = row.schema_oid else { return Ok(found) };
    match (found, fleet.observed.schema_names.get(&oid)) {
        (Some(schema), _) if schema.oid == oid => Ok(Some(schema)),
        (None, None) => Ok(None),
        (None, Some(now)) => Err(Blocked::new(
            format!("its schema {name:?} is now called {now:?}"),
            format!("if it still belongs to this tenant: ALTER SCHEMA {} RENAME TO {}", ident(now), ident(name)),
        )),
        (Some(_), Some(now)) => Err(Blocked::new(
            format!("schema {name:?} is not the one that was registered: that one is now called {now:?}"),
            format!("ALTER SCHEMA {} RENAME TO …; ALTER SCHEMA {} RENAME TO {}", ident(name), ident(now), ident(name)),
        )),
        (Some(schema), None) => Err(Blocked::new(
            format!(
                "schema {name:?} is not the one that was registered: that one is gone, and this one, owned by {:?}, was created since",
                schema.owner
            ),
            format!(
                "if it is this tenant's after all, restored by hand: UPDATE tenantry.tenants SET schema_oid = NULL WHERE tenant = '{key}'   or move it out of the way: ALTER SCHEMA {} RENAME TO …",
                ident(name)
            ),
        )),
    }
}

/// A tenant that is no longer declared, but whose names are: what is removed would be what another tenant is to have.
///
/// # Errors
/// When it is so.
pub(super) fn unclaimed(fleet: &Fleet<'_>, key: &TenantKey, row: &Registered) -> Result<(), Blocked> {
    let schema = fleet.claims_schema.get(row.schema.as_str()).map(|other| (other, "schema", &row.schema));
    let mut roles = vec![&row.username];
    // A shared owner is handed on.
    roles.extend(fleet.owner_of_its_own(key, row));
    let role =
        roles.into_iter().find_map(|role| fleet.claims_role.get(role.as_str()).map(|other| (other, "role", role)));
    let Some((other, what, name)) = schema.or(role) else { return Ok(()) };
    Err(Blocked::new(
        format!("tenant {other} is declared with its {what} {name:?}"),
        format!(
            "{}; if they are two tenants: give {other} names of its own, or declare it once {key} is removed",
            keep_the_key(key, other)
        ),
    ))
}

/// What to do about a tenant that is declared under another key.
pub(super) fn keep_the_key(old: &TenantKey, new: &TenantKey) -> String {
    format!("a key cannot be renamed yet: if {new} is {old}, keep the key {old} in tenants.toml")
}
