//! Who logs in for a tenant: its username, or two users that take turns (docs/rotation.md).

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Registered, Tenant};

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

/// Those that log in, if the username does not; otherwise none.
fn users(rotation: Rotation, username: &str) -> Vec<String> {
    match rotation {
        Rotation::Single => Vec::new(),
        Rotation::TwoUser => login_users(username).into(),
    }
}

impl Tenant {
    /// The two users that log in for it; none where the username does.
    #[must_use]
    pub fn login_users(&self) -> Vec<String> {
        users(self.rotation, &self.username)
    }

    /// The role that the secret is to name. `named`: the one it names now, which stays in force if it is one of the two.
    #[must_use]
    pub fn login(&self, named: Option<&str>) -> String {
        let users = self.login_users();
        let in_force = users.iter().find(|user| Some(user.as_str()) == named).or(users.first());
        in_force.unwrap_or(&self.username).clone()
    }
}

impl Registered {
    /// The two users that were made for it; none where the username logs in.
    #[must_use]
    pub fn login_users(&self) -> Vec<String> {
        users(self.rotation, &self.username)
    }

    /// Since when its password is older than it should be; `None`: it is not, or nobody knows how old it is.
    #[must_use]
    pub fn password_due(&self, rotate_after: Option<Duration>, now: Timestamp) -> Option<Timestamp> {
        let age = SignedDuration::try_from(rotate_after?).ok()?;
        let due = self.password_changed_at?.checked_add(age).ok()?;
        (due <= now).then_some(due)
    }
}
