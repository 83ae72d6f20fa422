//! The key of a tenant that is known by its schema.

use crate::core::digest::digest;
use crate::core::model::{NameError, TenantKey};

/// So that the names of its roles fit into 63 bytes.
const LONGEST: usize = 57;
/// What follows a key that is not the schema's name itself: "--" and so many digits.
const DIGITS: usize = 16;
const LEGIBLE: usize = LONGEST - DIGITS - 2;

/// The schema's name where that is a key; otherwise what of it may stand in a key, and a digest of all of it: never the same for
/// two schemas.
pub(super) fn key_of(schema: &str) -> Result<TenantKey, NameError> {
    let itself = TenantKey::new(schema).ok().filter(|_| schema.len() <= LONGEST && !ends_like_a_digest(schema));
    itself.map_or_else(|| made_up(schema), Ok)
}

fn made_up(schema: &str) -> Result<TenantKey, NameError> {
    let mut legible = String::new();
    for c in schema.chars().map(|c| c.to_ascii_lowercase()) {
        match c {
            'a'..='z' | '0'..='9' | '_' => legible.push(c),
            _ if !legible.ends_with('-') => legible.push('-'),
            _ => {}
        }
    }
    let legible: String = legible.trim_matches('-').chars().take(LEGIBLE).collect();
    let first = if legible.starts_with(|c: char| c.is_ascii_lowercase()) { "" } else { "t" };
    let legible: String = format!("{first}{legible}").chars().take(LEGIBLE).collect();
    let digest: String = digest(schema).chars().filter(char::is_ascii_hexdigit).take(DIGITS).collect();
    TenantKey::new(format!("{legible}--{digest}"))
}

fn ends_like_a_digest(schema: &str) -> bool {
    let end = schema.rsplit_once("--").map(|(_, end)| end);
    end.is_some_and(|end| end.len() == DIGITS && end.bytes().all(|b| b.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key_of(schema: &str) -> TenantKey {
        super::key_of(schema).unwrap()
    }

    #[test]
    fn a_schema_that_is_a_key_is_its_own() {
        for schema in ["tenant_acme", "a", "acme-corp", "x--y"] {
            assert_eq!(key_of(schema).as_str(), schema);
        }
        let acme = key_of("Acme Corp");
        assert!(acme.as_str().starts_with("acme-corp--"), "{acme}");
        assert!(key_of("42 \"quoted\"").as_str().starts_with("t42-quoted--"));
        // A schema that is called as another one's key is: not the same tenant.
        assert_ne!(key_of(acme.as_str()), acme);
    }

    proptest! {
        #[test]
        fn no_two_schemas_have_one_key(a in "[a-zA-Z0-9_ \"é-]{1,63}", b in "[a-zA-Z0-9_ \"é-]{1,63}") {
            prop_assert_eq!(a == b, key_of(&a) == key_of(&b));
            prop_assert!(key_of(&a).as_str().len() <= LONGEST);
        }
    }
}
