//! Rows as JSON and as CSV, for programs.

use serde_json::Value;

use super::escape::{is_active, is_order};
use crate::core::rows::{Kind, Row, Rows};

/// A JSON array, an object a row. Numbers, booleans and JSON are as PostgreSQL wrote them, to the last digit; everything else is a
/// string. Safe to print on a terminal.
#[must_use]
pub fn json(rows: &Rows) -> String {
    let names: Vec<String> = rows.columns.iter().map(|column| string(&column.name)).collect();
    let mut out = String::from("[");
    for (n, row) in rows.rows.iter().enumerate() {
        out.push_str(if n == 0 { "\n  {" } else { ",\n  {" });
        for (n, ((name, column), value)) in names.iter().zip(&rows.columns).zip(row).enumerate() {
            out.push_str(if n == 0 { "" } else { ", " });
            out.push_str(name);
            out.push_str(": ");
            match value {
                None => out.push_str("null"),
                Some(value) => out.push_str(&value_of(column.kind, value)),
            }
        }
        out.push('}');
    }
    out.push_str(if rows.rows.is_empty() { "]\n" } else { "\n]\n" });
    out
}

fn value_of(kind: Kind, value: &str) -> String {
    let is = |wanted: fn(&Value) -> bool| serde_json::from_str(value).is_ok_and(|value| wanted(&value));
    match kind {
        Kind::Bool => if value == "t" { "true" } else { "false" }.to_owned(),
        // Not NaN, which JSON has no word for; and one beyond a double's reach is one all the same.
        Kind::Integer | Kind::Number if is_number(value) => value.to_owned(),
        // The row stays on its line.
        Kind::Json if is(|_| true) => inert(&value.replace(['\n', '\r'], " ")),
        _ => string(value),
    }
}

/// By JSON's grammar, which PostgreSQL's finite numbers all follow.
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    digits.starts_with(|c: char| c.is_ascii_digit())
        && !(digits.len() > 1 && digits.starts_with('0') && digits.as_bytes()[1].is_ascii_digit())
        && digits.ends_with(|c: char| c.is_ascii_digit())
        && digits.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | 'e' | '+' | '-'))
}

fn string(text: &str) -> String {
    inert(&Value::from(text).to_string())
}

/// Outside of strings there is none of these, so \u is right for each.
fn inert(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for (at, c) in json.char_indices() {
        if is_active(c) && c != '\t' || is_order(&json[at..], false) {
            out.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            out.push(c);
        }
    }
    out
}

/// CSV (RFC 4180) with a line of names. As PostgreSQL's own COPY writes it: NULL is nothing between the commas, an empty text is
/// `""`. The crate csv quotes by a rule for all fields, and cannot tell the two apart.
#[must_use]
pub fn csv(rows: &Rows) -> String {
    let names: Row = rows.columns.iter().map(|column| Some(column.name.clone())).collect();
    std::iter::once(&names).chain(&rows.rows).map(csv_line).collect()
}

fn csv_line(row: &Row) -> String {
    let fields: Vec<String> = row.iter().map(|value| value.as_deref().map_or_else(String::new, csv_field)).collect();
    fields.join(",") + "\n"
}

fn csv_field(value: &str) -> String {
    let bare = !value.is_empty() && !value.contains([',', '"', '\n', '\r']) && value.trim() == value && value != "\\.";
    if bare { value.to_owned() } else { format!("\"{}\"", value.replace('"', "\"\"")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::rows::Column;

    fn rows(kinds: &[Kind], values: &[Option<&str>]) -> Rows {
        let column = |(n, kind): (usize, &Kind)| Column { name: format!("c{n}"), kind: *kind };
        let row = values.iter().map(|value| value.map(str::to_owned)).collect();
        Rows { columns: kinds.iter().enumerate().map(column).collect(), rows: vec![row], cut: None }
    }

    #[test]
    fn json_has_numbers_booleans_and_json_and_loses_no_digit() {
        let big = "12345678901234567890.123456789012345678901234567890";
        let kinds = [Kind::Bool, Kind::Integer, Kind::Number, Kind::Number, Kind::Json, Kind::Text, Kind::Text];
        let values = [Some("t"), Some("-7"), Some(big), Some("NaN"), Some("{\"a\":\n[1, null]}"), None, Some("1")];
        let text = json(&rows(&kinds, &values));
        let wanted = format!(
            "[\n  {{\"c0\": true, \"c1\": -7, \"c2\": {big}, \"c3\": \"NaN\", \"c4\": {{\"a\": [1, null]}}, \"c5\": null, \"c6\": \"1\"}}\n]\n"
        );
        assert_eq!(text, wanted);
        assert!(serde_json::from_str::<Value>(&text).is_ok());
        assert_eq!(json(&Rows::default()), "[]\n");
        for (text, number) in
            [("0", true), ("-0.5", true), ("1e+20", true), ("007", false), ("-", false), ("1.", false)]
        {
            assert_eq!(is_number(text), number, "{text}");
        }
    }

    #[test]
    fn what_would_steer_a_terminal_is_spelled_out_in_json_and_reads_back() {
        let values = [Some("a\u{1b}[31m\u{9b}2J\u{202e}"), Some("{\"a\": \"\u{9b}##[error]\"}")];
        let text = json(&rows(&[Kind::Text, Kind::Json], &values));
        assert!(text.chars().all(|c| c == '\n' || !is_active(c)), "{text}");
        let read: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (&read[0]["c0"], &read[0]["c1"]["a"]),
            (&Value::from(values[0].unwrap()), &"\u{9b}##[error]".into())
        );
    }

    #[test]
    fn csv_tells_null_from_the_empty_text() {
        let kinds = [Kind::Text; 5];
        let values = [None, Some(""), Some("a,\"b\"\nc"), Some(" x"), Some("plain")];
        assert_eq!(csv(&rows(&kinds, &values)), "c0,c1,c2,c3,c4\n,\"\",\"a,\"\"b\"\"\nc\",\" x\",plain\n");
    }
}
