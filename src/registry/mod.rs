//! The tool's own tables, `tenantry.tenants` and `tenantry.audit_log`, made and upgraded by refinery.

pub(crate) mod guard;
mod lock;
mod recover;
mod rows;

pub(crate) use lock::{Holder, Taken, has_lock, held_as as lock_held_as, take as take_lock};
pub use recover::{Recovery, recover};
pub use rows::{Row, append_audit, forget_former_secrets, leave_secret, record_set, rotate, secret_is_gone, upsert};

use postgres::{GenericClient, Transaction};
use refinery_core::Migration;
use refinery_core::error::Kind;
use refinery_core::traits::sync::{Migrate, Query, Transaction as RefineryTransaction};

use crate::database::{Ask, DatabaseError, Record};
use crate::error::{Doing, Error};
use crate::model::{Registry, literal};

mod embedded {
    refinery::embed_migrations!("src/registry/migrations");
}

/// "tenantry" in ASCII: the advisory lock of whoever changes tenants. Advisory locks are per database.
pub(crate) const LOCK_KEY: i64 = i64::from_be_bytes(*b"tenantry");

/// So many of the migrations make what [`rows::read_leftovers`] reads.
const LEFTOVERS_SINCE: usize = 3;

const HISTORY: &str = "tenantry.refinery_schema_history";
const HISTORY_TABLE: &str = "refinery_schema_history";

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
    transaction.batch_execute("CREATE SCHEMA IF NOT EXISTS tenantry").doing("making schema tenantry")?;
    embedded::migrations::runner()
        .set_grouped(true)
        .set_migration_table_name(HISTORY)
        .run(&mut Within(transaction))
        .map(drop)
        .map_err(|error| match error.kind() {
            Kind::Connection(_, cause) => {
                Error::Refused { message: format!("making tenantry's own tables: {cause}"), hint: None }
            }
            _ => Error::refused(
                format!("tenantry's own tables are not of this version's making: {error}"),
                "use the newest tenantry that was used on this database, or a newer one",
            ),
        })
}

/// The registry as it stands.
///
/// # Errors
/// What PostgreSQL answered, or a row that this version does not know how to read.
pub fn read(transaction: &mut Transaction<'_>) -> Result<Registry, Error> {
    let query = format!("SELECT pg_catalog.count(*) FROM {HISTORY}");
    let row = transaction.ask_one(&query, &[]).doing("reading the registry's own history")?;
    let applied = usize::try_from(row.get::<_, i64>(0)).unwrap_or_default();
    let pending = embedded::migrations::runner().get_migrations().len().saturating_sub(applied);
    let identity = identity(transaction)?;
    let others_at_work = others_at_work(transaction).doing("asking who holds the lock of apply")?;
    let mut tenants = rows::read(transaction, others_at_work)?;
    if identity.as_ref().is_some_and(|identity| !identity.is_of_here) {
        // It came with a dump, or is of a copy. There every object has another OID, and what has one of these by chance is
        // something else.
        tenants.values_mut().for_each(|row| row.schema_oid = None);
    }
    let came_from =
        identity.filter(|identity| identity.is_of_another_cluster).map(|identity| identity.system_identifier);
    let mut registry = Registry { pending, tenants, came_from, ..Registry::default() };
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

struct Identity {
    /// Of the cluster that it was made for.
    system_identifier: String,
    is_of_another_cluster: bool,
    is_of_here: bool,
}

/// A registry that came with a dump from another cluster is fine; see [`settle`].
///
/// # Errors
/// When it is a copy: the database it was made for is in this very cluster, and the roles named here serve that one.
fn identity(client: &mut impl GenericClient) -> Result<Option<Identity>, Error> {
    let row =
        client.ask_opt(include_str!("../inspect/sql/identity.sql"), &[]).doing("asking whose registry this is")?;
    let Some(row) = row else { return Ok(None) };
    if let Some(original) = row.get::<_, Option<String>>("original") {
        return Err(Error::refused(
            format!(
                "this database is a copy of {original:?} in the same cluster: the roles in its registry serve that one"
            ),
            "to use the copy for tenants of its own: DROP SCHEMA tenantry CASCADE in the copy, and other usernames and owners in its tenants.toml",
        ));
    }
    Ok(Some(Identity {
        system_identifier: row.get("system_identifier"),
        is_of_another_cluster: row.get("is_of_another_cluster"),
        is_of_here: row.get("is_of_here"),
    }))
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
    let doing = "noting the owner roles to drop";
    let mut transaction = client.transaction().doing(doing)?;
    transaction.batch_execute(&guard::check()).doing(doing)?;
    transaction.execute(insert, &[&roles]).doing(doing)?;
    transaction.commit().doing(doing)
}

const HERE: &str = "INSERT INTO tenantry.identity (system_identifier, database_oid) \
     SELECT (SELECT system_identifier::text FROM pg_catalog.pg_control_system()), oid FROM pg_catalog.pg_database \
     WHERE datname = pg_catalog.current_database() \
     ON CONFLICT (singleton) DO UPDATE SET system_identifier = excluded.system_identifier, database_oid = excluded.database_oid";

/// A schema that does not belong to the registered owner may be anybody's, and is not taken for the tenant's.
const SCHEMAS_HERE: &str = "UPDATE tenantry.tenants t SET schema_oid = n.oid \
     FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_roles r ON r.oid = n.nspowner \
     WHERE t.schema_oid IS NULL AND t.state <> 'removed' AND n.nspname = t.schema_name::name AND r.rolname = t.owner::name";

/// A history of the configured name is the one that the tenant has, where none was noted yet.
const HISTORIES: &str = "UPDATE tenantry.tenants t SET history_table = $1 FROM pg_catalog.pg_namespace n \
     JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relkind = 'r' JOIN pg_catalog.pg_roles r ON r.oid = c.relowner \
     WHERE t.history_table IS NULL AND t.state = 'active' AND n.nspname = t.schema_name::name AND r.rolname = t.owner::name \
     AND c.relname = $1::text::name";

/// After a restore into another cluster or database the registry belongs here from the first apply on, with or without
/// changes: from then on a copy of this database is known for one, and a schema by its OID. What a registry of an older version did
/// not note is noted: `history_table` is the configured one.
///
/// # Errors
/// What PostgreSQL answered.
pub fn settle(client: &mut postgres::Client, history_table: &str) -> Result<(), Error> {
    let doing = "noting whose registry this is";
    let mut transaction = client.transaction().doing(doing)?;
    transaction.batch_execute(&guard::check()).doing(doing)?;
    if !identity(&mut transaction)?.is_some_and(|identity| identity.is_of_here) {
        transaction.batch_execute(&format!("{HERE}; UPDATE tenantry.tenants SET schema_oid = NULL")).doing(doing)?;
    }
    transaction.batch_execute(SCHEMAS_HERE).doing(doing)?;
    transaction.execute(HISTORIES, &[&history_table]).doing(doing)?;
    transaction.commit().doing(doing)
}
