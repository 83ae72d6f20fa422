//! What was made in Vault for the tenants, or was about to be.

use postgres::Transaction;
use postgres::types::ToSql;

use crate::core::model::{RegisteredVaultObject, Registry, TenantKey, VaultObject};
use crate::engine::database::Ask;
use crate::engine::error::{Context, Error};

/// The migration that makes the table.
pub(super) const SINCE: i32 = 15;

pub(super) fn read(transaction: &mut Transaction<'_>, registry: &mut Registry) -> Result<(), Error> {
    for row in transaction.ask(include_str!("sql/vault_access.sql"), &[]).doing("reading tenantry.vault_access")? {
        let tenant: String = row.get("tenant");
        let unknown = || {
            Error::refused(
                format!("a row of tenant {tenant:?} in tenantry.vault_access holds a value this version does not know"),
                "use the newest version of tenantry that was used on this database",
            )
        };
        let key = TenantKey::new(tenant.as_str()).map_err(|_| unknown())?;
        let object = VaultObject::read(row.get("kind"), row.get("mount"), row.get("name")).ok_or_else(unknown)?;
        let namespace = row.get("namespace");
        registry.vault_access.entry(key).or_default().insert(RegisteredVaultObject { namespace, object });
    }
    Ok(())
}

/// In the transaction after which it is made.
///
/// # Errors
/// What PostgreSQL answered.
pub fn note_access(
    transaction: &mut Transaction<'_>,
    tenant: &TenantKey,
    made: &RegisteredVaultObject,
) -> Result<(), postgres::Error> {
    change(transaction, include_str!("sql/note_vault_access.sql"), tenant, made)
}

/// Once it is deleted.
///
/// # Errors
/// What PostgreSQL answered.
pub fn forget_access(
    transaction: &mut Transaction<'_>,
    tenant: &TenantKey,
    made: &RegisteredVaultObject,
) -> Result<(), postgres::Error> {
    change(transaction, include_str!("sql/forget_vault_access.sql"), tenant, made)
}

fn change(
    transaction: &mut Transaction<'_>,
    sql: &str,
    tenant: &TenantKey,
    made: &RegisteredVaultObject,
) -> Result<(), postgres::Error> {
    let RegisteredVaultObject { namespace, object } = made;
    let values: [&(dyn ToSql + Sync); 5] =
        [namespace, &object.kind(), &object.mount(), &object.name(), &tenant.as_str()];
    transaction.execute(sql, &values).map(drop)
}
