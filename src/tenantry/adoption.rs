//! Tenants that are there and that the registry does not know.

use std::collections::BTreeSet;

use postgres::Client;

use super::declared::{self, names_or_all};
use super::error::{Error, Guard, Refusal};
use super::session::Ground;
use crate::core::migrations::Version;
use crate::core::model::{AdoptedPassword, Observed, TenantKey};
use crate::core::plan::{self, Plan};
use crate::core::words::few;
use crate::engine::error::Error as RunError;
use crate::engine::inspect;

/// Which tenants are adopted, and what is to be known of them.
#[derive(Clone, Debug, Default)]
pub struct Adopting {
    /// None: every declared one of which something is there that the registry does not know. The targets limit it too.
    pub tenants: Vec<String>,
    /// Of those without a history: the migrations up to this version are recorded as applied, and not run.
    pub baseline: Option<Version>,
    pub password: AdoptedPassword,
}

/// What is wrong with what was asked for, offline.
pub(super) fn check(ground: &Ground, adopting: &Adopting) -> Result<(), Error> {
    let desired = &ground.project.desired;
    declared::must_be_declared(desired, &ground.filter, &adopting.tenants, &ground.file.display().to_string())?;
    let set = &desired.migrations;
    let Some(version) = adopting.baseline.filter(|version| set.get(*version).is_none()) else { return Ok(()) };
    let versions: Vec<String> = set.iter().map(|file| file.file.clone()).collect();
    let versions: Vec<&str> = versions.iter().map(String::as_str).collect();
    let there = if versions.is_empty() {
        "there are no migrations".to_owned()
    } else {
        format!("there are {}", few(&versions))
    };
    let message = format!("there is no migration of version {version} to take as the baseline; nothing was changed");
    Err(Refusal::new(Guard::Adoptable, message, there).into())
}

/// Whether it is one of those that are meant.
pub(super) fn names(adopting: &Adopting, key: &TenantKey) -> bool {
    names_or_all(&adopting.tenants, key)
}

/// Looks closer at the tenants that are chosen, and notes what is there of them in `observed`.
pub(super) fn look(
    ground: &Ground,
    client: &mut Client,
    observed: &mut Observed,
    adopting: &Adopting,
) -> Result<(), Error> {
    let desired = &ground.project.desired;
    let chosen = |key: &TenantKey| ground.filter.selects(key) && names(adopting, key);
    let tenants = plan::adoptable(desired, observed, &chosen);
    if let Some(other) = adopting.tenants.iter().find(|name| !tenants.iter().any(|key| key.as_str() == *name)) {
        return Err(nothing_of(observed, other).into());
    }
    inspect::adoptions(client, desired, observed, &tenants, (adopting.baseline, adopting.password))?;
    if adopting.password != AdoptedPassword::Rotated {
        let opens = ground.deep(observed, &|_| true).adopted_passwords(client)?;
        for (key, opens) in opens {
            if let Some(adoption) = observed.adoptions.get_mut(&key) {
                adoption.opens = Some(opens);
            }
        }
    }
    Ok(())
}

fn nothing_of(observed: &Observed, name: &str) -> Refusal {
    let rows = observed.registry.iter().flat_map(|registry| registry.tenants.keys());
    let guard = Guard::Adoptable;
    if rows.into_iter().any(|key| key.as_str() == name) {
        let message = format!("tenant {name} is managed by tenantry already; nothing was changed");
        return Refusal::new(guard, message, format!("tenantry plan --target {name}"));
    }
    let message =
        format!("nothing of tenant {name} is there to adopt: neither its schema nor its roles; nothing was changed");
    Refusal::new(
        guard,
        message,
        format!("check its names in tenants.toml; to create it: tenantry apply --target {name}"),
    )
}

/// The plan of those alone, with what tenants share and is not there yet; the rest is for apply.
pub(super) fn plan(ground: &Ground, observed: &Observed) -> Result<Plan, Error> {
    let chosen: BTreeSet<&TenantKey> = observed.adoptions.keys().collect();
    let selects = |key: &TenantKey| chosen.contains(key);
    let mut plan = plan::diff(&ground.project.desired, observed, &selects);
    plan.targeting = None;
    plan.database_changes.retain(|change| change.action.makes());
    let baselined: BTreeSet<TenantKey> = plan::baselined(&plan);
    if !baselined.is_empty() {
        // On a session of its own: a scratch run ends with DISCARD ALL, and the lock of apply would go with it.
        let mut other = ground.target.connect_admin().map_err(RunError::from)?;
        let shapes = ground.deep(observed, &|key| baselined.contains(key)).shapes(&mut other)?;
        plan::note_shapes(&mut plan, shapes);
    }
    Ok(plan)
}
