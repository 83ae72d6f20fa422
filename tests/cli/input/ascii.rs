//! Our own SQL is plain ASCII: in a database whose encoding lacks a character, a statement that holds it is refused as a
//! whole, in a comment as anywhere else.

use std::fs;
use std::path::Path;

/// What a statement of ours begins with.
const VERBS: [&str; 27] = [
    "ALTER ",
    "CALL ",
    "CLOSE ",
    "COMMENT ",
    "COPY ",
    "CREATE ",
    "DELETE ",
    "DISCARD ",
    "DO ",
    "DROP ",
    "EXECUTE ",
    "GRANT ",
    "INSERT ",
    "LOCK ",
    "REASSIGN ",
    "REINDEX ",
    "RESET ",
    "REVOKE ",
    "SELECT ",
    "SET ",
    "SHOW ",
    "TABLE ",
    "TRUNCATE ",
    "UPDATE ",
    "VALUES ",
    "WITH ",
    "-- ",
];

/// And what is in the middle of one, or in what is put together to one.
const PARTS: [&str; 6] = [" FROM pg_", "pg_catalog.", "RAISE EXCEPTION", "MESSAGE = ", "HINT = ", " WHERE "];

/// Words for people that look like a statement; nobody sends them.
const FOR_PEOPLE: [&str; 5] = [
    "ALTER SCHEMA {} RENAME TO ",
    "COPY \u{2026} FROM stdin needs rows",
    "COPY \u{2026} TO stdout writes",
    "REINDEX \u{2026} CONCURRENTLY",
    "if it is this tenant's after all",
];

fn files(dir: &Path, found: &mut Vec<std::path::PathBuf>) {
    let mut entries: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

/// The string literals of a Rust file, each with its line; those of its tests left out.
fn literals(text: &str) -> Vec<(usize, String)> {
    let text = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let chars: Vec<char> = text.chars().collect();
    let at = |n: usize| chars.get(n).copied().unwrap_or('\0');
    let (mut found, mut n) = (Vec::new(), 0);
    let line = |n: usize| 1 + chars[..n].iter().filter(|c| **c == '\n').count();
    while n < chars.len() {
        match (at(n), at(n + 1)) {
            ('/', '/') => n += chars[n..].iter().take_while(|c| **c != '\n').count(),
            ('\'', '\\') => n += 2 + chars[n + 2..].iter().skip(1).take_while(|c| **c != '\'').count() + 2,
            ('\'', _) if at(n + 2) == '\'' => n += 3,
            ('r', '"' | '#') => {
                let hashes = chars[n + 1..].iter().take_while(|c| **c == '#').count();
                if at(n + 1 + hashes) != '"' {
                    n += 1;
                    continue;
                }
                let (begin, end) = (n + 2 + hashes, format!("\"{}", "#".repeat(hashes)));
                let rest: String = chars[begin..].iter().collect();
                let inside = rest.split(&end).next().unwrap_or_default();
                found.push((line(n), inside.to_owned()));
                n = begin + inside.chars().count() + end.len();
            }
            ('"', _) => {
                let (begin, mut end) = (n + 1, n + 1);
                while end < chars.len() && at(end) != '"' {
                    end += if at(end) == '\\' { 2 } else { 1 };
                }
                found.push((line(n), chars[begin..end.min(chars.len())].iter().collect()));
                n = end + 1;
            }
            _ => n += 1,
        }
    }
    found
}

fn is_sql(literal: &str) -> bool {
    let literal = literal.trim_start_matches(['\\', '\n', ' ']);
    let begins = VERBS.iter().any(|verb| literal.starts_with(verb));
    (begins || PARTS.iter().any(|part| literal.contains(part)))
        && !FOR_PEOPLE.iter().any(|words| literal.starts_with(words))
}

#[test]
fn no_statement_of_ours_holds_anything_but_ascii() {
    let mut found = Vec::new();
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    let (mut statements, mut wrong) = (0, Vec::new());
    for path in found {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let name = path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap().display().to_string();
        match path.extension().and_then(|end| end.to_str()) {
            Some("sql") => {
                statements += 1;
                wrong.extend(
                    text.lines()
                        .enumerate()
                        .filter(|(_, l)| !l.is_ascii())
                        .map(|(n, l)| format!("{name}:{}: {l}", n + 1)),
                );
            }
            Some("rs") => {
                for (line, literal) in literals(&text).into_iter().filter(|(_, literal)| is_sql(literal)) {
                    statements += 1;
                    if !literal.is_ascii() {
                        wrong.push(format!("{name}:{line}: {literal}"));
                    }
                }
            }
            _ => {}
        }
    }
    assert_eq!(wrong, [""; 0], "write ... for \u{2026}, or add words that are never sent to FOR_PEOPLE");
    assert!(statements > 200, "only {statements} were found");
}

#[test]
fn a_statement_is_known_wherever_it_stands() {
    let text = "// \"SELECT \u{2026}\"\nlet a = '\"'; let b = \"SELECT \\\"x\\\" \u{2026}\";\nlet c = r#\"DO $$ \"x\" \u{2026} $$\"#;\n\
                let d = '\\''; f(\"\\\n  UPDATE x\"); g(\"\u{2026} more\");\n";
    let known: Vec<usize> = literals(text).iter().filter(|(_, l)| is_sql(l)).map(|(line, _)| *line).collect();
    assert_eq!(known, [2, 3, 4]);
    assert_eq!(literals(text).len(), 4);
}

/// The driver's own rows panic at text that is no UTF-8, and one tenant's would end the look at all of them.
#[test]
fn rows_are_read_whatever_their_bytes_are() {
    let mut found = Vec::new();
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    let mut wrong = Vec::new();
    for path in found.into_iter().filter(|path| !path.ends_with("database/text.rs")) {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let text = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
        for (n, line) in text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//")) {
            // A URL has a query too, and it takes nothing; a tenant's is asked on its own session; SQLite's is another driver.
            let line = line.replace(".query()", "").replace("looked.query(", "").replace("statement.query([])", "");
            if [".query(", ".query_one(", ".query_opt("].iter().any(|call| line.contains(call)) {
                wrong.push(format!("{}:{}: {}", path.display(), n + 1, line.trim()));
            }
        }
    }
    assert_eq!(wrong, [""; 0], "use .ask(, .ask_one( or .ask_opt( of database::Ask");
}
