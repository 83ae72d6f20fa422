//! `sslmode`, as libpq has it: <https://www.postgresql.org/docs/current/libpq-ssl.html#LIBPQ-SSL-PROTECTION>.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SslMode {
    Disable,
    /// Unencrypted, or encrypted where the server accepts nothing else.
    Allow,
    /// Encrypted, or unencrypted where the server has no TLS.
    #[default]
    Prefer,
    /// Encrypted. If there are root certificates the chain is verified too, as in libpq.
    Require,
    VerifyCa,
    VerifyFull,
}

impl SslMode {
    pub(crate) const ALL: [Self; 6] =
        [Self::Disable, Self::Allow, Self::Prefer, Self::Require, Self::VerifyCa, Self::VerifyFull];

    /// What there are, for whoever wrote something else.
    pub const EXPECTED: &str = "disable, allow, prefer, require, verify-ca or verify-full";

    /// Whether the mode makes no sense without root certificates.
    #[cfg(feature = "engine")]
    pub(crate) fn must_verify(self) -> bool {
        self >= Self::VerifyCa
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Allow => "allow",
            Self::Prefer => "prefer",
            Self::Require => "require",
            Self::VerifyCa => "verify-ca",
            Self::VerifyFull => "verify-full",
        }
    }
}

impl fmt::Display for SslMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for SslMode {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == text).ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mode_reads_back_and_only_two_must_verify() {
        for word in ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] {
            let mode: SslMode = word.parse().unwrap();
            assert_eq!(mode.to_string(), word);
            assert_eq!(serde_json::to_value(mode).unwrap(), word);
            #[cfg(feature = "engine")]
            assert_eq!(mode.must_verify(), word.starts_with("verify"));
        }
        assert!("verify_full".parse::<SslMode>().is_err());
    }
}
