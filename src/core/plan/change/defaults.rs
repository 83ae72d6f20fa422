//! Default privileges: the owner's in the tenant's schema, the owner's in every schema, and other roles' in this one.
//!
//! They belong to the role that creates objects: always FOR ROLE. An entry for a schema adds to what new objects get; one
//! without takes the place of what PostgreSQL would give (manual, "ALTER DEFAULT PRIVILEGES").

use std::collections::BTreeMap;

use super::grants::mend;
use crate::core::model::{Access, Grantee, ObjectKind, Schema};
use crate::core::plan::acl::{Expected, differences, expected_of};
use crate::core::plan::action::{Action, Granted, RevokeDefaults};
use crate::core::plan::facts::{Facts, Findings};
use crate::core::plan::privileges::object_privileges;

pub(in crate::core::plan) fn diff(facts: &Facts<'_>, findings: &mut Findings) {
    let absent = Schema::default();
    let schema = facts.current.schema.as_deref().unwrap_or(&absent);
    in_schema(facts, findings, schema);
    in_every_schema(facts, findings);
    of_others(facts, findings, schema);
}

fn in_schema(facts: &Facts<'_>, findings: &mut Findings, schema: &Schema) {
    let (tenant, owner) = (facts.tenant, facts.tenant.owner());
    for kind in ObjectKind::ALL {
        let found = schema.default_acls.iter().find(|default| default.role == owner && default.kind == kind);
        let acl = found.map(|default| default.acl.clone()).unwrap_or_default();
        let want = object_privileges(tenant.access, kind, facts.major());
        let schema = Some(tenant.schema.clone());
        let on = Granted::Future { role: owner.to_owned(), schema, plural: kind.plural() };
        for difference in differences(&acl, &expected_of(tenant, &facts.fleet.observed.server, want, "")) {
            mend(facts, findings, &on, difference);
        }
    }
}

/// Nobody gets more than PostgreSQL gives by itself, and the owner no less. PUBLIC may get less.
fn in_every_schema(facts: &Facts<'_>, findings: &mut Findings) {
    let owner = facts.tenant.owner();
    let owns = facts.tenant.access == Access::Owner;
    let role = if owns { facts.current.role } else { facts.current.owner.as_deref() };
    for default in role.into_iter().flat_map(|role| &role.default_acls) {
        let expected = Expected {
            exactly: [(Grantee::Role(owner.to_owned()), default.builtin.of(owner))].into(),
            at_most: BTreeMap::from([(Grantee::Public, default.builtin.of_public())]),
            ..Expected::default()
        };
        let on = Granted::Future { role: owner.to_owned(), schema: None, plural: default.plural };
        for difference in differences(&default.acl, &expected) {
            mend(facts, findings, &on, difference);
        }
    }
}

/// What somebody else makes in the tenant's schema gets the owner at the next apply, and its privileges with it. What the
/// tenant sets for its own objects is its own affair. A shared owner that no longer owns for this tenant is somebody else.
fn of_others(facts: &Facts<'_>, findings: &mut Findings, schema: &Schema) {
    let admin = &facts.fleet.observed.server.admin;
    let tenants = [facts.tenant.owner(), &facts.tenant.username];
    for default in schema.default_acls.iter().filter(|default| !tenants.contains(&default.role.as_str())) {
        let is_former = facts.current.former_owner.as_ref() == Some(&default.role);
        if is_former && facts.drops_former_owner() {
            continue;
        }
        for entry in default.acl.entries() {
            let revoke = RevokeDefaults {
                role: default.role.clone(),
                schema: facts.tenant.schema.clone(),
                plural: default.kind.plural(),
                grantee: entry.grantee.clone(),
                held: entry.privileges,
            };
            if is_former {
                findings.change(revoke);
            } else if admin.superuser || default.role == admin.name {
                findings.take(facts, revoke);
            } else {
                let held = revoke.before().unwrap_or_default();
                let detail = format!("{held}; {} can take it away: {}", default.role, revoke.statement());
                findings.note(revoke.what(), detail);
            }
        }
    }
}
