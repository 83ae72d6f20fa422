//! A schema whose drop would not fit PostgreSQL's lock table: its tables go a few at a time, each time in a transaction.
//!
//! From the first of these transactions on there is no way back, so it holds the archive too, and the registry's row says
//! "removing": a run that is cut off is gone on with by the next.

use postgres::Client;

use super::archive;
use super::outcome::TenantError;
use super::tenant::{ATTEMPTS, Job, Progress, back_off, database_error};
use crate::archive::Deputy;
use crate::database::DatabaseError;
use crate::model::{State, qualified};
use crate::plan::Step;
use crate::registry;

/// Archives what the plan archives, and drops all but a few of the tables; the rest is for the last transaction.
pub(super) fn run(
    job: &Job<'_>,
    client: &mut Client,
    deputy: Option<&Deputy>,
    progress: &mut Progress,
) -> Result<(), TenantError> {
    let step = job.plan.changes.iter().find_map(|change| match &change.step {
        Step::DropInPieces { schema, tables } => Some((schema, *tables)),
        _ => None,
    });
    let Some((schema, tables)) = step else { return Ok(()) };
    begin(job, client, deputy, progress)?;
    let mut attempt = 0;
    loop {
        job.is_as_planned(client)?;
        match one(job, client, schema, tables) {
            Ok(true) => attempt = 0,
            Ok(false) => return Ok(()),
            Err(error) if DatabaseError::is_retryable(&error) && attempt < ATTEMPTS => {
                back_off(attempt);
                attempt += 1;
            }
            Err(error) => {
                let mut failure = database_error(&format!("dropping tables of schema {schema}"), &error);
                failure
                    .hint
                    .get_or_insert_with(|| "its archive is complete; apply again goes on with the removal".into());
                return Err(failure);
            }
        }
    }
}

fn begin(
    job: &Job<'_>,
    client: &mut Client,
    deputy: Option<&Deputy>,
    progress: &mut Progress,
) -> Result<(), TenantError> {
    let failed = |error: postgres::Error| database_error("before the first tables are dropped", &error.into());
    let (take, give) = job.borrowed();
    let mut transaction = client.transaction().map_err(failed)?;
    transaction.batch_execute(&job.lock_timeout).map_err(failed)?;
    transaction.batch_execute(&take).map_err(failed)?;
    if let (Some((subject, _)), Some(deputy)) = (archive::wanted(job), deputy) {
        let archived = archive::make(job, &mut transaction, subject, deputy)?;
        archive::holds_everything(job, &archived, false)?;
        progress.archived = Some(archived);
    }
    transaction.batch_execute(&give).map_err(failed)?;
    job.is_as_planned(&mut transaction)?;
    job.register_gone(&mut transaction, State::Removing).map_err(failed)?;
    let changes = serde_json::json!([{ "kind": "drop_schema", "what": "begun, in pieces" }]);
    registry::append_audit(&mut transaction, job.plan.tenant.as_str(), "remove", &changes).map_err(failed)?;
    // Before it is known whether the COMMIT succeeds: a tenant that is let in again must not be half way to its end.
    progress.begun = true;
    transaction.commit().map_err(failed)
}

/// False when few enough are left to go with the schema.
fn one(job: &Job<'_>, client: &mut Client, schema: &str, tables: i64) -> Result<bool, DatabaseError> {
    let (take, give) = job.borrowed();
    let mut transaction = client.transaction()?;
    transaction.batch_execute(&job.lock_timeout)?;
    let found = transaction.query(
        "SELECT c.relname::text FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = $1::text::name AND c.relkind IN ('r', 'p') ORDER BY c.oid DESC LIMIT $2",
        &[&schema, &tables],
    )?;
    if i64::try_from(found.len()).unwrap_or(i64::MAX) < tables {
        return Ok(false);
    }
    let names: Vec<_> = found.iter().map(|row| qualified(schema, row.get(0))).collect();
    transaction.batch_execute(&take)?;
    transaction.batch_execute(&format!("DROP TABLE IF EXISTS {} CASCADE", names.join(", ")))?;
    transaction.batch_execute(&give)?;
    transaction.commit()?;
    Ok(true)
}
