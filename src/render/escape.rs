//! Names may hold anything PostgreSQL can quote; a terminal must show them, not obey them.

use std::borrow::Cow;

/// The text with its control and invisible formatting characters spelled out.
pub fn visible(text: &str) -> Cow<'_, str> {
    escape(text, is_active)
}

/// As [`visible`], but for line ends.
pub fn visible_lines(text: &str) -> Cow<'_, str> {
    escape(text, |c| c != '\n' && is_active(c))
}

fn escape(text: &str, hidden: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&hidden) {
        return Cow::Borrowed(text);
    }
    let spell = |c: char| if hidden(c) { c.escape_default().to_string() } else { c.to_string() };
    Cow::Owned(text.chars().map(spell).collect())
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
    }
}
