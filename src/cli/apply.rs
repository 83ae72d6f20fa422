//! `apply`: plan, ask, carry out, report.

use std::io::{IsTerminal, Write};
use std::sync::OnceLock;

use super::again::quoted;
use super::args::{ApplyArgs, Format, Global, MAX_FAILURES};
use super::exit::Exit;
use super::failure::Failure;
use super::output::Output;
use super::progress::Progress;
use super::{interrupt, made, plan, saved, session};
use crate::apply::{Apply, Lock, Recorded, Report};
use crate::error::Doing;
use crate::model::Observed;
use crate::plan::{Plan, Step, TenantPlan, Verb, unreachable_extension};
use crate::registry::{self, Arrival};
use crate::render;

pub fn run(global: &Global, args: &ApplyArgs, out: &mut Output) -> Result<Exit, Failure> {
    let saved = args.plan.as_deref().map(saved::read).transpose()?;
    if saved.is_some() && !global.target.is_empty() {
        return Err(Failure::refused(
            "a saved plan is for the tenants it was made for, and takes no --target",
            "leave --target out, or save a plan of those tenants: tenantry plan --target GLOB --out FILE",
        ));
    }
    if let Some(saved) = saved.as_ref().filter(|saved| saved.moved() != args.moved) {
        return Err(agree_about_moved(saved.moved()));
    }
    let mut session = session::connect(global)?.deep(args.deep).moved(args.moved)?;
    let lock = session.lock(&args.lock)?;
    if let Some(saved) = &saved {
        session.retarget(saved.targets())?;
        session = session.deep(saved.deep());
    }
    let (observed, mut plan) = session.plan()?;
    let place = session.place(&observed);
    out.talks_to(&place);
    must_see_everything(&observed)?;
    if let Some(saved) = saved {
        plan = saved::narrow(&saved, &session, &observed, plan)?;
    }
    if plan.database_changes.is_empty() && !plan.tenants.iter().any(TenantPlan::has_work) {
        if observed.registry.is_some() {
            crate::apply::check_registry(&observed, &plan)?;
            let arrival = Arrival { reached: &observed.server.reached, moved: false, writes_secrets: false };
            registry::settle(&mut session.client, &arrival)?;
        }
        return nothing_to_do(&plan, out);
    }
    if out.format != Format::Json {
        out.print(&plan::rendered(&plan, out))?;
    }
    allow_removals(&plan, args)?;
    preflight(&mut session, &observed, &plan, args.allow_new_secrets)?;
    if !args.auto_approve && !asked(&mut session, &place)? {
        out.note("Nothing was changed.");
        return Ok(Exit::Failed);
    }
    interrupt::watch();
    fail_point!("before_apply");
    let report = carry_out(global, &mut session, &lock, &observed, &plan, args.max_failures, out);
    let result = report.and_then(|report| {
        let exit = tell(&report, &plan, out)?;
        if !report.interrupted {
            // Nothing of the tenants' is amiss without it.
            if let Err(failure) = made::remember(&mut session, &observed, &plan, &report, out) {
                out.note(&format!("what the migrations made will be remembered by the next apply: {failure}"));
            }
        }
        Ok(exit)
    });
    interrupt::or_interrupted(result, global)
}

/// The file can be anybody's, so that it gives no consent by itself; nor is one given that the file does not show.
fn agree_about_moved(in_file: bool) -> Failure {
    if in_file {
        return Failure::refused(
            "the plan was saved with --moved: this database takes the secrets; nothing was changed",
            "if that is meant, say it here too: tenantry apply --moved FILE",
        );
    }
    Failure::refused(
        "the plan was saved without --moved, and does not show what that does; nothing was changed",
        "save it again: tenantry plan --moved --out FILE",
    )
}

/// Prints what came of it.
pub fn tell(report: &Report, plan: &Plan, out: &mut Output) -> Result<Exit, Failure> {
    out.print(&match out.format {
        Format::Json => render::report::json(&out.again().in_report(report), plan),
        _ => out.again().complete(&render::report::text(report, plan, &out.style())).into_owned(),
    })?;
    Ok(match (report.interrupted, report.is_success()) {
        (true, _) => Exit::Interrupted,
        (false, true) => Exit::Ok,
        (false, false) => Exit::Failed,
    })
}

/// What was not seen is not known to be as declared.
pub fn must_see_everything(observed: &Observed) -> Result<(), Failure> {
    if let Some(reader) = &observed.server.reader {
        let keeper = &observed.server.admin.name;
        return Err(Failure::refused(
            format!("{reader} is neither a superuser nor CREATEROLE: it may plan, and not apply; nothing was changed"),
            format!("connect as {keeper}, which owns the registry"),
        ));
    }
    let Some(unseen) = observed.unseen.first() else { return Ok(()) };
    let hint = unseen.hint.clone().unwrap_or_else(|| "connect as a role that may".into());
    Err(Failure::refused(format!("could not see {}; nothing was changed", unseen.what), hint))
}

pub fn nothing_to_do(plan: &Plan, out: &mut Output) -> Result<Exit, Failure> {
    let outcomes =
        plan.tenants.iter().filter(|tenant| tenant.verb == Verb::Blocked).map(crate::apply::TenantOutcome::blocked);
    let report = Report {
        unchanged: plan.count(Verb::Unchanged),
        database_changes: 0,
        shared_error: None,
        outcomes: outcomes.collect(),
        interrupted: false,
    };
    out.print(&match out.format {
        Format::Json => render::report::json(&out.again().in_report(&report), plan),
        _ => plan::rendered(plan, out),
    })?;
    Ok(if report.is_success() { Exit::Ok } else { Exit::Failed })
}

/// The keys of a few, and whether there are more.
fn first_of<'p>(tenants: impl Iterator<Item = &'p TenantPlan>) -> String {
    let mut keys: Vec<&str> = tenants.map(|tenant| tenant.tenant.as_str()).take(6).collect();
    if keys.len() > 5 {
        keys[5] = "…";
    }
    keys.join(", ")
}

fn allow_removals(plan: &Plan, args: &ApplyArgs) -> Result<(), Failure> {
    let removals = plan.tenants.iter().filter(|tenant| tenant.removes()).count();
    if removals > args.allow_removals {
        let names = first_of(plan.tenants.iter().filter(|tenant| tenant.removes()));
        let file = args.plan.as_ref().map(|file| format!("{} ", quoted(&file.to_string_lossy()))).unwrap_or_default();
        let deep = if args.deep { "--deep " } else { "" };
        let moved = if args.moved { "--moved " } else { "" };
        let mut more = String::new();
        if args.allow_new_secrets > 0 {
            more.push_str(&format!(" --allow-new-secrets {}", args.allow_new_secrets));
        }
        if args.max_failures != MAX_FAILURES {
            more.push_str(&format!(" --max-failures {}", args.max_failures));
        }
        if args.auto_approve {
            more.push_str(" --auto-approve");
        }
        return Err(Failure::refused(
            format!("the plan removes {removals} of the tenants ({names}); nothing was changed"),
            format!("if that is meant: tenantry apply {file}{deep}{moved}--allow-removals {removals}{more}"),
        ));
    }
    Ok(())
}

/// What is better found out before anything is changed.
pub fn preflight(
    session: &mut session::Session,
    observed: &Observed,
    plan: &Plan,
    allow_new_secrets: usize,
) -> Result<(), Failure> {
    crate::apply::check_whose(plan)?;
    crate::apply::check_missing(plan, session.store.as_ref(), allow_new_secrets)?;
    let claims = plan.database_changes.iter().flat_map(|change| &change.claims).map(|claim| claim.path.clone());
    let paths: Vec<String> = plan
        .tenants
        .iter()
        .filter(|tenant| tenant.has_work())
        .flat_map(|tenant| &tenant.changes)
        .filter_map(|change| match &change.step {
            Step::WriteSecret { path, .. } => Some(path.clone()),
            _ => None,
        })
        .chain(claims)
        .collect();
    session.store.may_write(&paths).doing("asking whether the secrets may be written")?;
    crate::apply::check_registry(observed, plan)?;
    if let Some((message, hint)) = unreachable_extension(&session.project.desired, observed, plan) {
        return Err(Failure::refused(message, hint));
    }
    crate::apply::check_admin(observed, plan)?;
    crate::apply::check_server(&mut session.client, observed, plan)?;
    crate::apply::check_archives(observed, plan, &session.project.archive_dir())?;
    Ok(())
}

fn asked(session: &mut session::Session, place: &str) -> Result<bool, Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::refused(
            "apply asks before it changes anything, and stdin is no terminal",
            "look at the plan with: tenantry plan   and apply it with: tenantry apply --auto-approve",
        ));
    }
    // Whoever finds the lock taken is told what it waits for.
    session.is_waiting(true)?;
    let mut stderr = anstream::stderr();
    let _ = write!(stderr, "\n{place}\nApply these changes? Only \"yes\" is accepted: ");
    let _ = stderr.flush();
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).doing("reading the answer")?;
    session.is_waiting(false)?;
    Ok(answer.trim() == "yes")
}

pub fn carry_out(
    global: &Global,
    session: &mut session::Session,
    lock: &Lock,
    observed: &Observed,
    plan: &Plan,
    max_failures: usize,
    out: &mut Output,
) -> Result<Report, Failure> {
    let work = plan.tenants.iter().filter(|tenant| tenant.has_work()).count();
    let progress = Progress::new("apply", work, out);
    let archive_dir = session.project.archive_dir();
    let known = observed.registry.as_ref().map(|registry| registry.recorded_sets.clone());
    let report = Apply {
        target: &session.target,
        lock,
        store: session.store.as_ref(),
        desired: &session.project.desired,
        server: &observed.server,
        moved: observed.moved,
        mark: OnceLock::new(),
        archive_dir: &archive_dir,
        parallelism: session::parallelism(global),
        recorded: &Recorded::new(known.unwrap_or_default()),
        stop: &interrupt::STOP,
        underway: &interrupt::UNDERWAY,
        max_failures,
        progress: &|outcome| progress.tenant_ended(outcome),
    }
    .run(&mut session.client, plan);
    progress.finish();
    Ok(report?)
}
