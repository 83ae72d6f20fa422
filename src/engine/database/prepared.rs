//! The identifiers of prepared transactions.

use std::fmt;

use crate::core::model::literal;

/// Of a prepared transaction: text in the encoding of the database that it was prepared in, which need not be ours. To be
/// asked for as `pg_catalog.replace(gid, '\', '\\')::bytea`, the one way to bytes that checks no encoding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Gid(pub Vec<u8>);

impl Gid {
    /// The statement that ends it, in its own database.
    pub fn rollback(&self) -> String {
        format!("ROLLBACK PREPARED {}", self.literal())
    }

    /// As SQL, in ASCII where it is no UTF-8.
    fn literal(&self) -> String {
        if let Ok(text) = std::str::from_utf8(&self.0) {
            return literal(text);
        }
        let spell = |byte: &u8| match byte {
            b'\'' => "''".to_owned(),
            b'\\' => "\\\\".to_owned(),
            b' '..=b'~' => char::from(*byte).to_string(),
            other => format!("\\x{other:02x}"),
        };
        format!("E'{}'", self.0.iter().map(spell).collect::<String>())
    }
}

/// Quoted.
impl fmt::Display for Gid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_utf_8_can_be_typed_all_the_same() {
        let gid = |bytes: &[u8]| Gid(bytes.to_vec());
        assert_eq!(gid(b"it's").rollback(), "ROLLBACK PREPARED 'it''s'");
        assert_eq!(gid(b"caf\xe9 '\\ 1").rollback(), r"ROLLBACK PREPARED E'caf\xe9 ''\\ 1'");
        assert_eq!(gid(b"caf\xe9").to_string(), "\"caf\u{fffd}\"");
    }
}
