//! A throw-away PostgreSQL server, for `tenantry sandbox`, the demo and the tests.
//!
//! `postgresql_embedded` was tried first. It drives installed binaries, but from root it cannot start a server (PostgreSQL
//! refuses root, and the crate cannot change the user), and a server it started outlives a killed parent.

mod binaries;
mod builder;
mod conf;
mod error;
mod owner;
mod server;

pub use binaries::Binaries;
pub use builder::Builder;
pub use error::SandboxError;
pub use server::Server;
