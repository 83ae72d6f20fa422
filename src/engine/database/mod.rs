//! Finding PostgreSQL, connecting as libpq would, and what comes back when that fails.
//!
//! [`Target::find`] says where; [`Target::connect_admin`] opens a session of ours, [`Target::connect`] one that lands
//! wherever the role's own settings lead, as a tenant's must.

mod acl;
mod connect;
mod endpoint;
mod error;
mod giving_way;
mod hints;
mod keywords;
mod params;
mod passfile;
mod place;
mod prepared;
mod reset;
mod roots;
mod service;
pub mod session;
mod several;
mod target;
mod target_error;
mod terminate;
mod text;
mod tls;
mod tuning;
mod unlogged;
mod verifier;

pub use crate::core::model::SslMode;
use crate::core::model::sslmode;
pub(crate) use acl::{acl, columns};
pub use connect::ConnectError;
pub use endpoint::Endpoint;
pub(crate) use error::is_retryable;
pub use error::{DatabaseError, Position, ServerError};
pub(crate) use giving_way::{HARDLY_WAIT, giving_way};
pub(crate) use hints::TOO_MANY_CONNECTIONS;
pub(crate) use prepared::Gid;
pub(crate) use reset::take_back;
pub use several::refuse_a_standby;
pub use target::Target;
pub use target_error::TargetError;
pub(crate) use terminate::end_sessions;
pub(crate) use text::{Ask, Record};
pub use tls::TlsError;
pub(crate) use unlogged::{QUIET, execute_unlogged};
