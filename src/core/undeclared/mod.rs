//! Schemas of a live database that nobody declared, as tenants.toml would declare them.
//!
//! A guess, for a person to read: whose schema it is can be told only by who owns it and who may use it.

mod created;
mod declare;
mod found;
mod guess;
mod keys;
mod written;

pub use created::created;
pub use found::{Declaration, Undeclared};
pub use written::text;
