//! Under the lock of apply: the only place where a plan that can be applied is made.

use super::adoption::{self, Adopting};
use super::approved::Way;
use super::consent::{self, Need};
use super::copying::{self, Copying};
use super::error::{Error, Guard, Guarded, Refusal};
use super::guards;
use super::lost::lost;
use super::planned::Planned;
use super::restoration;
use super::rotation::{self, Which};
use super::session::Session;
use crate::core::model::{Observed, Registry};
use crate::core::plan::{Plan, RECOVER, Restoration, Saved};
use crate::core::words::count;
use crate::engine::apply::Lock;
use crate::engine::archive::Opened;
use crate::engine::error::Context;
use crate::engine::inspect::{self, Sizes};

/// What the caller is about.
#[non_exhaustive]
pub enum Intent {
    /// PostgreSQL and the secret store as tenants.toml says.
    Converge,
    /// Exactly what this plan says, or nothing. Its own targets and depth are looked at.
    Saved(Box<Saved>),
    /// New passwords, and nothing else.
    Rotate(Which),
    /// The same, and of two users the one that the secret named until then is locked out.
    RotateAndEnd(Which),
    /// A tenant from its archive, and the rest of it as tenants.toml says.
    Restore(Box<Opened>),
    /// A new tenant of this key, with the rows of another one's archive.
    RestoreAs(Box<Opened>, String),
    /// A new tenant, as another one is.
    Copy(Copying),
    /// Schemas and roles that exist, taken under management, and the rest of those tenants as tenants.toml says.
    Adopt(Adopting),
}

/// The lock of apply, held until this ends, or what comes of it.
pub struct Locked {
    pub(super) session: Session,
    lock: Lock,
}

impl Locked {
    pub(super) fn new(mut session: Session) -> Result<Self, Error> {
        let Session { ground, client } = &mut session;
        let lock = Lock::take(client, &ground.target, ground.options.lock_timeout).guarded(Guard::Lock)?;
        ground.store.tidy().doing("cleaning up the secret store")?;
        session.ask_source()?;
        Ok(Self { session, lock })
    }

    /// Looks, and plans.
    ///
    /// # Errors
    /// When not everything was seen, a target matches no tenant, or what is meant cannot be done here.
    pub fn plan(self, intent: Intent) -> Result<Planned, Error> {
        match intent {
            Intent::Converge => self.converge(),
            Intent::Saved(saved) => self.saved(&saved),
            Intent::Rotate(which) => self.rotate(&which, false),
            Intent::RotateAndEnd(which) => self.rotate(&which, true),
            Intent::Restore(opened) => self.restore(opened),
            Intent::RestoreAs(opened, tenant) => self.restore_as(opened, &tenant),
            Intent::Copy(copying) => self.copy(&copying),
            Intent::Adopt(adopting) => self.adopt(&adopting),
        }
    }

    fn converge(mut self) -> Result<Planned, Error> {
        let observed = self.session.observe(Sizes::Removed)?;
        let plan = self.session.ground.diff(&observed);
        self.session.ground.selects_something(&observed)?;
        guards::sees_everything(&observed)?;
        Ok(self.converging(observed, plan))
    }

    /// A saved plan whose tenants are gone is stale: that says more than that a target matches none.
    fn saved(mut self, saved: &Saved) -> Result<Planned, Error> {
        self.session.ground.look_as(saved)?;
        let observed = self.session.observe(Sizes::Removed)?;
        let now = self.session.ground.diff(&observed);
        guards::sees_everything(&observed)?;
        let plan = guards::as_saved(saved, &self.session.ground, &observed, now)?;
        Ok(self.converging(observed, plan))
    }

    pub(super) fn converging(self, observed: Observed, plan: Plan) -> Planned {
        let store = &self.session.ground.store;
        let needs = consent::of_converging(&plan, &|path| store.locate(path), observed.moved);
        self.planned(observed, plan, needs, Way::Converge)
    }

    fn rotate(mut self, which: &Which, end_old: bool) -> Result<Planned, Error> {
        // A database that has moved takes its secrets by converging, where that is shown and asked about.
        self.session.ground.options.moved = false;
        rotation::must_be_declared(&self.session.ground, which)?;
        let observed = self.session.observe(Sizes::Removed)?;
        let ground = &self.session.ground;
        guards::sees_everything(&observed)?;
        ground.selects_something(&observed)?;
        if let Some((message, hint)) = observed.registry.as_ref().and_then(Registry::is_older) {
            let message = format!("{message}; no password was changed");
            return Err(Refusal::new(Guard::Registry, message, hint).into());
        }
        if let Some(lost) = lost(ground, &observed, &|key| which.names(key)) {
            let message = format!("{lost}; no password was changed");
            return Err(Refusal::new(Guard::NoneLost, message, RECOVER).into());
        }
        let (plan, left_out) = rotation::plan(ground, &observed, which, end_old);
        let needs = consent::new_secrets(&plan, &|path| ground.store.locate(path));
        let notes = left_out.into_iter().filter(|(tenants, _)| *tenants > 0);
        let notes = notes.map(|(tenants, why)| format!("{} left out: {why}", count(tenants, "tenant"))).collect();
        Ok(Planned { notes, ..self.planned(observed, plan, needs.into_iter().collect(), Way::Rotate) })
    }

    fn restore(mut self, opened: Box<Opened>) -> Result<Planned, Error> {
        self.session.ground.options.moved = false;
        let tenant = restoration::declared(&self.session.ground, &opened.manifest)?;
        let observed = self.session.observe(Sizes::Removed)?;
        let ground = &self.session.ground;
        ground.selects_something(&observed)?;
        ground.filter.must_select(&tenant.key)?;
        let plan = restoration::plan(ground, &observed, &tenant, &opened.manifest)?;
        let needs = consent::new_secrets(&plan, &|path| ground.store.locate(path));
        let sent = Restoration::new(&ground.project.desired, &observed, &tenant);
        let way = Way::Restore { opened, tenant: Box::new(tenant), restoration: Box::new(sent) };
        Ok(self.planned(observed, plan, needs.into_iter().collect(), way))
    }

    fn restore_as(mut self, opened: Box<Opened>, tenant: &str) -> Result<Planned, Error> {
        self.session.ground.options.moved = false;
        let key = restoration::key(&self.session.ground, tenant)?;
        let observed = self.session.observe(Sizes::Removed)?;
        guards::sees_everything(&observed)?;
        let ground = &self.session.ground;
        let plan = restoration::plan_as(ground, &observed, &key, &opened.manifest)?;
        let needs = consent::new_secrets(&plan, &|path| ground.store.locate(path));
        Ok(self.planned(observed, plan, needs.into_iter().collect(), Way::RestoreAs { opened }))
    }

    fn copy(mut self, copying: &Copying) -> Result<Planned, Error> {
        self.session.ground.options.moved = false;
        let keys = copying.keys(&self.session.ground)?;
        let mut observed = self.session.observe(Sizes::Removed)?;
        guards::sees_everything(&observed)?;
        let Session { ground, client } = &mut self.session;
        if copying.data
            && let Some(from) = ground.project.desired.tenants.get(&keys[0])
        {
            inspect::measure(client, &mut observed, &from.subject())?;
        }
        let plan = copying::plan(ground, &observed, &keys, copying.data)?;
        Ok(self.converging(observed, plan))
    }

    fn adopt(mut self, adopting: &Adopting) -> Result<Planned, Error> {
        self.session.ground.options.moved = false;
        adoption::check(&self.session.ground, adopting)?;
        let mut observed = self.session.observe(Sizes::Removed)?;
        let Session { ground, client } = &mut self.session;
        ground.selects_something(&observed)?;
        if let Some(lost) = lost(ground, &observed, &|key| adoption::names(adopting, key)) {
            let message = format!("{lost}; nothing was changed");
            return Err(Refusal::new(Guard::NoneLost, message, RECOVER).into());
        }
        adoption::look(ground, client, &mut observed, adopting)?;
        guards::sees_everything(&observed)?;
        let plan = adoption::plan(ground, &observed)?;
        let needs = consent::of_adopting(&plan, &|path| ground.store.locate(path));
        Ok(self.planned(observed, plan, needs, Way::Adopt))
    }

    pub(super) fn planned(self, observed: Observed, plan: Plan, needs: Vec<Need>, way: Way) -> Planned {
        let Self { session, lock } = self;
        Planned { session, lock, observed, plan, needs, notes: Vec::new(), way }
    }
}
