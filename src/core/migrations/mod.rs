//! The team's migration files: read once, checked offline, then compared with every tenant's refinery history.

mod at_commit;
mod blocking;
mod directory;
mod enums;
mod file;
pub mod foreign;
mod format;
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
mod sum;
mod tool_sum;
mod tool_table;
mod transactions;

pub use blocking::Blocking;
/// As histories have it: refinery's own are 32 bits wide, those of other formats are dates with times.
pub type Version = i64;

pub use directory::faults_of_directory;
pub use file::MigrationFile;
pub use format::Format;
pub use format::parts::{NO_TRANSACTION, Named, Role};
pub use lines::{place, place_of};
pub use lint::{MigrationFault, MigrationWarning};
pub use look::Extension;
pub use names::Misnamed;
pub use set::MigrationSet;
pub use statements::{Detach, Statement};
pub use tool_table::{ForeignTable, history_of};
pub use transactions::{Begins, Transaction};
