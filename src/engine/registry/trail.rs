//! Reading `tenantry.audit_log`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use postgres::{Client, Transaction};

use crate::core::model::AuditLine;
use crate::engine::database::{Ask, Record};
use crate::engine::error::{Context, Error};

const DOING: &str = "reading tenantry.audit_log";

/// Lines that are read at a time: each may be large, and not all are wanted.
const AT_A_TIME: i64 = 200;

/// Which lines of the audit log.
pub struct Wanted<'a> {
    /// Of one tenant only.
    pub tenant: Option<&'a str>,
    pub since: Option<Timestamp>,
    /// Of the tenants, by key, that this takes; what was done to the database has none.
    pub selects: &'a dyn Fn(&str) -> bool,
    pub limit: usize,
}

/// These lines, the newest first, and whether there are more. Whose registry it is was looked at before.
///
/// # Errors
/// What PostgreSQL answered.
pub fn trail(client: &mut Client, wanted: &Wanted<'_>) -> Result<(Vec<AuditLine>, bool), Error> {
    let mut transaction = begin(client)?;
    let (mut lines, mut before) = (Vec::new(), i64::MAX);
    loop {
        let sql = include_str!("sql/trail.sql");
        let rows = transaction.ask(sql, &[&before, &wanted.tenant, &wanted.since, &AT_A_TIME]).doing(DOING)?;
        let Some(last) = rows.last() else { return Ok((lines, false)) };
        before = last.get("id");
        for row in &rows {
            let line = line(row);
            if !(wanted.selects)(&line.tenant) {
                continue;
            }
            if lines.len() == wanted.limit {
                return Ok((lines, true));
            }
            lines.push(line);
        }
    }
}

/// When tenantry last ran a migration in each tenant, by key.
///
/// # Errors
/// What PostgreSQL answered.
pub fn last_migrations(client: &mut Client) -> Result<BTreeMap<String, Timestamp>, Error> {
    let mut transaction = begin(client)?;
    let rows = transaction.ask(include_str!("sql/last_migrations.sql"), &[]).doing(DOING)?;
    Ok(rows.iter().map(|row| (row.get("tenant"), row.get("at"))).collect())
}

fn begin(client: &mut Client) -> Result<Transaction<'_>, Error> {
    let mut transaction = client.build_transaction().read_only(true).start().doing(DOING)?;
    // A policy is code; where one would run, the query fails instead (manual, row_security).
    transaction.batch_execute("SET LOCAL row_security = off").doing(DOING)?;
    Ok(transaction)
}

fn line(row: &Record) -> AuditLine {
    let changes: String = row.get("changes");
    AuditLine {
        id: row.get("id"),
        at: row.get("at"),
        admin: row.get("admin"),
        client: row.get("client"),
        version: row.get("tenantry_version"),
        tenant: row.get("tenant"),
        verb: row.get("verb"),
        // It is a jsonb, so what cannot be read has only lost a character.
        changes: serde_json::from_str(&changes).unwrap_or(serde_json::Value::String(changes)),
    }
}
