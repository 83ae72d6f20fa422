//! Lines of `tenantry.audit_log`.

use postgres::{GenericClient, Transaction};

use crate::core::model::TenantKey;
use crate::engine::database::Ask;

/// One line of the audit log, in the transaction that it records.
///
/// # Errors
/// What PostgreSQL answered.
pub fn append_audit(
    transaction: &mut Transaction<'_>,
    tenant: &str,
    verb: &str,
    changes: &serde_json::Value,
) -> Result<(), postgres::Error> {
    let version = env!("CARGO_PKG_VERSION");
    let changes = bounded(changes);
    let text = changes.to_string();
    if text.is_ascii() {
        return transaction.execute(include_str!("sql/audit.sql"), &[&version, &tenant, &verb, &changes]).map(drop);
    }
    // Not every encoding has every character that a name or a value may hold. As bytes, so that nothing is converted that
    // cannot be.
    let insert = include_str!("sql/audit_bytes.sql");
    let ascii: serde_json::Value = serde_json::from_str(&ascii(&text)).unwrap_or_default();
    transaction.execute(insert, &[&version, &tenant, &verb, &text.as_bytes(), &ascii]).map(drop)
}

/// What a value may take in the audit log, in characters, and how many changes a line of it may hold: a tenant has a say in
/// both, and a jsonb has its limits.
const LONGEST: usize = 2_000;
const MOST: usize = 2_000;

fn bounded(changes: &serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match changes {
        Value::String(text) if text.len() > LONGEST => {
            let cut: String = text.chars().take(LONGEST).collect();
            Value::String(format!("{cut}... ({} bytes)", text.len()))
        }
        Value::Array(items) => {
            let mut kept: Vec<Value> = items.iter().take(MOST).map(bounded).collect();
            if items.len() > MOST {
                let more = format!("{} more", items.len() - MOST);
                kept.push(serde_json::json!({ "kind": "more", "what": more }));
            }
            Value::Array(kept)
        }
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), bounded(value))).collect(),
        other => other.clone(),
    }
}

/// Every other character as its number: `U+00E9`.
fn ascii(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut ascii, c| {
        if c.is_ascii() {
            ascii.push(c);
        } else {
            ascii.push_str(&format!("U+{:04X}", u32::from(c)));
        }
        ascii
    })
}

/// Whether the transaction of this number has left a line of this tenant's: what proves a COMMIT.
///
/// # Errors
/// What PostgreSQL answered.
pub(crate) fn has_audited(
    client: &mut impl GenericClient,
    tenant: &TenantKey,
    transaction: &str,
) -> Result<bool, postgres::Error> {
    Ok(client.ask_opt(include_str!("sql/audited.sql"), &[&tenant.as_str(), &transaction])?.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_audit_log_is_bounded_whatever_a_tenant_did() {
        let long = serde_json::json!([{ "what": "x".repeat(1_000_000), "before": null }]);
        assert!(bounded(&long).to_string().len() < LONGEST + 100);
        let many = serde_json::json!(vec!["x"; MOST + 7]);
        assert_eq!(bounded(&many)[MOST], serde_json::json!({ "kind": "more", "what": "7 more" }));
        let usual = serde_json::json!([{ "what": "na\u{ef}ve \u{2192}" }]);
        assert_eq!(bounded(&usual), usual);
        assert_eq!(ascii(&usual.to_string()), r#"[{"what":"naU+00EFve U+2192"}]"#);
    }
}
