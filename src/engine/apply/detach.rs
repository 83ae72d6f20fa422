//! DETACH PARTITION … CONCURRENTLY, which is two transactions of PostgreSQL's: where a run that was interrupted left it.

use postgres::Client;

use crate::core::migrations::Statement;
use crate::engine::database::Ask;

/// Runs a statement outside a transaction; of a partition that is detached already nothing is left to do, and of one that is
/// half detached the other half (manual, "ALTER TABLE").
pub(super) fn run(client: &mut Client, statement: &Statement) -> Result<(), postgres::Error> {
    let Some(detach) = &statement.detach else { return client.batch_execute(&statement.sql) };
    // Names as the statement itself would find them. Nothing but names of pg_catalog's, whatever the search_path.
    let state = client.ask_one(
        "SELECT pg_catalog.to_regclass($1::text) IS NULL OR pg_catalog.to_regclass($2::text) IS NULL, \
         (SELECT i.inhdetachpending FROM pg_catalog.pg_inherits i \
          WHERE i.inhparent OPERATOR(pg_catalog.=) pg_catalog.to_regclass($1::text)::oid \
          AND i.inhrelid OPERATOR(pg_catalog.=) pg_catalog.to_regclass($2::text)::oid)",
        &[&detach.table, &detach.partition],
    )?;
    match (state.get::<_, bool>(0), state.get::<_, Option<bool>>(1)) {
        (false, None) => Ok(()),
        (false, Some(true)) => client.batch_execute(&detach.finalize),
        // One of them is missing: PostgreSQL says which.
        (true, _) | (false, Some(false)) => client.batch_execute(&statement.sql),
    }
}
