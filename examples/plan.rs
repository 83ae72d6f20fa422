//! The library in one page: open a project, look, plan, print; with `--apply`, carry the plan out.
//!
//! ```sh
//! cargo run --example plan -- tenants.toml postgresql://postgres@localhost/app
//! cargo run --example plan -- tenants.toml postgresql://postgres@localhost/app --apply
//! ```
//!
//! Without a URL the database is found as by the command: TENANTRY_DATABASE_URL, `[database].url`, PG* variables.

use std::error::Error;
use std::path::Path;

use tenantry::render::{self, Style};
use tenantry::{Environment, Intent, Options, Tenantry};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let apply = args.iter().position(|arg| arg == "--apply").map(|at| args.remove(at)).is_some();
    let file = args.first().map_or("tenants.toml", String::as_str);
    print!("{}", run(Path::new(file), args.get(1).map(String::as_str), apply)?);
    Ok(())
}

/// Returns what was planned and, when asked to apply it, how that went.
pub fn run(file: &Path, url: Option<&str>, apply: bool) -> Result<String, Box<dyn Error>> {
    let env: Environment = std::env::vars_os().collect();
    let options = Options { database_url: url.map(str::to_owned), ..Options::default() };
    let tenantry = Tenantry::open(file, &env, options)?;
    if !apply {
        let plan = tenantry.look()?.plan()?;
        return Ok(render::text::plan(&plan.document(), &Style::default()));
    }
    // From here on nobody else changes tenants.
    let planned = tenantry.lock()?.plan(Intent::Converge)?;
    let plan = planned.plan().document();
    // Without a consent: a plan that removes tenants, say, is refused.
    let report = planned.approve(&[])?.apply(&())?;
    let style = Style::default();
    Ok(render::text::plan(&plan, &style) + &render::report::text(&report, &plan, &style))
}
