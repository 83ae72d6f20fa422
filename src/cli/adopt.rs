//! `adopt`: takes existing schemas and roles under management.

use tenantry::model::AdoptedPassword;
use tenantry::{Adopting, Consent, Error, Intent, Limits, Options};

use super::approve::{self, Question};
use super::args::{AdoptArgs, Format, Global};
use super::exit::Exit;
use super::failure::Failure;
use super::output::Output;
use super::{flags, interrupt, project, shown, telling};

pub fn run(global: &Global, args: &AdoptArgs, out: &mut Output) -> Result<Exit, Failure> {
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
