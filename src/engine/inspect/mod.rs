//! PostgreSQL, the registry and the secret store → [`Observed`](crate::core::model::Observed).
//!
//! Reading is set-based: a fixed number of queries whatever the number of tenants. Only histories are read schema by
//! schema, in chunks that are each a short transaction of their own.

mod access;
mod adoption;
mod apart;
mod catalog;
mod database;
mod history;
mod holds;
mod locks;
mod made;
mod names;
mod observe;
mod secrets;
pub(crate) mod shape;
mod source;
mod undeclared;

pub use adoption::adoptions;
pub(crate) use apart::{apart, apart_with_rights};
pub(crate) use catalog::{LONG_SETTING, dependents_of};
pub(crate) use history::{history_of, tool_history_of};
pub(crate) use holds::holds;
pub use locks::many_locks;
pub(crate) use made::made;
pub use observe::{Sizes, connections, measure, observe, registered, row_estimates};
pub use source::source_rows;
pub use undeclared::undeclared;
