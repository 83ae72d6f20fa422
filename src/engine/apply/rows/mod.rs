//! A new tenant's tables, filled in its own transaction.
//!
//! Rows are another tenant's words. As they arrive they are read by nothing but the input functions of PostgreSQL's and extensions'
//! types, into a table without constraints; from there the owner's own INSERT takes them, inside the fence, where whatever
//! meets them (a CHECK, an index expression, a generated column, a domain) is no more than the owner role.

mod archived;
mod fence;
mod live;
mod load;
mod tables;

use postgres::{Client, Transaction};

use self::fence::{Fence, Step};
use self::load::Load;
use super::confine;
use super::failure::database_error;
use super::job::Job;
use super::session::connect;
use crate::core::model::{ident, qualified};
use crate::core::plan::action::{CopyRows, RowsOf};
use crate::core::report::TenantError;
use crate::engine::database::Ask;
use crate::engine::inspect::shape::{Subject, digests};

/// What was put aside, as the statements that bring it back.
#[derive(Default)]
struct Aside {
    keys: Vec<String>,
    others: Vec<String>,
}

/// # Errors
/// What stood in the way; the transaction is to be rolled back.
pub(super) fn copy(job: &Job<'_>, transaction: &mut Transaction<'_>, copy: &CopyRows) -> Result<(), TenantError> {
    let fence = Fence { job, schema: &copy.schema, owner: &copy.owner };
    let mut other = connect(job.apply)?;
    is_new(&mut other, &copy.schema)?;
    let before = structure(job, transaction, copy)?;
    let failed = |error: postgres::Error| database_error("preparing the tables", &error.into());
    let tables = tables::read(transaction, &copy.schema, table(job)).map_err(failed)?;
    let sequences = tables::sequences(transaction, &copy.schema).map_err(failed)?;
    let aside = put_aside(job, transaction, copy)?;
    let roots = tables.iter().filter(|(name, table)| **name == table.root);
    let roots: Vec<String> = roots.map(|(name, _)| qualified(&copy.schema, name)).collect();
    if !roots.is_empty() {
        let truncate = Step::Execute(format!("TRUNCATE {}", roots.join(", ")));
        fence.run(transaction, &[truncate], "emptying the tables")?;
    }
    let mut load = Load::new(fence, tables, sequences.into_iter().map(|(_, name)| name).collect());
    match &copy.from {
        RowsOf::Tenant(from) => live::feed(&mut load, transaction, (from, &mut other))?,
        RowsOf::Archive(from) => archived::feed(&mut load, transaction, from)?,
    }
    fail_point!("after_rows_are_loaded");
    finish(&load, transaction, copy, &aside)?;
    confine::nothing_is_deferred(transaction)?;
    if structure(job, transaction, copy)? != before {
        return Err(TenantError::new(
            "the structure of the tables is not what it was before their rows were copied; nothing was changed",
        )
        .hint("please report this with the migrations"));
    }
    Ok(())
}

/// The tables are emptied first: whatever else is wrong, they are to be this transaction's own, which nobody else sees.
fn is_new(other: &mut Client, schema: &str) -> Result<(), TenantError> {
    let failed = |error: postgres::Error| database_error("asking another session for the schema", &error.into());
    let query = "SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = $1::text::name)";
    let exists: bool = other.ask_one(query, &[&schema]).map_err(failed)?.get(0);
    if exists {
        return Err(TenantError::new(format!(
            "schema {schema:?} exists already, with what is in it; nothing was changed"
        )));
    }
    Ok(())
}

fn table<'a>(job: &'a Job<'_>) -> &'a str {
    &job.apply.desired.migrations.table
}

/// As a digest.
fn structure(job: &Job<'_>, transaction: &mut Transaction<'_>, copy: &CopyRows) -> Result<Vec<u8>, TenantError> {
    let (schema, username, owner) = (copy.schema.clone(), copy.username.clone(), copy.owner.clone());
    let subject = Subject { schema, username, owner, strict: true };
    let digests = digests(transaction, &[subject], &[table(job)], &[]);
    let digests = digests.map_err(|error| job.told("comparing the structure", &error))?;
    Ok(digests.into_values().next().unwrap_or_default().digest)
}

/// Statements that run no code of the tenant's: PostgreSQL lets nobody but a superuser disable a clone on a partition, up to 14.
fn put_aside(job: &Job<'_>, transaction: &mut Transaction<'_>, copy: &CopyRows) -> Result<Aside, TenantError> {
    let failed = |error: postgres::Error| database_error("putting triggers and foreign keys aside", &error.into());
    let mut aside = Aside::default();
    let mut statements = Vec::new();
    for row in transaction.ask(include_str!("aside.sql"), &[&copy.schema, &table(job)]).map_err(failed)? {
        statements.push(row.get::<_, String>("aside"));
        let back = row.get("back");
        if row.get("is_key") { aside.keys.push(back) } else { aside.others.push(back) }
    }
    transaction.batch_execute(&statements.join(";\n")).map_err(failed)?;
    Ok(aside)
}

/// Foreign keys are checked, everything is counted, sequences and materialized views follow, and what was put aside is back.
fn finish(
    load: &Load<'_>,
    transaction: &mut Transaction<'_>,
    copy: &CopyRows,
    aside: &Aside,
) -> Result<(), TenantError> {
    let failed = |error: postgres::Error| database_error("looking for materialized views", &error.into());
    let mut steps: Vec<Step> = aside.keys.iter().cloned().map(Step::Execute).collect();
    steps.extend(load.counts());
    steps.extend(load.sequences()?);
    let views = transaction.ask(VIEWS, &[&copy.schema]).map_err(failed)?;
    let refresh =
        |name: String| Step::Execute(format!("REFRESH MATERIALIZED VIEW {}.{}", ident(&copy.schema), ident(&name)));
    steps.extend(views.iter().map(|row| refresh(row.get("name"))));
    let fence = Fence { job: load.job(), schema: &copy.schema, owner: &copy.owner };
    fence.run(transaction, &steps, "checking the rows")?;
    let failed = |error: postgres::Error| database_error("bringing the triggers back", &error.into());
    transaction.batch_execute(&aside.others.join(";\n")).map_err(failed)
}

/// In the order in which they were made: one may read another.
const VIEWS: &str = "SELECT c.relname::text AS name FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
     WHERE n.nspname = $1::text::name AND c.relkind = 'm' AND c.relispopulated ORDER BY c.oid";
