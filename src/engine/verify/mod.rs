//! Proves by trying: each tenant can work in its own schema and reach nothing else.
//!
//! Logs in with the delivered secret through the secret's own URL. Every probe runs in a transaction that is rolled
//! back. Other tenants' schemas are asked about in one query, and a few neighbours are tried for real, so that the
//! probes grow with the number of tenants and not with its square.
//!
//! [`probes`] asks the catalogs, then tries; [`probe`] is what is tried, with the answer that is right; [`answer`] tells a
//! refusal by privilege from any other, and rules.

mod access;
mod answer;
mod context;
mod held;
mod neighbours;
mod probe;
mod probes;
mod run;
mod suspended;
mod users;

pub use context::Verify;
