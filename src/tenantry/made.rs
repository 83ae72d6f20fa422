//! After an apply: what the migrations make, for the registry to remember, where no new tenant has told it.
//!
//! Not taken from a tenant that was there before: what its own code made meanwhile would pass for the migrations'.

use std::collections::{BTreeMap, BTreeSet};

use postgres::Client;

use super::error::Error;
use super::events::Events;
use super::session::{Ground, Session};
use crate::core::migrations::Version;
use crate::core::model::{Access, Applied, MadeObject, Observed, set_digest};
use crate::core::plan::Plan;
use crate::core::report::{Outcome, Report};
use crate::engine::error::{Context, Error as RunError};
use crate::engine::inspect::Sizes;
use crate::engine::registry;

/// What it is called for whoever interrupts it.
const WHAT: &str = "what the migrations create";

pub(super) fn remember(
    session: &mut Session,
    observed: &Observed,
    plan: &Plan,
    report: &Report,
    events: &dyn Events,
) -> Result<(), Error> {
    let mut sets = sets(&session.ground, observed, plan, report);
    if sets.is_empty() {
        return Ok(());
    }
    let known = registry::recorded_sets(&mut session.client)?;
    sets.retain(|digest, _| !known.contains(digest));
    if sets.is_empty() {
        return Ok(());
    }
    // What tenants share may have been made just now.
    let again = if plan.database_changes.is_empty() { None } else { Some(session.observe(Sizes::Removed)?) };
    let observed = again.as_ref().unwrap_or(observed);
    let Session { ground, client } = session;
    // On a session of its own: what is left of a scratch run goes with DISCARD ALL, and the lock of apply would go with it.
    let mut other = ground.target.connect_admin().map_err(RunError::from)?;
    let interrupt = &ground.options.interrupt;
    for (digest, versions) in sets {
        if interrupt.is_stopped() {
            break;
        }
        interrupt.work().begins(WHAT, "run once more in a scratch tenant, which is rolled back");
        interrupt.work().session(WHAT, &other, &ground.target);
        let made = ground.deep(observed, &|_| true).made(&mut other, &versions);
        interrupt.work().ends(WHAT);
        match made {
            Ok(made) => record(client, &digest, &made)?,
            // Nothing of the tenants' is amiss by it.
            Err(error) => events.note(&format!("the ownership of what the migrations created is not compared, because what they create could not be determined: {error}")),
        }
    }
    Ok(())
}

fn record(client: &mut Client, digest: &str, made: &BTreeSet<MadeObject>) -> Result<(), Error> {
    let doing = "recording what the migrations create";
    let mut transaction = client.transaction().doing(doing)?;
    transaction.batch_execute(&registry::guard::check()).doing(doing)?;
    registry::record_set(&mut transaction, digest, made).doing(doing)?;
    Ok(transaction.commit().doing(doing)?)
}

/// The sets of migrations that the tenants have now, where the username may own things beside what these made.
fn sets(ground: &Ground, observed: &Observed, plan: &Plan, report: &Report) -> BTreeMap<String, BTreeSet<Version>> {
    let desired = &ground.project.desired;
    let set = &desired.migrations;
    let mut sets = BTreeMap::new();
    for tenant in &plan.tenants {
        let is_full = desired.tenants.get(&tenant.tenant).is_some_and(|t| t.access == Access::Full);
        let failed = report.outcomes.iter().any(|o| o.tenant == tenant.tenant && o.outcome != Outcome::Applied);
        if !is_full || failed {
            continue;
        }
        let row = observed.registry.as_ref().and_then(|registry| registry.tenants.get(&tenant.tenant));
        let schema = row.and_then(|row| observed.schemas.get(&row.schema));
        let mut applied = schema.map(|schema| schema.history.applied().to_vec()).unwrap_or_default();
        let pending = tenant.pending_migrations();
        let pending = pending.iter().filter_map(|version| set.get(*version));
        applied.extend(pending.map(Applied::of));
        let version = |row: &Applied| Some(row.version).filter(|version| set.get(*version).is_some());
        // One whose file is gone cannot be run.
        if let Some(versions) =
            applied.iter().map(version).collect::<Option<BTreeSet<Version>>>().filter(|v| !v.is_empty())
        {
            sets.insert(set_digest(&applied), versions);
        }
    }
    sets
}
