//! Whose registry this is, and what tells its database from a copy: `tenantry.identity` and `tenantry.runs`.

use std::collections::BTreeSet;

use postgres::{GenericClient, Transaction};

use super::guard;
use crate::core::model::Home;
use crate::core::model::secret::Mark;
use crate::engine::database::Ask;
use crate::engine::error::{Doing, Error};

/// The registry's migration that makes what [`read`] reads.
pub(super) const SINCE: i32 = 10;

pub(super) struct Identity {
    /// Of the cluster that it was made for.
    pub system_identifier: String,
    pub is_of_another_cluster: bool,
    pub is_of_here: bool,
}

/// A registry that came with a dump from another cluster is readable; see [`settle`].
///
/// # Errors
/// When it is a copy: the database it was made for is in this very cluster, and the roles named here serve that one.
pub(super) fn identity(client: &mut impl GenericClient) -> Result<Option<Identity>, Error> {
    let row = client
        .ask_opt(include_str!("../inspect/sql/identity.sql"), &[])
        .doing("checking which database this registry belongs to")?;
    let Some(row) = row else { return Ok(None) };
    if let Some(original) = row.get::<_, Option<String>>("original") {
        return Err(Error::refused(
            format!(
                "this database is a copy of {original:?} in the same cluster: the roles in its registry belong to that one"
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

/// `None` where somebody emptied the table.
pub(super) fn read(client: &mut impl GenericClient) -> Result<Option<Home>, Error> {
    let row = client.ask_opt(include_str!("sql/home.sql"), &[]).doing("reading tenantry.identity")?;
    let set = |names: Vec<String>| names.into_iter().collect::<BTreeSet<_>>();
    Ok(row.map(|row| Home {
        fleet: row.get("fleet"),
        former_fleets: set(row.get("former_fleets")),
        runs: set(row.get("runs")),
        reached: set(row.get("reached")),
        is_same_start: row.get("is_same_start"),
    }))
}

const HERE: &str = "INSERT INTO tenantry.identity (system_identifier, database_oid) \
     SELECT (SELECT system_identifier::text FROM pg_catalog.pg_control_system()), oid FROM pg_catalog.pg_database \
     WHERE datname = pg_catalog.current_database() \
     ON CONFLICT (singleton) DO UPDATE SET system_identifier = excluded.system_identifier, database_oid = excluded.database_oid";

const ANOTHER_FLEET: &str = "UPDATE tenantry.identity SET former_fleets = former_fleets || fleet, \
     fleet = pg_catalog.gen_random_uuid()::text, reached = '{}'";

/// A schema that does not belong to the registered owner may be anybody's, and is not assumed to be the tenant's.
const SCHEMAS_HERE: &str = "UPDATE tenantry.tenants t SET schema_oid = n.oid \
     FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_roles r ON r.oid = n.nspowner \
     WHERE t.schema_oid IS NULL AND t.state <> 'removed' AND n.nspname = t.schema_name::name AND r.rolname = t.owner::name";

/// A history of the configured name is the one that the tenant has, where none was noted yet.
const HISTORIES: &str = "UPDATE tenantry.tenants t SET history_table = $1 FROM pg_catalog.pg_namespace n \
     JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relkind = 'r' JOIN pg_catalog.pg_roles r ON r.oid = c.relowner \
     WHERE t.history_table IS NULL AND t.state = 'active' AND n.nspname = t.schema_name::name AND r.rolname = t.owner::name \
     AND c.relname = $1::text::name";

/// What an apply knows of itself.
pub struct Arrival<'a> {
    /// Every address that the url names.
    pub reached: &'a [String],
    /// A person says that the database came from elsewhere.
    pub moved: bool,
    /// This run writes secrets, or marks them.
    pub writes_secrets: bool,
    /// The configured one: noted for the tenants of which a registry of an older version did not note it.
    pub history_table: &'a str,
}

/// After a restore into another database of the same cluster the registry belongs here from the first apply on, with or without
/// changes, and a schema is known by its OID. One that came from another cluster does when somebody says that it has moved:
/// then it gets another identity, so that the database it came from is refused the secrets from then on.
///
/// What to mark secrets with, if this run writes any.
///
/// # Errors
/// What PostgreSQL answered.
pub fn settle(client: &mut postgres::Client, arrival: &Arrival<'_>) -> Result<Mark, Error> {
    let doing = "recording which database this registry belongs to";
    let mut transaction = client.transaction().doing(doing)?;
    transaction.batch_execute(&guard::check()).doing(doing)?;
    let identity = identity(&mut transaction)?;
    let is_of_here = identity.as_ref().is_some_and(|identity| identity.is_of_here);
    let stays_a_guest = !arrival.moved && identity.is_some_and(|identity| identity.is_of_another_cluster);
    if !stays_a_guest {
        if !is_of_here {
            transaction
                .batch_execute(&format!("{HERE}; UPDATE tenantry.tenants SET schema_oid = NULL"))
                .doing(doing)?;
        }
        if arrival.moved {
            transaction.batch_execute(ANOTHER_FLEET).doing(doing)?;
        }
        transaction.batch_execute(SCHEMAS_HERE).doing(doing)?;
        note_the_way(&mut transaction, arrival).doing(doing)?;
    }
    transaction.execute(HISTORIES, &[&arrival.history_table]).doing(doing)?;
    let mark = if arrival.writes_secrets { mark(&mut transaction).doing(doing)? } else { Mark::default() };
    transaction.commit().doing(doing)?;
    Ok(mark)
}

/// How the database was reached, and the server's start. Another way to the same server is no new address of it: a tunnel may
/// lead to a copy tomorrow. Nor is a server that was started since known by another address: it may be a copy's.
fn note_the_way(transaction: &mut Transaction<'_>, arrival: &Arrival<'_>) -> Result<(), postgres::Error> {
    transaction
        .execute(
            "UPDATE tenantry.identity SET server_started = pg_catalog.pg_postmaster_start_time(), reached = $1::text[] \
             WHERE (reached = '{}' OR reached && $1::text[]) \
             AND (reached <> $1::text[] OR server_started IS DISTINCT FROM pg_catalog.pg_postmaster_start_time())",
            &[&arrival.reached],
        )
        .map(drop)
}

/// Committed before the first secret is written: a run that is cut off after that is known for one of ours.
fn mark(transaction: &mut Transaction<'_>) -> Result<Mark, postgres::Error> {
    let row = transaction.ask_one(
        "WITH run AS (INSERT INTO tenantry.runs DEFAULT VALUES RETURNING run) SELECT run.run, i.fleet, \
         (SELECT c.system_identifier::text FROM pg_catalog.pg_control_system() c) AS cluster FROM run CROSS JOIN tenantry.identity i",
        &[],
    )?;
    Ok(Mark { fleet: row.get("fleet"), cluster: row.get("cluster"), run: row.get("run") })
}
