//! Saved plans on disk: `plan --out FILE`, `apply FILE`, `show FILE`.

use std::path::Path;

use super::failure::Failure;
use super::session::Session;
use super::write::{Readable, atomically};
use crate::core::model::Observed;
use crate::core::plan::{Plan, Saved, Stale};
use crate::core::render::escape::visible;
use crate::engine::error::Doing;
use crate::engine::private;

/// A plan holds no secret, and still says more of a fleet than everybody should read.
pub fn write(path: &Path, saved: &Saved) -> Result<(), Failure> {
    atomically(path, &saved.to_json(), Readable::ByOwner)
}

pub fn read(path: &Path) -> Result<Saved, Failure> {
    let bytes = private::read(path).doing(format!("reading {}", path.display()))?;
    Saved::parse(&bytes).map_err(|error| {
        Failure::refused(
            format!("{}: {error}; nothing was changed", path.display()),
            "save it again: tenantry plan --out FILE",
        )
    })
}

/// The saved plan, made again from what is there now; refused when that comes to something else.
pub fn narrow(saved: &Saved, session: &Session, observed: &Observed, now: Plan) -> Result<Plan, Failure> {
    let project = &session.project;
    saved.narrow(now, &project.desired, observed, &project.digest).map_err(|stale| {
        let lines: Vec<String> = stale.iter().take(20).map(words).collect();
        let more = stale.len().saturating_sub(lines.len());
        let more = if more > 0 { format!("\n  and {more} more") } else { String::new() };
        Failure::refused(
            format!("the saved plan is stale; nothing was changed\n  {}{more}", lines.join("\n  ")),
            "plan again: tenantry plan --out FILE",
        )
    })
}

fn words(stale: &Stale) -> String {
    // What the file says may be anybody's.
    visible(&match stale {
        Stale::Database { saved, now } => format!("it was made for database {saved}; this is {now}"),
        Stale::Configuration => "tenants.toml or the migrations changed".to_owned(),
        Stale::Shared { what } => format!("what the tenants share: {what}"),
        Stale::Tenant { tenant, what } => format!("tenant {tenant}: {what}"),
    })
    .into_owned()
}
