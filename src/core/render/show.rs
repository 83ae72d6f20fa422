//! One tenant, desired against observed, both told in the same lines.

mod desired;
mod observed;

use crate::core::model::{Access, Desired, ObjectKind, Observed, SecretFields, Server, Tenant, TenantKey};
use crate::core::plan::in_words;
use crate::core::words::count;

use super::page::Page;
use super::style::Tone;
use super::{Style, inline};

/// The tenant's whole state as a diff: "-" is observed and not wanted, "+" is wanted and not there.
/// `None` when it is neither declared nor registered.
#[must_use]
pub fn tenant(desired: &Desired, observed: &Observed, key: &TenantKey, style: &Style) -> Option<String> {
    let declared = desired.tenants.get(key);
    let registered = observed.registry.as_ref().and_then(|registry| registry.tenants.get(key));
    if declared.is_none() && registered.is_none() {
        return None;
    }
    let before = observed::text(desired, observed, declared, registered);
    let after = declared.map(|tenant| desired::text(desired, observed, tenant)).unwrap_or_default();
    let mut page = Page::default();
    page.line(0, style.paint(Tone::Strong, &format!("tenant {key}")));
    if before == after {
        page.line(0, "In sync: the observed state is as declared.");
    } else {
        page.line(0, style.paint(Tone::Remove, "- observed"));
        page.line(0, style.paint(Tone::Create, "+ desired"));
    }
    page.gap();
    inline::lines(&mut page, 0, "  ", (&before, &after), *style);
    let plan = crate::core::plan::diff(desired, observed, &|other| other == key);
    let mut notes = plan.tenants.iter().flat_map(|tenant| &tenant.notes).peekable();
    if notes.peek().is_some() {
        page.gap();
    }
    for note in notes {
        page.line(0, style.paint(Tone::Faint, &format!("note: {}  {}", one_line(&note.what), one_line(&note.detail))));
    }
    super::text::unseen(&mut page, &plan.unseen, *style);
    Some(page.into_string())
}

/// Who is to hold these letters: the tenant, and a keeper that reads by a grant.
fn declared_holders(tenant: &Tenant, server: &Server, tenants: &str, keepers: &str) -> String {
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
fn secret_fields(page: &mut Page, fields: &SecretFields) {
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
fn one_line(text: &str) -> String {
    super::escape::visible(text).into_owned()
}

fn limit(limit: i32) -> String {
    if limit < 0 { "none".into() } else { limit.to_string() }
}

fn login(can_login: bool) -> &'static str {
    if can_login { "LOGIN" } else { "NOLOGIN" }
}

/// "1 table", "3 sequences".
fn counted(kind: ObjectKind, n: i64) -> String {
    count(usize::try_from(n).unwrap_or_default(), kind.singular())
}
