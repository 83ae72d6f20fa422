//! What the server has room for, and what it writes down, said before it hurts: connections, locks, the log.

use super::action::Change;
use super::fleet::Fleet;
use super::hazard::{Hazard, HazardKind};
use super::tenant_plan::{TenantPlan, Verb};
use crate::core::model::{Schema, ident};

pub(super) fn hazards(fleet: &Fleet<'_>, tenants: &[TenantPlan]) -> Vec<Hazard> {
    [connections(fleet, tenants), locks(fleet, tenants), log(fleet, tenants)].into_iter().flatten().collect()
}

/// Only where a plan makes a tenant or changes a limit: limits that come to more than the server takes are a choice too,
/// and one that is not to be read about every day.
fn connections(fleet: &Fleet<'_>, tenants: &[TenantPlan]) -> Option<Hazard> {
    let room = fleet.observed.server.connection_slots;
    let declared = || fleet.desired.tenants.values();
    let changes = tenants.iter().filter(|plan| plan.has_work()).any(|plan| {
        let limit = fleet.desired.tenants.get(&plan.tenant).map(|tenant| tenant.connection_limit);
        let found = fleet.observed.roles.get(&plan.username).map(|role| role.connection_limit);
        limit.is_some_and(|limit| limit >= 0 && found != Some(limit))
    });
    let limits: i64 = declared().map(|tenant| i64::from(tenant.connection_limit.max(0))).sum();
    if room == 0 || !changes || limits <= room {
        return None;
    }
    let unlimited = declared().filter(|tenant| tenant.connection_limit < 0).count();
    let and = if unlimited > 0 { format!(" ({unlimited} more have none)") } else { String::new() };
    Some(Hazard {
        kind: HazardKind::ConnectionsShort,
        detail: format!(
            "the connection limits of {} tenants{and} add up to {limits}, but PostgreSQL accepts {room} connections: when many are in use, the next one is refused (53300); lower connection_limit, raise max_connections, or put a pooler in between",
            declared().count() - unlimited
        ),
    })
}

/// A superuser's statements that set a password are kept out of it.
pub(super) fn log(fleet: &Fleet<'_>, tenants: &[TenantPlan]) -> Option<Hazard> {
    let server = &fleet.observed.server;
    let changes = tenants.iter().filter(|plan| plan.has_work()).flat_map(|plan| &plan.phases.transaction);
    let sets = changes.into_iter().any(|change| matches!(change, Change::CreateRole(_) | Change::SetPassword(_)));
    (sets && !server.admin.superuser && !server.logged_by.is_empty()).then(|| Hazard {
        kind: HazardKind::VerifiersLogged,
        detail: format!(
            "the server's log will hold the SCRAM verifiers of these passwords: {}; a superuser can keep them out of it: ALTER ROLE {} SET log_statement = none (and the other settings in docs/secrets.md)",
            server.logged_by.join(", "),
            ident(&server.admin.name)
        ),
    })
}

/// What the migrations make is known from the tenants that have it already: the smallest has little else. A transaction
/// locks what it makes. No number and no name that changes by itself: a saved plan would be stale.
fn locks(fleet: &Fleet<'_>, tenants: &[TenantPlan]) -> Option<Hazard> {
    let room = fleet.observed.server.lock_slots;
    let makes = tenants.iter().any(|plan| plan.verb == Verb::Create);
    let others = tenants.iter().filter(|plan| matches!(plan.verb, Verb::Unchanged | Verb::Update));
    let locks = others.filter_map(|plan| fleet.observed.schemas.get(&plan.schema)).map(Schema::locks).min()?;
    (makes && room > 0 && locks > room).then(|| Hazard {
        kind: HazardKind::ManyLocks,
        detail: format!(
            "creating a tenant as large as the smallest existing one may take more than the {room} locks that PostgreSQL has room for (53200); raise max_locks_per_transaction and restart the server"
        ),
    })
}
