//! What an apply leaves to be done later: secrets to delete, owner roles to drop, the row of a tenant that is gone.

use postgres::types::ToSql;
use postgres::{Client, Transaction};

use super::guard;
use crate::core::model::{FormerSecret, Registry, TenantKey};
use crate::engine::database::Ask;
use crate::engine::error::{Context, Error};

/// What earlier applies left to be done, if they were interrupted.
pub(super) fn read_leftovers(transaction: &mut Transaction<'_>, registry: &mut Registry) -> Result<(), Error> {
    for row in transaction.ask(include_str!("sql/former_secrets.sql"), &[]).doing("reading tenantry.former_secrets")? {
        let tenant = TenantKey::new(row.get::<_, String>("tenant")).ok();
        if let Some(registered) = tenant.and_then(|tenant| registry.tenants.get_mut(&tenant)) {
            registered.former_secrets.push(FormerSecret {
                store: row.get("store"),
                place: row.get("place"),
                path: row.get("path"),
                version: row.get("version"),
            });
        }
    }
    let rows = transaction.ask(include_str!("sql/former_owners.sql"), &[]);
    registry.former_owners = rows.doing("reading tenantry.former_owners")?.iter().map(|row| row.get("role")).collect();
    Ok(())
}

/// In the transaction that gives the tenant another secret: this one is to be deleted.
///
/// # Errors
/// What PostgreSQL answered.
pub fn leave_secret(
    transaction: &mut Transaction<'_>,
    tenant: &TenantKey,
    secret: &FormerSecret,
) -> Result<(), postgres::Error> {
    let values: [&(dyn ToSql + Sync); 5] =
        [&tenant.as_str(), &secret.store, &secret.place, &secret.path, &secret.version];
    transaction.execute(include_str!("sql/leave_secret.sql"), &values).map(drop)
}

/// Once they are deleted.
///
/// # Errors
/// What PostgreSQL answered.
pub fn forget_former_secrets(transaction: &mut Transaction<'_>, tenant: &TenantKey) -> Result<(), postgres::Error> {
    transaction.execute(include_str!("sql/forget_former_secrets.sql"), &[&tenant.as_str()]).map(drop)
}

/// Once its secret is gone, nothing of a dropped tenant is left to remember, and a retained one has none.
///
/// # Errors
/// What PostgreSQL answered.
pub fn secret_is_gone(transaction: &mut Transaction<'_>, tenant: &TenantKey) -> Result<(), postgres::Error> {
    let tenant = tenant.as_str();
    transaction.execute(include_str!("sql/forget_removed.sql"), &[&tenant])?;
    transaction.execute(include_str!("sql/retained_without_secret.sql"), &[&tenant]).map(drop)
}

/// Remembers roles that are about to lose their last tenants, until they are dropped.
///
/// # Errors
/// What PostgreSQL answered.
pub fn leave_owners(client: &mut Client, roles: &[&str]) -> Result<(), Error> {
    if roles.is_empty() {
        return Ok(());
    }
    let doing = "recording the owner roles to drop";
    let mut transaction = client.transaction().doing(doing)?;
    transaction.batch_execute(&guard::check()).doing(doing)?;
    transaction.execute(include_str!("sql/leave_owners.sql"), &[&roles]).doing(doing)?;
    transaction.commit().doing(doing)
}
