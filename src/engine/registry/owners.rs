//! Owner roles that are about to be nobody's.

use postgres::Client;

use super::guard;
use crate::engine::error::{Doing, Error};

/// Remembers roles that are about to lose their last tenants, until they are dropped.
///
/// # Errors
/// What PostgreSQL answered.
pub fn leave_owners(client: &mut Client, roles: &[&str]) -> Result<(), Error> {
    if roles.is_empty() {
        return Ok(());
    }
    let insert = "INSERT INTO tenantry.former_owners (role) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING";
    let doing = "recording the owner roles to drop";
    let mut transaction = client.transaction().doing(doing)?;
    transaction.batch_execute(&guard::check()).doing(doing)?;
    transaction.execute(insert, &[&roles]).doing(doing)?;
    transaction.commit().doing(doing)
}
