//! What is asked before anything is changed; each of these says no with a reason and with what to do.

use postgres::Client;

use super::consent::{self, About, Consent, Need};
use super::error::{Error, Guard, Guarded, Refusal};
use super::session::Ground;
use crate::core::model::{Desired, Observed, VaultObject};
use crate::core::plan::{Phases, Plan, Saved, Stale, TenantPlan, unreachable_extension};
use crate::core::render::escape::visible;
use crate::core::words::few;
use crate::engine::apply::{check_admin, check_archives, check_registry, check_server};
use crate::engine::archive::Programs;
use crate::engine::error::Context;
use crate::engine::secrets::SecretStore;

/// What was not seen is not known to be as declared.
pub(super) fn sees_everything(observed: &Observed) -> Result<(), Error> {
    if let Some(reader) = &observed.server.reader {
        let keeper = &observed.server.admin.name;
        let message = format!(
            "{reader} is neither a superuser nor has CREATEROLE: it may plan but not apply; nothing was changed"
        );
        let hint = format!("connect as {keeper}, which owns the registry");
        return Err(Refusal::new(Guard::MayApply, message, hint).into());
    }
    let Some(unseen) = observed.unseen.first() else { return Ok(()) };
    let hint = unseen.hint.clone().unwrap_or_else(|| "connect as a role that may".into());
    let message = format!("could not see {}; nothing was changed", unseen.what);
    Err(Refusal::new(Guard::SeesEverything, message, hint).into())
}

/// The saved plan, made again from what is there now; refused when that comes to something else.
pub(super) fn as_saved(saved: &Saved, ground: &Ground, observed: &Observed, now: Plan) -> Result<Plan, Error> {
    let project = &ground.project;
    saved.narrow(now, &project.desired, observed, &project.digest).map_err(|stale| {
        let lines: Vec<String> = stale.iter().take(20).map(in_words).collect();
        let more = stale.len().saturating_sub(lines.len());
        let more = if more > 0 { format!("\n  and {more} more") } else { String::new() };
        let message = format!("the saved plan is stale; nothing was changed\n  {}{more}", lines.join("\n  "));
        Refusal::new(Guard::AsSaved(stale), message, "plan again: tenantry plan --out FILE").into()
    })
}

fn in_words(stale: &Stale) -> String {
    // What the file says may be anybody's.
    visible(&match stale {
        Stale::Database { saved, now } => format!("it was made for database {saved}; this is {now}"),
        Stale::Configuration => "tenants.toml or the migrations changed".to_owned(),
        Stale::Shared { what } => format!("what the tenants share: {what}"),
        Stale::Tenant { tenant, what } => format!("tenant {tenant}: {what}"),
    })
    .into_owned()
}

/// In a copy of a database that is in use the secrets are the other one's: who logs in there needs them as they are.
pub(super) fn its_secrets(plan: &Plan) -> Result<(), Refusal> {
    let writes = |tenant: &TenantPlan| tenant.has_work() && tenant.phases.changes_secrets();
    whose(plan, &writes, "nothing was changed")
}

/// The same of a restore, which gives what an interrupted one left a secret too, although its plan is blocked.
pub(super) fn its_secrets_restored(plan: &Plan) -> Result<(), Refusal> {
    whose(plan, &|_| true, "nothing was changed")
}

/// Once the data are in: of what an interrupted restore left, the plan before had no secret to compare.
pub(super) fn its_secrets_at_last(plan: &Plan) -> Result<(), Refusal> {
    let writes = |tenant: &TenantPlan| tenant.has_work() && tenant.phases.changes_secrets();
    whose(plan, &writes, "the data is restored, but the secret was not written")
}

fn whose(plan: &Plan, writes: &dyn Fn(&TenantPlan) -> bool, done: &str) -> Result<(), Refusal> {
    let writing = plan.tenants.iter().filter(|tenant| writes(tenant));
    let names: Vec<&str> = writing.map(|tenant| tenant.tenant.as_str()).collect();
    let Some(doubt) = plan.doubts.first().filter(|_| !names.is_empty()) else { return Ok(()) };
    let message = format!("{}; the plan changes secrets ({}); {done}", doubt.detail, few(&names));
    Err(Refusal::new(Guard::ItsSecrets, message, doubt.hint.clone()))
}

/// What is known without asking anybody again.
pub(super) fn known(desired: &Desired, observed: &Observed, plan: &Plan) -> Result<(), Error> {
    registry(observed, plan)?;
    if let Some((message, hint)) = unreachable_extension(desired, observed, plan) {
        return Err(Refusal::new(Guard::Extensions, message, hint).into());
    }
    check_admin(observed, plan).guarded(Guard::Admin)
}

pub(super) fn registry(observed: &Observed, plan: &Plan) -> Result<(), Error> {
    check_registry(observed, plan).guarded(Guard::Registry)
}

/// Everything a plan must pass before it is approved. First whether it is meant, then whether it can be done. With what makes the
/// archives, where there are any to make.
pub(super) fn all(
    ground: &Ground,
    client: &mut Client,
    observed: &Observed,
    plan: &Plan,
    consents: (&[Need], &[Consent]),
) -> Result<Option<Programs>, Error> {
    let (needs, given) = consents;
    consent::check(plan, needs, given, About::Moving)?;
    consent::check(plan, needs, given, About::Removals)?;
    // Whose secrets these are comes before the rest: what would change because of it is no typing error.
    its_secrets(plan)?;
    consent::check(plan, needs, given, About::Fleet)?;
    consent::check(plan, needs, given, About::Secrets)?;
    may_write(ground.store.as_ref(), plan)?;
    known(&ground.project.desired, observed, plan)?;
    // Whoever lacks a right has not seen the shapes.
    consent::check(plan, needs, given, About::Shapes)?;
    check_server(client, observed, plan).guarded(Guard::Server)?;
    let env = |name: &str| ground.environment.raw(name);
    check_archives(observed, plan, &ground.project.archive_dir(), &env).guarded(Guard::Archives)
}

/// Every secret that the plan writes, and those that it only marks; who may read them.
fn may_write(store: &dyn SecretStore, plan: &Plan) -> Result<(), Error> {
    let claims = plan.database_changes.iter().flat_map(|change| change.claims()).map(|claim| claim.path.clone());
    let work = plan.tenants.iter().filter(|tenant| tenant.has_work());
    let written = work.filter_map(|tenant| tenant.phases.secret.as_ref().map(|write| write.path.clone()));
    let paths: Vec<String> = written.chain(claims).collect();
    store.may_write(&paths).doing("checking whether the secrets may be written").guarded(Guard::Store)?;
    let Some(access) = store.access() else { return Ok(()) };
    let phases = || plan.tenants.iter().filter(|tenant| tenant.has_work()).map(|tenant| &tenant.phases);
    let set: Vec<&VaultObject> = phases().flat_map(Phases::sets_vault).map(|set| &set.object).collect();
    let deleted = phases().flat_map(Phases::deletes_vault).filter(|delete| delete.before.is_some());
    let deleted: Vec<&VaultObject> = deleted.map(|delete| &delete.object).collect();
    let doing = "checking whether policies and roles in Vault may be changed";
    access.may_change(&set, &deleted).doing(doing).guarded(Guard::Store)
}
