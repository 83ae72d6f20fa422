//! `plan`: what apply would do.

use super::again::quoted;
use super::args::{Format, Global, PlanArgs};
use super::exit::Exit;
use super::failure::Failure;
use super::output::Output;
use super::{refusals, saved, session};
use crate::core::plan::{Document, Saved};
use crate::core::render;

pub fn run(global: &Global, args: &PlanArgs, out: &mut Output) -> Result<Exit, Failure> {
    let mut session = session::connect(global)?.deep(args.deep).moved(args.moved)?;
    let (observed, mut plan) = session.plan()?;
    out.talks_to(&session.place(&observed));
    plan.shape = session.shapes(&observed)?;
    out.print(&rendered(plan.document(), out))?;
    refusals::foretell(&session.project.desired, &observed, &plan, out);
    if let Some(path) = &args.out {
        let project = &session.project;
        saved::write(
            path,
            &Saved::new(&plan, &project.desired, &observed, &project.digest, (&global.target, args.deep)),
        )?;
        let moved = if args.moved { "--moved " } else { "" };
        out.note(&format!(
            "saved; to apply exactly this plan: tenantry apply {moved}{}",
            quoted(&path.to_string_lossy())
        ));
    }
    Ok(if args.detailed_exitcode && !plan.in_sync() { Exit::Changes } else { Exit::Ok })
}

pub fn rendered(plan: Document, out: &Output) -> String {
    let again = out.again();
    match out.format {
        Format::Text => again.complete(&render::text::plan(&plan, &out.style())).into_owned(),
        Format::Json => render::json::plan(&again.in_plan(plan)),
        Format::Markdown => render::markdown::plan(&again.in_plan(plan)),
    }
}
