//! Quoting: the one place where a name or a value becomes SQL text.

use postgres_protocol::escape::{escape_identifier, escape_literal};

/// The name as a quoted identifier. Always quoted: a keyword list would differ between server versions.
#[must_use]
pub fn ident(name: &str) -> String {
    escape_identifier(name)
}

/// `"schema"."name"`.
#[must_use]
pub fn qualified(schema: &str, name: &str) -> String {
    format!("{}.{}", ident(schema), ident(name))
}

/// The text as a string literal, safe whatever `standard_conforming_strings` says.
#[must_use]
pub fn literal(text: &str) -> String {
    // The library puts a space before E'…'; inside our sentences that is noise.
    escape_literal(text).trim_start().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_backslashes_cannot_leave_their_quoting() {
        assert_eq!(ident(r#"Bobby"; DROP"#), r#""Bobby""; DROP""#);
        assert_eq!(qualified("a.b", "c"), r#""a.b"."c""#);
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal(r"\'"), r"E'\\'''");
    }
}
