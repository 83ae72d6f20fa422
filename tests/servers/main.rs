//! What tenantry does to real PostgreSQL servers and secret stores, through the command as a user has it. A module a subject.
//!
//! Each module has servers of its own (support/postgres.rs), so that names need to differ within a module only.
#![allow(clippy::unwrap_used)]

#[path = "../support/certificates.rs"]
mod certificates;
#[path = "../support/compatibility_table.rs"]
mod compatibility_table;
#[path = "../support/fleet.rs"]
mod fleet;
#[path = "../support/hand_made.rs"]
mod hand_made;
#[path = "../support/openbao.rs"]
mod openbao;
#[path = "../support/pgbouncer.rs"]
mod pgbouncer;
#[path = "../support/postgres.rs"]
mod postgres_server;
#[path = "../support/proxy.rs"]
mod proxy;
#[path = "../support/snapshot.rs"]
mod snapshot;

mod admin;
mod adopt;
mod archive;
mod audit;
mod commands;
mod commit;
mod connect;
mod copy;
mod create;
mod deep;
mod drift;
mod exec;
mod formats;
mod guards;
mod hostile;
mod identity;
mod imperative;
mod in_sync;
mod isolation;
mod library;
mod life;
mod limits;
mod lock;
mod no_plaintext;
mod pipes;
mod pooler;
mod query;
mod reader;
mod remove;
mod retries;
mod rotate;
mod saved;
mod scheduled;
mod secrets;
mod secrets_log;
mod seen;
mod throwaway_server;
mod update;
mod vault;
