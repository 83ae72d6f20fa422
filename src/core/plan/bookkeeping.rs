//! What a tenant's transaction notes in the registry besides its row, as SQL that a plan shows.

use crate::core::model::{FormerSecret, TenantKey, literal};

/// For the transaction that makes an owner role for several tenants: until the first of them is registered with it,
/// nothing else tells it from one that was there before.
pub(super) fn remember_owner(role: &str) -> String {
    format!("INSERT INTO tenantry.former_owners (role) VALUES ({}) ON CONFLICT DO NOTHING", literal(role))
}

/// For the transaction in which such a role goes, or its name.
pub(super) fn forget_owner(role: &str) -> String {
    format!("DELETE FROM tenantry.former_owners WHERE role = {}", literal(role))
}

/// For a secret that was deleted before that could be noted.
pub(super) fn forget_secret(former: &FormerSecret) -> String {
    format!(
        "DELETE FROM tenantry.former_secrets WHERE (store, place, path) = ({}, {}, {})",
        literal(&former.store),
        literal(&former.place),
        literal(&former.path)
    )
}

/// For the transaction that renames what bears these names.
pub(super) fn rename_row(tenant: &TenantKey, schema: &str, username: &str, owner: &str) -> String {
    format!(
        "UPDATE tenantry.tenants SET schema_name = {}, username = {}, owner = {} WHERE tenant = {}",
        literal(schema),
        literal(username),
        literal(owner),
        literal(tenant.as_str())
    )
}
