//! A look at what tenants may hold locked, apart from everything else.

use postgres::{Client, Transaction};

use crate::core::model::Desired;
use crate::engine::database::{HARDLY_WAIT, giving_way};
use crate::engine::error::{Context, Error};

/// SQLSTATE `lock_not_available`.
pub(super) const LOCK_NOT_AVAILABLE: &str = "55P03";

/// A short transaction of its own, that changes nothing, waits for no tenant for long, and holds nothing while it waits.
pub(crate) fn apart<T>(
    client: &mut Client,
    desired: &Desired,
    doing: &str,
    mut look: impl FnMut(&mut Transaction<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    let is_locked = |found: &Result<T, Error>| found.as_ref().is_err_and(is_in_the_way);
    giving_way(desired.lock_timeout, is_locked, || once(client, doing, &mut look))
}

/// As [`apart`], with rights that the statements in `take` give us, and that go with the transaction, which is rolled back.
pub(crate) fn apart_with_rights<T>(
    client: &mut Client,
    desired: &Desired,
    doing: &str,
    take: &[String],
    mut look: impl FnMut(&mut Transaction<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    let is_locked = |found: &Result<T, Error>| found.as_ref().is_err_and(is_in_the_way);
    giving_way(desired.lock_timeout, is_locked, || {
        let mut transaction = client.transaction().doing(doing)?;
        transaction.batch_execute(HARDLY_WAIT).doing(doing)?;
        for sql in take {
            transaction.batch_execute(sql).doing(format!("{doing}: {sql}"))?;
        }
        let found = look(&mut transaction)?;
        transaction.rollback().doing(doing)?;
        Ok(found)
    })
}

/// As [`apart`], with one attempt.
pub(super) fn once<T>(
    client: &mut Client,
    doing: &str,
    look: impl FnOnce(&mut Transaction<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    let mut transaction = client.build_transaction().read_only(true).start().doing(doing)?;
    transaction.batch_execute(HARDLY_WAIT).doing(doing)?;
    let found = look(&mut transaction)?;
    transaction.commit().doing(doing)?;
    Ok(found)
}

/// Somebody else has a lock that this waited for.
pub(super) fn is_in_the_way(error: &Error) -> bool {
    matches!(error, Error::Database { source, .. } if source.sqlstate() == Some(LOCK_NOT_AVAILABLE))
}
