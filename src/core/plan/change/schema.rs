//! The tenant's schema: there, and owned by the right role.

use crate::core::model::ident;
use crate::core::plan::tenant::Draft;
use crate::core::plan::{Change, HazardKind, Kind};

pub(in crate::core::plan) fn diff(draft: &mut Draft<'_>) {
    let tenant = draft.tenant;
    let (name, owner) = (&tenant.schema, tenant.owner());
    match &mut draft.current.schema {
        None => {
            let sql = vec![format!("CREATE SCHEMA {} AUTHORIZATION {}", ident(name), ident(owner))];
            draft
                .changes
                .push(Change::sql(Kind::CreateSchema, format!("schema {name}"), sql).after(format!("owner {owner}")));
            if draft.registered.is_some() {
                draft.hazard(
                    HazardKind::DataLost,
                    format!("schema {name} existed at the last apply and is gone; it is created again, empty except for what the migrations create"),
                );
            }
        }
        Some(schema) if schema.owner != owner => {
            let sql = vec![format!("ALTER SCHEMA {} OWNER TO {}", ident(name), ident(owner))];
            let change = Change::sql(Kind::SetOwner, format!("schema {name}"), sql)
                .before(format!("owner {}", schema.owner))
                .after(format!("owner {owner}"));
            schema.acl = schema.acl.handed_over(&schema.owner, owner);
            draft.changes.push(change);
        }
        Some(_) => {}
    }
}
