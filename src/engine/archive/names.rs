//! Names in a database whose encoding is not known to be UTF-8 (SQL_ASCII).

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_text_are_written_as_numbers() {
        assert_eq!(readable("café".as_bytes()), "café");
        assert_eq!(readable(b"caf\xe9 \xff"), "caf\\xE9 \\xFF");
    }
}
