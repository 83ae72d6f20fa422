//! One query in every tenant, logged in as that tenant: whatever code of the tenant's it meets runs with the tenant's own rights.
//!
//! [`run`] is all tenants, several at once; [`attend`] one of them, for no longer than it may take; [`ask`] its session;
//! [`mod@aggregate`] is SQL over all the rows.

mod aggregate;
mod ask;
mod attend;
mod budget;
mod question;
mod run;

pub use aggregate::{Aggregate, aggregate};
pub use question::Question;
pub use run::Query;
