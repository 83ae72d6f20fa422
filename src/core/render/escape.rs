//! Names may hold anything PostgreSQL can quote; a terminal must show them, not obey them.

use std::borrow::Cow;

/// The text with its control and invisible formatting characters spelled out.
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    escape(text, is_active)
}

/// As [`visible`], but for line ends.
#[must_use]
pub fn visible_lines(text: &str) -> Cow<'_, str> {
    escape(text, |c| c != '\n' && is_active(c))
}

/// As [`visible_lines`], with a mark on every line but the first, so that no line of a value from outside passes for one of
/// ours, such as a false "No changes.".
#[must_use]
pub fn marked(text: &str) -> String {
    let mut lines = text.split('\n').map(visible);
    let mut out = lines.next().unwrap_or_default().into_owned();
    for line in lines {
        out.push_str(MARKED);
        out.push_str(&line);
    }
    out
}

/// The lines of a statement, with a mark on each that begins inside a literal or a quoted name: that line is not ours. Our own
/// stay as they are, to be copied. We double quotes and put no backslash before them, so that a quote always begins or ends.
pub(super) fn statement_lines(sql: &str) -> Vec<String> {
    let mut quoted_by = None;
    let mut lines = Vec::new();
    for line in sql.split('\n') {
        let mark = if quoted_by.is_some() { MARK } else { "" };
        lines.push(format!("{mark}{}", visible(line)));
        for c in line.chars().filter(|c| matches!(c, '\'' | '"')) {
            quoted_by = match quoted_by {
                None => Some(c),
                Some(quote) if quote == c => None,
                other => other,
            };
        }
    }
    lines
}

/// What stands before a line that is not ours.
pub(super) const MARK: &str = "| ";
const MARKED: &str = "\n  | ";

fn escape(text: &str, hidden: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&hidden) && !text.contains("::") && !text.contains("##") {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut at_start = true;
    for (at, c) in text.char_indices() {
        if hidden(c) || is_order(&text[at..], at_start) {
            out.push_str(&spelled(c));
        } else {
            out.push(c);
        }
        at_start = c == '\n' || at_start && c.is_whitespace();
    }
    Cow::Owned(out)
}

fn spelled(c: char) -> String {
    if c.is_ascii_graphic() { c.escape_unicode().to_string() } else { c.escape_default().to_string() }
}

/// What a CI system takes out of a log as an order to itself: GitHub's `::error::` at the start of a line, and its older `##[error]`,
/// Azure's `##vso[…]` and TeamCity's `##teamcity[…]` wherever they stand.
pub(super) fn is_order(rest: &str, at_start: bool) -> bool {
    at_start && rest.starts_with("::") || ["##[", "##vso[", "##teamcity["].iter().any(|order| rest.starts_with(order))
}

/// C0 and C1 controls move the cursor; bidirectional controls and zero-width characters make a name look like another
/// (Unicode Technical Report 36, "Bidirectional Text Spoofing").
pub(super) fn is_active(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{61c}' | '\u{ad}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_steer_a_terminal_is_spelled_out_and_the_rest_is_left() {
        assert_eq!(visible("a\x1b[31m\nb\u{9b}2J"), r"a\u{1b}[31m\nb\u{9b}2J");
        assert_eq!(visible("ab\u{202e}cd"), r"ab\u{202e}cd");
        assert!(matches!(visible("Ünïcode → 日本"), Cow::Borrowed(_)));
        assert_eq!(visible_lines("a\nb\r"), "a\nb\\r");
        assert_eq!(visible("a::text, ## b"), "a::text, ## b");
    }

    #[test]
    fn a_value_gives_a_ci_system_no_orders_and_its_lines_do_not_pass_for_ours() {
        assert_eq!(visible("::error::x"), r"\u{3a}:error::x");
        assert_eq!(visible_lines("a\n  ::set-output name=a::b"), "a\n  \\u{3a}:set-output name=a::b");
        assert_eq!(visible("a ##vso[task.complete]"), r"a \u{23}#vso[task.complete]");
        let sql = "DO $$ BEGIN\nPERFORM 'it''s\nNo changes.';\nEND \"a'\nb\" $$";
        let lines = ["DO $$ BEGIN", "PERFORM 'it''s", "| No changes.';", "END \"a'", "| b\" $$"];
        assert_eq!(statement_lines(sql), lines);
        assert_eq!(marked("locked\nNo changes.\r\n::error::"), "locked\n  | No changes.\\r\n  | \\u{3a}:error::");
    }
}
