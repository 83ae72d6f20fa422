//! What the migrations made: known by the registry for each set of them, and compared with who owns it now.

use std::collections::BTreeSet;

use postgres::{Client, Transaction};

use super::apart::apart;
use crate::core::model::{Access, Desired, History, MadeObject, ObjectGroup, ObjectKind, Observed, State, set_digest};
use crate::engine::database::{Ask, acl, columns};
use crate::engine::error::{Context, Error};
use crate::engine::registry;

const OWNED: &str = include_str!("sql/owned.sql");
const MADE: &str = concat!(include_str!("sql/owned.sql"), include_str!("sql/made.sql"));

/// What this role owns in a schema where nothing but migrations made anything yet.
///
/// # Errors
/// What PostgreSQL answered.
pub(crate) fn made(
    transaction: &mut Transaction<'_>,
    schema: &str,
    owner: &str,
    history_table: &str,
) -> Result<BTreeSet<MadeObject>, Error> {
    let rows = transaction.ask(MADE, &[&[schema].as_slice(), &[owner].as_slice(), &history_table]);
    let rows = rows.doing("looking at what the migrations made")?;
    Ok(rows.iter().map(|row| MadeObject { kind: row.get("kind"), name: row.get("name") }).collect())
}

/// What the migrations made and a tenant's username owns: with access "full" it may own what it made itself, and only the
/// registry tells one from the other.
pub(super) fn taken(client: &mut Client, desired: &Desired, observed: &mut Observed) -> Result<(), Error> {
    let Some(known) = &observed.registry else { return Ok(()) };
    let (mut schemas, mut usernames, mut digests) = (Vec::new(), Vec::new(), Vec::new());
    for (key, row) in known.tenants.iter().filter(|(_, row)| row.state == State::Active) {
        let is_full = row.access == Access::Full && desired.tenants.contains_key(key);
        let history = observed.schemas.get(&row.schema).map(|schema| &schema.history);
        let Some(History::Read { applied, .. }) = history.filter(|_| is_full) else { continue };
        let digest = set_digest(applied);
        if known.recorded_sets.contains(&digest) {
            schemas.push(row.schema.clone());
            usernames.push(row.username.clone());
            digests.push(digest);
        }
    }
    if schemas.is_empty() {
        return Ok(());
    }
    let doing = "looking at who owns what the migrations made";
    let table = &desired.migrations.table;
    let taken = format!("{OWNED}{}", registry::TAKEN);
    let rows = apart(client, desired, doing, |transaction| {
        transaction.ask(&taken, &[&schemas, &usernames, table, &digests]).doing(doing)
    })?;
    for row in rows {
        let owner: String = row.get("owner");
        let kind = row.get::<_, &str>("kind").chars().next().and_then(ObjectKind::from_letter);
        let (Some(kind), Some(schema)) = (kind, observed.schemas.get_mut(row.get::<_, &str>("schema"))) else {
            continue;
        };
        schema.taken.push(ObjectGroup {
            kind,
            acl: acl(&row.get::<_, Vec<String>>("acl"), &owner)?,
            columns: columns(row.get("columns"), row.get("column_items"), &owner)?,
            count: 1,
            examples: vec![row.get("name")],
            owner,
        });
    }
    Ok(())
}
