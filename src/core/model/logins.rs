//! Who logs in for a tenant, declared or registered, and since when its password is due.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{Registered, Rotation, Tenant, login_users};

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
