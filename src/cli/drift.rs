//! `drift`: the plan as an alarm. Read-only, for scheduled jobs.

use std::io::Write;
use std::path::Path;
use std::time::Instant;

use super::args::{DriftArgs, Global};
use super::exit::Exit;
use super::failure::Failure;
use super::output::Output;
use super::{list, plan, session};
use crate::error::Doing;
use crate::inspect::Sizes;
use crate::model::{Observed, State};
use crate::render;

pub fn run(global: &Global, args: &DriftArgs, out: &mut Output) -> Result<Exit, Failure> {
    let start = Instant::now();
    let mut session = session::connect(global)?.deep(args.deep);
    // A report says how large each tenant is, and a size is a look at files.
    let sizes = if args.report.is_some() { Sizes::All } else { Sizes::Removed };
    let observed = session.observe(sizes)?;
    session.selects_something(&observed)?;
    let mut plan = session.diff(&observed);
    plan.shape = session.shapes(&observed)?;
    out.print(&plan::rendered(&plan, out))?;
    if let Some(path) = &args.metrics {
        let now = jiff::Timestamp::now();
        let run = render::metrics::Run {
            ended_at: now.as_millisecond() as f64 / 1000.0,
            duration_seconds: start.elapsed().as_secs_f64(),
            oldest_password_age_seconds: oldest_password(&observed).map(|at| now.duration_since(at).as_secs()),
        };
        write_atomically(path, &render::metrics::text(&plan, &run))?;
    }
    if let Some(path) = &args.report {
        let fleet = list::rows(&mut session, &observed)?;
        let taken_at = jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC").to_string();
        let report = render::html::Report { plan: &plan, fleet: &fleet, taken_at: &taken_at };
        write_atomically(path, &render::html::report(&report))?;
    }
    Ok(if plan.in_sync() { Exit::Ok } else { Exit::Changes })
}

fn oldest_password(observed: &Observed) -> Option<jiff::Timestamp> {
    let rows = observed.registry.iter().flat_map(|registry| registry.tenants.values());
    rows.filter(|row| row.state == State::Active).filter_map(|row| row.password_changed_at).min()
}

/// Whoever scrapes the file sees the old run or the new one, never half of one.
fn write_atomically(path: &Path, text: &str) -> Result<(), Failure> {
    let doing = || format!("writing {}", path.display());
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(".tenantry-").tempfile_in(dir).doing(doing())?;
    file.write_all(text.as_bytes()).doing(doing())?;
    // node_exporter reads as another user.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        file.as_file().set_permissions(std::fs::Permissions::from_mode(0o644)).doing(doing())?;
    }
    file.persist(path).map_err(|error| error.error).doing(doing())?;
    Ok(())
}
