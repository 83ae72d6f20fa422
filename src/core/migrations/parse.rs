//! SQL text → squawk's syntax tree, whatever the text holds.
//!
//! The parser calls itself for every level of nesting, and so does whatever drops its tree: a file of some thousand
//! parentheses would end the process with its stack. So it works on a stack with room, and refuses what passes that.

use squawk_lexer::TokenKind;
use squawk_syntax::{Parse, SourceFile};

/// Tokens that may lie inside each other. PostgreSQL's own parser ends at 10,000 (bison's YYMAXDEPTH), and its analysis of
/// an expression earlier (`max_stack_depth`).
const MAX_DEPTH: usize = 10_000;
/// Three times what the unoptimised parser needs for that many: 2 to 4 kB a token, measured with the shapes of the test
/// below. Reserved, and touched as far as it is used.
const STACK_BYTES: usize = 128 * 1024 * 1024;
/// So many levels fit any thread's stack.
const SHALLOW: usize = 50;

/// Why a text has no tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ParseError {
    #[error("nests deeper than {MAX_DEPTH} levels")]
    TooDeep,
    #[error("cannot be split into statements")]
    Parser,
}

/// What `look` makes of the tree of a text.
pub(super) fn with_tree<T: Send>(
    sql: &str,
    look: impl FnOnce(&Parse<SourceFile>) -> T + Send,
) -> Result<T, ParseError> {
    let depth = depth(sql);
    if depth <= SHALLOW {
        return Ok(look(&SourceFile::parse(sql)));
    }
    if depth > MAX_DEPTH {
        return Err(ParseError::TooDeep);
    }
    std::thread::scope(|scope| {
        let parser = std::thread::Builder::new().name("sql".into()).stack_size(STACK_BYTES);
        let parser = parser.spawn_scoped(scope, || look(&SourceFile::parse(sql))).map_err(|_| ParseError::Parser)?;
        parser.join().map_err(|_| ParseError::Parser)
    })
}

/// No text nests deeper than this: what stands between commas may, token in token, and what parentheses hold does.
fn depth(sql: &str) -> usize {
    let mut outer = Vec::new();
    let (mut begun, mut here, mut deepest) = (0, 0, 0);
    for token in squawk_lexer::tokenize(sql) {
        match token.kind {
            TokenKind::Whitespace | TokenKind::LineComment | TokenKind::BlockComment { .. } => continue,
            TokenKind::OpenParen | TokenKind::OpenBracket | TokenKind::OpenCurly => {
                here += 1;
                outer.push(begun);
                begun = here;
            }
            TokenKind::CloseParen | TokenKind::CloseBracket | TokenKind::CloseCurly => {
                // What is closed is one thing in what holds it, but each such thing may stand in the one before.
                here = begun;
                begun = outer.pop().unwrap_or_default();
            }
            TokenKind::Comma | TokenKind::Semi => here = begun,
            _ => here += 1,
        }
        deepest = deepest.max(here);
    }
    deepest
}

#[cfg(test)]
mod tests {
    use squawk_syntax::ast::AstNode;

    use super::*;

    fn nested(n: usize) -> Vec<(&'static str, String)> {
        let both =
            |open: &str, inner: &str, close: &str| format!("SELECT {}{inner}{}", open.repeat(n), close.repeat(n));
        vec![
            ("parentheses", both("(", "1", ")")),
            ("unclosed", both("(", "", "")),
            ("selects", both("(SELECT ", "1", ")")),
            ("arrays", both("ARRAY[", "1", "]")),
            ("brackets", both("a[", "1", "]")),
            ("cases", both("CASE WHEN ", "true", " THEN 1 END")),
            ("open cases", both("CASE ", "", "")),
            ("minuses", both("- ", "1", "")),
            ("nots", both("NOT ", "true", "")),
            ("sum", both("1+", "1", "")),
            ("power", both("a = ", "1", "")),
            ("casts", both("", "1", "::int")),
            ("indirection", both("", "a", ".b")),
            ("calls", both("f(", "1", ")")),
            ("joins", format!("SELECT FROM {}t{}", "(".repeat(n), " JOIN u ON true)".repeat(n))),
            ("unions", both("1 UNION SELECT ", "1", "")),
            ("explains", format!("{}SELECT 1", "EXPLAIN ".repeat(n))),
            ("withs", format!("{}SELECT 1{}", "WITH a AS (".repeat(n), ") SELECT 1".repeat(n))),
            ("json", both("{", "", "}")),
            ("types", format!("CREATE TABLE t (a {}int{})", "setof ".repeat(n), "[]".repeat(n))),
        ]
    }

    #[test]
    fn what_nests_deeply_is_parsed_or_refused_and_never_ends_the_process() {
        for (name, sql) in nested(200) {
            assert_eq!(with_tree(&sql, |parse| parse.tree().syntax().text().len() > 0.into()), Ok(true), "{name}");
        }
        for (name, sql) in nested(MAX_DEPTH + 1) {
            assert_eq!(with_tree(&sql, |_| ()), Err(ParseError::TooDeep), "{name}");
        }
        // All the way down, with shapes that take the parser no minute.
        for (name, sql) in nested(MAX_DEPTH / 2 - 10).into_iter().filter(|(name, _)| ["arrays", "joins"].contains(name))
        {
            assert_eq!(with_tree(&sql, |_| ()), Ok(()), "{name}");
        }
    }

    #[test]
    fn what_is_long_is_not_deep() {
        let rows: String = (0..100_000).map(|n| format!("({n}, 'a' || {n}, f(now())),\n")).collect();
        assert!(depth(&format!("INSERT INTO t VALUES {rows} (0);")) < SHALLOW);
        assert!(depth(&"SELECT 1;\n".repeat(100_000)) < SHALLOW);
    }
}
