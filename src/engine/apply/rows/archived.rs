//! Rows from an archive, whosever they were.

use postgres::Transaction;

use super::load::{Load, Stand};
use crate::core::plan::action::ArchivedRows;
use crate::core::report::TenantError;
use crate::core::words::few;
use crate::engine::archive::{Part, Stream};

/// # Errors
/// What pg_restore or PostgreSQL said; or why the rows do not fit.
pub(super) fn feed(
    load: &mut Load<'_>,
    transaction: &mut Transaction<'_>,
    from: &ArchivedRows,
) -> Result<(), TenantError> {
    let job = load.job();
    let (Some(opened), Some(programs)) = (job.apply.opened, job.apply.programs) else {
        return Err(TenantError::new(format!("{} is not open", from.file)));
    };
    nothing_is_missing(load, from)?;
    let doing = format!("reading {}", from.file);
    let told = |error| job.error(&doing, &error);
    let history = &job.apply.desired.migrations.table;
    let mut left_out = Vec::new();
    let mut stream = Stream::open(programs, &opened.dump).map_err(told)?;
    while let Some(part) = stream.next().map_err(told)? {
        match part {
            Part::Rows { table, columns } if load.target(&table).is_some() => {
                load.rows(transaction, &table, &columns, &mut stream.rows())?;
            }
            Part::Rows { table, .. } => {
                let rows = opened.manifest.tables.iter().find(|counted| counted.table == table).map(|t| t.rows);
                if table != *history && rows != Some(0) {
                    left_out.push(table);
                }
            }
            Part::Stand { sequence, value, is_called } if load.has_sequence(&sequence) => {
                load.sequence(&sequence, Stand { value, is_called })?;
            }
            Part::Stand { .. } => {}
        }
    }
    stream.ended().map_err(told)?;
    if left_out.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = left_out.iter().map(String::as_str).collect();
    Err(TenantError::new(format!(
        "the archive has rows in tables that the migrations do not create ({}), which would be left out; nothing was changed",
        few(&names)
    ))
    .hint(format!("to keep them, restore the archive as the tenant that it is of: {}", from.tenant)))
}

/// Every table that the migrations create was there when the archive was made.
fn nothing_is_missing(load: &Load<'_>, from: &ArchivedRows) -> Result<(), TenantError> {
    let tables = load.job().apply.opened.map(|opened| opened.manifest.tables.as_slice()).unwrap_or_default();
    let missing: Vec<&str> = load.plain().filter(|name| !tables.iter().any(|table| table.table == *name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(TenantError::new(format!(
        "the archive lacks tables that the migrations create ({}); nothing was changed",
        few(&missing)
    ))
    .hint(format!("{} had dropped them, or renamed: restore the archive as that tenant", from.tenant)))
}
