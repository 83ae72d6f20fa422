//! Default privileges: the owner's in the tenant's schema, the owner's in every schema, and other roles' in this one.
//!
//! They belong to the role that creates objects: always FOR ROLE. An entry for a schema adds to what new objects get; one
//! without takes the place of what PostgreSQL would give (manual, "ALTER DEFAULT PRIVILEGES").

use std::collections::BTreeMap;

use super::acl::{Expected, differences, quoted};
use super::grants::{expected, mend};
use crate::core::model::{Access, Grantee, ObjectKind, Schema, ident};
use crate::core::plan::privileges::{in_words, object_privileges};
use crate::core::plan::tenant::Draft;
use crate::core::plan::{Change, Kind};

pub(in crate::core::plan) fn diff(draft: &mut Draft<'_>) {
    let schema = draft.current.schema.clone().unwrap_or_default();
    in_schema(draft, &schema);
    in_every_schema(draft);
    of_others(draft, &schema);
}

fn in_schema(draft: &mut Draft<'_>, schema: &Schema) {
    let (name, owner) = (&draft.tenant.schema, draft.tenant.owner());
    for kind in ObjectKind::ALL {
        let found = schema.default_acls.iter().find(|default| default.role == owner && default.kind == kind);
        let acl = found.map(|default| default.acl.clone()).unwrap_or_default();
        let want = object_privileges(draft.tenant.access, kind, draft.look.observed.server.major());
        let prefix = format!("ALTER DEFAULT PRIVILEGES FOR ROLE {} IN SCHEMA {} ", ident(owner), ident(name));
        let what = format!("future {} of {owner}", kind.plural().to_lowercase());
        for difference in differences(&acl, &expected(draft, want, "")) {
            mend(draft, Kind::DefaultPrivileges, &what, kind.plural(), &prefix, &difference);
        }
    }
}

/// Nobody gets more than PostgreSQL gives by itself, and the owner no less. PUBLIC may get less.
fn in_every_schema(draft: &mut Draft<'_>) {
    let owner = draft.tenant.owner();
    let role = if draft.tenant.access == Access::Owner { &draft.current.role } else { &draft.current.owner };
    for default in role.clone().unwrap_or_default().default_acls {
        let expected = Expected {
            exactly: [(Grantee::Role(owner.to_owned()), default.builtin.of(owner))].into(),
            at_most: BTreeMap::from([(Grantee::Public, default.builtin.of_public())]),
            ..Expected::default()
        };
        let prefix = format!("ALTER DEFAULT PRIVILEGES FOR ROLE {} ", ident(owner));
        let what = format!("future {} of {owner} in every schema", default.plural.to_lowercase());
        for difference in differences(&default.acl, &expected) {
            mend(draft, Kind::DefaultPrivileges, &what, default.plural, &prefix, &difference);
        }
    }
}

/// What somebody else makes in the tenant's schema gets the owner at the next apply, and its privileges with it. What the
/// tenant sets for its own objects is its own affair. A shared owner that no longer owns for this tenant is somebody else.
fn of_others(draft: &mut Draft<'_>, schema: &Schema) {
    let former = draft.current.former_owner.clone();
    let admin = &draft.look.observed.server.admin;
    let tenants = [draft.tenant.owner(), &draft.tenant.username];
    for default in schema.default_acls.iter().filter(|default| !tenants.contains(&default.role.as_str())) {
        let is_former = former.as_ref() == Some(&default.role);
        if is_former && draft.drops_former_owner() {
            continue;
        }
        for entry in default.acl.entries() {
            let sql = format!(
                "ALTER DEFAULT PRIVILEGES FOR ROLE {} IN SCHEMA {} REVOKE ALL ON {} FROM {} CASCADE",
                ident(&default.role),
                ident(&draft.tenant.schema),
                default.kind.plural(),
                quoted(entry.grantee)
            );
            let what = format!("future {} of {}", default.kind.plural().to_lowercase(), default.role);
            let held = format!("{}: {}", entry.grantee, in_words(&entry.privileges));
            let change = Change::sql(Kind::DefaultPrivileges, what, vec![sql.clone()])
                .before(held.clone())
                .after(format!("{}: none", entry.grantee));
            if is_former {
                draft.changes.push(change);
            } else if admin.superuser || default.role == admin.name {
                draft.take(change);
            } else {
                draft.note(change.what, format!("{held}; {} can take it away: {sql}", default.role));
            }
        }
    }
}
