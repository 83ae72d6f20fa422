//! Privileges on the objects in a tenant's schema, kind by kind.

use crate::core::model::{Access, Grantee, ObjectGroup, ObjectKind, Schema};
use crate::core::plan::acl::{Expected, differences, expected_of, on_column};
use crate::core::plan::action::{FoundOnObjects, GrantObjects};
use crate::core::plan::facts::{Facts, Findings};
use crate::core::plan::privileges::{object_privileges, owners_privileges, public_privileges};

pub(in crate::core::plan) fn diff(facts: &Facts<'_>, findings: &mut Findings, schema: &Schema) {
    for kind in ObjectKind::ALL {
        one_kind(facts, findings, schema, kind);
    }
}

fn one_kind(facts: &Facts<'_>, findings: &mut Findings, schema: &Schema, kind: ObjectKind) {
    let (tenant, major) = (facts.tenant, facts.major());
    let want = object_privileges(tenant.access, kind, major);
    let owners = owners_privileges(kind, major);
    let mut expected = expected_of(tenant, &facts.fleet.observed.server, want, "");
    expected.owners = owners.to_owned();
    expected.at_most.insert(Grantee::Public, public_privileges(kind).to_owned());
    // What the tenant made itself is its own to grant.
    let groups = schema.objects.iter().filter(|group| group.kind == kind && group.owner == tenant.owner());
    let judged: Vec<Judged> = groups.map(|group| judge(facts, group, &expected, want)).collect();
    let mut noted: Vec<String> = judged.iter().flat_map(|judged| judged.noted.iter().cloned()).collect();
    noted.sort();
    noted.dedup();
    for noted in noted {
        findings.note(format!("{} in {}", kind.plural().to_lowercase(), tenant.schema), noted);
    }
    let found: Vec<FoundOnObjects> =
        judged.into_iter().map(|judged| judged.found).filter(|found| !found.differences.is_empty()).collect();
    if found.is_empty() {
        return;
    }
    // With access "owner" the username holds everything as the owner; only the others' grants are at stake.
    let by_grant = tenant.access != Access::Owner;
    findings.change(GrantObjects {
        kind,
        schema: tenant.schema.clone(),
        owner: tenant.owner().to_owned(),
        username: tenant.username.clone(),
        history: facts.fleet.desired.migrations.table.clone(),
        want: by_grant.then_some(want),
        owners,
        resets: by_grant && !facts.keeps(&Grantee::Role(tenant.username.clone())),
        found,
    });
}

/// What of a group differs, and what of it is kept.
struct Judged {
    found: FoundOnObjects,
    noted: Vec<String>,
}

fn judge(facts: &Facts<'_>, group: &ObjectGroup, expected: &Expected, want: &str) -> Judged {
    let user = Grantee::Role(facts.tenant.username.clone());
    let mut found = FoundOnObjects {
        count: group.count,
        names: group.examples.clone(),
        tenants: group.acl.letters(&user),
        differences: Vec::new(),
    };
    let on_columns = group.columns.iter().flat_map(|column| {
        let differences = on_column(&column.acl, expected, want);
        differences.into_iter().map(|difference| (difference, Some(column.name.clone())))
    });
    let on_whole = differences(&group.acl, expected).into_iter().map(|difference| (difference, None));
    let mut noted = Vec::new();
    for (difference, column) in on_whole.chain(on_columns) {
        let kept = difference.takes() && facts.keeps(&difference.grantee);
        if kept {
            let place = match &column {
                None => format!(" on {}", found.examples()),
                column => found.place(column.as_deref()),
            };
            noted.push(format!("{}{place}", difference.before()));
        }
        if !kept || difference.gives() {
            found.differences.push((difference, column, kept));
        }
    }
    Judged { found, noted }
}
