//! `rotate`: a new password.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::approve::{self, Question};
use super::args::{Format, Global, RotateArgs, Which};
use super::exit::Exit;
use super::failure::Failure;
use super::output::Output;
use super::{apply, interrupt, plan, recover, session};
use crate::core::model::{Observed, Registry, State, TenantKey};
use crate::core::plan::{RECOVER, TenantPlan, rotation};
use crate::core::words::{count, typed};
use crate::engine::inspect::Sizes;

pub fn run(global: &Global, args: &RotateArgs, out: &mut Output) -> Result<Exit, Failure> {
    let mut session = session::connect(global)?;
    session.declares(global, &args.which.tenants)?;
    let lock = session.lock(&args.lock)?;
    let observed = session.observe(Sizes::Removed)?;
    apply::must_see_everything(&observed)?;
    session.selects_something(&observed)?;
    let place = session.place(&observed);
    out.talks_to(&place);
    if let Some((message, hint)) = observed.registry.as_ref().and_then(Registry::is_older) {
        return Err(Failure::refused(format!("{message}; no password was changed"), hint));
    }
    let named =
        |key: &TenantKey| args.which.tenants.is_empty() || args.which.tenants.iter().any(|name| name == key.as_str());
    if let Some(lost) = recover::lost(&session, &observed, &named) {
        return Err(Failure::refused(format!("{lost}; no password was changed"), RECOVER));
    }
    let chosen = chosen(&session, &observed, args, out);
    if chosen.is_empty() && out.format != Format::Json {
        out.print("No passwords to rotate.\n")?;
        return Ok(Exit::Ok);
    }
    let mut plan = rotation(&session.project.desired, &observed, &|key| chosen.contains(key));
    plan.targeting = session.targeting(&observed);
    if !plan.tenants.iter().any(TenantPlan::has_work) {
        return apply::nothing_to_do(&plan, out);
    }
    if out.format != Format::Json {
        out.print(&plan::rendered(plan.document(), out))?;
    }
    apply::preflight(&mut session, &observed, &plan, 0)?;
    let question = Question { command: "rotate", words: "Change these passwords?", hint: hint(&args.which) };
    if !approve::approved(args.approve, &question, &place, &mut session, out)? {
        return Ok(Exit::Failed);
    }
    interrupt::watch();
    let limits = apply::Limits { max_failures: args.max_failures, ..apply::Limits::default() };
    let result = apply::carry_out(global, &mut session, &lock, &observed, &plan, limits, out);
    interrupt::or_interrupted(result.and_then(|report| apply::tell(&report, &plan, out)), global)
}

fn hint(which: &Which) -> String {
    let whose = match which {
        Which { tenants, .. } if !tenants.is_empty() => tenants.join(" "),
        Which { older_than: Some(age), .. } => format!("--older-than {}", typed(*age)),
        _ => "--all".to_owned(),
    };
    format!("in a script: tenantry rotate {whose} --auto-approve")
}

/// Those that are named, or all that can be rotated; of these `--older-than` takes a part.
fn chosen(session: &session::Session, observed: &Observed, args: &RotateArgs, out: &mut Output) -> BTreeSet<TenantKey> {
    let declared = session.project.desired.tenants.values().filter(|tenant| session.selects(&tenant.key));
    if !args.which.tenants.is_empty() {
        let named = declared.filter(|tenant| args.which.tenants.iter().any(|name| name == tenant.key.as_str()));
        return named.map(|tenant| tenant.key.clone()).collect();
    }
    let row = |key: &TenantKey| {
        let row = observed.registry.as_ref()?.tenants.get(key)?;
        (row.state == State::Active).then_some(row)
    };
    let (given, others): (Vec<_>, Vec<_>) = declared.partition(|tenant| tenant.password.is_some());
    let (there, absent): (Vec<_>, Vec<_>) = others.into_iter().partition(|tenant| row(&tenant.key).is_some());
    for (left_out, why) in [
        (given.len(), "the password comes from password_from"),
        (absent.len(), "not set up in this database yet, so first: tenantry apply"),
    ] {
        if left_out > 0 {
            out.note(&format!("{} left out: {why}", count(left_out, "tenant")));
        }
    }
    let now = Timestamp::now();
    let is_old = |key: &TenantKey| {
        let Some(age) = args.which.older_than else { return true };
        // Of a password that was never noted nobody knows that it is young.
        let Some(changed) = row(key).and_then(|row| row.password_changed_at) else { return true };
        SignedDuration::try_from(age).is_ok_and(|age| now.duration_since(changed) >= age)
    };
    there.into_iter().map(|tenant| tenant.key.clone()).filter(is_old).collect()
}
