//! What the migrations make, by the digest of each set of them.

use std::collections::BTreeSet;

use postgres::types::ToSql;
use postgres::{GenericClient, Transaction};

use crate::core::model::MadeObject;
use crate::engine::database::Ask;
use crate::engine::error::{Context, Error};

/// Who owns now what the migrations made; goes on after the `named` of inspect's owned.sql.
pub(crate) const TAKEN: &str = include_str!("sql/taken.sql");

/// The sets of migrations of which it is remembered what they make.
///
/// # Errors
/// What PostgreSQL answered.
pub fn recorded_sets(client: &mut impl GenericClient) -> Result<BTreeSet<String>, Error> {
    let rows = client.ask(include_str!("sql/sets.sql"), &[]).doing("reading tenantry.migration_sets")?;
    Ok(rows.iter().map(|row| row.get("digest")).collect())
}

/// Remembers what a set of migrations makes; what is remembered of it already stays.
///
/// # Errors
/// What PostgreSQL answered.
pub fn record_set(
    transaction: &mut Transaction<'_>,
    digest: &str,
    objects: &BTreeSet<MadeObject>,
) -> Result<(), postgres::Error> {
    let kinds: Vec<&str> = objects.iter().map(|object| object.kind.as_str()).collect();
    let names: Vec<&str> = objects.iter().map(|object| object.name.as_str()).collect();
    let values: [&(dyn ToSql + Sync); 4] = [&digest, &env!("CARGO_PKG_VERSION"), &kinds, &names];
    transaction.execute(include_str!("sql/record_set.sql"), &values).map(drop)
}
