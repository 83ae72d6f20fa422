//! `show TENANT`: desired against observed. Never the password.

use std::path::Path;

use secrecy::ExposeSecret;
use tenantry::model::TenantKey;
use tenantry::render;
use tenantry::render::escape::visible;
use tenantry::secrets::Wrapped;
use tenantry::{Options, read_plan};

use super::args::{Format, Global, ShowArgs};
use super::exit::Exit;
use super::failure::Failure;
use super::output::Output;
use super::{project, shown};

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
        Ok(key) if path.is_file() && !is_declared(global, &key)? => return show_plan(path, out),
        key => key.map_err(|_| unknown())?,
    };
    let tenantry = project::open(global, Options { sizes: true, ..project::options(global) })?;
    tenantry.must_select(&key)?;
    let mut looked = tenantry.look()?;
    if let Some(ttl) = args.wrap {
        return wrap(&looked.wrap(&key, ttl)?, out);
    }
    out.talks_to(&looked.place());
    if args.shape {
        let (shape, wanted) = looked.shape(&key)?;
        let shown = render::shape::tenant(&key, &shape, &wanted, &out.style());
        out.print(&match out.format {
            Format::Json => render::shape::json(&key, &shape, &wanted),
            Format::Text => shown,
            Format::Markdown => in_markdown(&shown),
        })?;
        return Ok(Exit::Ok);
    }
    let shown = looked.show(&key, &out.style()).ok_or_else(unknown)?;
    out.print(&match out.format {
        Format::Json => render::json::plan(&out.again().in_plan(looked.plan_of(&key).document())),
        Format::Text => out.again().complete(&shown).into_owned(),
        Format::Markdown => in_markdown(&shown),
    })?;
    Ok(Exit::Ok)
}

/// Nothing but the token is on stdout, for a script.
fn wrap(wrapped: &Wrapped, out: &mut Output) -> Result<Exit, Failure> {
    let Wrapped { token, accessor, ttl, path } = wrapped;
    let token = token.expose_secret();
    if out.format == Format::Json {
        let shown =
            serde_json::json!({ "token": token, "accessor": accessor, "ttl_seconds": ttl.as_secs(), "path": path });
        out.print(&format!("{shown:#}\n"))?;
        return Ok(Exit::Ok);
    }
    out.print_data(&format!("{token}\n"))?;
    out.note(&format!(
        "it unwraps to {path} once, within {} seconds: bao unwrap TOKEN (or vault unwrap)",
        ttl.as_secs()
    ));
    Ok(Exit::Ok)
}

fn is_declared(global: &Global, key: &TenantKey) -> Result<bool, Failure> {
    Ok(project::open(global, project::options(global))?.desired().tenants.contains_key(key))
}

fn in_markdown(shown: &str) -> String {
    render::markdown::fenced("diff", &anstream::adapter::strip_str(shown).to_string())
}

fn show_plan(path: &Path, out: &mut Output) -> Result<Exit, Failure> {
    let plan = read_plan(path)?.into_document();
    // Nobody is asked which database it is now: the file says for which one it was made.
    let database = &plan.database;
    out.talks_to(&format!(
        "{} on {} (from {})",
        visible(&database.name),
        visible(&database.address()),
        visible(&path.display().to_string())
    ));
    out.print(&shown::document(plan, out))?;
    Ok(Exit::Ok)
}
