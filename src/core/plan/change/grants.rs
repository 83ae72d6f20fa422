//! Privileges: on the schema, on what is in it, and on the history.

use super::object_grants;
use crate::core::model::{Access, Acl, Column, Grantee, History, ObjectKind, Schema};
use crate::core::plan::acl::{Difference, differences, expected_of, on_column};
use crate::core::plan::action::{Grant, Granted, HistoryReaders};
use crate::core::plan::facts::{Facts, Findings};
use crate::core::plan::privileges::{OWNERS_ON_SCHEMA, owners_privileges, schema_privileges};

pub(in crate::core::plan) fn diff(facts: &Facts<'_>, findings: &mut Findings) {
    let absent = Schema::default();
    let schema = facts.current.schema.as_deref().unwrap_or(&absent);
    on_schema(facts, findings, &schema.acl);
    object_grants::diff(facts, findings, schema);
    if let History::Read { acl, columns, .. } | History::Unseen { acl, columns } = &schema.history {
        history(facts, findings, acl, columns);
    }
}

/// The change that fixes a difference on one thing that GRANT can name; what is kept is noted.
pub(super) fn mend(facts: &Facts<'_>, findings: &mut Findings, on: &Granted, difference: Difference) {
    let keep = facts.keeps(&difference.grantee);
    if keep && difference.takes() {
        findings.note(on.in_words(), difference.before());
    }
    if !keep || difference.gives() {
        findings.change(Grant { on: on.clone(), difference, keep });
    }
}

fn on_schema(facts: &Facts<'_>, findings: &mut Findings, acl: &Acl) {
    let tenant = facts.tenant;
    let mut expected = expected_of(tenant, &facts.fleet.observed.server, schema_privileges(tenant.access), "U");
    if facts.current.schema.is_some() {
        expected.owners = OWNERS_ON_SCHEMA.to_owned();
    }
    let on = Granted::Schema(tenant.schema.clone());
    for difference in differences(acl, &expected) {
        mend(facts, findings, &on, difference);
    }
}

/// The history is the tenant's to SELECT only, whatever the access ("owner" apart) and the mode: nobody else may change
/// what tenantry goes by. Others who read it are extras like any.
fn history(facts: &Facts<'_>, findings: &mut Findings, acl: &Acl, columns: &[Column]) {
    let on = |column: Option<&str>| Granted::History {
        schema: facts.tenant.schema.clone(),
        table: facts.fleet.desired.migrations.table.clone(),
        column: column.map(str::to_owned),
    };
    let mut expected = expected_of(facts.tenant, &facts.fleet.observed.server, "r", "r");
    expected.owners = owners_privileges(ObjectKind::Table, facts.major()).to_owned();
    if facts.keeps_extras() {
        let is_known = |who: &Grantee| match who {
            Grantee::Role(role) => {
                *role == expected.owner || expected.tolerated.contains(role) || expected.exactly.contains_key(who)
            }
            Grantee::Public => false,
        };
        let readers = acl.entries().filter(|entry| entry.privileges.contains('r') && !is_known(entry.grantee));
        expected.at_most = readers.map(|entry| (entry.grantee.clone(), "r".to_owned())).collect();
        for reader in expected.at_most.keys() {
            findings.note(on(None).in_words(), format!("{reader}: SELECT"));
        }
    }
    for difference in differences(acl, &expected) {
        findings.change(Grant { on: on(None), difference, keep: false });
    }
    for column in columns {
        for difference in on_column(&column.acl, &expected, "r") {
            findings.change(Grant { on: on(Some(&column.name)), difference, keep: false });
        }
    }
}

/// Who reads a history that is yet to be made.
pub(super) fn readers_of_new_history(facts: &Facts<'_>) -> HistoryReaders {
    let tenant = facts.tenant;
    HistoryReaders {
        table: facts.fleet.desired.migrations.table.clone(),
        tenant: (tenant.access != Access::Owner).then(|| tenant.username.clone()),
        keeper: facts.fleet.observed.server.reads_by_grant(),
    }
}
