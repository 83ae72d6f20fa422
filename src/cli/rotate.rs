//! `rotate`: a new password.

use tenantry::words::typed;
use tenantry::{Intent, Limits, Options, Which};

use super::approve::{self, Question};
use super::args::{Format, Global, RotateArgs, WhichArgs};
use super::exit::Exit;
use super::failure::Failure;
use super::output::Output;
use super::{interrupt, project, shown, telling};

pub fn run(global: &Global, args: &RotateArgs, out: &mut Output) -> Result<Exit, Failure> {
    let lock_timeout = args.lock.lock_timeout.unwrap_or_default();
    let tenantry = project::open(global, Options { lock_timeout, ..project::options(global) })?;
    // Before anybody waits for the lock.
    tenantry.declares(&args.which.tenants)?;
    let planned = tenantry.lock()?.plan(intent(args))?;
    let place = planned.place();
    out.talks_to(&place);
    planned.notes().iter().for_each(|left_out| out.note(left_out));
    if planned.plan().tenants.is_empty() && out.format != Format::Json {
        out.print("No passwords to rotate.\n")?;
        return Ok(Exit::Ok);
    }
    if !planned.has_work() {
        return shown::nothing_to_do(planned, out);
    }
    if out.format != Format::Json {
        out.print(&shown::plan(planned.plan(), out))?;
    }
    let mut approved = planned.approve(&[])?;
    let question = Question { command: "rotate", words: "Change these passwords?", hint: hint(args) };
    if !approve::approved(args.approve, &question, &place, &mut approved, out)? {
        return Ok(Exit::Failed);
    }
    interrupt::watch();
    let limits = Limits { max_failures: args.max_failures, ..Limits::default() };
    interrupt::or_interrupted(telling::carry_out(approved.limited(limits), &shown::report, out), global)
}

fn intent(args: &RotateArgs) -> Intent {
    let which = which(&args.which);
    if args.end_old { Intent::RotateAndEnd(which) } else { Intent::Rotate(which) }
}

fn which(args: &WhichArgs) -> Which {
    match args {
        WhichArgs { due: true, .. } => Which::Due,
        WhichArgs { tenants, .. } if !tenants.is_empty() => Which::Named(tenants.clone()),
        WhichArgs { older_than: Some(age), .. } => Which::OlderThan(*age),
        _ => Which::All,
    }
}

fn hint(args: &RotateArgs) -> String {
    let end_old = if args.end_old { " --end-old" } else { "" };
    let whose = match which(&args.which) {
        Which::Named(tenants) => tenants.join(" "),
        Which::OlderThan(age) => format!("--older-than {}", typed(age)),
        Which::All => "--all".to_owned(),
        Which::Due => "--due".to_owned(),
    };
    format!("in a script: tenantry rotate {whose}{end_old} --auto-approve")
}
