//! The text format of COPY: <https://www.postgresql.org/docs/current/sql-copy.html#id-1.9.3.55.9.2>.

use crate::core::rows::Row;

/// The fields of one line, without its line end. What is no UTF-8 has U+FFFD in its place.
pub(crate) fn fields(line: &[u8]) -> Row {
    line.split(|byte| *byte == b'\t').map(field).collect()
}

fn field(raw: &[u8]) -> Option<String> {
    if raw == NULL {
        return None;
    }
    Some(match String::from_utf8(unescaped(raw).collect()) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    })
}

/// What stands for a field that is NULL.
pub(crate) const NULL: &[u8] = b"\\N";

/// The bytes of a field's value, without the escapes that COPY TO writes.
pub(crate) fn unescaped(field: &[u8]) -> impl Iterator<Item = u8> + '_ {
    let mut bytes = field.iter().copied();
    std::iter::from_fn(move || {
        // A backslash is never the last byte, and never in the middle of a character: the client's encoding is UTF-8.
        Some(match bytes.next()? {
            b'\\' => match bytes.next() {
                Some(b'b') => 8,
                Some(b'f') => 12,
                Some(b'n') => b'\n',
                Some(b'r') => b'\r',
                Some(b't') => b'\t',
                Some(b'v') => 11,
                Some(other) => other,
                None => b'\\',
            },
            byte => byte,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_and_the_empty_text_and_the_text_that_looks_like_null_are_three_things() {
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(fields(b"\\N\t\t\\\\N\tN"), [None, text(""), text("\\N"), text("N")]);
        assert_eq!(fields(b"a\\tb\\nc\\\\d\\v"), [text("a\tb\nc\\d\u{b}")]);
        assert_eq!(fields(b"\xff\\."), [text("\u{fffd}.")]);
        assert_eq!(fields("naïve →".as_bytes()), [text("naïve →")]);
    }
}
