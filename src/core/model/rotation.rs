//! How a tenant gets another password: for its username, or for two users that take turns (docs/rotation.md).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a tenant gets another password.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Rotation {
    /// The username logs in, and its password is replaced.
    #[default]
    Single,
    /// Two users log in, members of the username: the secret names one of them, and a rotation the other.
    TwoUser,
}

impl Rotation {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::TwoUser => "two-user",
        }
    }
}

/// The longest username, in bytes, whose two users have names that PostgreSQL does not cut.
pub const LONGEST_USERNAME_OF_TWO: usize = 61;

/// The two users of this username.
#[must_use]
pub fn login_users(username: &str) -> [String; 2] {
    ["a", "b"].map(|letter| format!("{username}_{letter}"))
}
