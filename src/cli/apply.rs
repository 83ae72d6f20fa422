//! `apply`: plan, ask, carry out, report.

use tenantry::words::typed;
use tenantry::{Error, Intent, Limits, MAX_FAILURES, Options, read_plan};

use super::again::quoted;
use super::approve::{self, Question};
use super::args::{ApplyArgs, Format, Global};
use super::exit::Exit;
use super::failure::Failure;
use super::output::Output;
use super::{flags, interrupt, project, shown, telling};

pub fn run(global: &Global, args: &ApplyArgs, out: &mut Output) -> Result<Exit, Failure> {
    let intent = intent(global, args)?;
    let lock_timeout = args.lock.lock_timeout.unwrap_or_default();
    let options = Options { deep: args.deep, moved: args.moved, lock_timeout, ..project::options(global) };
    let planned = project::open(global, options)?.lock()?.plan(intent)?;
    let place = planned.place();
    out.talks_to(&place);
    if !planned.has_work() {
        return shown::nothing_to_do(planned, out);
    }
    if out.format != Format::Json {
        out.print(&shown::plan(planned.plan(), out))?;
    }
    let mut approved = planned.approve(&flags::consents(args)).map_err(|error| match error {
        Error::Consent(needs) => {
            let hint = flags::of_apply(&needs, &|flags| with(args, flags));
            Failure::refused(needs.message, hint)
        }
        error => error.into(),
    })?;
    let question = Question {
        command: "apply",
        words: "Apply these changes?",
        hint: "review the plan with: tenantry plan   and apply it with: tenantry apply --auto-approve".into(),
    };
    if !approve::approved(args.approve, &question, &place, &mut approved, out)? {
        return Ok(Exit::Failed);
    }
    interrupt::watch();
    let limits = Limits {
        max_failures: args.max_failures,
        end_blockers: args.end_blockers,
        to_end_blockers: Some(with(args, "--end-blockers")),
        ..Limits::default()
    };
    interrupt::or_interrupted(telling::carry_out(approved.limited(limits), &shown::report, out), global)
}

/// What tenants.toml says, or what a file does.
fn intent(global: &Global, args: &ApplyArgs) -> Result<Intent, Failure> {
    let Some(file) = &args.plan else { return Ok(Intent::Converge) };
    let saved = read_plan(file)?;
    if !global.target.is_empty() {
        return Err(Failure::refused(
            "a saved plan already names its tenants, and takes no --target",
            "omit --target, or save a plan for those tenants: tenantry plan --target GLOB --out FILE",
        ));
    }
    if saved.moved() != args.moved {
        return Err(agree_about_moved(saved.moved()));
    }
    Ok(Intent::Saved(Box::new(saved)))
}

/// The file can be anybody's, so that it gives no consent by itself; nor is one given that the file does not show.
fn agree_about_moved(in_file: bool) -> Failure {
    if in_file {
        return Failure::refused(
            "the plan was saved with --moved: this database takes the secrets; nothing was changed",
            "if that is intended, pass it here too: tenantry apply --moved FILE",
        );
    }
    Failure::refused(
        "the plan was saved without --moved, and does not show what that does; nothing was changed",
        "save it again: tenantry plan --moved --out FILE",
    )
}

/// The command that was typed, with one more flag.
pub(super) fn with(args: &ApplyArgs, flag: &str) -> String {
    let mut words = vec!["tenantry apply".to_owned()];
    words.extend(args.plan.as_ref().map(|file| quoted(&file.to_string_lossy())));
    words.extend(args.deep.then(|| "--deep".to_owned()));
    words.extend(args.moved.then(|| "--moved".to_owned()));
    words.push(flag.to_owned());
    if args.allow_removals > 0 && !flag.contains("--allow-removals") {
        words.push(format!("--allow-removals {}", args.allow_removals));
    }
    if args.allow_new_secrets > 0 {
        words.push(format!("--allow-new-secrets {}", args.allow_new_secrets));
    }
    words.extend(args.allow_fleet_change.iter().map(|key| format!("--allow-fleet-change {key}")));
    if args.rename_history {
        words.push("--rename-history".to_owned());
    }
    if args.max_failures != MAX_FAILURES {
        words.push(format!("--max-failures {}", args.max_failures));
    }
    words.extend(args.end_blockers.then(|| "--end-blockers".to_owned()));
    words.extend(args.lock.lock_timeout.map(|wait| format!("--lock-timeout {}", typed(wait))));
    words.extend(args.approve.auto_approve.then(|| "--auto-approve".to_owned()));
    words.join(" ")
}
