//! Saved plans on disk: `plan --out FILE`, `apply FILE`, `show FILE`.

use std::io::Write;
use std::path::Path;

use super::failure::Failure;
use super::session::Session;
use crate::error::Doing;
use crate::model::Observed;
use crate::plan::{Plan, Saved, Stale};

/// 0600: a plan holds no secret, and still says more of a fleet than everybody should read.
pub fn write(path: &Path, saved: &Saved) -> Result<(), Failure> {
    let doing = || format!("writing {}", path.display());
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(".tenantry-plan-").tempfile_in(dir).doing(doing())?;
    file.write_all(saved.to_json().as_bytes()).doing(doing())?;
    file.as_file().sync_all().doing(doing())?;
    file.persist(path).map_err(|error| error.error).doing(doing())?;
    Ok(())
}

pub fn read(path: &Path) -> Result<Saved, Failure> {
    let text = std::fs::read_to_string(path).doing(format!("reading {}", path.display()))?;
    Saved::parse(&text).map_err(|error| {
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
    match stale {
        Stale::Database { saved, now } => format!("it was made for database {saved}; this is {now}"),
        Stale::Configuration => "tenants.toml or the migrations changed".into(),
        Stale::Shared => "what the tenants share changed".into(),
        Stale::Tenant { tenant, what } => format!("tenant {tenant}: {what}"),
    }
}
