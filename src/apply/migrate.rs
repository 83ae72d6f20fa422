//! A tenant's migrations: refinery's Runner decides and records, a SECURITY DEFINER function of the owner's runs them.
//!
//! A tenant that may CREATE in its schema can plant code on a migration's path. Inside such a function `RESET ROLE` and
//! `SET SESSION AUTHORIZATION` are refused, so planted code stays what the owner role is.

use postgres::Transaction;
use rand::RngExt;
use refinery_core::traits::sync::{Migrate, Query, Transaction as RefineryTransaction};
use refinery_core::{Migration, Runner, Target};

use super::fence;
use super::outcome::TenantError;
use super::tenant::{Job, database_error};
use crate::database::{DatabaseError, Position, ServerError};
use crate::inspect;
use crate::migrations::{MigrationFile, MigrationSet};
use crate::model::{History, ident, literal, qualified};
use crate::registry;

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

/// Whether the files' own statements run, or only their rows are written (they ran already, outside a transaction).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Run,
    Record,
}

/// What one call is about.
pub(super) struct Batch<'a> {
    pub schema: &'a str,
    pub owner: &'a str,
    pub versions: &'a [i32],
    pub history_sql: &'a [String],
    pub mode: Mode,
}

/// Runs, or records, these versions in the open transaction.
pub(super) fn run(job: &Job<'_>, transaction: &mut Transaction<'_>, batch: &Batch<'_>) -> Result<(), TenantError> {
    let set = &job.apply.desired.migrations;
    let table = qualified(batch.schema, &set.table);
    let applied = applied(job, transaction, batch, set)?;
    let is_new = applied.is_none();
    let mut recorder = Recorder { applied: applied.unwrap_or_default(), batch: Vec::new() };
    let last = batch.versions.last().copied().unwrap_or_default();
    let target = if batch.mode == Mode::Run { Target::Version(last) } else { Target::FakeVersion(last) };
    let migrations: Vec<Migration> = set.iter().map(MigrationFile::to_refinery).collect();
    Runner::new(&migrations)
        .set_grouped(true)
        .set_target(target)
        .set_migration_table_name(&table)
        .run(&mut recorder)
        .map_err(|error| TenantError::new(format!("refinery refuses: {error}")))?;
    let body = Body::new(job, batch, set, &recorder.batch, is_new)?;
    call(job, transaction, batch, &body)
}

/// What the history says now, if it is there; looked at again inside the transaction, under the lock.
fn applied(
    job: &Job<'_>,
    transaction: &mut Transaction<'_>,
    batch: &Batch<'_>,
    set: &MigrationSet,
) -> Result<Option<Vec<Migration>>, TenantError> {
    let history = inspect::history_of(transaction, &set.table, batch.schema, batch.owner)
        .map_err(|error| job.error("reading the migration history", &error))?;
    match history {
        History::Absent => Ok(None),
        History::Unseen { .. } => Err(TenantError::new(format!("we may not read {}", set.table))),
        History::Untrusted(why) => Err(TenantError::new(format!("{} cannot be trusted: {why}", set.table))),
        History::Read { applied, .. } => Ok(Some(
            applied
                .into_iter()
                .map(|row| {
                    let version = i32::try_from(row.version).unwrap_or(i32::MAX);
                    let checksum = row.checksum.parse().unwrap_or_default();
                    Migration::applied(version, row.name, registry::time_of_no_consequence(), checksum)
                })
                .collect(),
        )),
    }
}

/// The function's text, and which file and line each line of it comes from.
struct Body {
    text: String,
    /// (line of the body, file, line of the file).
    origin: Vec<(usize, String, usize)>,
    /// Ends every dollar quote; unguessable, so that no migration can hold it.
    tag: String,
}

impl Body {
    fn new(
        job: &Job<'_>,
        batch: &Batch<'_>,
        set: &MigrationSet,
        queries: &[String],
        is_new: bool,
    ) -> Result<Self, TenantError> {
        let mut body = Self {
            text: "\nBEGIN\n".to_owned(),
            origin: Vec::new(),
            tag: format!("t{:032x}", rand::rng().random::<u128>()),
        };
        let mut queries = queries.iter();
        // The Runner's first query makes the history table; where there is one it was looked at and stays.
        if let Some(create) = queries.next().filter(|_| is_new) {
            body.execute(create);
            batch.history_sql.iter().for_each(|sql| body.execute(sql));
        }
        let path = search_path(job, batch.schema);
        for version in batch.versions {
            let stale = || TenantError::new("the migration history changed since the plan was made").hint("plan again");
            let file = set.get(*version).ok_or_else(stale)?;
            if batch.mode == Mode::Run {
                if queries.next().map(String::as_str) != Some(&file.sql) {
                    return Err(stale());
                }
                // A file that set search_path for itself, as pg_dump's output does, sets it for no other.
                body.execute(&format!("SET LOCAL search_path = {path}"));
                for statement in &file.statements {
                    let line = 1 + body.text.matches('\n').count();
                    body.origin.push((line, file.file.clone(), statement.line));
                    body.execute(&statement.sql);
                }
            }
            body.execute(queries.next().ok_or_else(stale)?);
        }
        if queries.next().is_some() {
            return Err(TenantError::new("the migration history changed since the plan was made").hint("plan again"));
        }
        body.text.push_str("SET CONSTRAINTS ALL IMMEDIATE;\nEND\n");
        Ok(body)
    }

    fn execute(&mut self, sql: &str) {
        let tag = &self.tag;
        self.text.push_str(&format!("EXECUTE $s{tag}${sql}$s{tag}$;\n"));
    }
}

/// pg_temp last: otherwise it is looked into first, for tables.
pub(super) fn search_path(job: &Job<'_>, schema: &str) -> String {
    let shared = job.apply.desired.shared_schemas.iter().map(|schema| ident(schema));
    std::iter::once(ident(schema)).chain(shared).chain(["pg_temp".to_owned()]).collect::<Vec<_>>().join(", ")
}

fn call(job: &Job<'_>, transaction: &mut Transaction<'_>, batch: &Batch<'_>, body: &Body) -> Result<(), TenantError> {
    let tag = &body.tag;
    let name = format!("tenantry_{tag}");
    let function = qualified(batch.schema, &name);
    let create = format!(
        "SET LOCAL ROLE {}; SET LOCAL check_function_bodies = off;\n\
         CREATE FUNCTION {function}() RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = {} AS ${tag}${}${tag}$",
        ident(batch.owner),
        search_path(job, batch.schema),
        body.text
    );
    transaction.batch_execute(&create).map_err(|error| database_error("preparing the migrations", &error.into()))?;
    // Never called twice: the code inside can ALTER it.
    transaction.batch_execute(&format!("SELECT {function}()")).map_err(|error| located(&error.into(), body))?;
    fence::back_to_ours(transaction, &job.resumption)
        .map_err(|error| database_error("taking the session back", &error))?;
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

/// The error with the file and the line it comes from.
fn located(error: &DatabaseError, body: &Body) -> TenantError {
    let mut failure = database_error("", error);
    let Some(server) = error.server() else { return failure };
    if let Some((file, line)) = place(server, body) {
        failure.message = format!("{file}:{line}: {}", failure.message);
    }
    failure
}

fn place(error: &ServerError, body: &Body) -> Option<(String, usize)> {
    // "PL/pgSQL function schema.tenantry_t…() line 7 at EXECUTE"; ours is the outermost of several.
    let context = error.where_.as_deref()?;
    let at = context.rfind(&format!("tenantry_{}", body.tag))?;
    let line: usize = context[at..].split("line ").nth(1)?.split_whitespace().next()?.parse().ok()?;
    let (_, file, first) = body.origin.iter().rfind(|(start, _, _)| *start <= line)?;
    let inside = match &error.position {
        Some(position @ Position::Internal { query, .. }) => position.line_and_column(query).0 - 1,
        _ => 0,
    };
    Some((file.clone(), first + inside))
}
