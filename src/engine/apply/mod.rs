//! Carries a plan out: what tenants share, one by one; then the tenants, each in one transaction, several at once.
//!
//! Apply decides nothing. What it finds to be otherwise than the plan saw is a failure of that tenant, and of no other.

mod access;
mod after;
mod archive;
mod attempts;
mod batches;
mod blockers;
mod body;
mod call;
mod changes;
mod claim;
mod commit;
mod concurrently;
mod confine;
mod context;
mod detach;
mod failure;
mod groundwork;
mod job;
mod live;
mod lock;
mod long_versions;
mod migrate;
mod pool;
mod preflight;
mod progress;
mod recheck;
mod record;
mod recorded;
mod rename_cycle;
mod restore;
mod rows;
mod run;
mod scratch_run;
mod secret;
mod session;
mod sessions;
mod shared;
mod switch;
mod tenant;
mod underway;
mod watch;

pub use crate::core::report::TenantError;
pub use blockers::Usernames;
pub use context::Apply;
pub use groundwork::check_server;
pub use live::Live;
pub use lock::Lock;
pub use preflight::{check_admin, check_archives, check_deputy, check_registry};
pub use recorded::Recorded;
pub use restore::Restore;
pub(crate) use scratch_run::scratch_run;
pub use underway::Underway;
