//! The plan of one tenant.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::hazard::Hazard;
use super::phases::Phases;
use crate::core::migrations::Version;
use crate::core::model::{RegisteredSecret, SecretFields, State, Subject, Tenant, TenantKey};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    Create,
    Update,
    Remove,
    Unchanged,
    /// Something must be done by a person first; `reason` says what.
    Blocked,
}

impl Verb {
    pub const ALL: [Self; 5] = [Self::Create, Self::Update, Self::Remove, Self::Unchanged, Self::Blocked];

    /// Something is done.
    #[must_use]
    pub fn is_work(self) -> bool {
        matches!(self, Self::Create | Self::Update | Self::Remove)
    }

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Remove => "remove",
            Self::Unchanged => "unchanged",
            Self::Blocked => "blocked",
        }
    }
}

/// What happens to one tenant.
#[derive(Clone, Debug)]
pub struct TenantPlan {
    pub tenant: TenantKey,
    pub verb: Verb,
    pub schema: String,
    pub username: String,
    pub owner: String,
    pub phases: Phases,
    pub hazards: Vec<Hazard>,
    /// What is left unchanged and a person should know about; not a change by itself.
    pub notes: Vec<Note>,
    /// Why it is blocked.
    pub reason: Option<String>,
    /// When blocked, what to type next.
    pub hint: Option<String>,
    pub target: EndState,
    /// The schema the plan was made for, when there is one: apply touches no other.
    pub seen: Option<SeenSchema>,
    /// Names that are parked when its changes are made, with those that a person knows.
    pub parked: Vec<(String, String)>,
}

/// A schema as the look found it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenSchema {
    pub name: String,
    pub oid: u32,
}

/// Something that exists but is not declared, and stays.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Note {
    /// The thing, such as "schema tenant_acme".
    pub what: String,
    pub detail: String,
}

/// What apply leaves behind of a tenant.
#[derive(Clone, Debug, Default)]
pub enum EndState {
    /// Nothing to apply.
    #[default]
    None,
    /// The tenant as declared.
    Declared {
        tenant: Box<Tenant>,
        password: PasswordOrigin,
        /// The version in the store whose password PostgreSQL holds afterwards, unless one is written.
        secret_version: Option<String>,
        /// What the secret says then.
        fields: SecretFields,
    },
    /// As it was, with another password.
    Rotated { tenant: Box<Tenant>, fields: SecretFields },
    /// Gone; the row stays as a tombstone until the secret is gone too.
    /// `state`: what the registry says until then.
    Removed { secret: RegisteredSecret, state: State },
    /// NOLOGIN, its schema kept.
    Retained { secret: RegisteredSecret, state: State },
}

impl EndState {
    /// The tenant that has a secret afterwards, and where its password comes from.
    #[must_use]
    pub fn delivers(&self) -> Option<(&Tenant, &PasswordOrigin)> {
        match self {
            Self::Declared { tenant, password, .. } => Some((tenant, password)),
            Self::Rotated { tenant, .. } if tenant.password.is_some() => Some((tenant, &PasswordOrigin::Given)),
            Self::Rotated { tenant, .. } => Some((tenant, &PasswordOrigin::Generated)),
            Self::None | Self::Removed { .. } | Self::Retained { .. } => None,
        }
    }
}

/// Where apply takes the password from, when a change needs it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PasswordOrigin {
    /// No change needs it.
    #[default]
    Untouched,
    /// `password_from`.
    Given,
    /// The secret at this path, at this version.
    Stored { path: String, version: String },
    /// Made while applying, so that no plan can hold one.
    Generated,
    /// Nobody told us: it stays, and there is no secret.
    Kept,
}

/// Why a tenant cannot be planned, and what a person types next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocked {
    pub reason: String,
    pub hint: Option<String>,
}

impl Blocked {
    pub(super) fn new(reason: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { reason: reason.into(), hint: Some(hint.into()) }
    }
}

/// What carrying a plan out takes, what to know before, and what is there afterwards.
pub(super) struct Work {
    pub phases: Phases,
    pub hazards: Vec<Hazard>,
    pub target: EndState,
}

impl TenantPlan {
    /// Nothing to do, so far.
    pub(super) fn of(subject: Subject) -> Self {
        Self {
            tenant: subject.tenant,
            verb: Verb::Unchanged,
            schema: subject.schema,
            username: subject.username,
            owner: subject.owner,
            phases: Phases::default(),
            hazards: Vec::new(),
            reason: None,
            hint: None,
            notes: Vec::new(),
            target: EndState::None,
            seen: None,
            parked: Vec::new(),
        }
    }

    /// The verb with its work; or blocked, and why.
    pub(super) fn take(&mut self, verb: Verb, work: Result<Work, Blocked>) {
        match work {
            Ok(Work { phases, hazards, target }) => {
                (self.verb, self.phases, self.hazards, self.target) = (verb, phases, hazards, target);
            }
            Err(Blocked { reason, hint }) => {
                (self.verb, self.reason, self.hint) = (Verb::Blocked, Some(reason), hint);
            }
        }
    }

    #[must_use]
    pub fn has_work(&self) -> bool {
        self.verb.is_work()
    }

    /// Takes something away that is still there; the rest of a removal that was interrupted does not.
    #[must_use]
    pub fn removes(&self) -> bool {
        let only_secrets = Phases { after: self.phases.after.clone(), ..Phases::default() };
        self.verb == Verb::Remove && self.phases != only_secrets
    }

    /// The versions this plan would apply.
    #[must_use]
    pub fn pending_migrations(&self) -> Vec<Version> {
        self.phases.migrate().map(super::action::Migrate::versions).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::plan::action::{DeleteSecret, DropSchema};
    use crate::core::plan::phases::AfterCommit;

    fn plan(verb: Verb, phases: Phases) -> TenantPlan {
        let tenant = TenantKey::new("acme").unwrap();
        let [schema, username, owner] = ["s", "u", "o"].map(str::to_owned);
        let subject = Subject { tenant, schema, username, owner, access: Default::default() };
        TenantPlan { verb, phases, ..TenantPlan::of(subject) }
    }

    /// What the ceiling of removals counts.
    #[test]
    fn a_removal_counts_while_there_is_something_left_but_its_secret() {
        let secret = AfterCommit::DeleteSecret(DeleteSecret { path: "t/acme".into(), expected: "1".into() });
        let only_its_secret = Phases { after: vec![secret], ..Phases::default() };
        let drop = DropSchema { schema: "s".into(), tables: 1, bytes: 0, at_once: None };
        let more = Phases { transaction: vec![drop.into()], ..only_its_secret.clone() };
        assert!(plan(Verb::Remove, more.clone()).removes());
        assert!(!plan(Verb::Remove, only_its_secret).removes());
        assert!(!plan(Verb::Update, more).removes());
    }

    #[test]
    fn a_blocked_tenant_has_no_work_and_says_why() {
        let mut blocked = plan(Verb::Unchanged, Phases::default());
        blocked.take(Verb::Create, Err(Blocked::new("a", "b")));
        assert_eq!(
            (blocked.verb, blocked.reason.as_deref(), blocked.hint.as_deref()),
            (Verb::Blocked, Some("a"), Some("b"))
        );
        let work = [Verb::Create, Verb::Update, Verb::Remove];
        assert!(Verb::ALL.iter().all(|verb| verb.is_work() == work.contains(verb)));
        assert!(!blocked.has_work());
    }
}
