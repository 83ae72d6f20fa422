//! A look at what tenants may hold locked, apart from everything else.

use postgres::{Client, Transaction};

use crate::core::model::Desired;
use crate::engine::database::{HARDLY_WAIT, giving_way};
use crate::engine::error::{Doing, Error};

/// A short transaction of its own, that changes nothing, waits for no tenant for long, and holds nothing while it waits.
pub(crate) fn apart<T>(
    client: &mut Client,
    desired: &Desired,
    doing: &str,
    mut look: impl FnMut(&mut Transaction<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    let is_in_the_way = |found: &Result<T, Error>| matches!(found, Err(Error::Database { source, .. }) if source.sqlstate() == Some("55P03"));
    giving_way(desired.lock_timeout, is_in_the_way, || {
        let mut transaction = client.build_transaction().read_only(true).start().doing(doing)?;
        transaction.batch_execute(HARDLY_WAIT).doing(doing)?;
        let found = look(&mut transaction)?;
        transaction.commit().doing(doing)?;
        Ok(found)
    })
}
