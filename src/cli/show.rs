//! `show TENANT`: desired against observed. Never the password.

use std::path::Path;

use super::args::{Format, Global, ShowArgs};
use super::exit::Exit;
use super::failure::Failure;
use super::output::Output;
use super::{plan as plans, saved, session};
use crate::inspect::Sizes;
use crate::model::TenantKey;
use crate::{plan, render};

pub fn run(global: &Global, args: &ShowArgs, out: &mut Output) -> Result<Exit, Failure> {
    let unknown = || {
        let file = if args.tenant.contains(['.', '/']) {
            format!(", and there is no file {}", args.tenant)
        } else {
            String::new()
        };
        Failure::refused(
            format!("tenant {:?} is neither in {} nor registered{file}", args.tenant, global.config.display()),
            "tenantry list shows the tenants there are",
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
    let observed = session.observe(Sizes::All)?;
    let desired = &session.project.desired;
    if args.shape {
        let (shape, wanted) = session.shape(&observed, &key)?;
        let shown = render::shape::tenant(&key, &shape, &wanted, &out.style());
        out.print(&match out.format {
            Format::Json => render::shape::json(&key, &shape, &wanted),
            Format::Text => shown,
            Format::Markdown => format!("```diff\n{}```\n", anstream::adapter::strip_str(&shown)),
        })?;
        return Ok(Exit::Ok);
    }
    let shown = render::show::tenant(desired, &observed, &key, &out.style()).ok_or_else(unknown)?;
    out.print(&match out.format {
        Format::Json => render::json::plan(&plan::diff(desired, &observed, &|other| *other == key)),
        Format::Text => shown,
        Format::Markdown => format!("```diff\n{}```\n", anstream::adapter::strip_str(&shown)),
    })?;
    Ok(Exit::Ok)
}

fn show_plan(path: &Path, out: &mut Output) -> Result<Exit, Failure> {
    let plan = saved::read(path)?.into_plan();
    out.print(&plans::rendered(&plan, out))?;
    Ok(Exit::Ok)
}
