//! What refinery's Runner would execute if the crate had its feature `int8-versions`: the histories of other tools' migrations are
//! refinery's with that feature. It cannot be had beside histories that are there: checksums cover the version as its type has it.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::call::{Call, Mode};
use crate::core::migrations::MigrationSet;
use crate::core::model::{Applied, literal};
use crate::core::plan;
use crate::core::report::TenantError;

/// The making of the history, then each file and its row, or the row alone.
///
/// # Errors
/// When the history is not what the plan was made for.
pub(super) fn queries(
    set: &MigrationSet,
    table: &str,
    applied: &[Applied],
    batch: &Call<'_>,
) -> Result<Vec<String>, TenantError> {
    let pending = plan::pending(set, applied).map_err(|blocked| TenantError::new(blocked.reason).hint("plan again"))?;
    let last = batch.versions.last().copied().unwrap_or_default();
    let now: Vec<_> = pending.into_iter().filter(|version| *version <= last).collect();
    let fits = match batch.mode {
        Mode::Run | Mode::RunAtOnce => now == batch.versions,
        // What ran elsewhere may have left out some, which run late.
        Mode::Record => batch.versions.iter().all(|version| now.contains(version)),
    };
    if !fits {
        return Err(TenantError::new("the migration history changed since the plan was made").hint("plan again"));
    }
    let at = OffsetDateTime::now_utc().format(&Rfc3339).unwrap_or_default();
    let mut queries = vec![format!(
        "CREATE TABLE IF NOT EXISTS {table}(version INT8 PRIMARY KEY, name VARCHAR(255), applied_on VARCHAR(255), \
         checksum VARCHAR(255));"
    )];
    for file in batch.versions.iter().filter_map(|version| set.get(*version)) {
        if batch.mode != Mode::Record {
            queries.push(file.sql.clone());
        }
        queries.push(format!(
            "INSERT INTO {table} (version, name, applied_on, checksum) VALUES ({}, {}, {}, {})",
            file.version(),
            literal(file.name()),
            literal(&at),
            literal(&file.checksum()),
        ));
    }
    Ok(queries)
}
