//! What tenants share: serially, each statement retried when somebody else changed the same row.

use postgres::Client;

use super::Apply;
use super::tenant::{ATTEMPTS, back_off};
use crate::database::DatabaseError;
use crate::error::{Doing, Error};
use crate::plan::{DatabaseAction, DatabaseChange, Plan, Stage};
use crate::registry;

pub(super) fn run(client: &mut Client, apply: &Apply<'_>, plan: &Plan, stage: Stage) -> Result<(), Error> {
    for change in plan.database_changes.iter().filter(|change| change.stage == stage) {
        apply.underway.begins("what tenants share", &change.detail);
        apply.underway.session("what tenants share", client, apply.target);
        let mut attempt = 0;
        loop {
            match one(client, apply, change) {
                Err(Error::Database { source, .. }) if source.is_retryable() && attempt < ATTEMPTS => back_off(attempt),
                other => break other?,
            }
            attempt += 1;
        }
    }
    apply.underway.ends("what tenants share");
    if stage == Stage::Before {
        // Committed before the tenants that leave them are: a run that is cut off in between leaves no role for good.
        let late = plan.database_changes.iter().filter_map(|change| change.drops.as_deref());
        registry::leave_owners(client, &late.collect::<Vec<_>>())?;
    }
    Ok(())
}

fn one(client: &mut Client, apply: &Apply<'_>, change: &DatabaseChange) -> Result<(), Error> {
    let mut transaction = client.transaction().doing("starting a transaction")?;
    transaction.batch_execute(&apply.desired.limits_waits()).doing("setting lock_timeout")?;
    match change.action {
        DatabaseAction::CreateRegistry | DatabaseAction::UpgradeRegistry => registry::migrate(&mut transaction)?,
        _ => {
            for sql in &change.sql {
                transaction.batch_execute(sql.shown()).map_err(|error| Error::Database {
                    doing: format!("{}: {}", change.detail, sql.shown()),
                    source: DatabaseError::from(error),
                })?;
            }
        }
    }
    let detail = serde_json::json!([{ "kind": change.action, "what": change.detail }]);
    // The registry's own making comes first, so there is always somewhere to write.
    registry::append_audit(&mut transaction, "", "database", &detail).doing("writing the audit log")?;
    fail_point!("before_shared_commit");
    transaction.commit().doing(change.detail.clone())?;
    fail_point!("after_shared_commit");
    Ok(())
}
