//! Files that are sent to the server as they are, by tools that open no transaction: who wants one writes BEGIN and COMMIT around the
//! file. Here the tenant's transaction is around it.

use std::borrow::Cow;

use squawk_lexer::TokenKind;

use super::parts::{Content, Outside};

pub(super) fn content(sql: &str) -> Content<'_> {
    Content { text: without_wrapping(sql), summed: Cow::Borrowed(sql), outside: Outside::Contents }
}

/// The text with spaces for a BEGIN that is its first statement and the COMMIT that is its last.
fn without_wrapping(sql: &str) -> Cow<'_, str> {
    let mut at = 0;
    let mut words = Vec::new();
    for token in squawk_lexer::tokenize(sql) {
        let range = at..at + token.len as usize;
        at = range.end;
        match token.kind {
            TokenKind::Whitespace | TokenKind::LineComment | TokenKind::BlockComment { .. } => {}
            _ if range.start == 0 && sql.starts_with('\u{feff}') => {}
            TokenKind::Ident => words.push((sql[range.clone()].to_ascii_lowercase(), range)),
            TokenKind::Semi => words.push((";".to_owned(), range)),
            _ => words.push((String::new(), range)),
        }
    }
    let text: Vec<&str> = words.iter().map(|(word, _)| word.as_str()).collect();
    let first = match text.as_slice() {
        ["begin", ";", ..] => 2,
        ["begin", "work" | "transaction", ";", ..] | ["start", "transaction", ";", ..] => 3,
        _ => return Cow::Borrowed(sql),
    };
    let last = match text.as_slice() {
        [.., ";", "commit"] => 1,
        [.., ";", "commit", ";"] | [.., ";", "commit", "work" | "transaction"] => 2,
        [.., ";", "commit", "work" | "transaction", ";"] => 3,
        _ => return Cow::Borrowed(sql),
    };
    if first + last > words.len() {
        return Cow::Borrowed(sql);
    }
    let mut blanked = sql.to_owned();
    for (_, range) in words[..first].iter().chain(&words[words.len() - last..]) {
        blanked.replace_range(range.clone(), &" ".repeat(range.len()));
    }
    Cow::Owned(blanked)
}
