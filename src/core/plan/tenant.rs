//! One declared tenant: from what is there to what is declared.

use super::action::{Action, BorrowRights, Change, ReturnRights};
use super::change::{
    adopted_password, adoption, baseline, defaults, deputy, grants, history, login, membership, migrations, objects,
    outside, policy, rename, rights, role, schema, secret, settings, suspended, tablespace, template, vault_access,
};
use super::facts::{Facts, Findings, LockOut};
use super::fleet::Fleet;
use super::hazard::HazardKind;
use super::phases::{AfterCommit, Phases, Switch};
use super::tenant_plan::{Blocked, EndState, Note, TenantPlan, Verb, Work};
use crate::core::model::{Access, Registered, State, Tenant};

pub(super) fn plan(fleet: &Fleet<'_>, tenant: &Tenant) -> TenantPlan {
    let registered = fleet.registered_tenant(&tenant.key).filter(|row| row.state != State::Removed);
    let mut plan = TenantPlan::of(tenant.subject());
    let mut findings = Findings::default();
    if let Some(work) = converge(Facts::new(fleet, tenant, registered), &mut findings).transpose() {
        plan.take(if registered.is_some() { Verb::Update } else { Verb::Create }, work);
        plan.seen = registered.and_then(|row| fleet.seen(&row.schema));
    }
    // Of a blocked tenant not everything was compared.
    if plan.verb != Verb::Blocked {
        plan.notes = findings.notes;
        plan.notes.extend(password_due(fleet, tenant, registered));
    }
    plan
}

fn converge(mut facts: Facts<'_>, findings: &mut Findings) -> Result<Option<Work>, Blocked> {
    refuse_half_way(&facts)?;
    adoption::diff(&facts, findings)?;
    rename::locate(&mut facts, findings)?;
    let (password, secret_version) = match facts.adoption {
        Some(adoption) => adopted_password::decide(&facts, adoption, findings)?,
        None => secret::decide(&facts, findings)?,
    };
    deputy::diff(&facts, findings);
    role::diff(&facts, findings)?;
    login::diff(&facts, findings)?;
    suspended::diff(&facts, findings)?;
    membership::diff(&facts, findings);
    // From here on the schema and what is in it belong to whom they are to belong to.
    schema::diff(&mut facts, findings);
    history::diff(&facts, findings)?;
    objects::diff(&mut facts, findings);
    baseline::diff(&mut facts, findings);
    let facts = facts;
    grants::diff(&facts, findings);
    defaults::diff(&facts, findings);
    outside::diff(&facts, findings);
    settings::diff(&facts, findings);
    migrations::diff(&facts, findings)?;
    template::diff(&facts, findings)?;
    policy::diff(&facts, findings);
    vault_access::diff(&facts, findings)?;
    tablespace::warn(&facts, findings);
    if findings.is_empty() {
        return Ok(None);
    }
    warn_of_shared_owner(&facts, findings);
    rights::borrow(&facts, findings);
    let tenant = Box::new(facts.tenant.clone());
    // Until the secret is switched, the registry says what it said before.
    let (secret_version, fields) = match facts.registered.filter(|_| findings.switch.is_some()) {
        Some(row) => (row.secret.version.clone(), row.secret.fields.clone()),
        None => (secret_version, secret::fields(&facts)),
    };
    let target = EndState::Declared { tenant, password, secret_version, fields };
    Ok(Some(Work { phases: phases(&facts, findings), hazards: std::mem::take(&mut findings.hazards), target }))
}

/// An apply changes no password for its age: `rotate --due` does.
fn password_due(fleet: &Fleet<'_>, tenant: &Tenant, registered: Option<&Registered>) -> Option<Note> {
    let row = registered.filter(|row| row.state == State::Active && tenant.password.is_none())?;
    let due = row.password_due(tenant.rotate_after, fleet.observed.looked_at?)?;
    Some(Note {
        what: "password".into(),
        detail: format!("due since {} by rotate_after: tenantry rotate {}", due.strftime("%Y-%m-%d"), tenant.key),
    })
}

fn phases(facts: &Facts<'_>, findings: &mut Findings) -> Phases {
    let mut transaction = std::mem::take(&mut findings.changes);
    transaction.sort_by_key(Change::kind);
    let (secret, mut after) = (findings.secret.take(), std::mem::take(&mut findings.after));
    after.sort_by_key(|after| after.view().map(Action::kind));
    // The rights of the transaction end with it.
    let rights = transaction.iter().find_map(|change| match change {
        Change::ReturnRights(give) => give.rights.clone().without(&give.dropped),
        _ => None,
    });
    let late = transaction.iter().find_map(|change| match change {
        Change::Migrate(migrate) => migrate.late(rights.clone()),
        _ => None,
    });
    after.extend(late.map(AfterCommit::Migrate));
    let (rotation, then) = (facts.tenant.rotation, std::mem::take(&mut findings.then));
    let switch = findings.switch.take().map(|secret| Switch { secret, then, rotation, end: None });
    let mut phases = Phases { transaction, secret, switch, after, ..Phases::default() };
    if let Some(LockOut { sessions, rights, give_back }) = findings.lock_out.take() {
        phases.lock_out = Some(sessions);
        phases.rights = rights.map(BorrowRights);
        phases.give_back = give_back.map(|rights| ReturnRights { rights, dropped: Vec::new() });
    }
    phases
}

fn warn_of_shared_owner(facts: &Facts<'_>, findings: &mut Findings) {
    let tenant = facts.tenant;
    let shared = facts.fleet.is_shared_owner(tenant.owner(), &tenant.key);
    let was_so = |row: &Registered| row.owner == tenant.owner_role && row.access == Access::Full;
    if shared && !facts.registered.is_some_and(was_so) && tenant.access == Access::Full {
        let owner = &tenant.owner_role;
        findings.hazard(
            HazardKind::SharedOwner,
            format!("{owner} is the owner role of several tenants that can create code in their schemas; the code of one can run with rights on the others' objects"),
        );
    }
}

/// What an interrupted restore or removal left is neither complete nor gone; only the same operation may resume it.
fn refuse_half_way(facts: &Facts<'_>) -> Result<(), Blocked> {
    let key = &facts.tenant.key;
    match facts.registered.map(|row| row.state) {
        Some(State::Restoring) => Err(Blocked::new(
            "its restore was interrupted, and its schema may contain only part of the archive",
            format!(
                "restore it again: tenantry restore FILE   or abandon it: take {key} out of tenants.toml and apply"
            ),
        )),
        Some(State::Removing) => Err(Blocked::new(
            "its removal was interrupted, and its schema contains only part of its data",
            format!("take {key} out of tenants.toml and apply; then restore its archive, if it is wanted back"),
        )),
        _ => Ok(()),
    }
}
