//! What tenants share: the registry, the group role, shared schemas, extensions, schema public.

use std::collections::BTreeSet;

use super::acl::{Expected, differences};
use super::action::Action;
use super::bookkeeping::{forget_owner, remember_owner};
use super::doubt::Doubt;
use super::fleet::Fleet;
use super::hazard::{Hazard, HazardKind};
use super::public_schema::public_schema_policy;
use super::shared_change::{About, DatabaseAction, DatabaseChange, Stage};
use super::tenant_plan::{TenantPlan, Verb};
use super::{extensions, group, holds, home};
use crate::core::model::{Access, Grantee, PublicSchema, SharedSchema, State, ident};

pub(super) fn plan(fleet: &Fleet<'_>, tenants: &[TenantPlan], doubts: &[Doubt]) -> (Vec<DatabaseChange>, Vec<Hazard>) {
    let mut changes = Vec::new();
    let mut hazards = Vec::new();
    let serves_tenants = tenants.iter().any(|tenant| tenant.verb != Verb::Blocked) || fleet.observed.registry.is_some();
    if serves_tenants && !(fleet.desired.tenants.is_empty() && fleet.observed.registry.is_none()) {
        super::registry::plan(fleet, &mut changes, &mut hazards);
        registry(fleet, &mut changes);
        changes.extend(home::claim(fleet, tenants, doubts));
        group::plan(fleet, &mut changes, &mut hazards);
        group::plan_owners(fleet, &mut changes, &mut hazards);
        shared(fleet, &mut changes, &mut hazards);
        public(fleet, &mut changes, &mut hazards);
        shared_owners(fleet, tenants, &mut changes);
    }
    (changes, hazards)
}

fn registry(fleet: &Fleet<'_>, changes: &mut Vec<DatabaseChange>) {
    match &fleet.observed.registry {
        None => changes.push(DatabaseChange::new(
            DatabaseAction::CreateRegistry,
            "schema tenantry, tenantry's own tables",
            Vec::new(),
        )),
        Some(registry) if registry.pending > 0 => changes.push(DatabaseChange::new(
            DatabaseAction::UpgradeRegistry,
            format!("schema tenantry, tenantry's own tables: pending upgrades: {}", registry.pending),
            Vec::new(),
        )),
        Some(_) => {}
    }
}

fn shared(fleet: &Fleet<'_>, changes: &mut Vec<DatabaseChange>, hazards: &mut Vec<Hazard>) {
    let database = &fleet.observed.database;
    for schema in &fleet.desired.shared_schemas {
        let found = database.shared_schemas.get(schema);
        if found.is_none() {
            let name = ident(schema);
            // Default privileges may have opened it.
            let sql = vec![format!("CREATE SCHEMA {name}"), format!("REVOKE ALL ON SCHEMA {name} FROM PUBLIC CASCADE")];
            changes.push(DatabaseChange::new(
                DatabaseAction::CreateSharedSchema,
                format!("schema {schema}, shared by the tenants"),
                sql,
            ));
        }
        if !found.is_some_and(|found| found.group_has_usage) {
            let sql = vec![format!("GRANT USAGE ON SCHEMA {} TO {}", ident(schema), ident(&fleet.group))];
            changes.push(DatabaseChange::new(
                DatabaseAction::GrantSharedSchema,
                format!("USAGE on {schema} to {}", fleet.group),
                sql,
            ));
        }
    }
    for (name, found) in &database.shared_schemas {
        may_not_make(name, found, changes, hazards);
    }
    extensions::plan(fleet, changes, hazards);
}

/// What one tenant makes in a schema of everybody's search_path, another one runs.
fn may_not_make(name: &str, found: &SharedSchema, changes: &mut Vec<DatabaseChange>, hazards: &mut Vec<Hazard>) {
    // Schema public has a key of its own.
    if name == "public" || !found.acl.of_public().contains('C') {
        return;
    }
    let expected = Expected {
        owner: found.owner.clone(),
        at_most: [(Grantee::Public, "U".to_owned())].into(),
        ..Expected::default()
    };
    let differs = differences(&found.acl, &expected);
    for difference in differs.iter().filter(|difference| difference.grantee == Grantee::Public) {
        let sql = difference.sql(&format!("SCHEMA {}", ident(name)), false);
        let what = format!("schema {name}, shared by the tenants: {}", difference.before());
        if found.ours {
            changes.push(DatabaseChange::new(
                DatabaseAction::CloseSharedSchema,
                format!("{what} → {}", difference.after(false)),
                sql,
            ));
        } else {
            let detail = format!("{what}; not ours to close, {} can: {}", found.owner, sql.join("; "));
            hazards.push(Hazard { kind: HazardKind::SharedSchemaOpen, detail });
        }
    }
}

/// Schema public, and TEMPORARY on the database.
fn public(fleet: &Fleet<'_>, changes: &mut Vec<DatabaseChange>, hazards: &mut Vec<Hazard>) {
    let database = &fleet.observed.database;
    let admin = &fleet.observed.server.admin;
    let objects = database.public_schema.as_ref().map_or(0, |public| public.objects);
    let open = database.public_schema.as_ref().filter(|public| !public.public_privileges.is_empty());
    let examples = || open.map(|public| public.examples.join(", ")).unwrap_or_default();
    if public_schema_policy(fleet.desired, fleet.observed) == PublicSchema::Keep {
        if open.is_some() && objects > 0 && fleet.desired.public_schema.is_none() {
            hazards.push(Hazard {
                kind: HazardKind::PublicSchemaOpen,
                detail: format!(
                    "schema public holds {objects} objects ({}) and stays open to every tenant; set public_schema to \"revoke\" or \"keep\" in [database]",
                    examples()
                ),
            });
        }
        return;
    }
    if open.is_some() {
        let sql = "REVOKE ALL ON SCHEMA public FROM PUBLIC".to_owned();
        if admin.superuser || admin.owns_public {
            changes.push(DatabaseChange::new(
                DatabaseAction::ClosePublicSchema,
                "schema public: PUBLIC gets nothing",
                vec![sql],
            ));
            if objects > 0 {
                hazards.push(Hazard {
                    kind: HazardKind::PublicSchemaClosed,
                    detail: format!(
                        "schema public holds {objects} objects ({}); roles that could use them through PUBLIC lose that access",
                        examples()
                    ),
                });
            }
        } else {
            hazards.push(not_ours(&sql, "schema public"));
        }
    }
    if database.public_has_temp {
        let sql = format!("REVOKE TEMPORARY ON DATABASE {} FROM PUBLIC", ident(&database.name));
        if admin.superuser || admin.owns_database {
            let detail = format!("database {}: no TEMPORARY for PUBLIC", database.name);
            changes.push(DatabaseChange::new(DatabaseAction::RevokeTemp, detail, vec![sql]));
        } else {
            hazards.push(not_ours(&sql, "the database"));
        }
    }
}

fn not_ours(sql: &str, what: &str) -> Hazard {
    let detail = format!("{what} is not ours to close; its owner can: {sql};   or set public_schema = \"keep\"");
    Hazard { kind: HazardKind::PublicSchemaOpen, detail }
}

/// An owner that several tenants share is made before them and dropped after the last of them.
fn shared_owners(fleet: &Fleet<'_>, tenants: &[TenantPlan], changes: &mut Vec<DatabaseChange>) {
    let planned: BTreeSet<&str> = tenants.iter().filter(|t| t.has_work()).map(|t| t.tenant.as_str()).collect();
    for (owner, users) in fleet.owners.iter().filter(|(_, users)| users.len() > 1) {
        let declared = |key: &&crate::core::model::TenantKey| {
            fleet.desired.tenants.get(*key).is_some_and(|t| t.access != Access::Owner && t.owner_role == **owner)
        };
        let exists = fleet.observed.roles.get(*owner);
        let wanted = users.iter().copied().filter(|key| declared(key)).any(|key| planned.contains(key.as_str()));
        if wanted {
            let mut sql = Vec::new();
            if exists.is_none() {
                sql.push(format!("CREATE ROLE {} NOLOGIN", ident(owner)));
                sql.push(remember_owner(owner));
            }
            let groups = [Some(&fleet.group), Some(&fleet.owners_group).filter(|_| fleet.owners_join)];
            for group in groups.into_iter().flatten() {
                if !exists.is_some_and(|role| role.is_member_of(group)) {
                    sql.push(format!("GRANT {} TO {}", ident(group), ident(owner)));
                }
            }
            if !sql.is_empty() {
                changes.push(DatabaseChange::new(
                    DatabaseAction::CreateSharedOwner,
                    format!("role {owner} (NOLOGIN), shared by {} tenants", users.len()),
                    sql,
                ));
            }
        }
        let last_goes = exists.is_some()
            && users.iter().all(|key| {
                // Removed, or handed over to an owner of its own.
                let leaves = fleet
                    .registered_tenant(key)
                    .is_some_and(|row| row.state != State::Removed && row.state != State::Retained)
                    && planned.contains(key.as_str());
                leaves && !declared(key)
            });
        if last_goes {
            changes.push(drop_shared_owner(fleet, owner, "whose last tenants leave it"));
        }
    }
    let former = fleet.observed.registry.iter().flat_map(|registry| &registry.former_owners);
    let unused = former.filter(|role| fleet.remembers_owner(role) && !fleet.owners.contains_key(role.as_str()));
    changes.extend(unused.map(|role| drop_shared_owner(fleet, role, "which no tenant uses")));
}

fn drop_shared_owner(fleet: &Fleet<'_>, owner: &str, why: &str) -> DatabaseChange {
    // No DROP OWNED: what such a role still owned would be nobody's that is named here; better that DROP ROLE fails.
    let sql = vec![format!("DROP ROLE {}", ident(owner)), forget_owner(owner)];
    let gifts = holds::gifts(fleet, owner);
    let revoked = if gifts.is_empty() { "" } else { "; what others granted it is revoked" };
    let mut drop = DatabaseChange::new(DatabaseAction::DropSharedOwner, format!("role {owner}, {why}{revoked}"), sql);
    drop.sql.splice(0..0, gifts.iter().flat_map(Action::sql));
    drop.stage = Stage::After;
    drop.about = About::Dropped(owner.to_owned());
    drop
}
