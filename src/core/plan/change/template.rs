//! The rows that a new tenant begins with. What it has afterwards is its own: no later plan compares them.

use crate::core::model::{Registered, State, Tenant};
use crate::core::plan::action::{Change, CopiedTenant, CopyRows, Rights, RowsOf};
use crate::core::plan::facts::{Facts, Findings};
use crate::core::plan::tenant_plan::Blocked;

pub(in crate::core::plan) fn diff(facts: &Facts<'_>, findings: &mut Findings) -> Result<(), Blocked> {
    let tenant = facts.tenant;
    let Some(template) = tenant.template.as_ref().filter(|_| facts.registered.is_none()) else { return Ok(()) };
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
    // Rows that the later ones have changed already would be changed again.
    if let Some(late) = late(findings) {
        return Err(Blocked::new(
            format!("it begins with the rows of {key}, but {late} does not run in the transaction that copies them"),
            format!("create {} without template, and copy then: tenantry copy {key} {} --data", tenant.key, tenant.key),
        ));
    }
    let bytes = facts.fleet.observed.schemas.get(&from.schema).map(|schema| schema.bytes).filter(|bytes| *bytes > 0);
    let subject = from.subject();
    let rights = Rights::lacking(facts.fleet.observed, &subject.roles());
    findings.change(CopyRows {
        schema: tenant.schema.clone(),
        username: tenant.username.clone(),
        owner: tenant.owner().to_owned(),
        from: RowsOf::Tenant(Box::new(CopiedTenant { subject, rights, bytes })),
    });
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

/// The first file that does not run with the first ones.
fn late(findings: &Findings) -> Option<String> {
    findings.changes.iter().find_map(|change| match change {
        Change::Migrate(migrate) => {
            let late = migrate.files.iter().find(|file| !migrate.now().contains(&file.version));
            late.map(|late| late.file.clone())
        }
        _ => None,
    })
}
