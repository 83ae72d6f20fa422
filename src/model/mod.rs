//! The nouns, without I/O.

pub mod secret;
pub mod vault;
