//! `apply`: plan, ask, carry out, report.

use std::sync::OnceLock;

use super::again::quoted;
use super::approve::{self, Question};
use super::args::{ApplyArgs, Format, Global, MAX_FAILURES};
use super::exit::Exit;
use super::failure::Failure;
use super::output::Output;
use super::progress::Progress;
use super::{interrupt, made, plan, refusals, saved, session};
use crate::core::model::Observed;
use crate::core::plan::{Consents, Plan, TenantPlan, Verb};
use crate::core::render;
use crate::core::words::{count, few, typed};
use crate::engine::apply::{Apply, Lock, Recorded, Report};
use crate::engine::error::Doing;
use crate::engine::registry::{self, Arrival};

pub fn run(global: &Global, args: &ApplyArgs, out: &mut Output) -> Result<Exit, Failure> {
    let saved = args.plan.as_deref().map(saved::read).transpose()?;
    if saved.is_some() && !global.target.is_empty() {
        return Err(Failure::refused(
            "a saved plan already names its tenants, and takes no --target",
            "omit --target, or save a plan for those tenants: tenantry plan --target GLOB --out FILE",
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
            crate::engine::apply::check_registry(&observed, &plan)?;
            let arrival = Arrival {
                reached: &observed.server.reached,
                moved: false,
                writes_secrets: false,
                history_table: &session.project.desired.migrations.table,
            };
            registry::settle(&mut session.client, &arrival)?;
        }
        return nothing_to_do(&plan, out);
    }
    if out.format != Format::Json {
        out.print(&plan::rendered(plan.document(), out))?;
    }
    allow_removals(&plan, args)?;
    let consents = Consents {
        fleet_changes: args.allow_fleet_change.iter().copied().collect(),
        rename_history: args.rename_history,
    };
    // Whose secrets these are comes first: what would change because of it is no typing error.
    crate::engine::apply::check_whose(&plan)?;
    crate::engine::apply::check_fleet(&plan, &consents, &|flags| with(args, flags))?;
    preflight(&mut session, &observed, &plan, args.allow_new_secrets)?;
    let question = Question {
        command: "apply",
        words: "Apply these changes?",
        hint: "review the plan with: tenantry plan   and apply it with: tenantry apply --auto-approve".into(),
    };
    if !approve::approved(args.approve, &question, &place, &mut session, out)? {
        return Ok(Exit::Failed);
    }
    interrupt::watch();
    fail_point!("before_apply");
    let limits = Limits {
        max_failures: args.max_failures,
        end_blockers: args.end_blockers,
        ending: Some(with(args, "--end-blockers")),
    };
    let report = carry_out(global, &mut session, &lock, &observed, &plan, limits, out);
    let result = report.and_then(|report| {
        let exit = tell(&report, &plan, out)?;
        if !report.interrupted {
            // Nothing of the tenants' is amiss without it.
            if let Err(failure) = made::remember(&mut session, &observed, &plan, &report, out) {
                out.note(&format!("the next apply will record what the migrations created: {failure}"));
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
            "if that is intended, pass it here too: tenantry apply --moved FILE",
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
        Format::Json => render::report::json(&out.again().in_report(report), &plan.document()),
        _ => out.again().complete(&render::report::text(report, &plan.document(), &out.style())).into_owned(),
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
            format!(
                "{reader} is neither a superuser nor has CREATEROLE: it may plan but not apply; nothing was changed"
            ),
            format!("connect as {keeper}, which owns the registry"),
        ));
    }
    let Some(unseen) = observed.unseen.first() else { return Ok(()) };
    let hint = unseen.hint.clone().unwrap_or_else(|| "connect as a role that may".into());
    Err(Failure::refused(format!("could not see {}; nothing was changed", unseen.what), hint))
}

pub fn nothing_to_do(plan: &Plan, out: &mut Output) -> Result<Exit, Failure> {
    let outcomes = plan
        .tenants
        .iter()
        .filter(|tenant| tenant.verb == Verb::Blocked)
        .map(crate::engine::apply::TenantOutcome::blocked);
    let report = Report {
        unchanged: plan.count(Verb::Unchanged),
        database_changes: 0,
        shared_error: None,
        outcomes: outcomes.collect(),
        interrupted: false,
    };
    out.print(&match out.format {
        Format::Json => render::report::json(&out.again().in_report(&report), &plan.document()),
        _ => plan::rendered(plan.document(), out),
    })?;
    Ok(if report.is_success() { Exit::Ok } else { Exit::Failed })
}

fn allow_removals(plan: &Plan, args: &ApplyArgs) -> Result<(), Failure> {
    let removals = plan.tenants.iter().filter(|tenant| tenant.removes()).count();
    if removals > args.allow_removals {
        let names: Vec<&str> =
            plan.tenants.iter().filter(|tenant| tenant.removes()).map(|tenant| tenant.tenant.as_str()).collect();
        return Err(Failure::refused(
            format!("the plan would remove {} ({}); nothing was changed", count(removals, "tenant"), few(&names)),
            format!("if that is intended: {}", with(args, &format!("--allow-removals {removals}"))),
        ));
    }
    Ok(())
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

/// What is better found out before anything is changed.
pub fn preflight(
    session: &mut session::Session,
    observed: &Observed,
    plan: &Plan,
    allow_new_secrets: usize,
) -> Result<(), Failure> {
    crate::engine::apply::check_whose(plan)?;
    crate::engine::apply::check_missing(plan, session.store.as_ref(), allow_new_secrets)?;
    let claims = plan.database_changes.iter().flat_map(|change| change.claims()).map(|claim| claim.path.clone());
    let paths: Vec<String> = plan
        .tenants
        .iter()
        .filter(|tenant| tenant.has_work())
        .filter_map(|tenant| tenant.phases.secret.as_ref().map(|write| write.path.clone()))
        .chain(claims)
        .collect();
    session.store.may_write(&paths).doing("checking whether the secrets may be written")?;
    refusals::known(&session.project.desired, observed, plan)?;
    crate::engine::apply::check_server(&mut session.client, observed, plan)?;
    crate::engine::apply::check_archives(observed, plan, &session.project.archive_dir())?;
    Ok(())
}

/// What is said on the command line of how it is carried out.
#[derive(Clone)]
pub struct Limits {
    pub max_failures: usize,
    pub end_blockers: bool,
    /// The command typed, with `--end-blockers`; `None`: it has no such flag.
    pub ending: Option<String>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_failures: MAX_FAILURES, end_blockers: false, ending: None }
    }
}

pub fn carry_out(
    global: &Global,
    session: &mut session::Session,
    lock: &Lock,
    observed: &Observed,
    plan: &Plan,
    limits: Limits,
    out: &mut Output,
) -> Result<Report, Failure> {
    let work = plan.tenants.iter().filter(|tenant| tenant.has_work()).count();
    let progress = Progress::new("apply", work, out);
    let archive_dir = session.project.archive_dir();
    let known = observed.registry.as_ref().map(|registry| registry.recorded_sets.clone());
    let end_blockers = limits.end_blockers || session.project.desired.end_blockers;
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
        max_failures: limits.max_failures,
        end_blockers,
        ending: limits.ending.as_deref().filter(|_| !end_blockers),
        usernames: &observed.usernames(),
        said: &|tenant, line| progress.says(tenant, line),
        progress: &|outcome| progress.tenant_ended(outcome),
    }
    .run(&mut session.client, plan);
    progress.finish();
    Ok(report?)
}
