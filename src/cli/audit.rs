//! `audit`: what tenantry did.

use tenantry::render;
use tenantry::words::count;

use super::args::{AuditArgs, Format, Global};
use super::exit::Exit;
use super::failure::Failure;
use super::output::Output;
use super::{project, tables};

pub fn run(global: &Global, args: &AuditArgs, out: &mut Output) -> Result<Exit, Failure> {
    let mut looked = project::open(global, project::options(global))?.look()?;
    out.talks_to(&looked.place());
    let trail = looked.audit(args.tenant.as_deref(), args.since, args.limit)?;
    let rows = || render::audit::rows(&trail.lines);
    if out.csv {
        out.print_data(&render::rows::csv(&rows()))?;
    } else {
        let text = || match trail.lines.as_slice() {
            [] => "No lines.\n".to_owned(),
            lines if out.verbose => lines.iter().map(render::audit::paragraph).collect(),
            lines => {
                let header = ["at", "tenant", "verb", "admin", "client", "version", "changes"].map(str::to_owned);
                tables::text(header.to_vec(), lines.iter().map(render::audit::cells), |_| false)
            }
        };
        out.print(&match out.format {
            Format::Json => render::rows::json(&rows()),
            Format::Text => text(),
            Format::Markdown => render::markdown::fenced("", &text()),
        })?;
    }
    if trail.more {
        out.note(&format!("note: only the newest {}; there are more (--limit N)", count(trail.lines.len(), "line")));
    }
    match &args.tenant {
        Some(tenant) if trail.lines.is_empty() && !looked.knows(tenant) => {
            out.finding(&format!("note: tenant {tenant:?} is neither in tenants.toml nor in the registry"));
        }
        _ => {}
    }
    Ok(Exit::Ok)
}
