//! Making the registry, and bringing an older one up to this version's form.

use postgres::Transaction;
use refinery_core::Migration;
use refinery_core::error::Kind;
use refinery_core::traits::sync::{Migrate, Query, Transaction as RefineryTransaction};

use super::embedded::{self, HISTORY};
use super::guard;
use super::history::migration;
use crate::core::model::literal;
use crate::engine::database::{Ask, DatabaseError};
use crate::engine::error::{Context, Error};

/// Makes refinery's Runner part of our transaction: its own drivers begin and commit for themselves.
struct Within<'a, 'b>(&'a mut Transaction<'b>);

impl RefineryTransaction for Within<'_, '_> {
    type Error = DatabaseError;

    fn execute<'a, T: Iterator<Item = &'a str>>(&mut self, queries: T) -> Result<usize, DatabaseError> {
        let mut count = 0;
        for query in queries {
            self.0.batch_execute(query)?;
            count += 1;
        }
        Ok(count)
    }
}

impl Query<Vec<Migration>> for Within<'_, '_> {
    fn query(&mut self, query: &str) -> Result<Vec<Migration>, DatabaseError> {
        let rows = self.0.ask(query, &[])?;
        Ok(rows.iter().map(migration).collect())
    }
}

impl Migrate for Within<'_, '_> {}

/// Makes the registry, or brings it up to this version's form. Part of the caller's transaction. `group`: the role that every
/// tenant joins.
///
/// # Errors
/// What PostgreSQL answered.
pub fn migrate(transaction: &mut Transaction<'_>, group: &str) -> Result<(), Error> {
    upgrade(transaction)?;
    transaction.batch_execute(&closing(group)).doing("closing tenantry's own tables")
}

/// SQL.
pub(super) fn closing(group: &str) -> String {
    let close = include_str!("sql/close.sql").replace("$1", &literal(&format!("{{{}}}", guard::tables().join(","))));
    format!("DO $tenantry_close${}$tenantry_close$", close.replace("$2", &literal(group)))
}

fn upgrade(transaction: &mut Transaction<'_>) -> Result<(), Error> {
    transaction.batch_execute("CREATE SCHEMA IF NOT EXISTS tenantry").doing("creating schema tenantry")?;
    embedded::migrations::runner()
        .set_grouped(true)
        .set_migration_table_name(HISTORY)
        .run(&mut Within(transaction))
        .map(drop)
        .map_err(|error| match error.kind() {
            Kind::Connection(_, cause) => {
                let doing = "creating tenantry's own tables";
                match cause.downcast_ref::<DatabaseError>() {
                    // As PostgreSQL answered it: what may pass next time is tried again.
                    Some(source) => Error::Database { doing: doing.into(), source: source.clone() },
                    None => Error::Refused { message: format!("{doing}: {cause}"), hint: None },
                }
            }
            _ => Error::refused(
                format!("tenantry's own tables were not created by this version: {error}"),
                "use the newest version of tenantry that was used on this database, or a newer one",
            ),
        })
}
