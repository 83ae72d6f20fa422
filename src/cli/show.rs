//! `show TENANT`: desired against observed. Never the password.

use std::path::Path;

use super::args::{Format, Global, ShowArgs};
use super::exit::Exit;
use super::failure::Failure;
use super::output::Output;
use super::{plan as plans, saved, session};
use crate::core::model::TenantKey;
use crate::core::plan;
use crate::core::plan::Plan;
use crate::core::render;
use crate::core::render::escape::visible;
use crate::engine::inspect::Sizes;

pub fn run(global: &Global, args: &ShowArgs, out: &mut Output) -> Result<Exit, Failure> {
    let unknown = || {
        let file = if args.tenant.contains(['.', '/']) {
            format!(", and there is no file {}", args.tenant)
        } else {
            String::new()
        };
        Failure::refused(
            format!("tenant {:?} is neither in {} nor registered{file}", args.tenant, global.config.display()),
            "tenantry list shows the tenants",
        )
    };
    let path = Path::new(&args.tenant);
    let key = match TenantKey::new(args.tenant.as_str()) {
        // A file whose name no tenant could have, or none has.
        Err(_) if path.is_file() => return show_plan(path, out),
        Ok(key) if path.is_file() && !session::load(global)?.desired.tenants.contains_key(&key) => {
            return show_plan(path, out);
        }
        key => key.map_err(|_| unknown())?,
    };
    let mut session = session::connect(global)?;
    session.must_select(&key)?;
    let observed = session.observe(Sizes::All)?;
    session.selects_something(&observed)?;
    out.talks_to(&session.place(&observed));
    let desired = &session.project.desired;
    if args.shape {
        let (shape, wanted) = session.shape(&observed, &key)?;
        let shown = render::shape::tenant(&key, &shape, &wanted, &out.style());
        out.print(&match out.format {
            Format::Json => render::shape::json(&key, &shape, &wanted),
            Format::Text => shown,
            Format::Markdown => render::markdown::fenced("diff", &anstream::adapter::strip_str(&shown).to_string()),
        })?;
        return Ok(Exit::Ok);
    }
    let shown = render::show::tenant(desired, &observed, &key, &out.style()).ok_or_else(unknown)?;
    out.print(&match out.format {
        Format::Json => {
            // That it is one tenant is what the command says.
            let plan = Plan { targeting: None, ..plan::diff(desired, &observed, &|other| *other == key) };
            render::json::plan(&out.again().in_plan(plan.document()))
        }
        Format::Text => out.again().complete(&shown).into_owned(),
        Format::Markdown => render::markdown::fenced("diff", &anstream::adapter::strip_str(&shown).to_string()),
    })?;
    Ok(Exit::Ok)
}

fn show_plan(path: &Path, out: &mut Output) -> Result<Exit, Failure> {
    let plan = saved::read(path)?.into_document();
    // Nobody is asked which database it is now: the file says for which one it was made.
    let database = &plan.database;
    out.talks_to(&format!(
        "{} on {}:{} (from {})",
        visible(&database.name),
        visible(&database.host),
        database.port,
        visible(&path.display().to_string())
    ));
    out.print(&plans::rendered(plan, out))?;
    Ok(Exit::Ok)
}
