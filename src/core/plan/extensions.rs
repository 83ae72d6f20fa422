//! Declared extensions: each is where every tenant's search_path leads, or the plan says that it is not.

use super::fleet::Fleet;
use super::hazard::{Hazard, HazardKind};
use super::shared_change::{About, DatabaseAction, DatabaseChange};
use super::whole::Plan;
use crate::core::model::{Desired, Extension, Observed, ident};

pub(super) fn plan(fleet: &Fleet<'_>, changes: &mut Vec<DatabaseChange>, hazards: &mut Vec<Hazard>) {
    let Some(first) = fleet.desired.shared_schemas.first() else { return };
    let there = &fleet.observed.database.extensions;
    for extension in fleet.desired.extensions.iter().filter(|name| !there.contains_key(*name)) {
        let sql = vec![format!("CREATE EXTENSION {} SCHEMA {}", ident(extension), ident(first))];
        let detail = format!("extension {extension} in schema {first}");
        let about = About::Extension { name: extension.clone(), schema: first.clone() };
        changes.push(DatabaseChange { about, ..DatabaseChange::new(DatabaseAction::CreateExtension, detail, sql) });
    }
    for (name, found) in elsewhere(fleet.desired, fleet.observed) {
        let detail = format!(
            "extension {name} is in schema {}, which is not among shared_schemas: no tenant's search_path includes it, and migrations that use the extension fail; {}",
            found.schema,
            remedy(name, found, first)
        );
        hazards.push(Hazard { kind: HazardKind::ExtensionElsewhere, detail });
    }
}

/// Those that are in a schema which tenants do not look into. Everybody looks into pg_catalog.
fn elsewhere<'a>(desired: &'a Desired, observed: &'a Observed) -> impl Iterator<Item = (&'a String, &'a Extension)> {
    let there = &observed.database.extensions;
    let is_seen = |schema: &String| schema == "pg_catalog" || desired.shared_schemas.contains(schema);
    let found = desired.extensions.iter().filter_map(|name| Some((name, there.get(name)?)));
    found.filter(move |(_, extension)| !is_seen(&extension.schema))
}

/// It is not moved by us: whoever put it there may use it by that schema's name.
fn remedy(name: &str, found: &Extension, first: &str) -> String {
    let add = format!("add {:?} to shared_schemas", found.schema);
    let extension = ident(name);
    if found.relocatable {
        let (owner, to) = (&found.owner, ident(first));
        return format!(
            "{add}, or, if nobody uses it there, as {owner} or a superuser: ALTER EXTENSION {extension} SET SCHEMA {to}"
        );
    }
    format!("{add}, or, if nobody uses it yet: DROP EXTENSION {extension}, and apply creates it in {first}")
}

/// One that tenants could not use by any name, with what to do, where migrations are to run.
#[must_use]
pub fn unreachable(desired: &Desired, observed: &Observed, plan: &Plan) -> Option<(String, String)> {
    let migrates = plan.tenants.iter().any(|tenant| !tenant.pending_migrations().is_empty());
    let closes = plan.database_changes.iter().any(|change| change.action == DatabaseAction::ClosePublicSchema);
    let is_open = |found: &Extension| found.open && !(closes && found.schema == "public");
    let mut closed = elsewhere(desired, observed).filter(|(_, found)| migrates && !is_open(found));
    let (name, found) = closed.next()?;
    let first = desired.shared_schemas.first()?;
    Some((
        format!("extension {name} is in schema {}, where no tenant can use it; nothing was changed", found.schema),
        remedy(name, found, first),
    ))
}
