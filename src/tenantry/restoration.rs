//! A tenant from its archive: what must be so before, and what is planned.

use super::creation::{self, Filling};
use super::declared;
use super::error::{Error, Guard, Guarded, Refusal};
use super::session::Ground;
use crate::core::model::{Observed, State, Tenant, TenantKey};
use crate::core::plan::{self, ArchivedRows, Blocked, Plan};
use crate::core::words::count;
use crate::engine::archive::{self, Manifest, Programs};

/// The tenant of the archive, as it is declared.
pub(super) fn declared(ground: &Ground, manifest: &Manifest) -> Result<Tenant, Error> {
    let declared = ground.project.desired.tenants.get(&manifest.tenant);
    archive::refuse_other_names(manifest, declared).cloned().guarded(Guard::Restorable)
}

pub(super) fn plan(ground: &Ground, observed: &Observed, tenant: &Tenant, manifest: &Manifest) -> Result<Plan, Error> {
    // It begins with what the archive holds.
    let mut plan = creation::of_one(ground, observed, &tenant.key, None);
    refuse_what_is_there(observed, &plan, tenant)?;
    leave_out_what_it_holds(ground, manifest, &mut plan, observed.server.major())?;
    Ok(plan)
}

/// Whom the archive of another tenant is restored as.
pub(super) fn key(ground: &Ground, named: &str) -> Result<TenantKey, Error> {
    let file = ground.file.display().to_string();
    let key = declared::key(&ground.project.desired, named, &file)?.clone();
    ground.filter.must_select(&key)?;
    Ok(key)
}

/// The migrations create the tables, and the archive's rows go into them: its structure names the other tenant's schema and roles.
pub(super) fn plan_as(
    ground: &Ground,
    observed: &Observed,
    key: &TenantKey,
    manifest: &Manifest,
) -> Result<Plan, Error> {
    if let Some(objects) = &manifest.large_objects {
        return Err(RESTORING.refused(
            format!(
                "the archive has {}: they have their OIDs again only in the tenant that it is of; nothing was changed",
                count(objects.count, "large object")
            ),
            format!("restore it as {}, in another database if that tenant is in use", manifest.tenant),
        ));
    }
    let mut plan = RESTORING.plan(ground, observed, key, None)?;
    let desired = &ground.project.desired;
    for planned in &mut plan.tenants {
        let Some(tenant) = desired.tenants.get(key) else { continue };
        let rows = ArchivedRows {
            tenant: manifest.tenant.clone(),
            file: manifest.dump.file.clone(),
            tables: manifest.tables.len(),
            rows: manifest.rows(),
        };
        plan::from_archive(planned, tenant, &desired.migrations, manifest.migrations.as_deref(), rows)
            .map_err(does_not_match)?;
    }
    Ok(plan)
}

fn does_not_match(blocked: Blocked) -> Refusal {
    Refusal {
        guard: Guard::Restorable,
        message: format!("the archive does not match these migrations: {}; nothing was changed", blocked.reason),
        hint: blocked.hint,
    }
}

/// What is missing once the data are in, as of any tenant.
pub(super) fn rest(ground: &Ground, observed: &Observed, tenant: &Tenant) -> Plan {
    let rest = plan::diff(&ground.project.desired, observed, &|key| *key == tenant.key);
    Plan { database_changes: Vec::new(), targeting: None, ..rest }
}

/// A pg_restore reads what an older pg_dump wrote.
pub(super) fn programs(ground: &Ground, observed: &Observed, manifest: &Manifest) -> Result<Programs, Error> {
    let digits: String = manifest.pg_dump_version.chars().take_while(char::is_ascii_digit).collect();
    let made_by: u32 = digits.parse().unwrap_or_default();
    ground.programs(observed.server.major().unsigned_abs().max(made_by))
}

const RESTORING: Filling = Filling { guard: Guard::Restorable, word: "restore" };

fn refuse_what_is_there(observed: &Observed, plan: &Plan, tenant: &Tenant) -> Result<(), Error> {
    let key: &TenantKey = &tenant.key;
    let row = observed.registry.as_ref().and_then(|registry| registry.tenants.get(key));
    match row.map(|row| row.state) {
        // The same again, if it is the same; other names would leave what is there.
        Some(State::Restoring) => {
            let same = row.is_some_and(|row| {
                row.schema == tenant.schema && row.username == tenant.username && row.owner == tenant.owner()
            });
            return if same {
                Ok(())
            } else {
                Err(RESTORING.refused(
                    format!("an earlier restore of {key} was interrupted, under other names"),
                    format!("abandon that one first: take {key} out of tenants.toml and apply"),
                ))
            };
        }
        Some(State::Removed) => {
            return Err(RESTORING.refused(
                format!("the former secret of {key} has not been deleted yet"),
                format!("take {key} out of tenants.toml and apply; declare it again, and restore"),
            ));
        }
        Some(state) => {
            return Err(RESTORING.refused(
                format!("tenant {key} already exists ({}); nothing was changed", state.as_str()),
                format!(
                    "to replace it with the archive: take {key} out of tenants.toml and apply, which archives what is there; declare it again, and restore"
                ),
            ));
        }
        None => {}
    }
    RESTORING.creates(plan, key)
}

/// Data of another history would be found out by the plan that follows, when they are in.
fn leave_out_what_it_holds(ground: &Ground, manifest: &Manifest, plan: &mut Plan, major: i32) -> Result<(), Error> {
    let set = &ground.project.desired.migrations;
    for tenant in &mut plan.tenants {
        plan::after_restore(tenant, set, manifest.migrations.as_deref(), major).map_err(does_not_match)?;
    }
    Ok(())
}
