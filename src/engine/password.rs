//! Passwords: from the system's generator; their SCRAM verifier, computed here so that no password reaches PostgreSQL.

use postgres_protocol::password::scram_sha_256;
use rand::rand_core::UnwrapErr;
use rand::rngs::SysRng;
use rand::seq::IndexedRandom;
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use crate::core::model::{Charset, PasswordPolicy, literal};

/// A new password. Each character is drawn evenly: the generator rejects, it does not fold.
pub(crate) fn generate(policy: PasswordPolicy) -> SecretString {
    let alphabet: Vec<char> = match policy.charset {
        Charset::Printable => ('!'..='~').collect(),
        Charset::Alphanumeric => ('0'..='9').chain('A'..='Z').chain('a'..='z').collect(),
    };
    // The system's own: two children of one process that had begun to draw from another would draw the same.
    let mut rng = UnwrapErr(SysRng);
    let mut password = String::with_capacity(policy.length);
    password.extend((0..policy.length).filter_map(|_| alphabet.choose(&mut rng)));
    SecretString::from(password)
}

/// The SCRAM-SHA-256 verifier (RFC 5803, as PostgreSQL stores it) as a string literal.
pub(crate) fn verifier_literal(password: &SecretString) -> Zeroizing<String> {
    Zeroizing::new(literal(&scram_sha_256(password.expose_secret().as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_have_the_length_and_the_characters_asked_for() {
        for (charset, size) in [(Charset::Printable, 94), (Charset::Alphanumeric, 62)] {
            let mut seen = std::collections::BTreeSet::new();
            for _ in 0..200 {
                let password = generate(PasswordPolicy { length: 32, charset });
                assert_eq!(password.expose_secret().len(), 32);
                seen.extend(password.expose_secret().chars());
            }
            assert_eq!(seen.len(), size, "6,400 draws show every character");
        }
    }

    #[test]
    fn a_verifier_holds_no_password() {
        let literal = verifier_literal(&SecretString::from("correct horse".to_owned()));
        assert!(literal.starts_with("'SCRAM-SHA-256$4096:") && !literal.contains("horse"));
    }
}
