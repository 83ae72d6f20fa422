//! What is there of schemas that are neither declared nor registered.

use std::collections::BTreeSet;

use postgres::Client;

use super::apart::apart;
use super::catalog;
use crate::core::model::{Desired, Observed};
use crate::core::undeclared::Undeclared;
use crate::engine::database::Ask;
use crate::engine::error::{Context, Error};

/// Nobody's, as far as tenantry knows; tenantry's own and PostgreSQL's left out.
const NEVER: [&str; 3] = ["information_schema", "public", "tenantry"];

/// Looks at catalogs only: nothing in these schemas is read.
///
/// # Errors
/// What PostgreSQL answered.
pub fn undeclared(client: &mut Client, desired: &Desired, observed: &Observed) -> Result<Undeclared, Error> {
    let doing = "looking for schemas that nobody declared";
    let declared = desired.tenants.values().map(|tenant| &tenant.schema).chain(observed.schemas.keys());
    let known: BTreeSet<&str> = declared.chain(&desired.shared_schemas).map(String::as_str).chain(NEVER).collect();
    let known: Vec<&str> = known.into_iter().collect();
    let (table, admin) = (&desired.migrations.table, &observed.server.admin.name);
    apart(client, desired, doing, |transaction| {
        let rows = transaction.ask(include_str!("sql/undeclared.sql"), &[&known]).doing(doing)?;
        let names: Vec<String> = rows.iter().map(|row| row.get("name")).collect();
        let mut found = Undeclared {
            schemas: catalog::schemas(transaction, &names, std::slice::from_ref(table))?,
            ..Undeclared::default()
        };
        for table in desired.migrations.history_tables() {
            let rows = transaction.ask(include_str!("sql/history_owners.sql"), &[&names, &table]).doing(doing)?;
            found.with_history.extend(rows.iter().map(|row| row.get::<_, String>("schema")));
        }
        found.roles = catalog::roles(transaction, &found.role_names(desired, observed), admin, false)?;
        Ok(found)
    })
}
