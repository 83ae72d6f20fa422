//! `adopt`: takes existing schemas and roles under management.

use std::io::Write;

use tenantry::model::AdoptedPassword;
use tenantry::undeclared;
use tenantry::words::count;
use tenantry::{Adopting, Consent, Error, Intent, Limits, Options};

use super::approve::{self, Question};
use super::args::{AdoptArgs, Format, Global};
use super::exit::Exit;
use super::failure::Failure;
use super::output::Output;
use super::{flags, interrupt, project, shown, telling};

pub fn run(global: &Global, args: &AdoptArgs, out: &mut Output) -> Result<Exit, Failure> {
    if let Some(glob) = &args.print {
        return print(global, glob, out);
    }
    let lock_timeout = args.lock.lock_timeout.unwrap_or_default();
    let tenantry = project::open(global, Options { lock_timeout, ..project::options(global) })?;
    // Before anybody waits for the lock.
    tenantry.declares(&args.tenants)?;
    let planned = tenantry.lock()?.plan(Intent::Adopt(adopting(args)))?;
    let place = planned.place();
    out.talks_to(&place);
    if planned.plan().tenants.is_empty() && out.format != Format::Json {
        out.print("Nothing to adopt: of every declared tenant, what is there is managed by tenantry already.\n")?;
        return Ok(Exit::Ok);
    }
    if !planned.has_work() {
        return shown::nothing_to_do(planned, out);
    }
    if out.format != Format::Json {
        out.print(&shown::plan(planned.plan(), out))?;
    }
    let consents = [Consent::DifferentShapes(args.allow_different_shapes)];
    let approved = planned.approve(&consents);
    let mut approved = approved.map_err(|error| match error {
        Error::Consent(needs) => {
            let hint = flags::of_apply(&needs, &|flags| command(args, flags));
            Failure::refused(needs.message, hint)
        }
        error => error.into(),
    })?;
    let hint = format!("in a script: {}", command(args, "--auto-approve"));
    let question = Question { command: "adopt", words: "Adopt these tenants?", hint };
    if !approve::approved(args.approve, &question, &place, &mut approved, out)? {
        return Ok(Exit::Failed);
    }
    interrupt::watch();
    let limits = Limits { max_failures: args.max_failures, ..Limits::default() };
    interrupt::or_interrupted(telling::carry_out(approved.limited(limits), &shown::report, out), global)
}

/// As it is, like every script: it is to be added to a file.
fn print(global: &Global, glob: &str, out: &mut Output) -> Result<Exit, Failure> {
    let mut looked = project::open(global, project::options(global))?.look()?;
    let found = looked.undeclared_schemas(glob)?;
    if found.is_empty() {
        out.note(&format!("no schema that matches {glob:?} is undeclared"));
        return Ok(Exit::Ok);
    }
    let mut stdout = std::io::stdout().lock();
    let written = stdout.write_all(format!("\n{}", undeclared::text(&found)).as_bytes());
    written.and_then(|()| stdout.flush()).map_err(Failure::of_stdout)?;
    let without = found.iter().filter(|declaration| declaration.needs_a_baseline).count();
    let baseline = if without > 0 { " --baseline VERSION" } else { "" };
    let then = if found.iter().all(|declaration| declaration.is_registered) { "apply" } else { "adopt" };
    out.note(&format!(
        "{} of {}; nothing was changed; read it, add it to {}, and then: tenantry {then}{baseline}",
        count(found.len(), "tenant"),
        looked.place(),
        global.config.display()
    ));
    Ok(Exit::Ok)
}

fn adopting(args: &AdoptArgs) -> Adopting {
    let password = match () {
        () if args.keep_password => AdoptedPassword::Kept,
        () if args.rotate => AdoptedPassword::Rotated,
        () => AdoptedPassword::Unsaid,
    };
    Adopting { tenants: args.tenants.clone(), baseline: args.baseline, password }
}

/// What was typed, with this flag too.
fn command(args: &AdoptArgs, flag: &str) -> String {
    let mut words = vec!["tenantry adopt".to_owned()];
    words.extend(args.tenants.iter().cloned());
    words.extend(args.baseline.map(|version| format!("--baseline {version}")));
    words.extend(args.rotate.then(|| "--rotate".to_owned()));
    words.extend(args.keep_password.then(|| "--keep-password".to_owned()));
    words.push(flag.to_owned());
    words.join(" ")
}
