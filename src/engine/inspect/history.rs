//! The refinery histories: read only where reading runs no tenant's code.

mod chunk;
mod found;
mod locked;
mod tool;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use postgres::{Client, Transaction};

use found::{Histories, Owned};
pub(crate) use tool::tool_history_of;

use super::apart::apart;
use crate::core::model::{Applied, Desired, History, Observed, Server, State, ToolHistory, Unseen, ident};
use crate::engine::database::Ask;
use crate::engine::error::{Context, Error};

/// The names that histories have: the configured one, and what the registry remembers.
pub(super) fn names(desired: &Desired, observed: &Observed) -> Vec<String> {
    let rows = observed.registry.iter().flat_map(|registry| registry.tenants.values());
    let remembered = rows.filter_map(|row| row.history_table.as_ref());
    let names: BTreeSet<&String> = remembered.chain([&desired.migrations.table]).collect();
    names.into_iter().cloned().collect()
}

/// Under the name that the registry remembers, or else the configured one.
pub(super) fn read(client: &mut Client, desired: &Desired, observed: &mut Observed) -> Result<(), Error> {
    // Unregistered schemas are not ours to look into.
    let rows = observed.registry.iter().flat_map(|registry| registry.tenants.values());
    let rows = rows.filter(|row| row.state != State::Removed && observed.schemas.contains_key(&row.schema));
    let (mut registered, mut renamed): (Vec<Owned<'_>>, BTreeMap<&str, Vec<Owned<'_>>>) = Default::default();
    let configured = desired.migrations.table.as_str();
    for row in rows {
        let owned = (row.schema.as_str(), row.owner.as_str());
        registered.push(owned);
        if let Some(remembered) = row.history_table.as_deref().filter(|remembered| *remembered != configured) {
            renamed.entry(remembered).or_default().push(owned);
        }
    }
    let mut histories = read_all(client, desired, configured, &registered)?;
    let (mut called, mut like) = (BTreeMap::new(), Vec::new());
    for (table, tenants) in renamed {
        for (schema, history) in read_all(client, desired, table, &tenants)? {
            called.insert(schema.clone(), table.to_owned());
            if histories.insert(schema.clone(), history).is_some() {
                like.push((schema, configured.to_owned()));
            }
        }
    }
    registered.retain(|(schema, _)| !histories.contains_key(*schema));
    like.extend(like_histories(client, desired, &registered)?);
    observed.unseen.extend(unseen(&histories, &observed.server));
    for (schema, history) in histories {
        if let Some(found) = observed.schemas.get_mut(&schema) {
            found.history = history;
            found.history_called = called.remove(&schema);
        }
    }
    for (schema, table) in like {
        if let Some(found) = observed.schemas.get_mut(&schema) {
            found.like_history.push(table);
        }
    }
    Ok(())
}

/// Of schemas that are to be adopted, each under the owner that its history has.
pub(super) fn read_unregistered(
    client: &mut Client,
    desired: &Desired,
    observed: &mut Observed,
    (schemas, owners): (&[&str], &BTreeMap<String, String>),
) -> Result<(), Error> {
    let owned: Vec<Owned<'_>> = owners.iter().map(|(schema, owner)| (schema.as_str(), owner.as_str())).collect();
    let histories = read_all(client, desired, &desired.migrations.table, &owned)?;
    let without = schemas.iter().filter(|schema| !histories.contains_key(**schema));
    let without = without.filter_map(|schema| observed.schemas.get_key_value(*schema));
    let without: Vec<Owned<'_>> = without.map(|(name, schema)| (name.as_str(), schema.owner.as_str())).collect();
    let like = like_histories(client, desired, &without)?;
    observed.unseen.extend(unseen(&histories, &observed.server).map(|unseen| Unseen {
        hint: as_their_owners(hidden(&histories), owners, observed).or(unseen.hint),
        what: unseen.what,
    }));
    for (schema, history) in histories {
        if let Some(found) = observed.schemas.get_mut(&schema) {
            found.history = history;
        }
    }
    for (schema, table) in like {
        if let Some(found) = observed.schemas.get_mut(&schema) {
            found.like_history.push(table);
        }
    }
    Ok(())
}

/// Of those of these schemas that have no history: the one of the tool whose files the migrations are.
pub(super) fn of_the_tool(
    client: &mut Client,
    desired: &Desired,
    observed: &mut Observed,
    schemas: &[&str],
) -> Result<BTreeMap<String, ToolHistory>, Error> {
    let without = schemas.iter().filter_map(|schema| observed.schemas.get_key_value(*schema));
    let without = without.filter(|(_, schema)| matches!(schema.history, History::Absent));
    let without: Vec<Owned<'_>> = without.map(|(name, schema)| (name.as_str(), schema.owner.as_str())).collect();
    let histories = tool::read_all(client, desired, &without)?;
    let owners: BTreeMap<String, String> = histories
        .iter()
        .filter_map(|(schema, history)| match history {
            ToolHistory::Unseen(owner) => Some((schema.clone(), owner.clone())),
            _ => None,
        })
        .collect();
    let hidden: Vec<&str> = owners.keys().map(String::as_str).collect();
    let unseen = unseen_in(&hidden, &observed.server);
    let hint = as_their_owners(hidden.into_iter(), &owners, observed);
    observed.unseen.extend(unseen.map(|unseen| Unseen { hint: hint.or(unseen.hint), what: unseen.what }));
    Ok(histories)
}

/// Equal lists of migrations, of which a fleet has a few, are held once.
fn read_all(client: &mut Client, desired: &Desired, table: &str, tenants: &[Owned<'_>]) -> Result<Histories, Error> {
    let mut known: HashSet<Arc<[Applied]>> = HashSet::new();
    locked::read_all(client, desired, table, tenants, &mut |transaction, chunk| {
        let mut found = chunk::read(transaction, table, chunk)?;
        for history in found.values_mut() {
            if let History::Read { applied, .. } = history {
                match known.get(applied) {
                    Some(same) => *applied = Arc::clone(same),
                    None => drop(known.insert(Arc::clone(applied))),
                }
            }
        }
        Ok(found)
    })
}

fn hidden(histories: &Histories) -> impl Iterator<Item = &str> {
    let hidden = histories.iter().filter(|(_, history)| matches!(history, History::Unseen { .. }));
    hidden.map(|(schema, _)| schema.as_str())
}

/// Who adopts acts as the former owners anyway; nobody is told to act as a superuser.
fn as_their_owners<'a>(
    hidden: impl Iterator<Item = &'a str>,
    owners: &BTreeMap<String, String>,
    observed: &Observed,
) -> Option<String> {
    let hidden: BTreeSet<&String> = hidden.filter_map(|schema| owners.get(schema)).collect();
    let is_superuser = |owner: &String| observed.roles.get(owner).is_none_or(|role| role.powers.contains("SUPERUSER"));
    if hidden.iter().any(|owner| is_superuser(owner)) {
        return None;
    }
    let admin = ident(&observed.server.admin.name);
    // From 16 on a grant that is there keeps what it does not mention, and the right to give it away alone reads nothing.
    let options = if observed.server.major() >= 16 { " WITH INHERIT TRUE, SET TRUE" } else { "" };
    let grants = hidden.iter().map(|owner| format!("GRANT {} TO {admin}{options};", ident(owner)));
    Some(grants.collect::<Vec<_>>().join(" "))
}

/// Where there is no history: what may be one under another name.
fn like_histories(
    client: &mut Client,
    desired: &Desired,
    tenants: &[Owned<'_>],
) -> Result<Vec<(String, String)>, Error> {
    if tenants.is_empty() {
        return Ok(Vec::new());
    }
    let doing = "looking for the refinery histories under other names";
    let (schemas, owners): (Vec<&str>, Vec<&str>) = tenants.iter().copied().unzip();
    let rows = apart(client, desired, doing, |transaction| {
        transaction.ask(include_str!("sql/like_history.sql"), &[&schemas, &owners]).doing(doing)
    })?;
    Ok(rows.iter().map(|row| (row.get("schema"), row.get("name"))).collect())
}

/// What the role of the session would have to be granted.
fn unseen(histories: &Histories, server: &Server) -> Option<Unseen> {
    unseen_in(&hidden(histories).collect::<Vec<_>>(), server)
}

fn unseen_in(schemas: &[&str], server: &Server) -> Option<Unseen> {
    let reader = server.reader.as_ref().unwrap_or(&server.admin.name);
    let first = schemas.first()?;
    let more = if schemas.len() > 1 { format!(" and {} more", schemas.len() - 1) } else { String::new() };
    Some(Unseen {
        what: format!("which migrations were applied: the history in schema {first}{more}"),
        // Grants on the tables themselves would be somebody's that a plan takes away.
        hint: Some(format!("GRANT pg_read_all_data TO {};", ident(reader))),
    })
}

/// One tenant's history, inside a transaction that is about to write it.
///
/// # Errors
/// What PostgreSQL answered.
pub(crate) fn history_of(
    transaction: &mut Transaction<'_>,
    table: &str,
    schema: &str,
    owner: &str,
) -> Result<History, Error> {
    Ok(chunk::read(transaction, table, &[(schema, owner)])?.remove(schema).unwrap_or_default())
}
