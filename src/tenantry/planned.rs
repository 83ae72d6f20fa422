//! A plan that can be applied, once it is approved.

use std::path::Path;

use super::approved::{Approved, Way};
use super::consent::{Consent, Need};
use super::error::{Error, Guard, Refusal};
use super::guards;
use super::options::Limits;
use super::restoration;
use super::session::Session;
use crate::core::model::{Observed, Tenant, TenantKey};
use crate::core::plan::{Plan, Saved, TenantPlan};
use crate::engine::apply::Lock;
use crate::engine::error::Context;
use crate::engine::private;

/// What would be done. The lock is held.
pub struct Planned {
    pub(super) session: Session,
    pub(super) lock: Lock,
    pub(super) observed: Observed,
    pub(super) plan: Plan,
    pub(super) needs: Vec<Need>,
    pub(super) notes: Vec<String>,
    pub(super) way: Way,
}

impl Planned {
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Where all this is, and as whom.
    #[must_use]
    pub fn place(&self) -> String {
        self.session.ground.place(&self.observed)
    }

    /// A tenant as it is declared, perhaps by `[source] query`.
    #[must_use]
    pub fn declared(&self, key: &TenantKey) -> Option<&Tenant> {
        self.session.ground.project.desired.tenants.get(key)
    }

    /// Where a person finds the secret at this path.
    #[must_use]
    pub fn locate(&self, path: &str) -> String {
        self.session.ground.store.locate(path)
    }

    /// The consents that [`Self::approve`] must be given.
    #[must_use]
    pub fn needs(&self) -> &[Need] {
        &self.needs
    }

    /// What was left out of the plan, in words.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Whether there is anything to apply. Blocked tenants are not; but a restore starts over what an interrupted one left, which is
    /// blocked for everything else.
    #[must_use]
    pub fn has_work(&self) -> bool {
        matches!(self.way, Way::Restore { .. })
            || !self.plan.database_changes.is_empty()
            || self.plan.tenants.iter().any(TenantPlan::has_work)
    }

    /// The plan as a file holds it.
    #[must_use]
    pub fn save(&self) -> Saved {
        let ground = &self.session.ground;
        let look_at = (ground.options.targets.as_slice(), ground.options.deep);
        Saved::new(&self.plan, &ground.project.desired, &self.observed, &ground.project.digest, look_at)
    }

    /// Finds out what is better found out before anything is changed: whether the consents cover the needs, the secrets are this
    /// database's, the role we are connected as may do all of it, the store can be written to, and there is a pg_dump where one
    /// is needed.
    ///
    /// # Errors
    /// The first guard that says no.
    pub fn approve(mut self, consents: &[Consent]) -> Result<Approved, Error> {
        let has_work = self.has_work();
        let Session { ground, client } = &mut self.session;
        let mut programs = None;
        if let Way::Restore { .. } = &self.way {
            guards::its_secrets_restored(&self.plan)?;
        }
        if has_work {
            programs = guards::all(ground, client, &self.observed, &self.plan, (&self.needs, consents))?;
        } else if matches!(self.way, Way::Converge) && self.observed.registry.is_some() {
            guards::registry(&self.observed, &self.plan)?;
        }
        if let Way::Restore { opened, .. } | Way::RestoreAs { opened } = &self.way {
            programs = Some(restoration::programs(&self.session.ground, &self.observed, &opened.manifest)?);
        }
        let Self { session, lock, observed, plan, way, .. } = self;
        Ok(Approved { session, lock, observed, plan, way, programs, has_work, limits: Limits::default() })
    }
}

/// A plan that was saved, for [`Intent::Saved`](super::Intent::Saved).
///
/// # Errors
/// When the file cannot be read, or is no plan that this version saved.
pub fn read_plan(file: &Path) -> Result<Saved, Error> {
    let bytes = private::read(file).doing(format!("reading {}", file.display()))?;
    Ok(Saved::parse(&bytes).map_err(|error| {
        let message = format!("{}: {error}; nothing was changed", file.display());
        Refusal::new(Guard::AsSaved(Vec::new()), message, "save it again: tenantry plan --out FILE")
    })?)
}
