//! `recover`: the SQL that brings a lost registry back.

use std::io::Write;

use super::args::Global;
use super::exit::Exit;
use super::failure::Failure;
use super::output::Output;
use super::session::{self, Session};
use crate::core::model::{Observed, TenantKey};
use crate::core::words::{count, few};
use crate::engine::inspect::Sizes;
use crate::engine::registry;

pub fn run(global: &Global, out: &mut Output) -> Result<Exit, Failure> {
    let mut session = session::connect(global)?;
    let observed = session.observe(Sizes::Removed)?;
    session.selects_something(&observed)?;
    let recovery = registry::recover(&session.project.desired, &observed, &|key| session.selects(key))?;
    for (tenant, why) in &recovery.left_out {
        out.note(&format!("{tenant} is left out: {why}"));
    }
    for warning in &recovery.warnings {
        out.note(&format!("warning: {warning}"));
    }
    if recovery.tenants.is_empty() {
        out.note("there is no tenant to register again");
        return Ok(Exit::Ok);
    }
    // As it is: what is shown to a person loses control characters, and a name may hold them.
    let script = format!("-- {}\n{}", session.place(&observed), recovery.sql);
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(script.as_bytes()).and_then(|()| stdout.flush()).map_err(Failure::of_stdout)?;
    let admin = &observed.server.admin.name;
    out.note(&format!(
        "registers {}; nothing was changed; as {admin}: psql -f FILE   and then: tenantry plan",
        count(recovery.tenants.len(), "tenant")
    ));
    Ok(Exit::Ok)
}

/// Of the tenants that `selects` takes those that are there, of tenantry's making, and that no row of the registry names: in
/// words. `None`: there are none, as usual.
pub fn lost(session: &Session, observed: &Observed, selects: &dyn Fn(&TenantKey) -> bool) -> Option<String> {
    let selects = |key: &TenantKey| session.selects(key) && selects(key);
    // One of an older form says what it lacks when it is written to.
    let lost = registry::recover(&session.project.desired, observed, &selects).ok()?.tenants;
    let names: Vec<&str> = lost.iter().map(TenantKey::as_str).collect();
    let which = if names.len() == 1 { "it" } else { "them" };
    (!names.is_empty()).then(|| {
        let (how_many, named) = (count(names.len(), "tenant"), few(&names));
        format!("{how_many}: no row in schema tenantry names {which}, and tenantry created {which}: {named}")
    })
}
