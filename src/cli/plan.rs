//! `plan`: what apply would do.

use tenantry::Options;

use super::again::quoted;
use super::args::{Global, PlanArgs};
use super::exit::Exit;
use super::failure::Failure;
use super::output::Output;
use super::write::{Readable, atomically};
use super::{project, shown};

pub fn run(global: &Global, args: &PlanArgs, out: &mut Output) -> Result<Exit, Failure> {
    let options = Options { deep: args.deep, moved: args.moved, ..project::options(global) };
    let mut looked = project::open(global, options)?.look()?;
    out.talks_to(&looked.place());
    let plan = looked.plan()?;
    out.print(&shown::plan(&plan, out))?;
    shown::foretold(&looked, &plan, out);
    if let Some(path) = &args.out {
        // A plan holds no secret, and still says more of a fleet than everybody should read.
        atomically(path, &looked.save(&plan).to_json(), Readable::ByOwner)?;
        let moved = if args.moved { "--moved " } else { "" };
        let file = quoted(&path.to_string_lossy());
        out.note(&format!("saved; to apply exactly this plan: tenantry apply {moved}{file}"));
    }
    Ok(if args.detailed_exitcode && !plan.in_sync() { Exit::Changes } else { Exit::Ok })
}
