//! A COMMIT whose answer was not what was hoped for.

use postgres::{Client, Transaction};

use super::outcome::TenantError;
use super::secret;
use super::tenant::{ATTEMPTS, Ended, Job, Retry, back_off, database_error};
use crate::database::DatabaseError;

impl Job<'_> {
    /// COMMIT failed, or its answer was lost: finds out which on a new connection, which takes the place of the old. When
    /// nothing was committed, the secret is put back.
    pub fn look_again(
        &self,
        client: &mut Client,
        error: DatabaseError,
        written: Vec<secret::Written>,
        xid: Option<String>,
    ) -> Result<(), Ended> {
        // Once a secret was written its version is another than the plan expects: not again.
        let retry = if error.is_retryable() && written.is_empty() { Retry::Yes } else { Retry::No };
        let mut failure = database_error("COMMIT", &error);
        // Whatever the answer says: a pooler may make up its own when the server is gone.
        if let Some(xid) = xid {
            match self.was_committed(&xid) {
                Some((session, committed)) => {
                    *client = session;
                    // It was the answer that was lost, not the transaction.
                    if committed {
                        return Ok(());
                    }
                }
                None => {
                    failure.hint =
                        Some("whether it was committed is not known; apply again finds out and converges".into());
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
            failure.hint =
                Some("the secret holds a password that PostgreSQL does not; apply again converges them".into());
        }
        failure
    }

    /// Asked on a new connection, which is returned. A server that has not noticed yet that the old one is gone is given
    /// a while. The audit log's row is what proves it: after a crash another transaction may get the same number.
    fn was_committed(&self, xid: &str) -> Option<(Client, bool)> {
        let mut client = self.apply.target.connect_admin().ok()?;
        let mut attempt = 0;
        let status = "SELECT pg_catalog.pg_xact_status($1::text::xid8)";
        while client.query_one(status, &[&xid]).ok()?.get::<_, Option<&str>>(0)? == "in progress" {
            if attempt == ATTEMPTS {
                return None;
            }
            back_off(attempt);
            attempt += 1;
        }
        // In a statement, and a snapshot, of its own.
        let audited = "SELECT FROM tenantry.audit_log WHERE tenant = $1 AND transaction_id = $2::text::xid8";
        let row = client.query_opt(audited, &[&self.plan.tenant.as_str(), &xid]).ok()?;
        Some((client, row.is_some()))
    }
}

/// To ask after a COMMIT whose answer was lost (manual, `pg_xact_status`).
pub(super) fn transaction_id(transaction: &mut Transaction<'_>) -> Result<String, postgres::Error> {
    Ok(transaction.query_one("SELECT pg_catalog.pg_current_xact_id()::text", &[])?.get(0))
}
