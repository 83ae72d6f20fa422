//! What becomes of one tenant's row while it is worked on.

use postgres::{GenericClient, Transaction};

use super::text::uncommented;
use crate::core::model::{State, TenantKey, literal};
use crate::engine::database::Ask;

/// The tenant is in this state from now on, and nobody logs in for it.
///
/// # Errors
/// What PostgreSQL answered.
pub(crate) fn set_state(
    transaction: &mut Transaction<'_>,
    tenant: &TenantKey,
    state: State,
) -> Result<(), postgres::Error> {
    transaction.execute(include_str!("sql/set_state.sql"), &[&tenant.as_str(), &state.as_str()]).map(drop)
}

/// The version of the secret that was just written.
///
/// # Errors
/// What PostgreSQL answered.
pub(crate) fn set_secret_version(
    transaction: &mut Transaction<'_>,
    tenant: &TenantKey,
    version: &str,
) -> Result<(), postgres::Error> {
    transaction.execute(include_str!("sql/set_secret_version.sql"), &[&tenant.as_str(), &version]).map(drop)
}

/// The role that logs in for the tenant from now on; `None`: nobody does any more.
///
/// # Errors
/// What PostgreSQL answered.
pub(crate) fn set_deputy(
    transaction: &mut Transaction<'_>,
    tenant: &TenantKey,
    deputy: Option<&str>,
) -> Result<(), postgres::Error> {
    transaction.execute(include_str!("sql/set_deputy.sql"), &[&tenant.as_str(), &deputy]).map(drop)
}

/// Holds the row of a tenant that goes until COMMIT.
///
/// # Errors
/// What PostgreSQL answered; 55000 when the tenant is not in this state, or has become protected.
pub(crate) fn hold_to_remove(
    transaction: &mut Transaction<'_>,
    tenant: &TenantKey,
    state: State,
) -> Result<(), postgres::Error> {
    let hold = uncommented(include_str!("sql/hold_to_remove.sql"));
    let hold = hold.replace("{state}", &literal(state.as_str())).replace("{tenant}", &literal(tenant.as_str()));
    transaction.batch_execute(&hold)
}

/// Whether the tenant is active and this is its username. If so, its row is held until COMMIT.
///
/// # Errors
/// What PostgreSQL answered.
pub(crate) fn hold_active(
    transaction: &mut Transaction<'_>,
    tenant: &TenantKey,
    username: &str,
) -> Result<bool, postgres::Error> {
    Ok(transaction.ask_opt(include_str!("sql/hold_active.sql"), &[&tenant.as_str(), &username])?.is_some())
}

/// The roles that the registry says are tenants'; none where there is no registry, or none that we may read.
pub(crate) fn roles_of_tenants(transaction: &mut Transaction<'_>) -> Result<Vec<String>, postgres::Error> {
    if transaction.ask_opt(include_str!("sql/readable.sql"), &[])?.is_none() {
        return Ok(Vec::new());
    }
    Ok(transaction.ask(include_str!("sql/roles.sql"), &[])?.iter().map(|row| row.get("role")).collect())
}

/// The history's name that is remembered of the tenant.
///
/// # Errors
/// What PostgreSQL answered.
pub(crate) fn history_table(
    client: &mut impl GenericClient,
    tenant: &TenantKey,
) -> Result<Option<String>, postgres::Error> {
    let row = client.ask_opt(include_str!("sql/history_table.sql"), &[&tenant.as_str()])?;
    Ok(row.and_then(|row| row.get("history_table")))
}

/// Whether another tenant than this one has this owner role.
///
/// # Errors
/// What PostgreSQL answered.
pub(crate) fn has_another_with_owner(
    client: &mut impl GenericClient,
    owner: &str,
    tenant: &TenantKey,
) -> Result<bool, postgres::Error> {
    Ok(client.ask_one(include_str!("sql/another_with_owner.sql"), &[&owner, &tenant.as_str()])?.get("is_there"))
}

/// A restore that came to no end.
pub(crate) struct Unfinished {
    pub deputy: Option<String>,
    /// The schema was dropped, and there is another one of this name.
    pub is_another: bool,
}

/// The restore of the tenant under these names that came to no end, if there is one. `names`: of its schema, its username and
/// its owner.
///
/// # Errors
/// What PostgreSQL answered.
pub(crate) fn unfinished_restore(
    client: &mut impl GenericClient,
    tenant: &TenantKey,
    names: [&str; 3],
) -> Result<Option<Unfinished>, postgres::Error> {
    let [schema, username, owner] = names;
    let query = include_str!("sql/unfinished_restore.sql");
    let row = client.ask_opt(query, &[&tenant.as_str(), &schema, &username, &owner])?;
    Ok(row.map(|row| Unfinished { deputy: row.get("deputy"), is_another: row.get("is_another") }))
}

/// Nothing is left of it.
///
/// # Errors
/// What PostgreSQL answered.
pub(crate) fn forget_restore(transaction: &mut Transaction<'_>, tenant: &TenantKey) -> Result<(), postgres::Error> {
    transaction.execute(include_str!("sql/forget_restore.sql"), &[&tenant.as_str()]).map(drop)
}
