//! A throw-away PostgreSQL server, for `tenantry sandbox`, the demo and the tests.
//!
//! Why not `postgresql_embedded` (0.22, by its source; not run): it can use installed binaries, but has no way to start
//! the server as another user, which root must, since PostgreSQL refuses root; and it stops the server only on Drop, so
//! that one outlives a killed parent.

mod binaries;
mod builder;
mod conf;
mod error;
mod guard;
mod owner;
mod server;

pub use binaries::Binaries;
pub use builder::Builder;
pub use error::SandboxError;
pub use server::Server;
