//! `verify`: log in as each tenant and try.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::atomic::AtomicBool;

use owo_colors::OwoColorize;

use super::args::{Format, Global, VerifyArgs};
use super::exit::Exit;
use super::failure::Failure;
use super::output::Output;
use super::progress::Progress;
use super::session;
use super::validate::count;
use crate::inspect::Sizes;
use crate::model::{Observed, Tenant, ident};
use crate::render::escape::visible;
use crate::verify::{Verdict, Verify};

pub fn run(global: &Global, args: &VerifyArgs, out: &mut Output) -> Result<Exit, Failure> {
    let mut session = session::connect(global)?;
    let observed = session.observe(Sizes::Removed)?;
    session.selects_something(&observed)?;
    let verdicts = verify(global, &session, &observed, &args.tenants, out)?;
    report(&verdicts, out)
}

pub fn verify(
    global: &Global,
    session: &session::Session,
    observed: &Observed,
    named: &[String],
    out: &mut Output,
) -> Result<Vec<Verdict>, Failure> {
    session.declares(global, named)?;
    let declared = session.project.desired.tenants.values();
    let tenants: Vec<&Tenant> = declared
        .filter(|tenant| session.selects(&tenant.key))
        .filter(|tenant| named.is_empty() || named.iter().any(|name| name == tenant.key.as_str()))
        .collect();
    let progress = Progress::new("verify", tenants.len(), out);
    let verdicts = Verify {
        target: &session.target,
        store: session.store.as_ref(),
        desired: &session.project.desired,
        observed,
        parallelism: session::parallelism(global),
        stop: &AtomicBool::new(false),
        progress: &|verdict| progress.one_more(verdict.tenant.as_str(), first_fault(verdict).as_deref()),
    }
    .run(&tenants);
    progress.finish();
    Ok(verdicts)
}

fn first_fault(verdict: &Verdict) -> Option<String> {
    let check = verdict.checks.iter().find(|check| !check.ok)?;
    Some(format!("{}: {}", check.what, check.detail.as_deref().unwrap_or_default()))
}

pub fn report(verdicts: &[Verdict], out: &mut Output) -> Result<Exit, Failure> {
    let failed: Vec<_> = verdicts.iter().filter(|verdict| !verdict.ok).collect();
    let text = match out.format {
        Format::Json => {
            let summary = serde_json::json!({ "verified": verdicts.len() - failed.len(), "failed": failed.len() });
            let report = serde_json::json!({ "format_version": "1", "summary": summary, "tenants": verdicts });
            format!("{report:#}\n")
        }
        Format::Text | Format::Markdown => text(verdicts, out.verbose),
    };
    out.print(&text)?;
    note_other_databases(verdicts, out);
    Ok(if failed.is_empty() { Exit::Ok } else { Exit::Changes })
}

fn text(verdicts: &[Verdict], verbose: bool) -> String {
    let mut text = String::new();
    let mut line = |args: std::fmt::Arguments<'_>| {
        let _ = text.write_fmt(args);
    };
    for verdict in verdicts.iter().filter(|verdict| verbose || !verdict.ok) {
        let mark = if verdict.ok { "ok".green().to_string() } else { "FAILED".red().to_string() };
        line(format_args!("{} {mark}\n", verdict.tenant));
        for check in verdict.checks.iter().filter(|check| verbose || !check.ok) {
            let mark = if check.ok { "+".green().to_string() } else { "!".red().to_string() };
            let detail = check.detail.as_deref().map(|detail| format!(": {}", visible(detail))).unwrap_or_default();
            line(format_args!("  {mark} {}{detail}\n", visible(&check.what)));
        }
    }
    let probes: usize = verdicts.iter().map(|verdict| verdict.checks.len()).sum();
    let failed = verdicts.iter().filter(|verdict| !verdict.ok).count();
    line(format_args!(
        "Verify: {} isolated and working, {failed} failed; {probes} probes.\n",
        count(verdicts.len() - failed, "tenant")
    ));
    text
}

/// Roles are the cluster's: a tenant may connect to every database that PUBLIC may.
fn note_other_databases(verdicts: &[Verdict], out: &mut Output) {
    let databases: BTreeSet<&String> = verdicts.iter().flat_map(|verdict| &verdict.other_databases).collect();
    for database in databases {
        out.note(&format!(
            "note: tenants may connect to database {database:?} too; to close it: REVOKE CONNECT ON DATABASE {} FROM PUBLIC;",
            ident(database)
        ));
    }
}
