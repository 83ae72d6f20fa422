//! A rotation: a new password for tenants that are there, and nothing else, whatever else of them differs.

use super::change::secret;
use super::doubt::{Doubt, Missing};
use super::facts::{Facts, Findings};
use super::fleet::Fleet;
use super::phases::Phases;
use super::tenant_plan::{Blocked, EndState, TenantPlan, Verb, Work};
use super::whole::{DatabaseIdentity, Plan};
use super::{home, limits, missing};
use crate::core::model::{Desired, Observed, Registered, Registry, State, Tenant, TenantKey};

/// A new password for each declared tenant that `selects` takes, in PostgreSQL and in the secret store.
///
/// Pure. A tenant that is not there to get one, or whose password is `password_from`'s, is blocked.
#[must_use]
pub fn rotation(desired: &Desired, observed: &Observed, selects: &dyn Fn(&TenantKey) -> bool) -> Plan {
    let fleet = Fleet::new(desired, observed);
    let tenants = desired.tenants.values().filter(|tenant| selects(&tenant.key));
    let tenants: Vec<_> = tenants.map(|tenant| plan(&fleet, tenant)).collect();
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

fn plan(fleet: &Fleet<'_>, declared: &Tenant) -> TenantPlan {
    let registered = fleet.registered_tenant(&declared.key);
    let tenant = registered.map_or_else(|| declared.clone(), |row| as_registered(declared, row));
    let mut plan = TenantPlan::of(tenant.subject());
    plan.take(Verb::Update, renew(fleet, &tenant, declared, registered));
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
    if declared.password.is_some() {
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
    let mut findings = Findings::default();
    secret::renew(&facts, &mut findings)?;
    let target = EndState::Rotated { tenant: Box::new(tenant.clone()), fields: secret::fields(&facts) };
    let Findings { changes: transaction, secret, hazards, .. } = findings;
    Ok(Work { phases: Phases { transaction, secret, ..Phases::default() }, hazards, target })
}
