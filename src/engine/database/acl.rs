//! Privileges as PostgreSQL prints them.

use crate::core::model::{Acl, Column};
use crate::engine::error::Error;

/// # Errors
/// When PostgreSQL prints an ACL in a form we do not know.
pub(crate) fn acl(items: &[String], owner: &str) -> Result<Acl, Error> {
    Acl::parse(items, owner).map_err(|error| Error::Refused { message: error.to_string(), hint: None })
}

/// The columns that have privileges of their own: `names[n]` has the ACL item `items[n]`.
pub(crate) fn columns(names: Vec<String>, items: Vec<String>, owner: &str) -> Result<Vec<Column>, Error> {
    let mut columns: Vec<(String, Vec<String>)> = Vec::new();
    for (name, item) in names.into_iter().zip(items) {
        match columns.last_mut() {
            Some((last, items)) if *last == name => items.push(item),
            _ => columns.push((name, vec![item])),
        }
    }
    columns.into_iter().map(|(name, items)| Ok(Column { acl: acl(&items, owner)?, name })).collect()
}
