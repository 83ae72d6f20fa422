//! Rows of another tenant, as they are at one moment.
//!
//! COPY of a table plans nothing, takes no view and evaluates nothing but the output functions of its types
//! (docs/adr/0002-hostile-tenants.md, "Histories are read by COPY"), so that none of the tenant's code runs here.

use postgres::{Client, IsolationLevel, Transaction};

use super::load::{Load, Stand};
use super::tables::{self, Table, Tables};
use crate::core::model::{Applied, History, Subject, ident, qualified};
use crate::core::plan::action::{CopiedTenant, Rights};
use crate::core::report::TenantError;
use crate::core::words::{count, few};
use crate::engine::apply::failure::database_error;
use crate::engine::database::Ask;
use crate::engine::inspect;
use crate::engine::workers::Turn;

/// Who is not a superuser is granted the tenant's roles while it reads; two at once would wait for each other's rows of
/// pg_auth_members for longer than lock_timeout.
static GRANTED: Turn = Turn::new();

/// # Errors
/// What PostgreSQL answered; or why the rows of this tenant do not fit.
pub(super) fn feed(
    load: &mut Load<'_>,
    transaction: &mut Transaction<'_>,
    (from, session): (&CopiedTenant, &mut Client),
) -> Result<(), TenantError> {
    let subject = &from.subject;
    let doing = format!("reading tenant {}", subject.tenant);
    let failed = |error: postgres::Error| database_error(&doing, &error.into());
    let _alone = from.rights.as_ref().map(|_| GRANTED.take());
    let isolation = IsolationLevel::RepeatableRead;
    let mut source = session.build_transaction().isolation_level(isolation).start().map_err(failed)?;
    source.batch_execute(&preamble(load, from.rights.as_ref())).map_err(failed)?;
    same_versions(load, transaction, &mut source, subject)?;
    no_large_objects(&mut source, subject)?;
    let tables = tables::read(&mut source, &subject.schema, &load.job().apply.desired.migrations.table);
    let tables = tables.map_err(failed)?;
    nothing_is_left_out(load, &tables, subject)?;
    for (name, table) in tables.iter().filter(|(_, table)| !table.is_partitioned) {
        if load.target(&table.root).is_none() {
            continue;
        }
        same_types(load, name, table)?;
        let columns: Vec<String> = table.columns.iter().map(|column| column.name.clone()).collect();
        let list: Vec<String> = columns.iter().map(|name| ident(name)).collect();
        let list = if list.is_empty() { String::new() } else { format!(" ({})", list.join(", ")) };
        let copy = format!("COPY {}{list} TO STDOUT", qualified(&subject.schema, name));
        let mut reader = source.copy_out(&copy).map_err(|error| told(name, subject, error))?;
        load.rows(transaction, &table.root, &columns, &mut reader)?;
    }
    for (oid, name) in tables::sequences(&mut source, &subject.schema).map_err(failed)? {
        if load.has_sequence(&name) {
            let stand = stand(&mut source, oid, &qualified(&subject.schema, &name)).map_err(failed)?;
            load.sequence(&name, stand)?;
        }
    }
    source.rollback().map_err(failed)
}

/// Rows that a policy would hide are an error.
fn preamble(load: &Load<'_>, rights: Option<&Rights>) -> String {
    let waits = load.job().apply.desired.limits_waits();
    let take = rights.map(Rights::take).unwrap_or_default();
    [waits, "SET LOCAL row_security = off".to_owned()].into_iter().chain(take).collect::<Vec<_>>().join("; ")
}

fn told(table: &str, subject: &Subject, error: postgres::Error) -> TenantError {
    let doing = format!("reading table {table} of tenant {}", subject.tenant);
    let error = database_error(&doing, &error.into());
    if error.sqlstate.as_deref() == Some("42501") {
        return error
            .hint("its policies may keep rows from its own owner (FORCE ROW LEVEL SECURITY): copy as a superuser");
    }
    error
}

/// Between two sets of migrations rows would lack what one of them does to rows.
fn same_versions(
    load: &Load<'_>,
    transaction: &mut Transaction<'_>,
    source: &mut Transaction<'_>,
    subject: &Subject,
) -> Result<(), TenantError> {
    let job = load.job();
    let table = &job.apply.desired.migrations.table;
    let tenant = &subject.tenant;
    let theirs = inspect::history_of(source, table, &subject.schema, &subject.owner);
    let theirs = theirs.map_err(|error| job.told(&format!("reading the history of tenant {tenant}"), &error))?;
    let ours = inspect::history_of(transaction, table, load.schema(), load.owner());
    let ours = ours.map_err(|error| job.told("reading the history", &error))?;
    let (theirs, ours) = (applied(&theirs), applied(&ours));
    if theirs.is_some() && theirs == ours {
        return Ok(());
    }
    let version = |applied: &Option<Vec<Applied>>| match applied.as_ref().map(|applied| applied.last()) {
        Some(Some(last)) => job.apply.desired.migrations.format.label(last.version),
        Some(None) => "no migration".to_owned(),
        None => "a history that cannot be read".to_owned(),
    };
    let message = format!(
        "tenant {tenant} has {} and this one {}: rows are copied between tenants of the same migrations; nothing was changed",
        version(&theirs),
        version(&ours)
    );
    Err(TenantError::new(message).hint(format!("tenantry apply --target {tenant}, and try again")))
}

/// `None`: it cannot be relied on.
fn applied(history: &History) -> Option<Vec<Applied>> {
    match history {
        History::Absent => Some(Vec::new()),
        History::Read { applied, .. } => Some(applied.to_vec()),
        History::Untrusted(_) | History::Locked(_) | History::Unseen { .. } => None,
    }
}

/// A row that holds an OID of one would lead to another tenant's.
fn no_large_objects(source: &mut Transaction<'_>, subject: &Subject) -> Result<(), TenantError> {
    let query = "SELECT pg_catalog.count(*) AS objects FROM pg_catalog.pg_largeobject_metadata l \
                 JOIN pg_catalog.pg_roles r ON r.oid = l.lomowner WHERE r.rolname = ANY ($1::text[]::name[])";
    let row = source.ask_one(query, &[&subject.roles()]);
    let row = row.map_err(|error| database_error("looking for large objects", &error.into()))?;
    match row.get::<_, i64>("objects") {
        0 => Ok(()),
        objects => Err(TenantError::new(format!(
            "tenant {} has {}, which are not copied: rows that hold their OIDs would lead to its own; nothing was changed",
            subject.tenant,
            count(objects, "large object")
        ))
        .hint("to keep them, archive it and restore the archive as itself in another database")),
    }
}

/// What it made beside the migrations has no place in a tenant that has only these.
fn nothing_is_left_out(load: &Load<'_>, tables: &Tables, subject: &Subject) -> Result<(), TenantError> {
    let missing = load.roots().find(|root| !tables.contains_key(*root));
    if let Some(missing) = missing {
        return Err(TenantError::new(format!(
            "tenant {} lacks table {missing}, which the migrations create; nothing was changed",
            subject.tenant
        ))
        .hint("tenantry drift --deep shows what else differs"));
    }
    let others = tables.iter().filter(|(_, table)| table.bytes > 0 && load.target(&table.root).is_none());
    let others: Vec<&str> = others.map(|(name, _)| name.as_str()).collect();
    if others.is_empty() {
        return Ok(());
    }
    Err(TenantError::new(format!(
        "tenant {} has rows in tables that the migrations do not create ({}), which would be left out; nothing was changed",
        subject.tenant,
        few(&others)
    ))
    .hint("create them by a migration, move them to another schema, or drop them"))
}

fn same_types(load: &Load<'_>, name: &str, table: &Table) -> Result<(), TenantError> {
    let Some((_, target)) = load.target(&table.root) else { return Ok(()) };
    for column in &table.columns {
        let other = target.columns.iter().find(|other| other.name == column.name);
        if let Some(other) = other.filter(|other| other.of != column.of) {
            return Err(TenantError::new(format!(
                "column {} of table {name} is {} and not {}, as the migrations create it; nothing was changed",
                column.name, column.of, other.of
            ))
            .hint("tenantry drift --deep shows what else differs"));
        }
    }
    Ok(())
}

/// The function locks the sequence, which then is what its name leads to, and no view that would be read as us.
fn stand(source: &mut Transaction<'_>, oid: u32, name: &str) -> Result<Stand, postgres::Error> {
    source.ask("SELECT pg_catalog.pg_sequence_last_value($1::oid::regclass)", &[&oid])?;
    let same: bool =
        source.ask_one("SELECT coalesce(pg_catalog.to_regclass($1)::oid = $2, false)", &[&name, &oid])?.get(0);
    // Whoever renames it meanwhile has it looked for under its old name, where nothing is found.
    let query =
        format!("SELECT last_value, is_called FROM {}", if same { name } else { "pg_catalog.\"renamed meanwhile\"" });
    let row = source.ask_one(&query, &[])?;
    Ok(Stand { value: row.get("last_value"), is_called: row.get("is_called") })
}
