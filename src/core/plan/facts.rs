//! What the kinds of change read, and what they find.

use std::borrow::Cow;

use super::action::{Action, Change, EndSessions, Rights, WriteSecret};
use super::fleet::Fleet;
use super::hazard::{Hazard, HazardKind};
use super::logins::Logins;
use super::phases::AfterCommit;
use super::tenant_plan::Note;
use crate::core::model::{Access, Adoption, Applied, Grantee, Mode, Registered, Role, Schema, Tenant};

/// What is there of one tenant, under the names it will have once renamed.
#[derive(Default)]
pub(super) struct Current<'a> {
    pub role: Option<&'a Role>,
    /// The owner role; `None` also where the username itself owns.
    pub owner: Option<Cow<'a, Role>>,
    /// Once what is in it has changed hands, as it is then.
    pub schema: Option<Cow<'a, Schema>>,
    /// The role that owned until now, when that is another one.
    pub former_owner: Option<String>,
    /// What is recorded as applied where there is no history.
    pub baseline: Vec<Applied>,
}

/// One tenant as it is declared and as it is.
pub(super) struct Facts<'a> {
    pub fleet: &'a Fleet<'a>,
    pub tenant: &'a Tenant,
    /// The registry's row, unless it is a tombstone.
    pub registered: Option<&'a Registered>,
    pub logins: Logins,
    /// The tenant is being adopted: then `registered` is as if the registry knew it.
    pub adoption: Option<&'a Adoption>,
    pub current: Current<'a>,
}

impl<'a> Facts<'a> {
    /// Of a tenant of which nothing was looked up yet.
    pub fn new(fleet: &'a Fleet<'a>, tenant: &'a Tenant, registered: Option<&'a Registered>) -> Self {
        let logins = Logins::of(fleet.observed, tenant, registered);
        let adoption = fleet.adoption(&tenant.key);
        Self { fleet, tenant, registered, logins, adoption, current: Current::default() }
    }

    /// The role that logs in for the tenant, if it is there.
    pub fn login_role(&self) -> Option<&'a Role> {
        if self.logins.login == self.tenant.username {
            self.current.role
        } else {
            self.fleet.observed.roles.get(&self.logins.login)
        }
    }

    /// What was added by hand stays, and is noted.
    pub fn keeps_extras(&self) -> bool {
        self.tenant.mode == Mode::Additive
    }

    /// What this grantee holds beyond what is declared stays. What an access gave the tenant goes with that access.
    pub fn keeps(&self, grantee: &Grantee) -> bool {
        let is_tenant = matches!(grantee, Grantee::Role(role) if *role == self.tenant.username);
        let another_access = self.registered.is_some_and(|row| row.access != self.tenant.access);
        self.keeps_extras() && !(is_tenant && another_access)
    }

    /// The role that owned until now was created for this tenant only, and is no longer of use to it.
    pub fn drops_former_owner(&self) -> bool {
        let Some(former) = &self.current.former_owner else { return false };
        let was_own = self.registered.is_some_and(|row| row.access != Access::Owner);
        was_own
            && *former != self.tenant.username
            && self.fleet.observed.roles.contains_key(former)
            && !self.fleet.is_shared_owner(former, &self.tenant.key)
    }

    pub fn major(&self) -> i32 {
        self.fleet.observed.server.major()
    }
}

/// Sessions that end before the transaction, with the rights that this takes, and those that the transaction gives back.
pub(super) struct LockOut {
    pub sessions: EndSessions,
    pub rights: Option<Rights>,
    pub give_back: Option<Rights>,
}

/// What is to be done for one tenant, and what to know of it.
#[derive(Default)]
pub(super) struct Findings {
    pub lock_out: Option<LockOut>,
    pub changes: Vec<Change>,
    pub secret: Option<WriteSecret>,
    /// Written after COMMIT instead, and what is done only then.
    pub switch: Option<WriteSecret>,
    pub then: Vec<Change>,
    pub after: Vec<AfterCommit>,
    pub hazards: Vec<Hazard>,
    pub notes: Vec<Note>,
}

impl Findings {
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
            && self.secret.is_none()
            && self.switch.is_none()
            && self.after.is_empty()
            && self.lock_out.is_none()
    }

    pub fn change(&mut self, change: impl Into<Change>) {
        self.changes.push(change.into());
    }

    /// A change that only takes away what somebody added: made, or noted.
    pub fn take(&mut self, facts: &Facts<'_>, change: impl Into<Change> + Action) {
        if facts.keeps_extras() {
            self.note(change.what(), change.before().unwrap_or_default());
        } else {
            self.change(change);
        }
    }

    pub fn note(&mut self, what: impl Into<String>, detail: impl Into<String>) {
        self.notes.push(Note { what: what.into(), detail: detail.into() });
    }

    pub fn hazard(&mut self, kind: HazardKind, detail: impl Into<String>) {
        self.hazards.push(Hazard { kind, detail: detail.into() });
    }
}
