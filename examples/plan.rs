//! The library in one page: load a project, connect, look, plan, print; with `--apply`, carry the plan out.
//!
//! ```sh
//! cargo run --example plan -- tenants.toml postgresql://postgres@localhost/app
//! cargo run --example plan -- tenants.toml postgresql://postgres@localhost/app --apply
//! ```
//!
//! Without a URL the database is found as by the command: TENANTRY_DATABASE_URL, `[database].url`, PG* variables.

use std::error::Error;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;

use tenantry::apply::{Apply, Lock, Recorded, Underway, check_admin, check_missing, check_registry, check_server};
use tenantry::inspect::{self, Sizes};
use tenantry::plan::{self, Plan};
use tenantry::project::{Project, environment};
use tenantry::render::{self, Style};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let apply = args.iter().position(|arg| arg == "--apply").map(|at| args.remove(at)).is_some();
    let file = args.first().map_or("tenants.toml", String::as_str);
    print!("{}", run(Path::new(file), args.get(1).map(String::as_str), apply)?);
    Ok(())
}

/// Returns what was planned and, when asked to apply it, how that went.
pub fn run(file: &Path, url: Option<&str>, apply: bool) -> Result<String, Box<dyn Error>> {
    let project = Project::load(file, &environment)?;
    let target = project.target(url)?;
    let store = project.store()?;
    store.preflight()?;
    let mut client = target.connect_admin()?;

    // Held until the session ends: nobody else changes tenants between our look and our work.
    let lock = if apply { Some(Lock::take(&mut client, &target, std::time::Duration::ZERO)?) } else { None };
    let observed = inspect::observe(&mut client, &target, store.as_ref(), &project.desired, Sizes::Removed)?;
    let plan: Plan = plan::diff(&project.desired, &observed, &|_tenant| true);
    let mut text = render::text::plan(&plan.document(), &Style::default());

    if let Some(lock) = &lock {
        check_registry(&observed, &plan)?;
        check_missing(&plan, store.as_ref(), 0)?;
        check_admin(&observed, &plan)?;
        check_server(&mut client, &observed, &plan)?;
        let report = Apply {
            target: &target,
            lock,
            store: store.as_ref(),
            desired: &project.desired,
            server: &observed.server,
            moved: false,
            mark: OnceLock::new(),
            archive_dir: &project.archive_dir(),
            parallelism: 4,
            stop: &AtomicBool::new(false),
            recorded: &Recorded::default(),
            underway: &Underway::new(),
            max_failures: 3,
            end_blockers: false,
            ending: None,
            usernames: &observed.usernames(),
            said: &|_, _| {},
            progress: &|outcome| eprintln!("{}: {:?}", outcome.tenant, outcome.outcome),
        }
        .run(&mut client, &plan)?;
        text.push_str(&render::report::text(&report, &plan.document(), &Style::default()));
    }
    Ok(text)
}
