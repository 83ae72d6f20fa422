//! Names as pg_dump writes them, in a database whose encoding is not known to be UTF-8 (SQL_ASCII).

use std::fmt::Write;

/// As it is where it is UTF-8, otherwise with the bytes that are not as `\xE9`: two names never become one.
pub(super) fn readable(name: &[u8]) -> String {
    let mut text = String::with_capacity(name.len());
    for chunk in name.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02X}");
        }
    }
    text
}

/// Names with something between each and the next, quoted where they must be; and what comes after them.
pub(super) fn identifiers(text: &str, between: char) -> (Vec<String>, &str) {
    let mut names = Vec::new();
    let mut rest = text.trim_start();
    loop {
        let (name, after) = identifier(rest);
        names.push(name);
        match after.strip_prefix(between) {
            Some(more) => rest = more.trim_start(),
            None => return (names, after),
        }
    }
}

fn identifier(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([' ', '.', ',', '(', ')']).unwrap_or(text.len());
        return (text[..end].to_owned(), &text[end..]);
    };
    let mut name = String::new();
    let mut rest = quoted;
    while let Some((before, after)) = rest.split_once('"') {
        name.push_str(before);
        match after.strip_prefix('"') {
            Some(more) => {
                name.push('"');
                rest = more;
            }
            None => return (name, after),
        }
    }
    (name + rest, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_text_are_written_as_numbers() {
        assert_eq!(readable("café".as_bytes()), "café");
        assert_eq!(readable(b"caf\xe9 \xff"), "caf\\xE9 \\xFF");
    }
}
