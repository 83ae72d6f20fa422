//! A program, run as a tenant: with what the tenant's own programs are given, and without what is the administrator's.
//!
//! [`command`] is one tenant's; [`Exec`] runs those of many, several at once; [`child`] is one of them, from its start to its end.

mod child;
mod ended;
mod environment;
mod run;

pub use ended::{Ended, Ran};
pub use environment::command;
pub use run::{Exec, Lines};
