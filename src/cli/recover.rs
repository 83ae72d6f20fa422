//! `recover`: the SQL that brings a lost registry back.

use std::io::Write;

use tenantry::words::count;

use super::args::Global;
use super::exit::Exit;
use super::failure::Failure;
use super::output::Output;
use super::project;

pub fn run(global: &Global, out: &mut Output) -> Result<Exit, Failure> {
    let looked = project::open(global, project::options(global))?.look()?;
    let recovery = looked.recover()?;
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
    let script = format!("-- {}\n{}", looked.place(), recovery.sql);
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(script.as_bytes()).and_then(|()| stdout.flush()).map_err(Failure::of_stdout)?;
    out.note(&format!(
        "registers {}; nothing was changed; as {}: psql -f FILE   and then: tenantry plan",
        count(recovery.tenants.len(), "tenant"),
        looked.admin()
    ));
    Ok(Exit::Ok)
}
