//! After an apply: what the migrations make, for the registry to remember, where no new tenant has told it.
//!
//! Not taken from a tenant that was there before: what its own code made meanwhile would pass for the migrations'.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

use super::failure::Failure;
use super::interrupt;
use super::output::Output;
use super::session::Session;
use crate::core::model::{Access, Applied, Observed, set_digest};
use crate::core::plan::Plan;
use crate::engine::apply::{Outcome, Report};
use crate::engine::error::Doing;
use crate::engine::inspect::Sizes;
use crate::engine::registry;

/// What it is called for whoever interrupts it.
const WHAT: &str = "what the migrations create";

pub fn remember(
    session: &mut Session,
    observed: &Observed,
    plan: &Plan,
    report: &Report,
    out: &mut Output,
) -> Result<(), Failure> {
    let mut sets = sets(session, observed, plan, report);
    if sets.is_empty() {
        return Ok(());
    }
    let doing = "recording what the migrations create";
    let known = registry::recorded_sets(&mut session.client)?;
    sets.retain(|digest, _| !known.contains(digest));
    if sets.is_empty() {
        return Ok(());
    }
    // What tenants share may have been made just now.
    let again = if plan.database_changes.is_empty() { None } else { Some(session.observe(Sizes::Removed)?) };
    let mut other = session.target.connect_admin().map_err(crate::engine::error::Error::from)?;
    for (digest, versions) in sets {
        if interrupt::STOP.load(Ordering::Relaxed) {
            break;
        }
        interrupt::UNDERWAY.begins(WHAT, "run once more in a scratch tenant, which is rolled back");
        interrupt::UNDERWAY.session(WHAT, &other, &session.target);
        let made = session.made(&mut other, again.as_ref().unwrap_or(observed), &versions);
        interrupt::UNDERWAY.ends(WHAT);
        let made = match made {
            Ok(made) => made,
            // Nothing of the tenants' is amiss by it.
            Err(error) => {
                out.note(&format!("the ownership of what the migrations created is not compared, because what they create could not be determined: {error}"));
                continue;
            }
        };
        let mut transaction = session.client.transaction().doing(doing)?;
        transaction.batch_execute(&registry::guard::check()).doing(doing)?;
        registry::record_set(&mut transaction, &digest, &made).doing(doing)?;
        transaction.commit().doing(doing)?;
    }
    Ok(())
}

/// The sets of migrations that the tenants have now, where the username may own things beside what these made.
fn sets(session: &Session, observed: &Observed, plan: &Plan, report: &Report) -> BTreeMap<String, BTreeSet<i32>> {
    let set = &session.project.desired.migrations;
    let mut sets = BTreeMap::new();
    for tenant in &plan.tenants {
        let is_full = session.project.desired.tenants.get(&tenant.tenant).is_some_and(|t| t.access == Access::Full);
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
        let version = |row: &Applied| i32::try_from(row.version).ok().filter(|version| set.get(*version).is_some());
        // One whose file is gone cannot be run.
        if let Some(versions) = applied.iter().map(version).collect::<Option<BTreeSet<i32>>>().filter(|v| !v.is_empty())
        {
            sets.insert(set_digest(&applied), versions);
        }
    }
    sets
}
