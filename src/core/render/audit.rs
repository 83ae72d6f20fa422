//! The audit log, a row or a paragraph a line of it.

use jiff::{Timestamp, Unit};
use serde_json::Value;

use super::escape::visible;
use crate::core::model::AuditLine;
use crate::core::rows::{Column, Kind, Row, Rows};

/// As rows for a program.
#[must_use]
pub fn rows(lines: &[AuditLine]) -> Rows {
    let column = |(name, kind): (&str, Kind)| Column { name: name.to_owned(), kind };
    let columns = [
        ("id", Kind::Integer),
        ("at", Kind::Text),
        ("tenant", Kind::Text),
        ("verb", Kind::Text),
        ("admin", Kind::Text),
        ("client_address", Kind::Text),
        ("version", Kind::Text),
        ("changes", Kind::Json),
    ];
    let row = |line: &AuditLine| -> Row {
        vec![
            Some(line.id.to_string()),
            Some(line.at.to_string()),
            Some(line.tenant.clone()).filter(|tenant| !tenant.is_empty()),
            Some(line.verb.clone()),
            Some(line.admin.clone()),
            line.client.clone(),
            Some(line.version.clone()),
            Some(line.changes.to_string()),
        ]
    };
    Rows { columns: columns.map(column).to_vec(), rows: lines.iter().map(row).collect(), cut: None }
}

/// For a table of people's: what of the changes has room there.
#[must_use]
pub fn cells(line: &AuditLine) -> Vec<String> {
    let changes = changes(line);
    let first = changes.first().map(|change| change.what.clone()).unwrap_or_default();
    let more = match changes.len() {
        0 | 1 => String::new(),
        n => format!(" and {} more", n - 1),
    };
    let shown = |text: &str| visible(text).into_owned();
    vec![
        time(line.at),
        shown(of(line)),
        shown(&line.verb),
        shown(&line.admin),
        shown(line.client.as_deref().unwrap_or("local")),
        shown(&line.version),
        shown(&short(&first)) + &more,
    ]
}

/// With every change.
#[must_use]
pub fn paragraph(line: &AuditLine) -> String {
    let client = line.client.as_deref().map(|client| format!(" from {client}")).unwrap_or_default();
    let AuditLine { verb, admin, version, .. } = line;
    let head = format!("{}  {}  {verb}  by {admin}{client}, tenantry {version}", time(line.at), of(line));
    let mut out = visible(&head).into_owned() + "\n";
    for Change { kind, what, before, after } in changes(line) {
        let values = match (before, after) {
            (None, None) => String::new(),
            (before, after) => format!("  {} → {}", before.unwrap_or("none"), after.unwrap_or("none")),
        };
        out.push_str(&format!("  {}\n", visible(&format!("{kind}  {what}{values}"))));
    }
    out
}

fn of(line: &AuditLine) -> &str {
    if line.tenant.is_empty() { "(database)" } else { &line.tenant }
}

/// To the second.
fn time(at: Timestamp) -> String {
    at.round(Unit::Second).unwrap_or(at).to_string()
}

/// Of a name, about as much as one can be long.
fn short(text: &str) -> String {
    match text.char_indices().nth(70) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

struct Change<'a> {
    kind: &'a str,
    what: String,
    before: Option<&'a str>,
    after: Option<&'a str>,
}

/// Another version may have put it otherwise: then it is shown as it is.
fn changes(line: &AuditLine) -> Vec<Change<'_>> {
    let field = |change: &'_ Value, name: &str| change.get(name).and_then(Value::as_str).map(str::to_owned);
    let text = |change: &'_ Value| field(change, "what").unwrap_or_else(|| change.to_string());
    let items = match &line.changes {
        Value::Array(items) => items.as_slice(),
        other => std::slice::from_ref(other),
    };
    items
        .iter()
        .map(|change| Change {
            kind: change.get("kind").and_then(Value::as_str).unwrap_or("change"),
            what: text(change),
            before: change.get("before").and_then(Value::as_str),
            after: change.get("after").and_then(Value::as_str),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn line(tenant: &str, changes: Value) -> AuditLine {
        AuditLine {
            id: 7,
            at: "2026-11-26T20:01:02.345678Z".parse().unwrap(),
            admin: "admin\x1b".into(),
            client: None,
            version: "0.1.0".into(),
            tenant: tenant.into(),
            verb: "update".into(),
            changes,
        }
    }

    #[test]
    fn a_line_obeys_no_name_and_says_who_did_what_to_whom() {
        let changes = json!([
            { "kind": "set", "what": "setting work_mem", "before": null, "after": "64\nMB" },
            { "kind": "grant", "what": "schema", "before": "USAGE", "after": "USAGE, CREATE" },
        ]);
        let line = line("acme", changes);
        assert_eq!(
            paragraph(&line),
            "2026-11-26T20:01:02Z  acme  update  by admin\\u{1b}, tenantry 0.1.0\n  set  setting work_mem  none → 64\\nMB\n  \
             grant  schema  USAGE → USAGE, CREATE\n"
        );
        let cells = cells(&line);
        assert_eq!(cells[0..4], ["2026-11-26T20:01:02Z", "acme", "update", "admin\\u{1b}"]);
        assert_eq!(cells[4..], ["local", "0.1.0", "setting work_mem and 1 more"]);
    }

    #[test]
    fn what_another_version_wrote_is_shown_as_it_is() {
        for changes in [json!({"x": 1}), json!([]), json!(["text"]), json!(null), json!([{"kind": 7}])] {
            let line = line("", changes.clone());
            assert!(paragraph(&line).contains("(database)"), "{changes}");
            assert_eq!(rows(std::slice::from_ref(&line)).rows[0][2], None);
            assert_eq!(cells(&line).len(), 7);
        }
    }
}
