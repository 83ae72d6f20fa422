//! Carries a plan out: what tenants share, one by one; then the tenants, each in one transaction, several at once.
//!
//! Apply decides nothing. What it finds to be otherwise than the plan saw is a failure of that tenant, and of no other.

mod after;
mod archive;
mod as_planned;
mod attempts;
mod batch;
mod blockers;
mod body;
mod changes;
mod claim;
mod commit;
mod concurrently;
mod context;
mod detach;
mod failure;
mod fence;
mod groundwork;
mod job;
mod live;
mod lock;
mod migrate;
mod pieces;
mod pool;
mod preflight;
mod progress;
mod record;
mod recorded;
mod rehearsal;
mod restore;
mod ring;
mod run;
mod secret;
mod session;
mod sessions;
mod shared;
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
pub(crate) use rehearsal::rehearse;
pub use restore::Restore;
pub use underway::Underway;
