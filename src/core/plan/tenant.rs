//! One declared tenant: from what is there to what is declared.

use super::change::{
    defaults, deputy, grants, history, membership, migrations, objects, outside, policy, rename, rights, role, schema,
    secret, settings, tablespace,
};
use super::diff::Look;
use super::{Change, Hazard, HazardKind, Note, Target, TenantPlan, Verb};
use crate::core::model::{Access, Grantee, Mode, Registered, Role, Schema, State, Subject, Tenant};

/// Why a tenant cannot be planned, and what a person types next.
pub(super) struct Blocked {
    pub reason: String,
    pub hint: Option<String>,
}

impl Blocked {
    pub fn new(reason: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { reason: reason.into(), hint: Some(hint.into()) }
    }
}

/// What is there of one tenant, under the names it will have once renamed.
#[derive(Default)]
pub(super) struct Current {
    pub role: Option<Role>,
    /// The owner role; `None` also where the username itself owns.
    pub owner: Option<Role>,
    pub schema: Option<Schema>,
    /// The role that owned until now, when that is another one.
    pub former_owner: Option<String>,
}

/// A tenant's plan in the making.
pub(super) struct Draft<'a> {
    pub look: &'a Look<'a>,
    pub tenant: &'a Tenant,
    /// The registry's row, unless it is a tombstone.
    pub registered: Option<&'a Registered>,
    pub current: Current,
    pub changes: Vec<Change>,
    pub hazards: Vec<Hazard>,
    pub notes: Vec<Note>,
}

impl Draft<'_> {
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

    /// A change that only takes away what somebody added: made, or noted.
    pub fn take(&mut self, change: Change) {
        if self.keeps_extras() {
            self.note(change.what, change.before.unwrap_or_default());
        } else {
            self.changes.push(change);
        }
    }

    pub fn note(&mut self, what: impl Into<String>, detail: impl Into<String>) {
        self.notes.push(Note { what: what.into(), detail: detail.into() });
    }

    /// The role that owned until now was created for this tenant only, and is no longer of use to it.
    pub fn drops_former_owner(&self) -> bool {
        let Some(former) = &self.current.former_owner else { return false };
        let was_own = self.registered.is_some_and(|row| row.access != Access::Owner);
        was_own
            && *former != self.tenant.username
            && self.look.observed.roles.contains_key(former)
            && !self.look.is_shared_owner(former, &self.tenant.key)
    }

    pub fn hazard(&mut self, kind: HazardKind, detail: impl Into<String>) {
        self.hazards.push(Hazard { kind, detail: detail.into() });
    }
}

pub(super) fn plan(look: &Look<'_>, tenant: &Tenant) -> TenantPlan {
    let registered = look.registered_tenant(&tenant.key).filter(|row| row.state != State::Removed);
    let mut plan = TenantPlan::of(tenant.subject());
    let mut draft = Draft {
        look,
        tenant,
        registered,
        current: Current::default(),
        changes: Vec::new(),
        hazards: Vec::new(),
        notes: Vec::new(),
    };
    if let Some(work) = converge(&mut draft).transpose() {
        plan.take(if registered.is_some() { Verb::Update } else { Verb::Create }, work);
        plan.seen = registered.and_then(|row| look.seen(&row.schema));
    }
    // Of a blocked tenant not everything was compared.
    if plan.verb != Verb::Blocked {
        plan.notes = draft.notes;
    }
    plan
}

/// What carrying a plan out takes, what to know before, and what is there afterwards.
pub(super) type Work = (Vec<Change>, Vec<Hazard>, Target);

impl TenantPlan {
    /// Nothing to do, so far.
    pub(super) fn of(subject: Subject) -> Self {
        Self {
            tenant: subject.tenant,
            verb: Verb::Unchanged,
            schema: subject.schema,
            username: subject.username,
            owner: subject.owner,
            changes: Vec::new(),
            hazards: Vec::new(),
            reason: None,
            hint: None,
            notes: Vec::new(),
            target: Target::None,
            seen: None,
        }
    }

    /// The verb with its work; or blocked, and why.
    pub(super) fn take(&mut self, verb: Verb, work: Result<Work, Blocked>) {
        match work {
            Ok((changes, hazards, target)) => {
                self.verb = verb;
                self.changes = changes;
                self.hazards = hazards;
                self.target = target;
            }
            Err(blocked) => {
                self.verb = Verb::Blocked;
                self.reason = Some(blocked.reason);
                self.hint = blocked.hint;
            }
        }
    }
}

fn converge(draft: &mut Draft<'_>) -> Result<Option<Work>, Blocked> {
    refuse_half_way(draft)?;
    rename::locate(draft)?;
    let (password, secret_version) = secret::decide(draft)?;
    deputy::diff(draft);
    role::diff(draft)?;
    membership::diff(draft);
    schema::diff(draft);
    history::diff(draft)?;
    objects::diff(draft);
    grants::diff(draft);
    defaults::diff(draft);
    outside::diff(draft);
    settings::diff(draft);
    migrations::diff(draft)?;
    policy::diff(draft);
    tablespace::warn(draft);
    if draft.changes.is_empty() {
        return Ok(None);
    }
    let shared = draft.look.is_shared_owner(draft.tenant.owner(), &draft.tenant.key);
    let was_so = |row: &Registered| row.owner == draft.tenant.owner_role && row.access == Access::Full;
    if shared && !draft.registered.is_some_and(was_so) && draft.tenant.access == Access::Full {
        let owner = &draft.tenant.owner_role;
        draft.hazard(
            HazardKind::SharedOwner,
            format!("{owner} is the owner role of several tenants that can create code in their schemas; the code of one can run with rights on the others' objects"),
        );
    }
    rights::borrow(draft);
    let (mut changes, hazards) = (std::mem::take(&mut draft.changes), std::mem::take(&mut draft.hazards));
    changes.sort_by_key(|change| change.kind);
    let tenant = Box::new(draft.tenant.clone());
    Ok(Some((changes, hazards, Target::Declared { tenant, password, secret_version })))
}

/// What an interrupted restore or removal left is neither complete nor gone; only the same operation may resume it.
fn refuse_half_way(draft: &Draft<'_>) -> Result<(), Blocked> {
    let key = &draft.tenant.key;
    match draft.registered.map(|row| row.state) {
        Some(State::Restoring) => Err(Blocked::new(
            "its restore was interrupted, and its schema may contain only part of the archive",
            format!(
                "restore it again: tenantry restore FILE   or abandon it: take {key} out of tenants.toml and apply"
            ),
        )),
        Some(State::Removing) => Err(Blocked::new(
            "its removal was interrupted, and its schema contains only part of its data",
            format!("take {key} out of tenants.toml and apply; then restore its archive, if it is wanted back"),
        )),
        _ => Ok(()),
    }
}
