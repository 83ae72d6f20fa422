//! The secret store: files, or the KV secrets engine of HashiCorp Vault or OpenBao.
//!
//! The store holds the password of record; PostgreSQL is converged to it. So every write is check-and-set: it names
//! the version it means to replace, and fails if someone else was faster.

mod access;
mod document;
mod error;
mod file;
mod none;
mod open;
mod store;
mod vault;

pub use access::{AccessStore, Wrapped, WritableAccess};
pub use error::SecretError;
pub use file::FileStore;
pub use none::no_store;
pub use open::{open_file, open_vault};
pub use store::{Found, SecretStore, WritableStore};
pub use vault::VaultStore;
