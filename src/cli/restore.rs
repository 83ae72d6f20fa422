//! `restore FILE`: a tenant from its archive, with everything else as tenants.toml has it.

use std::sync::OnceLock;

use super::args::{Format, Global, MAX_FAILURES, RestoreArgs};
use super::exit::Exit;
use super::failure::Failure;
use super::output::Output;
use super::{apply, interrupt, session};
use crate::apply::{Apply, Lock, Recorded, Restore};
use crate::archive::{self, Manifest, Opened, Programs};
use crate::inspect::Sizes;
use crate::model::{Observed, State, Tenant, TenantKey};
use crate::plan::{self, Plan, Target, Verb};
use crate::render;

pub fn run(global: &Global, args: &RestoreArgs, out: &mut Output) -> Result<Exit, Failure> {
    interrupt::watch();
    interrupt::or_interrupted(restore(global, args, out), global)
}

fn restore(global: &Global, args: &RestoreArgs, out: &mut Output) -> Result<Exit, Failure> {
    let opened = archive::open(&args.file)?;
    let manifest = &opened.manifest;
    let mut session = session::connect(global)?;
    let lock = session.lock(&args.lock)?;
    let declared = session.project.desired.tenants.get(&manifest.tenant);
    let tenant = archive::refuse_other_names(manifest, declared)?.clone();
    let observed = session.observe(Sizes::Removed)?;
    session.selects_something(&observed)?;
    session.must_select(&tenant.key)?;
    out.talks_to(&session.place(&observed));
    let mut plan = plan::diff(&session.project.desired, &observed, &|key| *key == tenant.key);
    // Nobody was asked about the rest, which is for apply to show.
    plan.database_changes.retain(|change| change.action.makes());
    refuse_what_is_there(&observed, &plan, &tenant)?;
    refuse_other_migrations(&session, manifest)?;
    apply::preflight(&mut session, &observed, &plan, 0)?;
    let programs = Programs::find(observed.server.major().unsigned_abs().max(made_by(manifest)))?;
    fill(&mut session, &lock, &observed, &plan, &opened, &programs, &tenant)?;

    // The data are in. What is missing now, a plan finds as it finds what is missing of any tenant.
    let observed = session.observe(Sizes::Removed)?;
    let rest = plan::diff(&session.project.desired, &observed, &|key| *key == tenant.key);
    let rest = Plan { database_changes: Vec::new(), targeting: None, ..rest };
    let report = apply::carry_out(global, &mut session, &lock, &observed, &rest, MAX_FAILURES, out)?;
    if !report.is_success() {
        apply::tell(&report, &rest, out)?;
        out.note(&format!("{}: its data are restored; when the cause is mended, apply finishes the rest", tenant.key));
        return Ok(Exit::Failed);
    }
    let secret = session.store.locate(&tenant.secret_path);
    let migrations = rest.tenants.iter().map(|tenant| tenant.pending_migrations().len()).sum();
    out.print(&match out.format {
        Format::Json => json(manifest, &tenant, migrations),
        Format::Text | Format::Markdown => text(manifest, &tenant, migrations, &secret),
    })?;
    Ok(Exit::Ok)
}

fn refuse_what_is_there(observed: &Observed, plan: &Plan, tenant: &Tenant) -> Result<(), Failure> {
    let key: &TenantKey = &tenant.key;
    let row = observed.registry.as_ref().and_then(|registry| registry.tenants.get(key));
    match row.map(|row| row.state) {
        // The same again, if it is the same; other names would leave what is there.
        Some(State::Restoring) => {
            let same = row.is_some_and(|row| {
                row.schema == tenant.schema && row.username == tenant.username && row.owner == tenant.owner()
            });
            return if same {
                Ok(())
            } else {
                Err(Failure::refused(
                    format!("a restore of {key} was cut off under other names"),
                    format!("give that one up first: take {key} out of tenants.toml and apply"),
                ))
            };
        }
        Some(State::Removed) => {
            return Err(Failure::refused(
                format!("the secret of {key} as it was before is not deleted yet"),
                format!("take {key} out of tenants.toml and apply; declare it again, and restore"),
            ));
        }
        Some(state) => {
            return Err(Failure::refused(
                format!("tenant {key} is there already ({}); nothing was changed", state.as_str()),
                format!(
                    "to put the archive in its place: take {key} out of tenants.toml and apply, which archives what is there; declare it again, and restore"
                ),
            ));
        }
        None => {}
    }
    match plan.tenants.iter().find(|planned| planned.tenant == *key) {
        Some(planned) if planned.verb == Verb::Create && matches!(planned.target, Target::Declared { .. }) => Ok(()),
        Some(planned) => Err(Failure::Refused {
            message: format!("{key}: {}; nothing was changed", planned.reason.clone().unwrap_or_default()),
            hint: planned.hint.clone().unwrap_or_default(),
        }),
        None => Err(Failure::refused(format!("tenant {key} is not declared"), "add it to tenants.toml")),
    }
}

/// Data of another history would be found out by the plan that follows, when they are in.
fn refuse_other_migrations(session: &session::Session, manifest: &Manifest) -> Result<(), Failure> {
    let Some(applied) = &manifest.migrations else { return Ok(()) };
    plan::fits(&session.project.desired.migrations, applied).map_err(|(reason, hint)| Failure::Refused {
        message: format!("the archive does not go with these migrations: {reason}; nothing was changed"),
        hint: hint.unwrap_or_default(),
    })
}

/// A pg_restore reads what an older pg_dump wrote.
fn made_by(manifest: &Manifest) -> u32 {
    let digits: String = manifest.pg_dump_version.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or_default()
}

fn fill(
    session: &mut session::Session,
    lock: &Lock,
    observed: &Observed,
    plan: &Plan,
    opened: &Opened,
    programs: &Programs,
    tenant: &Tenant,
) -> Result<(), Failure> {
    let archive_dir = session.project.archive_dir();
    let apply = Apply {
        target: &session.target,
        lock,
        store: session.store.as_ref(),
        desired: &session.project.desired,
        server: &observed.server,
        moved: false,
        mark: OnceLock::new(),
        archive_dir: &archive_dir,
        parallelism: 1,
        stop: &interrupt::STOP,
        recorded: &Recorded::default(),
        underway: &interrupt::UNDERWAY,
        max_failures: 0,
        progress: &|_| {},
    };
    let restore = Restore { apply: &apply, observed, programs, opened, tenant };
    Ok(restore.run(&mut session.client, plan)?)
}

fn text(manifest: &Manifest, tenant: &Tenant, migrations: usize, secret: &str) -> String {
    let pending = match migrations {
        0 => String::new(),
        n => format!("\n  {} since then applied", super::validate::count(n, "migration")),
    };
    format!(
        "Restore: {} as of {}, {}, {} rows{pending}\n  its password is new: {secret}\n",
        tenant.key,
        manifest.made_at,
        super::validate::count(manifest.tables.len(), "table"),
        manifest.rows(),
    )
}

fn json(manifest: &Manifest, tenant: &Tenant, migrations: usize) -> String {
    render::json::pretty(&serde_json::json!({
        "format_version": "1",
        "tenant": tenant.key,
        "schema": tenant.schema,
        "username": tenant.username,
        "made_at": manifest.made_at,
        "tables": manifest.tables,
        "migrations_applied": migrations,
    }))
}
