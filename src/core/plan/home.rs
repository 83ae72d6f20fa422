//! Whether this database is the one that its secrets are for, and how it comes to be.
//!
//! A copy of a database has the registry, the passwords and the secrets' paths of the original. What tells it is in the
//! secrets (`model::secret::Mark`), and how it is reached. Where there is doubt, no secret is written or deleted until a
//! person says `--moved`.

use std::collections::BTreeMap;

use super::doubt::Doubt;
use super::fleet::Fleet;
use super::hazard::HazardKind;
use super::shared_change::{About, Claim, DatabaseAction, DatabaseChange, Stage};
use super::tenant_plan::TenantPlan;
use crate::core::model::{Belongs, Desired, Home, Observed, Registered, SecretState, State, TenantKey};
use crate::core::words::few;

const MOVED: &str = "if the other one is no longer in use, and this is the one that the secrets are for: tenantry apply --moved   if it is in use, apply there and not here";

/// The doubts there are about this plan, the gravest first; none once a person has said that the database moved.
pub(super) fn doubts(desired: &Desired, observed: &Observed, tenants: &[TenantPlan]) -> Vec<Doubt> {
    let Some(registry) = observed.registry.as_ref().filter(|_| !observed.moved) else { return Vec::new() };
    let mut doubts = Vec::new();
    if let Some(cluster) = &registry.came_from {
        doubts.push(another_cluster(cluster));
    }
    // That it came from elsewhere is said once, whatever of it the secrets show too.
    doubts.extend(by_marks(observed).filter(|by| doubts.iter().all(|doubt| doubt.kind != by.kind)));
    let writing: Vec<&TenantPlan> =
        tenants.iter().filter(|tenant| tenant.has_work() && tenant.phases.changes_secrets()).collect();
    // A database that came from elsewhere is reached elsewhere: once is enough.
    if !writing.is_empty() && doubts.is_empty() {
        doubts.extend(by_address(desired, observed, &writing));
    }
    doubts
}

fn another_cluster(cluster: &str) -> Doubt {
    Doubt {
        kind: HazardKind::AnotherCluster,
        detail: format!(
            "this database came from another cluster (system identifier {cluster}), and its secrets may be in use there"
        ),
        hint: format!("{MOVED}   (pg_upgrade and a restored dump give another system identifier too)"),
    }
}

/// What others of this registry's identity did shows in the secrets.
fn by_marks(observed: &Observed) -> Option<Doubt> {
    let mut clusters: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut copied = Vec::new();
    for (path, state) in &observed.secrets {
        match state {
            SecretState::Ours { belongs: Belongs::AnotherCluster(cluster), .. } => {
                clusters.entry(cluster).or_default().push(path);
            }
            SecretState::Ours { belongs: Belongs::AnotherCopy(_), .. } => copied.push(path.as_str()),
            _ => {}
        }
    }
    if let Some((cluster, paths)) = clusters.into_iter().next() {
        let detail =
            format!("the secrets {} were written for another cluster (system identifier {cluster})", few(&paths));
        return Some(Doubt { detail, ..another_cluster(cluster) });
    }
    (!copied.is_empty()).then(|| Doubt {
        kind: HazardKind::AnotherCopy,
        detail: format!(
            "the secrets {} were written by a run that this registry does not know: by a copy of this database, or by this one before it was set back to an earlier state",
            few(&copied)
        ),
        hint: MOVED.to_owned(),
    })
}

/// A tunnel leads to the right server as well as to a copy of it.
fn by_address(desired: &Desired, observed: &Observed, writing: &[&TenantPlan]) -> Option<Doubt> {
    let server = &observed.server;
    let home = observed.registry.as_ref()?.home.as_ref();
    let is_known = home.and_then(|home| home.is_reached_by(&server.reached));
    if is_known == Some(true) {
        // What the secrets are to name now, tenants.toml says otherwise than before.
        return None;
    }
    let here = server.reached.join(", ");
    let advertise = &desired.advertise;
    let changes = |plan: &&&TenantPlan| {
        let (Some((tenant, _)), Some(row)) = (plan.target.delivers(), registered(observed, &plan.tenant)) else {
            return false;
        };
        let known = &row.secret.fields;
        let wanted = desired.secret_fields(tenant, server, &observed.database.name, Some(known));
        row.secret.version.is_some()
            && (advertise.host.is_none() && known.host != wanted.host
                || advertise.port.is_none() && known.port != wanted.port)
    };
    let readdressed: Vec<&str> = writing.iter().filter(changes).map(|plan| plan.tenant.as_str()).collect();
    if !readdressed.is_empty() {
        return Some(Doubt {
            kind: HazardKind::AnotherAddress,
            detail: format!(
                "the secrets of {} name another address than {here}, by which this database is reached now",
                few(&readdressed)
            ),
            hint: "if that is only how this run gets there (a tunnel), set [database] advertise to the address that tenants use   if the database has moved there: tenantry apply --moved".into(),
        });
    }
    let home = home.filter(|home| is_elsewhere(home, observed) && !home.is_same_start)?;
    let known = home.reached.iter().map(String::as_str).collect::<Vec<_>>();
    Some(Doubt {
        kind: HazardKind::AnotherAddress,
        detail: format!(
            "this database was reached at {} and is now reached at {here}, and its server was started since: it may be a copy",
            few(&known)
        ),
        hint: format!("apply by the usual address   or, {MOVED}"),
    })
}

fn is_elsewhere(home: &Home, observed: &Observed) -> bool {
    home.is_reached_by(&observed.server.reached) == Some(false)
}

fn registered<'a>(observed: &'a Observed, key: &TenantKey) -> Option<&'a Registered> {
    observed.registry.as_ref()?.tenants.get(key)
}

/// Secrets that stay as they are but for their mark: an older version wrote them, or the database has moved.
pub(super) fn claim(fleet: &Fleet<'_>, tenants: &[TenantPlan], doubts: &[Doubt]) -> Option<DatabaseChange> {
    let registry = fleet.observed.registry.as_ref()?;
    let moved = fleet.observed.moved;
    let may_be_a_copy =
        registry.home.as_ref().is_some_and(|home| is_elsewhere(home, fleet.observed) && !home.is_same_start);
    if !moved && (may_be_a_copy || !doubts.is_empty()) {
        return None;
    }
    let claims: Vec<Claim> = tenants.iter().filter_map(|plan| one(fleet, plan)).collect();
    let many = claims.len();
    let secrets = if many == 1 { "1 secret".to_owned() } else { format!("{many} secrets") };
    let (action, detail) = match (moved, many) {
        (true, _) => (
            DatabaseAction::MoveHere,
            format!("this database is the one that its secrets are for: another fleet, and {secrets} marked with it"),
        ),
        (false, 0) => return None,
        (false, _) => {
            (DatabaseAction::ClaimSecrets, format!("{secrets} marked as this database's; no password changes"))
        }
    };
    Some(DatabaseChange {
        stage: Stage::Secrets,
        about: About::Claims(claims),
        ..DatabaseChange::new(action, detail, Vec::new())
    })
}

/// Not of a tenant whose secret is written anew, with its mark, or deleted.
fn one(fleet: &Fleet<'_>, plan: &TenantPlan) -> Option<Claim> {
    let row = fleet.registered_tenant(&plan.tenant).filter(|row| row.state == State::Active)?;
    let policy = &fleet.desired.secrets;
    let is_here = row.secret.store == policy.store.as_str()
        && (fleet.observed.moved || row.secret.place.as_ref().is_none_or(|place| *place == policy.place()));
    if !is_here || row.secret.version.is_none() || plan.has_work() && plan.phases.changes_secrets() {
        return None;
    }
    let path = &row.secret.path;
    match fleet.observed.secrets.get(path)? {
        SecretState::Ours { belongs: Belongs::Here, .. } if !fleet.observed.moved => None,
        SecretState::Ours { belongs, version, .. } if fleet.may_take(belongs, true) => {
            Some(Claim { tenant: plan.tenant.clone(), path: path.clone(), version: version.clone() })
        }
        _ => None,
    }
}
