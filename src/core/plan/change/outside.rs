//! What a tenant's roles were granted, or own, outside of the tenants' schemas.
//!
//! A privilege is revoked, where we may. What a role owns is only reported: it is somebody's data.

use crate::core::model::{Access, Holding, Outside, ident};
use crate::core::plan::tenant::Draft;
use crate::core::plan::{Change, Kind, registry};

pub(in crate::core::plan) fn diff(draft: &mut Draft<'_>) {
    let tenant = draft.tenant;
    let mut roles = vec![(tenant.username.clone(), draft.current.role.clone())];
    if tenant.access != Access::Owner {
        roles.push((tenant.owner_role.clone(), draft.current.owner.clone()));
    }
    for (name, role) in roles {
        let found = role.unwrap_or_default().outside;
        for found in found.into_iter().filter(|found| !registry::shows(draft.look.observed, found)) {
            match judge(&found, &name) {
                Judged::Take { what, before, sql } => {
                    let after = format!("{name}: none");
                    draft.take(Change::sql(Kind::RevokeOutside, what, sql).before(before).after(after));
                }
                Judged::Tell { what, detail } => draft.note(what, detail),
            }
        }
    }
}

/// What to do about something outside.
pub(in crate::core::plan) enum Judged {
    Take { what: String, before: String, sql: Vec<String> },
    Tell { what: String, detail: String },
}

pub(in crate::core::plan) fn judge(found: &Outside, role: &str) -> Judged {
    let object = format!("{} {}", found.kind, found.identity);
    let to = ident(role);
    match &found.held {
        Holding::Owned => Judged::Tell {
            what: format!("role {role}"),
            detail: format!("owns {object}, outside its schema; left unchanged: give it another owner, or drop it"),
        },
        Holding::Future { of, plural, privileges, ours } => {
            let (place, clause) = match &found.schema {
                Some(schema) => (schema.clone(), format!(" IN SCHEMA {}", ident(schema))),
                None => ("every schema".to_owned(), String::new()),
            };
            let for_role = format!("ALTER DEFAULT PRIVILEGES FOR ROLE {}{clause}", ident(of));
            let sql = vec![format!("{for_role} REVOKE ALL ON {plural} FROM {to} CASCADE")];
            let what = format!("future {} of {of} in {place}", plural.to_lowercase());
            taken(what, format!("{role}: {privileges}"), sql, *ours, of)
        }
        Holding::Granted { column, privileges, grantor, owner, ours } => {
            let on = format!("{} {}", grant_word(&found.kind), found.identity);
            let columns = column.as_ref().map(|column| format!(" ({})", ident(column))).unwrap_or_default();
            let mut sql = vec![format!("REVOKE ALL{columns} ON {on} FROM {to} CASCADE")];
            let mut before = format!("{role}: {privileges}");
            // A REVOKE counts as the owner's, and does not reach what another role granted.
            if let Some(grantor) = grantor {
                sql.insert(0, format!("SET LOCAL ROLE {}", ident(grantor)));
                sql.push("RESET ROLE".to_owned());
                before.push_str(&format!(", granted by {grantor}"));
            }
            let what = match column {
                Some(column) => format!("column {column} of {object}"),
                None => object,
            };
            taken(what, before, sql, *ours, grantor.as_ref().unwrap_or(owner))
        }
    }
}

fn taken(what: String, before: String, sql: Vec<String>, ours: bool, whose: &str) -> Judged {
    if ours {
        return Judged::Take { what, before, sql };
    }
    let detail = format!("{before}; not ours to revoke, {whose} can: {}", sql.join("; "));
    Judged::Tell { what, detail }
}

/// What GRANT calls what `pg_identify_object` calls this.
pub(in crate::core::plan) fn grant_word(kind: &str) -> String {
    match kind {
        "view" | "materialized view" | "foreign table" => "TABLE".into(),
        "function" | "procedure" | "aggregate" => "ROUTINE".into(),
        "foreign-data wrapper" => "FOREIGN DATA WRAPPER".into(),
        "server" => "FOREIGN SERVER".into(),
        "parameter ACL" => "PARAMETER".into(),
        kind => kind.to_uppercase(),
    }
}
