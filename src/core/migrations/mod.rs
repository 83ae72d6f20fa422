//! The team's migration files: read once, checked offline, then compared with every tenant's refinery history.

mod at_commit;
mod blocking;
mod enums;
mod file;
mod lines;
mod lint;
mod look;
mod names;
mod parse;
mod place;
mod psql;
mod scratch_run;
mod set;
mod statements;
mod transactions;

pub use blocking::Blocking;
pub use file::{MigrationFile, NO_TRANSACTION};
pub use lines::{place, place_of};
pub use lint::{MigrationFault, MigrationWarning};
pub use look::Extension;
pub use names::{Beside, Misnamed, beside};
pub use set::MigrationSet;
pub use statements::{Detach, Statement};
pub use transactions::{Begins, Transaction};
