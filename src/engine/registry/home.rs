//! Whose registry this is, and what tells its database from a copy: `tenantry.identity` and `tenantry.runs`.

use std::collections::BTreeSet;

use postgres::{GenericClient, Transaction};

use super::guard;
use crate::core::model::Home;
use crate::core::model::secret::Mark;
use crate::engine::database::Ask;
use crate::engine::error::{Context, Error};

/// The registry's migration that makes what [`read`] reads.
pub(super) const SINCE: i32 = 10;

pub(super) struct Identity {
    /// Of the cluster that it was made for.
    pub system_identifier: String,
    pub is_of_another_cluster: bool,
    pub is_of_here: bool,
}

/// A registry that came with a dump from another cluster is readable; see [`bind_to_this_database`].
///
/// # Errors
/// When it is a copy: the database it was made for is in this very cluster, and the roles named here serve that one.
pub(super) fn identity(client: &mut impl GenericClient) -> Result<Option<Identity>, Error> {
    let row = client
        .ask_opt(include_str!("sql/identity.sql"), &[])
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
pub fn bind_to_this_database(client: &mut postgres::Client, arrival: &Arrival<'_>) -> Result<Mark, Error> {
    let doing = "recording which database this registry belongs to";
    let mut transaction = client.transaction().doing(doing)?;
    transaction.batch_execute(&guard::check()).doing(doing)?;
    let identity = identity(&mut transaction)?;
    let is_of_here = identity.as_ref().is_some_and(|identity| identity.is_of_here);
    let stays_a_guest = !arrival.moved && identity.is_some_and(|identity| identity.is_of_another_cluster);
    if !stays_a_guest {
        if !is_of_here {
            transaction.batch_execute(include_str!("sql/identity_here.sql")).doing(doing)?;
        }
        if arrival.moved {
            transaction.batch_execute(include_str!("sql/identity_another_fleet.sql")).doing(doing)?;
        }
        transaction.batch_execute(include_str!("sql/schemas_here.sql")).doing(doing)?;
        note_the_way(&mut transaction, arrival).doing(doing)?;
    }
    transaction.execute(include_str!("sql/histories_here.sql"), &[&arrival.history_table]).doing(doing)?;
    let mark = if arrival.writes_secrets { mark(&mut transaction).doing(doing)? } else { Mark::default() };
    transaction.commit().doing(doing)?;
    Ok(mark)
}

/// How the database was reached, and the server's start. Another way to the same server is no new address of it: a tunnel may
/// lead to a copy tomorrow. Nor is a server that was started since known by another address: it may be a copy's.
fn note_the_way(transaction: &mut Transaction<'_>, arrival: &Arrival<'_>) -> Result<(), postgres::Error> {
    transaction.execute(include_str!("sql/identity_reached.sql"), &[&arrival.reached]).map(drop)
}

/// Committed before the first secret is written: a run that is cut off after that is known for one of ours.
fn mark(transaction: &mut Transaction<'_>) -> Result<Mark, postgres::Error> {
    let row = transaction.ask_one(include_str!("sql/run.sql"), &[])?;
    Ok(Mark { fleet: row.get("fleet"), cluster: row.get("cluster"), run: row.get("run") })
}
