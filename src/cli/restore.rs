//! `restore FILE`: a tenant from its archive, with everything else as tenants.toml has it.

use std::sync::OnceLock;

use super::again::quoted;
use super::approve::{self, Question};
use super::args::{Format, Global, RestoreArgs};
use super::exit::Exit;
use super::failure::Failure;
use super::output::Output;
use super::{apply, interrupt, progress, session};
use crate::core::model::{Observed, State, Tenant, TenantKey};
use crate::core::plan::{self, Plan, Target, Verb};
use crate::core::render;
use crate::core::render::escape::visible;
use crate::core::words::count;
use crate::engine::apply::{Apply, Lock, Recorded, Restore};
use crate::engine::archive::{self, Manifest, Opened, Programs};
use crate::engine::inspect::Sizes;

pub fn run(global: &Global, args: &RestoreArgs, out: &mut Output) -> Result<Exit, Failure> {
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
    let place = session.place(&observed);
    out.talks_to(&place);
    let mut plan = plan::diff(&session.project.desired, &observed, &|key| *key == tenant.key);
    // That it is about one tenant is no news to whoever named its archive; a --target is another matter.
    plan.targeting = session.targeting(&observed);
    // Nobody was asked about the rest, which is for apply to show.
    plan.database_changes.retain(|change| change.action.makes());
    refuse_what_is_there(&observed, &plan, &tenant)?;
    leave_out_what_it_holds(&session, manifest, &mut plan, observed.server.major())?;
    if out.format != Format::Json {
        out.print(&announced(&opened, &plan, out))?;
    }
    apply::preflight(&mut session, &observed, &plan, 0)?;
    let programs = Programs::find(observed.server.major().unsigned_abs().max(made_by(manifest)))?;
    let file = quoted(&args.file.to_string_lossy());
    let question = Question {
        command: "restore",
        words: "Restore this tenant?",
        hint: format!("in a script: tenantry restore {file} --auto-approve"),
    };
    if !approve::approved(args.approve, &question, &place, &mut session, out)? {
        return Ok(Exit::Failed);
    }
    interrupt::watch();
    let ending = format!("tenantry restore {file} --end-blockers");
    let fill =
        Fill { lock: &lock, observed: &observed, plan: &plan, opened: &opened, programs: &programs, tenant: &tenant };
    fill.run(&mut session, args.end_blockers, &ending, out)?;

    // The data are in. What is missing now, a plan finds as it finds what is missing of any tenant.
    let observed = session.observe(Sizes::Removed)?;
    let rest = plan::diff(&session.project.desired, &observed, &|key| *key == tenant.key);
    let rest = Plan { database_changes: Vec::new(), targeting: None, ..rest };
    let limits = apply::Limits {
        end_blockers: args.end_blockers,
        ending: Some(format!("tenantry apply --end-blockers --target {}", tenant.key)),
        ..apply::Limits::default()
    };
    let report = apply::carry_out(global, &mut session, &lock, &observed, &rest, limits, out)?;
    if !report.is_success() {
        apply::tell(&report, &rest, out)?;
        out.note(&format!("{}: its data is restored; once the cause is fixed, apply does the rest", tenant.key));
        return Ok(Exit::Failed);
    }
    let secret = session.store.locate(&tenant.secret_path);
    let migrations = rest.tenants.iter().map(|tenant| tenant.pending_migrations().len()).sum();
    out.print(&match out.format {
        Format::Json => json(manifest, &tenant, migrations),
        Format::Text | Format::Markdown => text(manifest, migrations, &secret),
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
                    format!("an earlier restore of {key} was interrupted, under other names"),
                    format!("abandon that one first: take {key} out of tenants.toml and apply"),
                ))
            };
        }
        Some(State::Removed) => {
            return Err(Failure::refused(
                format!("the former secret of {key} has not been deleted yet"),
                format!("take {key} out of tenants.toml and apply; declare it again, and restore"),
            ));
        }
        Some(state) => {
            return Err(Failure::refused(
                format!("tenant {key} already exists ({}); nothing was changed", state.as_str()),
                format!(
                    "to replace it with the archive: take {key} out of tenants.toml and apply, which archives what is there; declare it again, and restore"
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
fn leave_out_what_it_holds(
    session: &session::Session,
    manifest: &Manifest,
    plan: &mut Plan,
    major: i32,
) -> Result<(), Failure> {
    let set = &session.project.desired.migrations;
    for tenant in &mut plan.tenants {
        plan::after_restore(tenant, set, manifest.migrations.as_deref(), major).map_err(|blocked| {
            Failure::Refused {
                message: format!(
                    "the archive does not match these migrations: {}; nothing was changed",
                    blocked.reason
                ),
                hint: blocked.hint.unwrap_or_default(),
            }
        })?;
    }
    Ok(())
}

/// What is to be restored, and what that changes.
fn announced(opened: &Opened, plan: &Plan, out: &Output) -> String {
    let manifest = &opened.manifest;
    let of = format!("Archive of {}, in {}", what_is_in(manifest), visible(&manifest.dump.file));
    let of = match out.format {
        Format::Markdown => render::markdown::paragraph(&of),
        _ => format!("{of}\n\n"),
    };
    of + &super::plan::rendered(plan.document(), out)
}

/// `acme as of 2026-11-21T15:04:05Z, 2 tables, 1200 rows`
fn what_is_in(manifest: &Manifest) -> String {
    let tables = count(manifest.tables.len(), "table");
    let rows = count(usize::try_from(manifest.rows()).unwrap_or(usize::MAX), "row");
    format!("{} as of {}, {tables}, {rows}", manifest.tenant, manifest.made_at)
}

/// A pg_restore reads what an older pg_dump wrote.
fn made_by(manifest: &Manifest) -> u32 {
    let digits: String = manifest.pg_dump_version.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or_default()
}

/// The data's way back.
struct Fill<'a> {
    lock: &'a Lock,
    observed: &'a Observed,
    plan: &'a Plan,
    opened: &'a Opened,
    programs: &'a Programs,
    tenant: &'a Tenant,
}

impl Fill<'_> {
    /// `ending`: the command that would do it and end the sessions of tenants that are in its way.
    fn run(
        &self,
        session: &mut session::Session,
        end_blockers: bool,
        ending: &str,
        out: &Output,
    ) -> Result<(), Failure> {
        let Self { lock, observed, plan, opened, programs, tenant } = *self;
        let archive_dir = session.project.archive_dir();
        let end_blockers = end_blockers || session.project.desired.end_blockers;
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
            end_blockers,
            ending: Some(ending).filter(|_| !end_blockers),
            usernames: &observed.usernames(),
            said: &progress::aside("restore", out.quiet),
            progress: &|_| {},
        };
        let restore = Restore { apply: &apply, observed, programs, opened, tenant };
        Ok(restore.run(&mut session.client, plan)?)
    }
}

fn text(manifest: &Manifest, migrations: usize, secret: &str) -> String {
    let pending = match migrations {
        0 => String::new(),
        n => format!("\n  {} since then applied", count(n, "migration")),
    };
    format!("Restore: {}{pending}\n  its password is new: {secret}\n", what_is_in(manifest))
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
