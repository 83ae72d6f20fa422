//! The engine's apply, with what it borrows for as long as it runs.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::OnceLock;

use postgres::Client;

use super::error::Error;
use super::events::Events;
use super::options::Limits;
use super::session::Session;
use crate::core::model::Observed;
use crate::engine::apply::{Apply, Lock, Recorded};
use crate::engine::archive::{Opened, Programs};
use crate::engine::error::Error as RunError;

pub(super) struct Carrying<'a> {
    pub session: &'a mut Session,
    pub lock: &'a Lock,
    pub observed: &'a Observed,
    pub programs: Option<&'a Programs>,
    /// What a new tenant's rows come from.
    pub opened: Option<&'a Opened>,
    pub archive_dir: PathBuf,
    pub limits: Limits,
    pub recorded: BTreeSet<String>,
}

impl Carrying<'_> {
    pub fn run<T>(
        self,
        events: &dyn Events,
        run: impl FnOnce(&Apply<'_>, &mut Client) -> Result<T, RunError>,
    ) -> Result<T, Error> {
        let Self { session: Session { ground, client }, lock, observed, limits, .. } = self;
        let apply = Apply {
            target: &ground.target,
            lock,
            store: ground.store.as_ref(),
            desired: &ground.project.desired,
            server: &observed.server,
            moved: observed.moved,
            mark: OnceLock::new(),
            archive_dir: &self.archive_dir,
            programs: self.programs,
            opened: self.opened,
            parallelism: ground.options.parallelism(),
            recorded: &Recorded::new(self.recorded),
            stop: ground.options.interrupt.flag(),
            underway: ground.options.interrupt.work(),
            max_failures: limits.max_failures,
            end_blockers: limits.end_blockers,
            ending: limits.to_end_blockers.as_deref().filter(|_| !limits.end_blockers),
            usernames: &observed.usernames(),
            said: &|tenant, line| events.says(tenant, line),
            progress: &|outcome| events.tenant_ended(outcome),
        };
        Ok(run(&apply, client)?)
    }
}
