//! A rotation: a new password for tenants that are there, and nothing else, whatever else of them differs.

use super::action::{AlterRole, Attribute, Change, EndSessions, Rights, Whose};
use super::change::{login, secret};
use super::doubt::{Doubt, Missing};
use super::facts::{Facts, Findings};
use super::fleet::Fleet;
use super::hazard::{Hazard, HazardKind};
use super::logins::Logins;
use super::phases::{EndOld, Phases, Switch};
use super::tenant_plan::{Blocked, EndState, TenantPlan, Verb, Work};
use super::whole::{DatabaseIdentity, Plan};
use super::{home, limits, missing};
use crate::core::model::{
    Desired, Observed, Registered, Registry, Rotation, State, StoreKind, Tenant, TenantKey, literal,
};

/// A new password for each declared tenant that `selects` takes, in PostgreSQL and in the secret store.
///
/// `end_old`: of two users, the one that the secret named until then logs in no more, and its sessions end.
///
/// Pure. A tenant that is not there to get one, or whose password is `password_from`'s, is blocked.
#[must_use]
pub fn rotation(desired: &Desired, observed: &Observed, selects: &dyn Fn(&TenantKey) -> bool, end_old: bool) -> Plan {
    let fleet = Fleet::new(desired, observed);
    let tenants = desired.tenants.values().filter(|tenant| selects(&tenant.key));
    let tenants: Vec<_> = tenants.map(|tenant| plan(&fleet, tenant, end_old)).collect();
    let doubts = home::doubts(desired, observed, &tenants);
    let missing = missing::missing(desired, observed, &tenants);
    let mut hazards: Vec<_> = doubts.iter().map(Doubt::hazard).chain(missing.iter().map(Missing::hazard)).collect();
    hazards.extend(limits::log(&fleet, &tenants));
    Plan {
        database: DatabaseIdentity::new(&observed.server, &observed.database.name),
        hazards,
        doubts,
        missing,
        unseen: observed.unseen.clone(),
        tenants,
        ..Plan::default()
    }
}

fn plan(fleet: &Fleet<'_>, declared: &Tenant, end_old: bool) -> TenantPlan {
    let registered = fleet.registered_tenant(&declared.key);
    let mut tenant = registered.map_or_else(|| declared.clone(), |row| as_registered(declared, row));
    if fleet.desired.secrets.store == StoreKind::Returned {
        tenant.password.clone_from(&declared.password);
    }
    let mut plan = TenantPlan::of(tenant.subject());
    let work = renew(fleet, &tenant, declared, registered);
    let work = work.and_then(|work| if end_old { and_end(fleet, &tenant, work) } else { Ok(work) });
    plan.take(Verb::Update, work);
    plan
}

/// As the last apply left it: what tenants.toml says otherwise since then is the next one's.
fn as_registered(declared: &Tenant, row: &Registered) -> Tenant {
    Tenant {
        schema: row.schema.clone(),
        username: row.username.clone(),
        owner_role: row.owner.clone(),
        access: row.access,
        secret_path: row.secret.path.clone(),
        rotation: row.rotation,
        suspended: row.suspended,
        password: None,
        ..declared.clone()
    }
}

fn renew(
    fleet: &Fleet<'_>,
    tenant: &Tenant,
    declared: &Tenant,
    registered: Option<&Registered>,
) -> Result<Work, Blocked> {
    let key = &tenant.key;
    let apply = || format!("tenantry apply --target {key}");
    let row = registered.filter(|row| row.state == State::Active);
    let row = row.ok_or_else(|| match registered.map(|row| row.state) {
        None | Some(State::Removed) => Blocked::new("it does not exist yet", apply()),
        Some(state) => Blocked::new(format!("it is {}", state.as_str()), apply()),
    })?;
    let is_returned = fleet.desired.secrets.store == StoreKind::Returned;
    if declared.password.is_some() && !is_returned {
        let hint = format!("change it where password_from takes it from, and then: {}", apply());
        return Err(Blocked::new("its password is given by password_from", hint));
    }
    let policy = &fleet.desired.secrets;
    let elsewhere = row.secret.place.as_ref().is_some_and(|place| *place != policy.place());
    if row.secret.store != policy.store.as_str() || elsewhere {
        return Err(Blocked::new("its secret is not where [secrets] says", apply()));
    }
    if let Some((reason, hint)) = fleet.observed.registry.as_ref().and_then(Registry::is_older) {
        return Err(Blocked::new(reason, hint));
    }
    let mut facts = Facts::new(fleet, tenant, registered);
    facts.current.role = fleet.observed.roles.get(&row.username);
    if facts.current.role.is_none() {
        return Err(Blocked::new(format!("role {} does not exist", row.username), apply()));
    }
    facts.logins = Logins::next(fleet.observed, tenant, registered);
    let mut findings = Findings::default();
    if row.rotation == Rotation::TwoUser {
        if facts.login_role().is_none() {
            return Err(Blocked::new(format!("role {} does not exist", facts.logins.login), apply()));
        }
        // Whom the secret is to name can log in, and act as the username, whatever somebody did to it meanwhile.
        login::one(&facts, &mut findings, &facts.logins.login.clone())?;
    }
    secret::renew(&facts, &mut findings)?;
    let target = EndState::Rotated { tenant: Box::new(tenant.clone()), fields: secret::fields(&facts) };
    let Findings { changes: mut transaction, secret, switch, hazards, .. } = findings;
    transaction.sort_by_key(Change::kind);
    let switch = switch.map(|secret| Switch { secret, then: Vec::new(), rotation: row.rotation, end: None });
    Ok(Work { phases: Phases { transaction, secret, switch, ..Phases::default() }, hazards, target })
}

/// Whoever logged in with what the secret said until then is to be out.
fn and_end(fleet: &Fleet<'_>, tenant: &Tenant, mut work: Work) -> Result<Work, Blocked> {
    if tenant.rotation == Rotation::Single {
        return Err(Blocked::new(
            "it has no user that a rotation leaves behind: --end-old is for rotation = \"two-user\"",
            format!(
                "to end its sessions once it has another password: SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = {}",
                literal(&tenant.username)
            ),
        ));
    }
    let logins = Logins::next(fleet.observed, tenant, fleet.registered_tenant(&tenant.key));
    let old = logins.named.filter(|named| fleet.observed.roles.contains_key(named));
    // Without a switch there is no secret that named it.
    if let (Some(switch), Some(old)) = (&mut work.phases.switch, old) {
        let attributes = vec![Attribute::Without("LOGIN")];
        switch.then.push(AlterRole { whose: Whose::Login, role: old.clone(), attributes }.into());
        work.hazards.retain(|hazard| hazard.kind != HazardKind::ChangesCredentials);
        let to = &switch.secret.fields.username;
        let must_read = format!("clients must read the secret again: it will name {to}, and {old} logs in no more");
        let there = fleet.observed.roles.contains_key(&logins.login);
        let earlier = Some(logins.login).filter(|_| there);
        let ended = match &earlier {
            Some(next) => format!("sessions of {old}, and those that {next} has until then, are ended"),
            None => format!("sessions of {old} are ended"),
        };
        let said = [(HazardKind::ChangesCredentials, must_read), (HazardKind::EndsSessions, ended)];
        work.hazards.extend(said.map(|(kind, detail)| Hazard { kind, detail }));
        let users: Vec<String> = earlier.iter().cloned().chain([old.clone()]).collect();
        let rights = Rights::lacking(fleet.observed, &users);
        let sessions = |user: String| EndSessions {
            roles: vec![user.clone()],
            username: tenant.username.clone(),
            login: user,
            is_dropped: false,
        };
        switch.end = Some(EndOld { sessions: sessions(old), earlier: earlier.map(sessions), rights });
    }
    Ok(work)
}
