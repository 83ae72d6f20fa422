//! What only psql understands: its own commands, which begin with a backslash, and the rows after COPY … FROM stdin.
//!
//! Neither is SQL, and both keep the parser from the SQL around them; so they are found first, by the lexer, and blanked.

use std::borrow::Cow;

use squawk_lexer::TokenKind;

/// A line that only psql understands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ForPsql {
    /// From 1.
    pub line: usize,
    pub message: String,
    pub hint: &'static str,
}

/// The lines for psql, and the text with spaces in their place.
pub(super) fn find(text: &str) -> (Vec<ForPsql>, Cow<'_, str>) {
    // Both are told by a backslash: rows end with one.
    if !text.contains('\\') {
        return (Vec::new(), Cow::Borrowed(text));
    }
    let mut found = Vec::new();
    let mut blanked = String::with_capacity(text.len());
    // The words of the statement so far, as far as COPY … FROM stdin is told by them.
    let mut words: Vec<String> = Vec::new();
    let (mut at, mut line, mut counted) = (0, 1, 0);
    'text: while at < text.len() {
        let from = at;
        for token in squawk_lexer::tokenize(&text[from..]) {
            let written = &text[at..at + token.len as usize];
            match token.kind {
                TokenKind::Unknown if written.starts_with('\\') => {
                    line += text[counted..at].matches('\n').count();
                    counted = at;
                    let end = text[at..].find('\n').map_or(text.len(), |end| at + end);
                    found.push(command(line, text[at..end].trim_end()));
                    at = blank(text, at, end, &mut blanked);
                    words.clear();
                    continue 'text;
                }
                TokenKind::Semi => {
                    if let Some((begin, end)) = rows(text, at, &words) {
                        blanked.push_str(&text[at..begin]);
                        at = blank(text, begin, end, &mut blanked);
                        words.clear();
                        continue 'text;
                    }
                    words.clear();
                }
                TokenKind::Ident if begins_copy(&words) => words.push(written.to_ascii_lowercase()),
                TokenKind::Ident | TokenKind::QuotedIdent { .. } => words.push(String::new()),
                _ => {}
            }
            blanked.push_str(written);
            at += token.len as usize;
        }
        if at == from {
            break;
        }
    }
    blanked.push_str(&text[at..]);
    (found, Cow::Owned(blanked))
}

/// The rows after `COPY … FROM stdin;`, from the next line to the one that ends them; without that, none are looked for.
fn rows(text: &str, semicolon: usize, words: &[String]) -> Option<(usize, usize)> {
    if words.is_empty() || !begins_copy(words) || !words.windows(2).any(|pair| pair == ["from", "stdin"]) {
        return None;
    }
    let begin = semicolon + text[semicolon..].find('\n')? + 1;
    let mut end = begin;
    for row in text[begin..].split_inclusive('\n') {
        end += row.len();
        if row.trim_end() == "\\." {
            return Some((begin, end));
        }
    }
    None
}

fn begins_copy(words: &[String]) -> bool {
    words.first().is_none_or(|word| word == "copy")
}

/// Spaces for all but the line ends; where it ended.
fn blank(text: &str, begin: usize, end: usize, blanked: &mut String) -> usize {
    blanked.extend(text[begin..end].bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }));
    end
}

fn command(line: usize, written: &str) -> ForPsql {
    let name: String = written.split_whitespace().next().unwrap_or("\\").chars().take(40).collect();
    let hint = match name.as_str() {
        "\\restrict" | "\\unrestrict" => "delete the line: pg_dump writes it for psql alone",
        "\\copy" => "write INSERT INTO … VALUES (…), (…)",
        "\\i" | "\\ir" | "\\include" | "\\include_relative" => {
            "put that file's statements here, or into a migration of its own"
        }
        "\\c" | "\\connect" => "delete the line: a migration runs in each tenant's schema",
        "\\gexec" => "write a DO block that EXECUTEs what the query returns",
        "\\." => "write the rows as INSERT INTO … VALUES (…), (…)",
        _ => "delete the line, or write it in SQL",
    };
    ForPsql { line, message: format!("{name} is a psql command, not SQL"), hint }
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn commands_of_psql_are_found_wherever_no_quote_holds_them() {
        let sql = "\\restrict a8F\nSELECT '\\d', $$\n\\d\n$$, E'\\'\\d', \"\\d\"; -- \\d\n/*\n\\d */ SELECT 1 \\gexec\n  \\copy t from 'x'\n";
        let (found, blanked) = find(sql);
        let said: Vec<_> = found.iter().map(|found| (found.line, found.message.split(' ').next().unwrap())).collect();
        assert_eq!(said, [(1, "\\restrict"), (6, "\\gexec"), (7, "\\copy")]);
        assert!(blanked.starts_with("             \nSELECT '\\d'") && blanked.len() == sql.len());
        assert_eq!(find("SELECT 1;\r\n").1, "SELECT 1;\r\n");
    }

    #[test]
    fn rows_after_copy_are_no_sql() {
        let sql = "COPY public.t (a, \"from\") FROM stdin;\n1\tit's\n\\N\t\\\\\n\\.\n\nSELECT 'after';\n";
        let (found, blanked) = find(sql);
        assert_eq!(found, []);
        assert!(blanked.contains("SELECT 'after'") && !blanked.contains("it's"), "{blanked}");
        assert_eq!(blanked.lines().count(), sql.lines().count());
        // COPY in another place begins no rows.
        let sql = "SELECT copy FROM stdin;\n\\.\n";
        assert_eq!(find(sql).0.len(), 1);
    }

    #[test]
    fn whatever_it_is_cut_from_a_text_keeps_its_places() {
        let text =
            "\\a é\n'ü\\' \\b $ß$ \\ $ß$ COPY t FROM stdin; x\r\n\tä\r\n\\.\r\n/* \\ */ E'\\'' \u{feff} \\c\\d;\n\\.";
        for (at, _) in text.char_indices() {
            for part in [&text[at..], &text[..at]] {
                let blanked = find(part).1;
                let ends = |text: &str| text.match_indices('\n').map(|(at, _)| at).collect::<Vec<_>>();
                assert_eq!((blanked.len(), ends(&blanked)), (part.len(), ends(part)), "{part:?}");
            }
        }
    }
}
