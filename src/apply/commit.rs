//! A COMMIT whose answer was not what was hoped for.

use postgres::Transaction;

use super::secret;
use super::tenant::{Ended, Job, Retry, database_error};
use crate::database::DatabaseError;

impl Job<'_> {
    /// COMMIT failed, or its answer was lost: find out which, and put the secret back when nothing was committed.
    pub fn came_to_nothing(
        &self,
        error: DatabaseError,
        written: Option<secret::Written>,
        xid: Option<String>,
    ) -> Ended {
        // Once a secret was written its version is another than the plan expects: not again.
        let retry = if error.is_retryable() && written.is_none() { Retry::Yes } else { Retry::No };
        let mut failure = database_error("COMMIT", &error);
        // Whatever the answer says: a pooler may make up its own when the server is gone.
        if let Some(xid) = xid {
            match self.status(&xid).as_deref() {
                // It was the answer that was lost, not the transaction.
                Some("committed") => {
                    failure.hint =
                        Some("the transaction was committed; apply again finishes what comes after it".into());
                    return Ended::Unknown(failure);
                }
                Some("aborted") => {}
                _ => {
                    failure.hint =
                        Some("whether it was committed is not known; apply again finds out and converges".into());
                    return Ended::Unknown(failure);
                }
            }
        }
        if let Some(Err(also)) = written.map(|written| written.take_back(self.apply)) {
            failure.message = format!("{}; {}", failure.message, also.message);
            failure.hint =
                Some("the secret holds a password that PostgreSQL does not; apply again converges them".into());
        }
        Ended::Failed(failure, retry)
    }

    fn status(&self, xid: &str) -> Option<String> {
        let mut client = self.apply.target.connect_admin().ok()?;
        let row = client.query_one("SELECT pg_catalog.pg_xact_status($1::text::xid8)", &[&xid]).ok()?;
        row.get(0)
    }
}

/// To ask after a COMMIT whose answer was lost (manual, `pg_xact_status`).
pub(super) fn transaction_id(transaction: &mut Transaction<'_>) -> Result<String, postgres::Error> {
    Ok(transaction.query_one("SELECT pg_catalog.pg_current_xact_id()::text", &[])?.get(0))
}
