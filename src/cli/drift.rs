//! `drift`: the plan as an alarm. Read-only, for scheduled jobs.

use std::time::Instant;

use tenantry::render;
use tenantry::{Drift, Options};

use super::args::{DriftArgs, Global};
use super::exit::Exit;
use super::failure::Failure;
use super::output::Output;
use super::write::{Readable, atomically};
use super::{project, shown};

pub fn run(global: &Global, args: &DriftArgs, out: &mut Output) -> Result<Exit, Failure> {
    let start = Instant::now();
    // A report says how large each tenant is, and a size is a look at files.
    let options = Options { deep: args.deep, sizes: args.report.is_some(), ..project::options(global) };
    let mut looked = project::open(global, options)?.look()?;
    out.talks_to(&looked.place());
    let Drift { plan, password_ages, passwords_due, taken_at } = looked.drift()?;
    out.print(&shown::plan(&plan, out))?;
    if let Some(path) = &args.metrics {
        let run = render::metrics::Run {
            ended_at: taken_at.as_millisecond() as f64 / 1000.0,
            duration_seconds: start.elapsed().as_secs_f64(),
            oldest_password_age_seconds: password_ages.iter().map(|(_, age)| *age).max(),
            passwords_due,
        };
        atomically(path, &render::metrics::text(&plan, &run), Readable::ByAll)?;
    }
    if let Some(path) = &args.report {
        let fleet = looked.tenants()?;
        let passwords: Vec<(&str, i64)> = password_ages.iter().map(|(key, age)| (key.as_str(), *age)).collect();
        let taken_at = taken_at.strftime("%Y-%m-%d %H:%M UTC").to_string();
        let (again, planning) = (out.again().in_plan(plan.document()), out.again().complete("tenantry plan "));
        let report = render::html::Report {
            plan: &again,
            fleet: &fleet,
            passwords: &passwords,
            format: looked.migrations_format(),
            taken_at: &taken_at,
            planning: planning.trim_end(),
        };
        atomically(path, &render::html::report(&report), Readable::ByAll)?;
    }
    Ok(if plan.in_sync() { Exit::Ok } else { Exit::Changes })
}
