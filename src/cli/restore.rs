//! `restore FILE`: a tenant from its archive, with everything else as tenants.toml has it.

use tenantry::archive::{self, Manifest};
use tenantry::model::Tenant;
use tenantry::plan::{Plan, TenantPlan};
use tenantry::render::{self, escape::visible};
use tenantry::words::count;
use tenantry::{Intent, Limits, Options};

use super::again::quoted;
use super::approve::{self, Question};
use super::args::{Format, Global, RestoreArgs};
use super::exit::Exit;
use super::failure::Failure;
use super::output::Output;
use super::{interrupt, project, shown, telling};

pub fn run(global: &Global, args: &RestoreArgs, out: &mut Output) -> Result<Exit, Failure> {
    interrupt::or_interrupted(restore(global, args, out), global)
}

fn restore(global: &Global, args: &RestoreArgs, out: &mut Output) -> Result<Exit, Failure> {
    let opened = archive::open(&args.file).map_err(tenantry::Error::from)?;
    let manifest = opened.manifest.clone();
    let lock_timeout = args.lock.lock_timeout.unwrap_or_default();
    let tenantry = project::open(global, Options { lock_timeout, ..project::options(global) })?;
    let intent = match &args.as_tenant {
        Some(tenant) => Intent::RestoreAs(Box::new(opened), tenant.clone()),
        None => Intent::Restore(Box::new(opened)),
    };
    let planned = tenantry.lock()?.plan(intent)?;
    let place = planned.place();
    out.talks_to(&place);
    if out.format != Format::Json {
        out.print(&announced(&manifest, planned.plan(), out))?;
    }
    let key = planned.plan().tenants.first().map_or(&manifest.tenant, |planned| &planned.tenant);
    let Some(tenant) = planned.declared(key).cloned() else {
        return Err(Failure::refused(format!("tenant {key} is not declared"), "tenantry list shows the tenants"));
    };
    let secret = planned.locate(&tenant.secret_path);
    let mut approved = planned.approve(&[])?;
    let file = quoted(&args.file.to_string_lossy());
    let elsewhere = args.as_tenant.as_ref().map(|key| format!(" --as {key}")).unwrap_or_default();
    let question = Question {
        command: "restore",
        words: "Restore this tenant?",
        hint: format!("in a script: tenantry restore {file}{elsewhere} --auto-approve"),
    };
    if !approve::approved(args.approve, &question, &place, &mut approved, out)? {
        return Ok(Exit::Failed);
    }
    interrupt::watch();
    let tell: telling::Tell<'_> = &|rest, report, out| {
        if !report.is_success() {
            let exit = shown::report(rest, report, out)?;
            let key = &tenant.key;
            if args.as_tenant.is_some() {
                return Ok(exit);
            }
            out.note(&format!("{key}: its data is restored; once the cause is fixed, apply does the rest"));
            return Ok(exit);
        }
        let since_then = |tenant: &TenantPlan| tenant.pending_migrations().len();
        let migrations = match &args.as_tenant {
            Some(_) => 0,
            None => rest.tenants.iter().map(since_then).sum(),
        };
        out.print(&match out.format {
            Format::Json => json(&manifest, &tenant, migrations),
            Format::Text | Format::Markdown => text(&manifest, args.as_tenant.as_deref(), migrations, &secret),
        })?;
        Ok(Exit::Ok)
    };
    let limits = Limits {
        end_blockers: args.end_blockers,
        to_end_blockers: Some(format!("tenantry restore {file}{elsewhere} --end-blockers")),
        to_end_blockers_afterwards: Some(format!("tenantry apply --end-blockers --target {}", tenant.key)),
        ..Limits::default()
    };
    telling::carry_out(approved.limited(limits), tell, out)
}

/// What is to be restored, and what that changes.
fn announced(manifest: &Manifest, plan: &Plan, out: &Output) -> String {
    let of = format!("Archive of {}, in {}", what_is_in(manifest), visible(&manifest.dump.file));
    let of = match out.format {
        Format::Markdown => render::markdown::paragraph(&of),
        _ => format!("{of}\n\n"),
    };
    of + &shown::plan(plan, out)
}

/// `acme as of 2026-11-21T15:04:05Z, 2 tables, 1200 rows`
fn what_is_in(manifest: &Manifest) -> String {
    let tables = count(manifest.tables.len(), "table");
    let rows = count(usize::try_from(manifest.rows()).unwrap_or(usize::MAX), "row");
    format!("{} as of {}, {tables}, {rows}", manifest.tenant, manifest.made_at)
}

fn text(manifest: &Manifest, elsewhere: Option<&str>, migrations: usize, secret: &str) -> String {
    let pending = match migrations {
        0 => String::new(),
        n => format!("\n  {} since then applied", count(n, "migration")),
    };
    let elsewhere = elsewhere.map(|key| format!("\n  as tenant {key}")).unwrap_or_default();
    format!("Restore: {}{elsewhere}{pending}\n  its password is new: {secret}\n", what_is_in(manifest))
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
