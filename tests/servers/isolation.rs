//! Isolation: what a tenant of each access may do with its own, with another tenant's, and with the server, by two tables that
//! people can read; and what docs/isolation.md says is open to everybody, shown to be so.

mod cluster;
mod false_alarms;
mod matrix;
mod open;
mod verify;
