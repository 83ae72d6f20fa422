//! The tool's own tables, `tenantry.tenants` and `tenantry.audit_log`, made and upgraded by refinery.

pub(crate) mod guard;
mod home;
mod lock;
mod recover;
mod rows;

pub use home::{Arrival, settle};
pub(crate) use lock::{Holder, Taken, has_lock, held_as as lock_held_as, take as take_lock};
pub use recover::{Recovery, recover};
pub use rows::{Row, append_audit, forget_former_secrets, leave_secret, record_set, rotate, secret_is_gone, upsert};

use postgres::Transaction;
use refinery_core::Migration;
use refinery_core::error::Kind;
use refinery_core::traits::sync::{Migrate, Query, Transaction as RefineryTransaction};

use crate::core::model::{Registry, literal};
use crate::engine::database::{Ask, DatabaseError, Record};
use crate::engine::error::{Doing, Error};

mod embedded {
    refinery::embed_migrations!("src/engine/registry/migrations");
}

/// "tenantry" in ASCII: the advisory lock of whoever changes tenants. Advisory locks are per database.
pub(crate) const LOCK_KEY: i64 = i64::from_be_bytes(*b"tenantry");

/// So many of the migrations make what [`rows::read_leftovers`] reads.
const LEFTOVERS_SINCE: usize = 3;

const HISTORY: &str = "tenantry.refinery_schema_history";
pub(crate) const HISTORY_TABLE: &str = "refinery_schema_history";

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

/// A history's row as refinery's own value. The time plays no part in what the Runner decides.
pub(crate) fn migration(row: &Record) -> Migration {
    let checksum: String = row.get("checksum");
    Migration::applied(
        row.get("version"),
        row.get("name"),
        time_of_no_consequence(),
        checksum.parse().unwrap_or_default(),
    )
}

pub(crate) fn time_of_no_consequence() -> time::OffsetDateTime {
    time::OffsetDateTime::UNIX_EPOCH
}

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
fn closing(group: &str) -> String {
    let close = include_str!("close.sql").replace("$1", &literal(&format!("{{{}}}", guard::tables().join(","))));
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

/// The registry as it stands.
///
/// # Errors
/// What PostgreSQL answered, or a row that this version does not know how to read.
pub fn read(transaction: &mut Transaction<'_>) -> Result<Registry, Error> {
    let query = format!("SELECT pg_catalog.count(*), coalesce(pg_catalog.bool_or(version = $1), false) FROM {HISTORY}");
    let row = transaction.ask_one(&query, &[&home::SINCE]).doing("reading the registry's own history")?;
    let applied = usize::try_from(row.get::<_, i64>(0)).unwrap_or_default();
    let has_home: bool = row.get(1);
    let pending = embedded::migrations::runner().get_migrations().len().saturating_sub(applied);
    let identity = home::identity(transaction)?;
    let others_at_work = others_at_work(transaction).doing("looking up who holds the lock")?;
    let mut tenants = rows::read(transaction, others_at_work)?;
    if identity.as_ref().is_some_and(|identity| !identity.is_of_here) {
        // It came with a dump, or is of a copy. There every object has another OID, and what has one of these by chance is
        // something else.
        tenants.values_mut().for_each(|row| row.schema_oid = None);
    }
    let came_from =
        identity.filter(|identity| identity.is_of_another_cluster).map(|identity| identity.system_identifier);
    let home = if has_home { home::read(transaction)? } else { None };
    let mut registry = Registry { version: applied, pending, tenants, came_from, home, ..Registry::default() };
    // One of an older form has none of these yet.
    if applied >= LEFTOVERS_SINCE {
        rows::read_leftovers(transaction, &mut registry)?;
    }
    if pending == 0 {
        rows::read_sets(transaction, &mut registry)?;
    }
    Ok(registry)
}

/// Whether somebody else holds the lock. Who may not read it, because it was granted the other tables before there was this
/// one, takes it for held: then nothing is told as left over that may be in use.
fn others_at_work(transaction: &mut Transaction<'_>) -> Result<bool, postgres::Error> {
    let row = transaction.ask_one(include_str!("sql/lock_readable.sql"), &[&LOCK_KEY])?;
    match row.get::<_, Option<bool>>("is_readable") {
        Some(true) => lock::is_held_by_another(transaction),
        Some(false) => Ok(true),
        None => Ok(row.get("advisory")),
    }
}

/// Remembers roles that are about to lose their last tenants, until they are dropped.
///
/// # Errors
/// What PostgreSQL answered.
pub fn leave_owners(client: &mut postgres::Client, roles: &[&str]) -> Result<(), Error> {
    if roles.is_empty() {
        return Ok(());
    }
    let insert = "INSERT INTO tenantry.former_owners (role) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING";
    let doing = "recording the owner roles to drop";
    let mut transaction = client.transaction().doing(doing)?;
    transaction.batch_execute(&guard::check()).doing(doing)?;
    transaction.execute(insert, &[&roles]).doing(doing)?;
    transaction.commit().doing(doing)
}
