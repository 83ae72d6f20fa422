//! What carrying a plan out needs.

use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;

use postgres::Client;

use super::blockers::{Blocker, Usernames, blame};
use super::lock::Lock;
use super::recorded::Recorded;
use super::underway::Underway;
use crate::core::model::secret::Mark;
use crate::core::model::{Desired, Server};
use crate::core::plan::{DatabaseIdentity, Plan, Stage};
use crate::core::report::{TenantError, TenantOutcome};
use crate::engine::archive::{Opened, Programs};
use crate::engine::database::Target;
use crate::engine::error::Error;
use crate::engine::registry::{self, Arrival};
use crate::engine::secrets::WritableStore;

/// What carrying a plan out needs.
pub struct Apply<'a> {
    pub target: &'a Target,
    /// Taken before the look that the plan was made of.
    pub lock: &'a Lock,
    pub store: &'a dyn WritableStore,
    pub desired: &'a Desired,
    pub server: &'a Server,
    /// A person says that the database came from elsewhere.
    pub moved: bool,
    /// Where archives of tenants that are dropped go.
    pub archive_dir: &'a Path,
    /// What makes them, where the plan has any.
    pub programs: Option<&'a Programs>,
    /// The archive that a tenant's rows come from, where there is one.
    pub opened: Option<&'a Opened>,
    /// Connections that work at once.
    pub parallelism: usize,
    /// Set by an interrupt: running tenants finish, no new one begins.
    pub stop: &'a AtomicBool,
    /// What is known of what the migrations make.
    pub recorded: &'a Recorded,
    /// Says what is being done, and can cancel it.
    pub underway: &'a Underway,
    /// What this run marks secrets with, once it is known whose registry this is.
    pub mark: OnceLock<Mark>,
    /// This many tenants failing with the same error stop the rest; 0: never.
    pub max_failures: usize,
    /// Sessions of tenants that keep ours from a lock are ended.
    pub end_blockers: bool,
    /// The command that would do this and end them, for hints; `None`: there is none, or they are ended.
    pub ending: Option<&'a str>,
    /// The usernames of the tenants that are registered, as the look read them.
    pub usernames: &'a Usernames<'a>,
    /// Called with the tenant when there is something to say of it before it ends.
    pub said: &'a (dyn Fn(&str, &str) + Sync),
    /// Called as each tenant ends, from the thread that carried it out.
    pub progress: &'a (dyn Fn(&TenantOutcome) + Sync),
}

impl Apply<'_> {
    pub(super) fn bind_to_this_database(&self, client: &mut Client, plan: &Plan) -> Result<(), Error> {
        let writes_secrets = plan.tenants.iter().any(|tenant| tenant.phases.changes_secrets())
            || plan.database_changes.iter().any(|change| change.stage == Stage::Secrets);
        let arrival = Arrival {
            reached: &self.server.reached,
            moved: self.moved,
            writes_secrets,
            history_table: &self.desired.migrations.table,
        };
        let mark = registry::bind_to_this_database(client, &arrival)?;
        self.mark.get_or_init(|| mark);
        Ok(())
    }

    pub(super) fn identity(&self) -> DatabaseIdentity {
        DatabaseIdentity::new(self.server, self.target.database())
    }

    /// Adds to the error of a wait that was too long who was waited for. Whether there was anything to add.
    pub(super) fn names_blockers(&self, error: &mut TenantError, blockers: &[Blocker]) -> bool {
        blame(error, blockers, self.underway.why_nobody_was_seen(), self.ending)
    }
}
