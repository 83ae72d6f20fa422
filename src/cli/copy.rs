//! `copy FROM TO`: a declared tenant, created as another one is.

use tenantry::{Copying, Intent, Limits, Options};

use super::approve::{self, Question};
use super::args::{CopyArgs, Format, Global};
use super::exit::Exit;
use super::failure::Failure;
use super::output::Output;
use super::{interrupt, project, shown, telling};

pub fn run(global: &Global, args: &CopyArgs, out: &mut Output) -> Result<Exit, Failure> {
    interrupt::or_interrupted(copy(global, args, out), global)
}

fn copy(global: &Global, args: &CopyArgs, out: &mut Output) -> Result<Exit, Failure> {
    let lock_timeout = args.lock.lock_timeout.unwrap_or_default();
    let tenantry = project::open(global, Options { lock_timeout, ..project::options(global) })?;
    let CopyArgs { from, to, data, .. } = args;
    let planned = tenantry.lock()?.plan(Intent::Copy(Copying { from: from.clone(), to: to.clone(), data: *data }))?;
    let place = planned.place();
    out.talks_to(&place);
    if out.format != Format::Json {
        out.print(&shown::plan(planned.plan(), out))?;
    }
    let mut approved = planned.approve(&[])?;
    let rows = if *data { " --data" } else { "" };
    let question = Question {
        command: "copy",
        words: "Create this tenant?",
        hint: format!("in a script: tenantry copy {from} {to}{rows} --auto-approve"),
    };
    if !approve::approved(args.approve, &question, &place, &mut approved, out)? {
        return Ok(Exit::Failed);
    }
    interrupt::watch();
    let limits = Limits { max_failures: 0, ..Limits::default() };
    telling::carry_out(approved.limited(limits), &shown::report, out)
}
