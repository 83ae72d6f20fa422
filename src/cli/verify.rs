//! `verify`: log in as each tenant and try.

use std::collections::{BTreeMap, BTreeSet};

use tenantry::Looked;
use tenantry::model::{ManyLocks, Tenant, TenantKey, ident};
use tenantry::plan::Targeting;
use tenantry::render;
use tenantry::verdict::Verdict;

use super::args::{Format, Global, VerifyArgs};
use super::exit::Exit;
use super::failure::Failure;
use super::output::Output;
use super::progress::Progress;
use super::project;

pub fn run(global: &Global, args: &VerifyArgs, out: &mut Output) -> Result<Exit, Failure> {
    let tenantry = project::open(global, project::options(global))?;
    let mut looked = tenantry.look()?;
    out.talks_to(&looked.place());
    let verdicts = verify(&looked, &args.tenants, out)?;
    let part = looked.part(&args.tenants);
    let many = looked.many_locks()?;
    let exit = report(&verdicts, looked.declared(), (part, &many), out);
    many.iter().for_each(|found| out.note(&render::list::many_locks(found)));
    exit
}

/// With a bar, or with lines.
pub fn verify(looked: &Looked, named: &[String], out: &Output) -> Result<Vec<Verdict>, Failure> {
    let progress = Progress::new("verify", looked.to_verify(named)?.len(), out);
    let each = |verdict: &Verdict| progress.one_more(verdict.tenant.as_str(), first_fault(verdict).as_deref());
    let verdicts = looked.verify(named, &each)?;
    progress.finish();
    Ok(verdicts)
}

fn first_fault(verdict: &Verdict) -> Option<String> {
    let check = verdict.checks.iter().find(|check| !check.ok)?;
    Some(format!("{}: {}", check.what, check.detail.as_deref().unwrap_or_default()))
}

/// `beside`: when not every tenant was tried, and who crowds the lock table.
pub fn report(
    verdicts: &[Verdict],
    declared: &BTreeMap<TenantKey, Tenant>,
    beside: (Option<Targeting>, &[ManyLocks]),
    out: &mut Output,
) -> Result<Exit, Failure> {
    let (part, many) = beside;
    let text = || render::verify::text(verdicts, declared, part, &out.style());
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
