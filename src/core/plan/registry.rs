//! The schema `tenantry`: who can write there decides what tenantry does next, and whose trigger is there runs as tenantry.
//!
//! A role that only looks may have USAGE and SELECT (docs/least-privilege.md), if it is no tenant's and cannot pass them on.
//! PUBLIC has nothing. What is otherwise is taken away before anything is written there, whatever the tenants' mode.

use std::collections::{BTreeMap, BTreeSet};

use super::acl::{Expected, column_sql, differences, quoted};
use super::fleet::Fleet;
use super::hazard::{Hazard, HazardKind};
use super::privileges::in_words;
use super::shared_change::{About, DatabaseAction, DatabaseChange};
use crate::core::model::{
    Acl, Foreign, Grantee, Holding, ObjectKind, Observed, Outside, RegistryObject, RegistrySchema, ident,
};

/// Of what others have put into the schema, so many are named.
const NAMED: usize = 3;

pub(super) fn plan(fleet: &Fleet<'_>, changes: &mut Vec<DatabaseChange>, hazards: &mut Vec<Hazard>) {
    let Some(schema) = &fleet.observed.registry_schema else { return };
    for found in &schema.foreign {
        match &found.remedy {
            Some(sql) => {
                let after =
                    if found.runs { ", which is not tenantry's → removed" } else { " → as tenantry created it" };
                let close = close(format!("{}{after}", found.what), vec![sql.clone()]);
                changes.push(DatabaseChange { about: About::Foreign(found.clone()), ..close });
            }
            None => hazards.push(Hazard { kind: HazardKind::RegistryOpen, detail: by_hand(found) }),
        }
    }
    for object in &schema.objects {
        privileges(fleet, object, changes, hazards);
    }
    future(fleet, schema, changes);
    strangers(schema, hazards);
}

fn close(detail: String, sql: Vec<String>) -> DatabaseChange {
    DatabaseChange::new(DatabaseAction::CloseRegistry, detail, sql)
}

fn by_hand(found: &Foreign) -> String {
    format!("{}: it is not tenantry's and would run as tenantry, so nothing is written until it is removed", found.what)
}

/// What on tenantry's own tables would run as whoever writes to them.
pub fn foreign_code(observed: &Observed) -> impl Iterator<Item = &Foreign> {
    observed.registry_schema.iter().flat_map(|schema| &schema.foreign).filter(|found| found.runs)
}

/// Whether what is held on this is shown with the registry.
pub(super) fn shows(observed: &Observed, outside: &Outside) -> bool {
    let objects = observed.registry_schema.iter().flat_map(|schema| &schema.objects);
    let is_it = |object: &RegistryObject| object.kind == outside.kind && object.name == outside.identity;
    matches!(outside.held, Holding::Granted { .. }) && objects.into_iter().any(is_it)
}

/// A role that only reads. Another admin may have any privilege, as on what tenants have.
fn expected(fleet: &Fleet<'_>, owner: &str, acl: &Acl, kind: &str) -> Expected {
    let (letters, by_default) = match kind {
        "schema" => ("U", ""),
        "function" => ("X", "X"),
        "type" => ("U", "U"),
        _ => ("r", ""),
    };
    let server = &fleet.observed.server;
    let readers = acl.entries().filter_map(|entry| match entry.grantee {
        Grantee::Role(role) if !fleet.is_tenants(role) => Some((entry.grantee.clone(), letters.to_owned())),
        _ => None,
    });
    let mut at_most: BTreeMap<Grantee, String> = readers.collect();
    at_most.insert(Grantee::Public, by_default.to_owned());
    let admins = [server.admin.name.clone(), server.keeper().name];
    let tolerated: BTreeSet<String> = admins.into_iter().filter(|role| !fleet.is_tenants(role)).collect();
    at_most.retain(|who, _| !matches!(who, Grantee::Role(role) if tolerated.contains(role)));
    Expected { owner: owner.to_owned(), at_most, tolerated, ..Expected::default() }
}

fn privileges(
    fleet: &Fleet<'_>,
    object: &RegistryObject,
    changes: &mut Vec<DatabaseChange>,
    hazards: &mut Vec<Hazard>,
) {
    let mut take = |what: String, after: String, sql: Vec<String>| {
        if object.ours {
            changes.push(close(format!("{what} → {after}"), sql));
        } else {
            let detail = format!("{what}; not ours to revoke, {} can: {}", object.owner, sql.join("; "));
            hazards.push(Hazard { kind: HazardKind::RegistryOpen, detail });
        }
    };
    let on = format!("{} {}", object.kind.to_uppercase(), object.name);
    let on_whole = expected(fleet, &object.owner, &object.acl, &object.kind);
    for found in differences(&object.acl, &on_whole) {
        let what = format!("{} {}: {}", object.kind, object.name, found.before());
        take(what, found.after(false), found.sql(&on, false));
    }
    for column in &object.columns {
        let on_column = expected(fleet, &object.owner, &column.acl, &object.kind);
        for found in differences(&column.acl, &on_column) {
            let what = format!("column {} of {}: {}", column.name, object.name, found.before());
            take(what, found.after(false), column_sql(&on, &column.name, &found));
        }
    }
}

/// What is made there next. What a tenant says of its own, which nobody can keep it from, is about nothing of ours.
fn future(fleet: &Fleet<'_>, schema: &RegistrySchema, changes: &mut Vec<DatabaseChange>) {
    let admin = &fleet.observed.server.admin;
    let is_ours = |role: &str| role == admin.name || admin.superuser && !fleet.is_tenants(role);
    for default in schema.default_acls.iter().filter(|default| is_ours(&default.role)) {
        let kind = match default.kind {
            ObjectKind::Function => "function",
            ObjectKind::Type => "type",
            ObjectKind::Table | ObjectKind::Sequence | ObjectKind::Other => "table",
        };
        let plural = default.kind.plural();
        for found in differences(&default.acl, &expected(fleet, &default.role, &default.acl, kind)) {
            let what = format!("future {} of {} in tenantry", plural.to_lowercase(), default.role);
            let sql = format!(
                "ALTER DEFAULT PRIVILEGES FOR ROLE {} IN SCHEMA tenantry REVOKE ALL ON {plural} FROM {} CASCADE",
                ident(&default.role),
                quoted(&found.grantee)
            );
            changes.push(close(format!("{what}: {} → {}", found.before(), in_words("")), vec![sql]));
        }
    }
}

/// Nothing of ours looks at them, so they are nobody's danger; but a later form of the registry may want their names.
fn strangers(schema: &RegistrySchema, hazards: &mut Vec<Hazard>) {
    let many = schema.strangers.len();
    if many == 0 {
        return;
    }
    let mut named: Vec<String> =
        schema.strangers.iter().take(NAMED).map(|(what, owner)| format!("{what} of {owner}")).collect();
    if many > NAMED {
        named.push(format!("and {} more", many - NAMED));
    }
    let detail = format!(
        "schema tenantry contains objects that are not tenantry's: {}; left unchanged: their owner can drop or move them: ALTER … SET SCHEMA …",
        named.join(", ")
    );
    hazards.push(Hazard { kind: HazardKind::RegistryOpen, detail });
}
