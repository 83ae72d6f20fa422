//! A tenant whose drop would not fit PostgreSQL's lock table: its large objects, its tables and then the rest go a few at a
//! time, each time in a transaction.
//!
//! From the first of these transactions on there is no way back, so it holds the archive too, and the registry's row says
//! "removing": a run that is cut off is resumed by the next.

use std::collections::BTreeSet;

use postgres::{Client, Transaction};

use super::archive;
use super::failure::{database_error, is_worth_another_try};
use super::job::Job;
use super::progress::Progress;
use crate::core::model::State;
use crate::core::plan::Batch;
use crate::core::report::TenantError;
use crate::engine::archive::relations;
use crate::engine::database::Ask;
use crate::engine::inspect;
use crate::engine::registry;
use crate::engine::retry::retry;

/// Archives what the plan archives, and drops all but a few of the tables; the rest is for the last transaction.
pub(super) fn run(job: &Job<'_>, client: &mut Client, progress: &mut Progress) -> Result<(), TenantError> {
    let batches = &job.plan.phases.batches;
    if batches.is_empty() {
        return Ok(());
    }
    begin(job, client, progress)?;
    batches.iter().try_for_each(|batch| in_turn(job, client, batch, progress))
}

fn in_turn(job: &Job<'_>, client: &mut Client, batch: &Batch, progress: &Progress) -> Result<(), TenantError> {
    let underway = job.apply.underway;
    let mut attempt = || {
        job.is_as_planned(client)?;
        one(job, client, batch, progress)
    };
    let again = |error: &TenantError| is_worth_another_try(error) && !underway.is_cancelled();
    loop {
        underway.doing(job.plan.tenant.as_str(), &batch.what())?;
        match retry(&mut attempt, again) {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(error) => {
                let hint = error.hint.or_else(|| Some("the next apply resumes the removal".into()));
                return Err(TenantError { hint, ..error });
            }
        }
    }
}

fn begin(job: &Job<'_>, client: &mut Client, progress: &mut Progress) -> Result<(), TenantError> {
    let failed = |error: postgres::Error| database_error("before the first tables are dropped", &error.into());
    let (take, give) = job.borrowed();
    let mut transaction = job.begin(client).map_err(failed)?;
    job.is_still_to_go(&mut transaction, progress).map_err(failed)?;
    transaction.batch_execute(&take).map_err(failed)?;
    if let (Some(archive), Some(deputy)) = (&job.plan.phases.archive, &progress.deputy) {
        let archived = archive::make(job, &mut transaction, &archive.subject, deputy)?;
        archive::holds_everything(job, &archived, false)?;
        progress.archived = Some(archived);
    }
    transaction.batch_execute(&give).map_err(failed)?;
    job.is_as_planned(&mut transaction)?;
    registry::set_state(&mut transaction, &job.plan.tenant, State::Removing).map_err(failed)?;
    let changes = serde_json::json!([{ "kind": "drop_schema", "what": "started, in batches" }]);
    registry::append_audit(&mut transaction, job.plan.tenant.as_str(), "remove", &changes).map_err(failed)?;
    // Before it is known whether the COMMIT succeeds: a tenant that is let in again must not be half way to its end.
    progress.begun = true;
    transaction.commit().map_err(failed)?;
    fail_point!("after_batches_are_begun");
    Ok(())
}

/// False when few enough are left to go with the tenant.
fn one(job: &Job<'_>, client: &mut Client, batch: &Batch, progress: &Progress) -> Result<bool, TenantError> {
    let doing = format!("dropping {} in batches", batch.what());
    let failed = |error: postgres::Error| database_error(&doing, &error.into());
    let (take, give) = job.borrowed();
    let mut transaction = job.begin(client).map_err(failed)?;
    transaction.batch_execute(&take).map_err(failed)?;
    let more = match batch {
        Batch::LargeObjects(drop) => unlink(&mut transaction, &drop.roles, drop.at_once).map_err(failed)?,
        Batch::Tables { schema, at_once } => {
            // What is in no archive is left for the last transaction, which looks for such and refuses.
            let only = progress.archived.as_ref().map(|archived| archived.locked.tables());
            let some = some_tables(&mut transaction, schema, *at_once, only).map_err(failed)?;
            nothing_hangs_on(job, &mut transaction, schema, &some, &doing)?;
            if some.is_empty() {
                drop_others(&mut transaction, schema, job.apply.server.locks_of_a_batch()).map_err(failed)?
            } else {
                drop_tables(&mut transaction, &some).map_err(failed)?;
                true
            }
        }
    };
    transaction.batch_execute(&give).map_err(failed)?;
    transaction.commit().map_err(failed)?;
    fail_point!("between_batches");
    Ok(more)
}

/// CASCADE takes whatever depends on a table, and the plan was made before. While the tables are locked nobody makes a view,
/// or a foreign key, of theirs.
fn nothing_hangs_on(
    job: &Job<'_>,
    transaction: &mut Transaction<'_>,
    schema: &str,
    tables: &[u32],
    doing: &str,
) -> Result<(), TenantError> {
    let failed = |error: postgres::Error| database_error(doing, &error.into());
    relations::at_once(transaction, tables, "LOCK TABLE % IN ACCESS EXCLUSIVE MODE", "ONLY ").map_err(failed)?;
    let outside = inspect::dependents_of(transaction, schema).map_err(|error| job.error(doing, &error))?;
    let Some(first) = outside.first() else { return Ok(()) };
    let message = format!("{doing}: {} outside schema {schema:?} would be dropped with it", first.what);
    Err(TenantError::new(message)
        .hint("drop or change what depends on the schema first; the next apply resumes the removal"))
}

/// Unlinks as many large objects of these roles. Whether there may be more.
pub(super) fn unlink(
    transaction: &mut Transaction<'_>,
    roles: &[String],
    at_once: i64,
) -> Result<bool, postgres::Error> {
    // By the index that pg_shdepend has: the objects' own catalog has none by owner.
    let unlinked: i64 = transaction
        .ask_one(
            "SELECT count(pg_catalog.lo_unlink(o.objid)) FROM (SELECT d.objid FROM pg_catalog.pg_shdepend d \
             WHERE d.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass \
             AND d.refobjid IN (SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname = ANY ($1::text[]::name[])) \
             AND d.classid = 'pg_catalog.pg_largeobject'::pg_catalog.regclass AND d.deptype = 'o' \
             AND d.dbid = (SELECT b.oid FROM pg_catalog.pg_database b WHERE b.datname = pg_catalog.current_database()) LIMIT $2) o",
            &[&roles, &at_once],
        )?
        .get(0);
    Ok(unlinked == at_once)
}

/// As many tables of the schema, and with `only` no others; none when there are fewer.
pub(super) fn some_tables(
    transaction: &mut Transaction<'_>,
    schema: &str,
    at_once: i64,
    only: Option<&BTreeSet<u32>>,
) -> Result<Vec<u32>, postgres::Error> {
    let only = only.map(|oids| oids.iter().copied().collect::<Vec<u32>>());
    let found = transaction.ask(
        "SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = $1::text::name AND c.relkind IN ('r', 'p') AND ($3::oid[] IS NULL OR c.oid = ANY ($3)) \
         ORDER BY c.oid DESC LIMIT $2",
        &[&schema, &at_once, &only],
    )?;
    if i64::try_from(found.len()).unwrap_or(i64::MAX) < at_once {
        return Ok(Vec::new());
    }
    Ok(found.iter().map(|row| row.get(0)).collect())
}

/// Functions, types, views, operators: a tenant can have more of those than tables. As many as take about so many locks; false when
/// so few are left that they go with the schema.
pub(super) fn drop_others(
    transaction: &mut Transaction<'_>,
    schema: &str,
    locks: i64,
) -> Result<bool, postgres::Error> {
    // A view takes the most, by the estimate of Schema::locks.
    const LOCKS_OF_EACH: i64 = 5;
    let at_once = (locks / LOCKS_OF_EACH).max(1);
    let encoding: String = transaction.ask_one(&format!("SELECT ({})::text", relations::ENCODING), &[])?.get(0);
    let found = transaction.ask(include_str!("some_others.sql"), &[&schema, &at_once, &encoding])?;
    if i64::try_from(found.len()).unwrap_or(i64::MAX) < at_once {
        return Ok(false);
    }
    // One whose name cannot be sent is left for the end.
    let sql: Vec<String> = found.iter().filter_map(|row| String::from_utf8(row.get("sql")).ok()).collect();
    transaction.batch_execute(&sql.join("; "))?;
    Ok(!sql.is_empty())
}

pub(super) fn drop_tables(transaction: &mut Transaction<'_>, tables: &[u32]) -> Result<(), postgres::Error> {
    relations::at_once(transaction, tables, "DROP TABLE IF EXISTS % CASCADE", "")
}
