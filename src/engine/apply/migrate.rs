//! A tenant's migrations: refinery's Runner decides and records, a SECURITY DEFINER function of the owner's runs them.
//!
//! A tenant that may CREATE in its schema can plant code on a migration's path. Inside such a function `RESET ROLE` and
//! `SET SESSION AUTHORIZATION` are refused, so planted code stays what the owner role is.

use postgres::Transaction;
use refinery_core::traits::sync::{Migrate, Query, Transaction as RefineryTransaction};
use refinery_core::{Migration, Runner, Target};

use super::body::Body;
use super::call::{Call, Mode};
use super::confine;
use super::failure::database_error;
use super::job::Job;
use crate::core::migrations::{MigrationFile, MigrationSet};
use crate::core::model::{Applied, History, ident, literal, qualified};
use crate::core::report::TenantError;
use crate::engine::inspect;
use crate::engine::registry;

/// Stands in for a connection: keeps what the Runner would execute, so that it all goes into one function call.
struct Recorder {
    applied: Vec<Migration>,
    batch: Vec<String>,
}

impl RefineryTransaction for Recorder {
    type Error = std::convert::Infallible;

    fn execute<'a, T: Iterator<Item = &'a str>>(&mut self, queries: T) -> Result<usize, Self::Error> {
        self.batch.extend(queries.map(str::to_owned));
        Ok(self.batch.len())
    }
}

impl Query<Vec<Migration>> for Recorder {
    fn query(&mut self, _: &str) -> Result<Vec<Migration>, Self::Error> {
        Ok(self.applied.clone())
    }
}

impl Migrate for Recorder {}

/// Runs, or records, these versions in the open transaction.
pub(super) fn run(job: &Job<'_>, transaction: &mut Transaction<'_>, batch: &Call<'_>) -> Result<(), TenantError> {
    let all = &job.apply.desired.migrations;
    let at_once =
        (batch.mode == Mode::RunAtOnce).then(|| all.in_one_transaction(&batch.versions.iter().copied().collect()));
    let set = at_once.as_ref().unwrap_or(all);
    let table = qualified(batch.schema, &set.table);
    let applied = applied(job, transaction, batch, set)?;
    let is_new = applied.is_none();
    let applied = applied.unwrap_or_default();
    let queries = match set.format.has_long_versions() {
        true => super::long_versions::queries(set, &table, &applied, batch)?,
        false => by_refinery(set, &table, &applied, batch)?,
    };
    let body = Body::new(job, batch, set, &queries, is_new)?;
    call(job, transaction, batch, &body)
}

/// What refinery's Runner would execute.
fn by_refinery(
    set: &MigrationSet,
    table: &str,
    applied: &[Applied],
    batch: &Call<'_>,
) -> Result<Vec<String>, TenantError> {
    // No file has a version that does not fit.
    let narrow = |version| i32::try_from(version).unwrap_or(i32::MAX);
    let applied = applied.iter().map(|row| {
        let checksum = row.checksum.parse().unwrap_or_default();
        Migration::applied(narrow(row.version), row.name.clone(), registry::time_of_no_consequence(), checksum)
    });
    let mut recorder = Recorder { applied: applied.collect(), batch: Vec::new() };
    let last = narrow(batch.versions.last().copied().unwrap_or_default());
    let target = if batch.mode == Mode::Record { Target::FakeVersion(last) } else { Target::Version(last) };
    let migrations: Vec<Migration> = set.iter().filter_map(MigrationFile::to_refinery).collect();
    Runner::new(&migrations)
        .set_grouped(true)
        .set_target(target)
        .set_migration_table_name(table)
        .run(&mut recorder)
        .map_err(|error| TenantError::new(format!("refinery refuses: {error}")))?;
    Ok(recorder.batch)
}

/// What the history says now, if it is there; looked at again inside the transaction, under the lock.
fn applied(
    job: &Job<'_>,
    transaction: &mut Transaction<'_>,
    batch: &Call<'_>,
    set: &MigrationSet,
) -> Result<Option<Vec<Applied>>, TenantError> {
    let history = inspect::history_of(transaction, &set.table, batch.schema, batch.owner)
        .map_err(|error| job.error("reading the migration history", &error))?;
    match history {
        History::Absent => Ok(None),
        History::Unseen { .. } => Err(TenantError::new(format!("no permission to read {}", set.table))),
        History::Untrusted(why) => Err(TenantError::new(format!("{} cannot be trusted: {why}", set.table))),
        History::Locked(by) => Err(TenantError::new(format!("{} is locked by {}", set.table, by.who))),
        History::Read { applied, .. } => Ok(Some(applied.to_vec())),
    }
}

fn call(job: &Job<'_>, transaction: &mut Transaction<'_>, batch: &Call<'_>, body: &Body) -> Result<(), TenantError> {
    let tag = &body.tag;
    let name = format!("tenantry_{tag}");
    let function = qualified(batch.schema, &name);
    let create = format!(
        // As psql would: what a session of the administrator's does not check, a migration must not leave unchecked.
        "SET LOCAL ROLE {}; SET LOCAL check_function_bodies = on;\n\
         CREATE FUNCTION {function}() RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = {} AS ${tag}${}${tag}$",
        ident(batch.owner),
        job.apply.desired.search_path(batch.schema),
        body.text
    );
    transaction.batch_execute(&create).map_err(|error| database_error("preparing the migrations", &error.into()))?;
    // Never called twice: the code inside can ALTER it.
    transaction.batch_execute(&format!("SELECT {function}()")).map_err(|error| body.located(&error.into()))?;
    confine::back_to_ours(transaction, &job.resumption)?;
    transaction
        .batch_execute(&drop_wherever_it_is(&name))
        .map_err(|error| database_error("dropping the function that ran the migrations", &error.into()))?;
    Ok(())
}

/// Not by the schema's name: who owns the schema may have given it another since, and the function would stay.
fn drop_wherever_it_is(function: &str) -> String {
    format!(
        "DO $$DECLARE schema name; BEGIN \
           FOR schema IN SELECT n.nspname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace \
             WHERE p.proname = {} AND p.pronargs = 0 \
           LOOP EXECUTE format('DROP FUNCTION %I.%I()', schema, {}); END LOOP; END$$",
        literal(function),
        literal(function)
    )
}
