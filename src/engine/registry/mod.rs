//! The tool's own tables, `tenantry.tenants` and `tenantry.audit_log`, made and upgraded by refinery.
//!
//! All SQL that names one of them stands here, in `sql/`, one statement a file, and in [`mod@recover`], which prints some; but
//! for what a plan shows (`core/plan/bookkeeping.rs`).

mod access;
mod audit;
mod embedded;
pub(crate) mod form;
pub(crate) mod guard;
mod history;
mod home;
mod leftovers;
mod lock;
mod read;
mod recover;
mod rows;
mod schema;
mod sets;
mod states;
mod text;
mod trail;
mod upgrade;

pub use access::{forget_access, note_access};
pub use audit::append_audit;
pub(crate) use audit::has_audited;
pub(crate) use history::time_of_no_consequence;
pub use home::{Arrival, bind_to_this_database};
pub use leftovers::{forget_former_secrets, leave_owners, leave_secret, secret_is_gone};
pub(crate) use lock::{
    Holder, LOCK_KEY, LOST as LOCK_LOST, Taken, check_held as check_lock_held, check_not_taken as check_lock_not_taken,
    has_lock, held_as as lock_held_as, take as take_lock,
};
pub use read::read;
pub use recover::{Recovery, recover};
pub use rows::{Row, rotate, switch, upsert};
pub(crate) use schema::{is_there, is_whole, schema, unreadable};
pub(crate) use sets::TAKEN;
pub use sets::{record_set, recorded_sets};
pub(crate) use states::{
    forget_restore, has_another_with_owner, history_table, hold_active, hold_to_remove, roles_of_tenants, set_deputy,
    set_secret_version, set_state, unfinished_restore,
};
pub use trail::{Wanted, last_migrations, trail};
pub use upgrade::migrate;

/// What no tenant may read, as a statement to try.
pub(crate) const PROBE: &str = include_str!("sql/probe.sql");
