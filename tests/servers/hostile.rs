//! Hostile tenants: each line of the design's section, against real PostgreSQL 15 and 18, through the command as a user has it.

mod attack;
mod commit;
mod history;
mod locks;
mod matrix;
mod migration;
mod neighbours;
mod outside;
mod registry;
mod session;
mod shape;
mod surroundings;
