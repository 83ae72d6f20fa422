//! Rows from an archive.

use postgres::Transaction;

use super::load::Load;
use crate::core::plan::action::ArchivedRows;
use crate::core::report::TenantError;

pub(super) fn feed(_: &mut Load<'_>, _: &mut Transaction<'_>, _: &ArchivedRows) -> Result<(), TenantError> {
    Err(TenantError::new("no archive was opened"))
}
