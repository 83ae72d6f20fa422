//! What commands print alike: a plan, and what came of one.

use tenantry::plan::{Document, Plan};
use tenantry::render;
use tenantry::report::Report;
use tenantry::{Looked, Planned};

use super::args::Format;
use super::exit::Exit;
use super::failure::Failure;
use super::output::Output;

pub fn plan(plan: &Plan, out: &Output) -> String {
    document(plan.document(), out)
}

pub fn document(plan: Document, out: &Output) -> String {
    let again = out.again();
    match out.format {
        Format::Text => again.complete(&render::text::plan(&plan, &out.style())).into_owned(),
        Format::Json => render::json::plan(&again.in_plan(plan)),
        Format::Markdown => render::markdown::plan(&again.in_plan(plan)),
    }
}

/// What came of it.
pub fn report(plan: &Plan, report: &Report, out: &mut Output) -> Result<Exit, Failure> {
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

/// A plan without work is applied too: the registry notes where it is.
pub fn nothing_to_do(planned: Planned, out: &mut Output) -> Result<Exit, Failure> {
    let unchanged = planned.plan().clone();
    let report = planned.approve(&[])?.apply(&())?;
    out.print(&match out.format {
        Format::Json => render::report::json(&out.again().in_report(&report), &unchanged.document()),
        _ => plan(&unchanged, out),
    })?;
    Ok(if report.is_success() { Exit::Ok } else { Exit::Failed })
}

/// Beneath a plan, what apply would refuse: so that nobody learns it in the middle of the night.
pub fn foretold(looked: &Looked, plan: &Plan, out: &mut Output) {
    if out.format == Format::Json {
        return;
    }
    if let Err(error) = looked.foretell(plan) {
        let failure = Failure::from(error);
        out.finding(&format!("apply would refuse this: {failure}"));
        if let Some(hint) = failure.hint() {
            out.finding(&format!(" hint: {hint}"));
        }
    }
}
