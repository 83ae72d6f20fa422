//! `verify`: log in as each tenant and try.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use super::args::{Format, Global, VerifyArgs};
use super::exit::Exit;
use super::failure::Failure;
use super::output::Output;
use super::progress::Progress;
use super::{session, waiting};
use crate::core::model::{Observed, Tenant, TenantKey, ident};
use crate::core::plan::Targeting;
use crate::core::render;
use crate::engine::inspect::{self, ManyLocks, Sizes};
use crate::engine::verify::{Verdict, Verify};
use crate::engine::workers::lock;

pub fn run(global: &Global, args: &VerifyArgs, out: &mut Output) -> Result<Exit, Failure> {
    let mut session = session::connect(global)?;
    let observed = session.observe(Sizes::Removed)?;
    session.selects_something(&observed)?;
    out.talks_to(&session.place(&observed));
    let verdicts = verify(global, &session, &observed, &args.tenants, out)?;
    let named = |key: &TenantKey| args.tenants.is_empty() || args.tenants.iter().any(|name| name == key.as_str());
    let part = (!global.target.is_empty() || !args.tenants.is_empty())
        .then(|| Targeting::new(&session.project.desired, &observed, &|key| session.selects(key) && named(key)))
        .flatten();
    let many = inspect::many_locks(&mut session.client, &observed)?;
    let exit = report(&session, &verdicts, part, &many, out);
    many.iter().for_each(|found| out.note(&render::list::many_locks(found)));
    exit
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
    let underway: Mutex<BTreeMap<TenantKey, Instant>> = Mutex::default();
    let verify = Verify {
        target: &session.target,
        store: session.store.as_ref(),
        desired: &session.project.desired,
        observed,
        parallelism: session::parallelism(global),
        stop: &AtomicBool::new(false),
        begins: &|tenant| {
            lock(&underway).insert(tenant.clone(), Instant::now());
        },
        progress: &|verdict| {
            lock(&underway).remove(&verdict.tenant);
            progress.one_more(verdict.tenant.as_str(), first_fault(verdict).as_deref());
        },
    };
    let silent = || {
        let underway = lock(&underway);
        underway.iter().filter_map(|(key, begun)| waiting::line(&format!("verify {key}"), *begun)).collect()
    };
    let verdicts = waiting::aloud(out.quiet, silent, || verify.run(&tenants));
    progress.finish();
    Ok(verdicts)
}

fn first_fault(verdict: &Verdict) -> Option<String> {
    let check = verdict.checks.iter().find(|check| !check.ok)?;
    Some(format!("{}: {}", check.what, check.detail.as_deref().unwrap_or_default()))
}

pub fn report(
    session: &session::Session,
    verdicts: &[Verdict],
    part: Option<Targeting>,
    many: &[ManyLocks],
    out: &mut Output,
) -> Result<Exit, Failure> {
    let text = || render::verify::text(verdicts, &session.project.desired.tenants, part, &out.style());
    let text = match out.format {
        Format::Json => render::verify::json(verdicts, part, many),
        Format::Text => text(),
        Format::Markdown => render::markdown::fenced("", &anstream::adapter::strip_str(&text()).to_string()),
    };
    out.print(&text)?;
    note_other_databases(verdicts, out);
    Ok(match () {
        () if verdicts.iter().any(Verdict::failed) => Exit::Changes,
        // That it is isolated nobody knows.
        () if verdicts.iter().any(|verdict| !verdict.tried) => Exit::Failed,
        () => Exit::Ok,
    })
}

/// Roles are the cluster's: a tenant may connect to every database that PUBLIC may.
fn note_other_databases(verdicts: &[Verdict], out: &mut Output) {
    let databases: BTreeSet<&String> = verdicts.iter().flat_map(|verdict| &verdict.other_databases).collect();
    for database in databases {
        out.note(&format!(
            "note: tenants may also connect to database {database:?}; to prevent that: REVOKE CONNECT ON DATABASE {} FROM PUBLIC;",
            ident(database)
        ));
    }
}
