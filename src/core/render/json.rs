//! The plan as `--format json` prints it, and as it is saved.

use super::escape::{is_active, is_order};
use crate::core::plan::Document;

/// The plan's document, format version 1.
#[must_use]
pub fn plan(plan: &Document) -> String {
    pretty(plan)
}

/// Indented, with a final newline; safe to print on a terminal.
#[must_use]
pub fn pretty(value: &impl serde::Serialize) -> String {
    // Only a map whose keys are not strings, or a Serialize that gives up, could fail; ours do neither.
    let text = serde_json::to_string_pretty(value).unwrap_or_else(|error| format!("{{\"error\": \"{error}\"}}"));
    let mut out = escaped(&text);
    out.push('\n');
    out
}

/// On one line; safe to print on a terminal.
#[must_use]
pub fn line(value: &serde_json::Value) -> String {
    escaped(&value.to_string())
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 1);
    for (at, c) in text.char_indices() {
        // serde_json leaves C1 controls as they are, and orders to CI systems; outside of strings there are none, so \u is right for
        // each.
        if c != '\n' && (is_active(c) || is_order(&text[at..], false)) {
            out.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_text_reads_back_as_it_was_and_holds_no_control_character() {
        let value = serde_json::json!({"a": "x\u{9b}2J\u{202e}\n\u{1b}\u{7f}é ##[error]no ## b"});
        let text = super::pretty(&value);
        assert!(!text.contains("##[") && text.contains("## b"), "{text}");
        assert!(text.chars().all(|c| c == '\n' || !super::is_active(c)), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }
}
