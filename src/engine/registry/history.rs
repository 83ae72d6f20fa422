//! A row of a refinery history as refinery's own value.

use refinery_core::Migration;

use crate::engine::database::Record;

/// A history's row as refinery's own value. The time plays no part in what the Runner decides.
pub(super) fn migration(row: &Record) -> Migration {
    let checksum: String = row.get("checksum");
    Migration::applied(
        row.get("version"),
        row.get("name"),
        time_of_no_consequence(),
        checksum.parse().unwrap_or_default(),
    )
}

pub(crate) fn time_of_no_consequence() -> time::OffsetDateTime {
    time::OffsetDateTime::UNIX_EPOCH
}
