//! A COMMIT whose answer was not what was hoped for.

use postgres::{Client, SimpleQueryMessage, Transaction};

use super::failure::{Ended, Retry, database_error};
use super::job::Job;
use super::lock::Lock;
use super::secret;
use super::session::{connect, retry_briefly};
use crate::core::report::TenantError;
use crate::engine::database::{Ask, DatabaseError};
use crate::engine::registry;

impl Job<'_> {
    /// COMMIT failed, or its answer was lost: finds out which on a new connection, which takes the place of the old. When
    /// nothing was committed, the secret is put back.
    pub fn look_again(
        &self,
        client: &mut Client,
        Uncommitted { error, xid }: Uncommitted,
        written: Vec<secret::Written>,
    ) -> Result<(), Ended> {
        // Once a secret was written its version is another than the plan expects: not again.
        let retry = Retry::when(error.is_retryable() && written.is_empty());
        let mut failure = database_error("COMMIT", &error);
        // Whatever the answer says: a pooler may make up its own when the server is gone.
        if let Some(xid) = xid {
            match self.was_committed(&xid) {
                Some((session, committed)) => {
                    *client = session;
                    self.apply.underway.session(self.plan.tenant.as_str(), client, self.apply.target);
                    // It was the answer that was lost, not the transaction.
                    if committed {
                        return Ok(());
                    }
                }
                None => {
                    failure.hint =
                        Some("whether it was committed is unknown; the next apply finds out and converges".into());
                    return Err(Ended::Unknown(failure));
                }
            }
        }
        Err(Ended::Failed(self.take_back(written, failure), retry))
    }

    /// The secrets go back to what they said; what cannot be taken back is told with the failure.
    pub fn take_back(&self, written: Vec<secret::Written>, mut failure: TenantError) -> TenantError {
        for also in written.into_iter().filter_map(|written| written.take_back(self.apply).err()) {
            failure.message = format!("{}; {}", failure.message, also.message);
            failure.hint = Some(
                "the secret holds a password that PostgreSQL does not have; the next apply brings them back in sync"
                    .into(),
            );
        }
        failure
    }

    /// Asked on a new connection, which is returned. A server that has not noticed yet that the old one is gone, or that
    /// restarts, is given a while.
    fn was_committed(&self, xid: &str) -> Option<(Client, bool)> {
        retry_briefly(|| {
            let mut client = connect(self.apply).ok()?;
            let committed = self.ask(&mut client, xid).ok()??;
            Some((client, committed))
        })
    }

    /// `None`: it is still in progress. The audit log's row is what proves a COMMIT: after a crash another transaction may get
    /// the same number.
    fn ask(&self, client: &mut Client, xid: &str) -> Result<Option<bool>, DatabaseError> {
        let status = "SELECT pg_catalog.pg_xact_status($1::text::xid8)";
        match client.ask_one(status, &[&xid]).map_err(DatabaseError::from) {
            Ok(row) if row.get::<_, Option<&str>>(0) == Some("in progress") => return Ok(None),
            Ok(_) => {}
            // "is in the future": a crash took the number back, and nobody has got it since.
            Err(error) if error.sqlstate() == Some("22023") => return Ok(Some(false)),
            Err(error) => return Err(error),
        }
        // In a statement, and a snapshot, of its own.
        Ok(Some(registry::has_audited(client, &self.plan.tenant, xid)?))
    }
}

/// A transaction that was not, or perhaps not, committed.
pub(super) struct Uncommitted {
    error: DatabaseError,
    /// To ask by; `None`: it did not come to its COMMIT.
    xid: Option<String>,
}

/// The end of a tenant's transaction. `recorded`: whether the registry took what was written; when not, all is rolled back
/// before a secret goes back to what it was.
///
/// # Errors
/// What stood in the way, for [`Job::look_again`].
pub(super) fn commit(
    mut transaction: Transaction<'_>,
    recorded: Result<(), postgres::Error>,
    lock: &Lock,
) -> Result<(), Uncommitted> {
    let xid = recorded.and_then(|()| transaction_id(&mut transaction, lock));
    fail_point!("before_commit");
    match xid {
        Ok(xid) => transaction.commit().map_err(|error| Uncommitted { error: error.into(), xid: Some(xid) }),
        Err(error) => Err(Uncommitted { error: error.into(), xid: None }),
    }
}

/// The last thing before COMMIT, in one round trip: whether the lock of apply is still held, and the number to ask by after a
/// COMMIT whose answer was lost (manual, `pg_xact_status`).
fn transaction_id(transaction: &mut Transaction<'_>, lock: &Lock) -> Result<String, postgres::Error> {
    let check = lock.check().map(|check| check + "; ").unwrap_or_default();
    let answers = transaction.simple_query(&format!("{check}SELECT pg_catalog.pg_current_xact_id()::text"))?;
    let xid = answers.iter().find_map(|answer| match answer {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    });
    Ok(xid.unwrap_or_default())
}
