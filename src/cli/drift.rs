//! `drift`: the plan as an alarm. Read-only, for scheduled jobs.

use std::time::Instant;

use super::args::{DriftArgs, Global};
use super::exit::Exit;
use super::failure::Failure;
use super::output::Output;
use super::session::Session;
use super::write::{Readable, atomically};
use super::{list, plan, session};
use crate::core::model::{Observed, State};
use crate::core::render;
use crate::engine::inspect::Sizes;

pub fn run(global: &Global, args: &DriftArgs, out: &mut Output) -> Result<Exit, Failure> {
    let start = Instant::now();
    let mut session = session::connect(global)?.deep(args.deep);
    // A report says how large each tenant is, and a size is a look at files.
    let sizes = if args.report.is_some() { Sizes::All } else { Sizes::Removed };
    let observed = session.observe(sizes)?;
    session.selects_something(&observed)?;
    out.talks_to(&session.place(&observed));
    let mut plan = session.diff(&observed);
    plan.shape = session.shapes(&observed)?;
    out.print(&plan::rendered(plan.document(), out))?;
    let now = jiff::Timestamp::now();
    let passwords = password_ages(&session, &observed, now);
    if let Some(path) = &args.metrics {
        let run = render::metrics::Run {
            ended_at: now.as_millisecond() as f64 / 1000.0,
            duration_seconds: start.elapsed().as_secs_f64(),
            oldest_password_age_seconds: passwords.iter().map(|(_, age)| *age).max(),
        };
        atomically(path, &render::metrics::text(&plan, &run), Readable::ByAll)?;
    }
    if let Some(path) = &args.report {
        let fleet = list::rows(&mut session, &observed)?;
        let taken_at = now.strftime("%Y-%m-%d %H:%M UTC").to_string();
        let (again, planning) = (out.again().in_plan(plan.document()), out.again().complete("tenantry plan "));
        let report = render::html::Report {
            plan: &again,
            fleet: &fleet,
            passwords: &passwords,
            taken_at: &taken_at,
            planning: planning.trim_end(),
        };
        atomically(path, &render::html::report(&report), Readable::ByAll)?;
    }
    Ok(if plan.in_sync() { Exit::Ok } else { Exit::Changes })
}

/// Seconds since the password of each tenant looked at was changed, where the registry knows.
fn password_ages<'a>(session: &Session, observed: &'a Observed, now: jiff::Timestamp) -> Vec<(&'a str, i64)> {
    let rows = observed.registry.iter().flat_map(|registry| &registry.tenants);
    rows.filter(|(key, row)| row.state == State::Active && session.selects(key))
        .filter_map(|(key, row)| Some((key.as_str(), now.duration_since(row.password_changed_at?).as_secs())))
        .collect()
}
