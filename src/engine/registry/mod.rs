//! The tool's own tables, `tenantry.tenants` and `tenantry.audit_log`, made and upgraded by refinery.

mod embedded;
pub(crate) mod guard;
mod history;
mod home;
mod lock;
mod owners;
mod read;
mod recover;
mod rows;
mod upgrade;

pub(crate) use embedded::HISTORY_TABLE;
pub(crate) use history::time_of_no_consequence;
pub use home::{Arrival, settle};
pub(crate) use lock::{Holder, LOCK_KEY, Taken, has_lock, held_as as lock_held_as, take as take_lock};
pub use owners::leave_owners;
pub use read::read;
pub use recover::{Recovery, recover};
pub use rows::{Row, append_audit, forget_former_secrets, leave_secret, record_set, rotate, secret_is_gone, upsert};
pub use upgrade::migrate;
