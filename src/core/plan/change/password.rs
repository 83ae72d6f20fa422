//! Where a tenant's password comes from, and whether its secret is written.

use crate::core::model::{
    Belongs, Delivered, PasswordSource, Registered, RegisteredSecret, Role, SecretContents, SecretFields, SecretState,
    State,
};
use crate::core::plan::action::WhichPassword;
use crate::core::plan::facts::Facts;
use crate::core::plan::tenant_plan::{Blocked, PasswordOrigin};

/// What a look at the store says of a tenant's path.
pub(super) struct Secret<'a> {
    pub version: &'a str,
    pub state: &'a SecretState,
}

impl<'a> Secret<'a> {
    pub fn contents(&self) -> Option<&'a SecretContents> {
        match self.state {
            SecretState::Ours { contents, .. } => contents.as_ref(),
            SecretState::Foreign(_) | SecretState::Unseen => None,
        }
    }
}

/// What is decided.
pub(super) struct Decision {
    pub password: PasswordOrigin,
    /// The secret is written.
    pub write: bool,
    /// PostgreSQL gets it, where the role is there by then.
    pub which: Option<WhichPassword>,
}

impl Decision {
    /// A password that PostgreSQL and the secret get.
    fn anew(password: PasswordOrigin, which: WhichPassword) -> Self {
        Self { password, write: true, which: Some(which) }
    }

    fn given() -> Self {
        Self::anew(PasswordOrigin::Given, WhichPassword::Given)
    }

    fn generated() -> Self {
        Self::anew(PasswordOrigin::Generated, WhichPassword::Generated)
    }
}

/// What is known of a tenant's password.
pub(super) struct Known<'a> {
    facts: &'a Facts<'a>,
    found: Option<&'a Secret<'a>>,
    wanted: &'a SecretFields,
    here: Place<'a>,
    /// The row of a tenant whose role is as the last apply left it, and its password too.
    pub registered: Option<&'a Registered>,
    /// The row of a tenant whose secret is to be elsewhere.
    pub moved: Option<&'a Registered>,
    /// What the last apply wrote at the tenant's path, whether or not the role is still there.
    pub remembered: Option<&'a RegisteredSecret>,
    /// The password in the secret opens the database. A deep look tried it; without one it is taken to.
    opens: bool,
}

impl<'a> Known<'a> {
    pub fn of(facts: &'a Facts<'a>, found: Option<&'a Secret<'a>>, wanted: &'a SecretFields) -> Self {
        let (tenant, fleet) = (facts.tenant, facts.fleet);
        let store = fleet.desired.secrets.store.as_str();
        let here = Place { store, place: fleet.desired.secrets.place(), path: &tenant.secret_path };
        let active = facts.registered.filter(|row| row.state == State::Active);
        // The password of record goes along, whether or not the role is still there.
        let moved = active
            .filter(|row| row.secret.version.is_some())
            .filter(|row| row.secret.store != store || row.secret.path != tenant.secret_path);
        let remembered =
            facts.registered.map(|row| &row.secret).filter(|secret| secret.version.is_some() && here.is_of(secret));
        let delivered = fleet.observed.delivered.get(&tenant.key);
        let opens = !matches!(delivered, Some(Delivered::Refused | Delivered::OpensByMd5));
        let registered = active.filter(|row| is_awake(facts, row));
        Self { facts, found, wanted, here, registered, moved, remembered, opens }
    }

    /// # Errors
    /// When nobody could log in with the password in the secret.
    pub fn decide(&self) -> Result<Decision, Blocked> {
        Ok(match (&self.facts.tenant.password, self.found) {
            // Another user than the one that the secret names; nobody knows a password of its.
            (Some(_), _) if self.facts.logins.switches => Decision::given(),
            (None, _) if self.facts.logins.switches => Decision::generated(),
            (Some(_), None) => Decision::given(),
            (Some(_), Some(secret)) => self.given(secret),
            (None, None) => self.without_a_secret(),
            (None, Some(secret)) => self.of_record(secret)?,
        })
    }

    /// One is given, and there is a secret.
    fn given(&self, secret: &Secret<'_>) -> Decision {
        let same = secret.contents().is_some_and(|contents| contents.password_is_given_one == Some(true));
        let in_step = self.registered.is_some_and(|row| self.in_step(row, PasswordSource::Given, secret));
        let write = !same || self.is_stale(secret);
        let which = (!(same && in_step)).then_some(WhichPassword::Given);
        let is_as_it_was = which.is_none() && !write;
        let password = if is_as_it_was { PasswordOrigin::Untouched } else { PasswordOrigin::Given };
        Decision { password, write, which }
    }

    /// Taken along to the new path, if the old one is in the same store and still there.
    fn without_a_secret(&self) -> Decision {
        let Some(row) = self.moved.filter(|row| row.secret.store == self.here.store) else {
            return Decision::generated();
        };
        let Some(version) = self.facts.fleet.own_secret(&row.secret.path) else { return Decision::generated() };
        let in_step = self.registered.is_some() && row.secret.version.as_ref() == Some(version);
        let password = PasswordOrigin::Stored { path: row.secret.path.clone(), version: version.clone() };
        Decision { password, write: true, which: (!in_step).then_some(WhichPassword::Stored) }
    }

    /// The secret's is the one, also for a role that does not exist: a secret of ours is reused, not overwritten.
    fn of_record(&self, secret: &Secret<'_>) -> Result<Decision, Blocked> {
        let tenant = self.facts.tenant;
        if let Some(fault) = secret.contents().and_then(|contents| contents.unusable) {
            return Err(Blocked::new(
                format!("the password in the secret at {} {fault}", tenant.secret_path),
                format!("put another one there, or generate one: tenantry rotate {}", tenant.key),
            ));
        }
        if self.registered.is_some_and(|row| row.password_source == PasswordSource::Given) {
            return Ok(Decision::generated());
        }
        let write = self.is_stale(secret);
        let in_step = self.registered.is_some_and(|row| self.in_step(row, PasswordSource::Generated, secret));
        let password = if in_step && !write {
            PasswordOrigin::Untouched
        } else {
            PasswordOrigin::Stored { path: tenant.secret_path.clone(), version: secret.version.to_owned() }
        };
        Ok(Decision { password, write, which: (!in_step).then_some(WhichPassword::Stored) })
    }

    /// PostgreSQL holds the password of the secret's current version, or of one that only has other keys than that. Another store
    /// counts its versions for itself.
    fn in_step(&self, row: &Registered, want: PasswordSource, secret: &Secret<'_>) -> bool {
        // Where the version is a key of the document, other words under the same one were edited: perhaps the password too.
        let is_edited = |contents: &SecretContents| !contents.url_says_the_same || contents.fields != row.secret.fields;
        let is_known =
            row.secret.version.as_deref() == Some(secret.version) && !secret.contents().is_some_and(is_edited);
        let is_same = secret.contents().is_some_and(|contents| contents.password_is_remembered_one == Some(true));
        self.opens && row.password_source == want && self.here.is_of(&row.secret) && (is_known || is_same)
    }

    /// The secret is to be written although its password stays: its words are not what they should be, as they were read or else
    /// as the registry remembers them.
    fn is_stale(&self, secret: &Secret<'_>) -> bool {
        let is_stale = match (secret.state, self.remembered) {
            // Rewritten, it gets its metadata.
            (SecretState::Ours { marked: false, .. }, _) => true,
            (SecretState::Ours { contents: Some(contents), .. }, _) => contents.fields != *self.wanted,
            (_, Some(row)) => row.fields != *self.wanted,
            (_, None) => true,
        };
        is_stale || self.is_new_here(secret)
    }

    /// A secret that is taken over with its password, and is another's by its mark, or nobody's. One that the registry names is
    /// only marked.
    fn is_new_here(&self, secret: &Secret<'_>) -> bool {
        let is_anothers = matches!(secret.state, SecretState::Ours { belongs, .. } if *belongs != Belongs::Here);
        self.facts.registered.is_none() && is_anothers
    }
}

/// A role that is created or enabled now has no password that anybody knows: whoever disabled it may have recreated it. A role
/// without one was restored from a dump that holds none, or somebody took it away. A suspended tenant's role is disabled by us,
/// and keeps its password.
fn is_awake(facts: &Facts<'_>, row: &Registered) -> bool {
    let stays_suspended = facts.tenant.suspended && row.suspended;
    let is_usual = |role: &Role| (role.can_login || stays_suspended) && !role.lacks_password;
    facts.login_role().is_some_and(is_usual)
}

/// Where a secret's versions count.
struct Place<'a> {
    store: &'a str,
    place: String,
    path: &'a str,
}

impl Place<'_> {
    fn is_of(&self, secret: &RegisteredSecret) -> bool {
        let same = secret.place.as_deref().is_none_or(|place| place == self.place);
        secret.store == self.store && same && secret.path == self.path
    }
}
