//! The rows that a new tenant begins with. What it has afterwards is its own: no later plan compares them.

use super::migrations;
use crate::core::migrations::MigrationSet;
use crate::core::model::{Applied, Registered, State, Tenant};
use crate::core::plan::action::{ArchivedRows, Change, CopiedTenant, CopyRows, Rights, RowsOf};
use crate::core::plan::facts::{Facts, Findings};
use crate::core::plan::phases::AfterCommit;
use crate::core::plan::tenant_plan::{Blocked, TenantPlan};

pub(in crate::core::plan) fn diff(facts: &Facts<'_>, findings: &mut Findings) -> Result<(), Blocked> {
    let tenant = facts.tenant;
    // What is adopted has rows of its own.
    let is_new = facts.registered.is_none() && facts.current.schema.is_none();
    let Some(template) = tenant.template.as_ref().filter(|_| is_new) else { return Ok(()) };
    let key = &template.tenant;
    let Some(from) = facts.fleet.desired.tenants.get(key) else { return Ok(()) };
    if !template.data {
        findings.note(
            format!("template {key}"),
            "what it has beyond the migrations is not copied; its rows are with template_data = true",
        );
        return Ok(());
    }
    is_as_declared(from, facts.fleet.registered_tenant(key))?;
    at_once(&mut findings.changes);
    let bytes = facts.fleet.observed.schemas.get(&from.schema).map(|schema| schema.bytes).filter(|bytes| *bytes > 0);
    let subject = from.subject();
    let rights = Rights::lacking(facts.fleet.observed, &subject.roles());
    findings.change(into(tenant, RowsOf::Tenant(Box::new(CopiedTenant { subject, rights, bytes }))));
    Ok(())
}

fn into(tenant: &Tenant, from: RowsOf) -> CopyRows {
    let (schema, username) = (tenant.schema.clone(), tenant.username.clone());
    CopyRows { schema, username, owner: tenant.owner().to_owned(), from }
}

/// Of rows that are copied a migration would change again what it has changed already, so all run before.
fn at_once(changes: &mut [Change]) {
    for change in changes {
        if let Change::Migrate(migrate) = change {
            migrate.set_at_once();
        }
    }
}

/// The plan of a new tenant that begins with the rows of another one's archive. `applied`: the migrations that these rows went
/// through; `None`: that is not known.
///
/// # Errors
/// Why the rows do not fit what these migrations create, with a hint.
pub fn from_archive(
    plan: &mut TenantPlan,
    tenant: &Tenant,
    set: &MigrationSet,
    applied: Option<&[Applied]>,
    rows: ArchivedRows,
) -> Result<(), Blocked> {
    let applied = applied.ok_or_else(|| {
        Blocked::new("which migrations its rows went through is not known", "restore it as the tenant that it is of")
    })?;
    if !migrations::pending(set, applied)?.is_empty() || set.is_empty() {
        let version = |last: Option<i64>| last.map_or("no migration".to_owned(), |last| format!("V{last}"));
        let [its, latest] = [applied.last().map(|last| last.version), set.latest().map(i64::from)].map(version);
        return Err(Blocked::new(
            format!("its rows are as of {its}, and the migrations create the tables as of {latest}"),
            "restore it with the migrations directory of that time, and then apply with this one",
        ));
    }
    let phases = &mut plan.phases;
    at_once(&mut phases.transaction);
    phases.after.retain(|after| !matches!(after, AfterCommit::Migrate(_)));
    let migrated = phases.transaction.iter().rposition(|change| matches!(change, Change::Migrate(_)));
    let at = migrated.map_or(phases.transaction.len(), |at| at + 1);
    phases.transaction.insert(at, into(tenant, RowsOf::Archive(rows)).into());
    Ok(())
}

/// Or it is made, as declared, before this one.
fn is_as_declared(from: &Tenant, row: Option<&Registered>) -> Result<(), Blocked> {
    let key = &from.key;
    let Some(row) = row else { return Ok(()) };
    if row.state != State::Active {
        return Err(Blocked::new(
            format!("its template {key} is {}", row.state.as_str()),
            format!("tenantry plan --target {key} says what is wrong"),
        ));
    }
    let names = [(&row.schema, &from.schema), (&row.username, &from.username)];
    let same = names.iter().all(|(registered, declared)| registered == declared) && row.owner == from.owner();
    if same {
        return Ok(());
    }
    Err(Blocked::new(
        format!("its template {key} is to have other names or another owner first"),
        format!("tenantry apply --target {key}, and then: tenantry apply"),
    ))
}
