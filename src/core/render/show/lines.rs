//! Lines that both sides say alike.

use crate::core::model::{Access, ObjectKind, SecretFields, Server, Tenant};
use crate::core::plan::in_words;
use crate::core::render::escape::visible;
use crate::core::render::page::Page;
use crate::core::words::count;

/// Of a tenant that was adopted with its own password, or created by a program.
pub(super) const KEPT: &str = "no secret: its password is its own";

/// Who is to hold these letters: the tenant, and a keeper that reads by a grant.
pub(super) fn declared_holders(tenant: &Tenant, server: &Server, tenants: &str, keepers: &str) -> String {
    let mut holders = Vec::new();
    if tenant.access != Access::Owner && !tenants.is_empty() {
        holders.push(format!("{}: {}", one_line(&tenant.username), in_words(tenants)));
    }
    if let Some(keeper) = server.reads_by_grant().filter(|_| !keepers.is_empty()) {
        holders.push(format!("{}: {}", one_line(&keeper), in_words(keepers)));
    }
    // The order the observed side has: by name.
    holders.sort();
    if holders.is_empty() { "none".to_owned() } else { holders.join("; ") }
}

/// What a secret says, as it should be or as it is.
pub(super) fn secret_fields(page: &mut Page, fields: &SecretFields) {
    let SecretFields { username, schema, host, port, database, sslmode } = fields;
    page.line(2, format!("username {}", one_line(username)));
    page.line(2, format!("schema {}", one_line(schema)));
    page.line(2, format!("host {}", one_line(host)));
    page.line(2, format!("port {port}"));
    page.line(2, format!("database {}", one_line(database)));
    if let Some(sslmode) = sslmode {
        page.line(2, format!("sslmode {sslmode}"));
    }
}

/// A name or value as one line: it may hold anything.
pub(super) fn one_line(text: &str) -> String {
    visible(text).into_owned()
}

pub(super) fn limit(limit: i32) -> String {
    if limit < 0 { "none".into() } else { limit.to_string() }
}

pub(super) fn login(can_login: bool) -> &'static str {
    if can_login { "LOGIN" } else { "NOLOGIN" }
}

/// "1 table", "3 sequences".
pub(super) fn counted(kind: ObjectKind, n: i64) -> String {
    count(usize::try_from(n).unwrap_or_default(), kind.singular())
}
