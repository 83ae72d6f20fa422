//! One tenant's session.

use std::io::BufRead;
use std::sync::atomic::AtomicUsize;

use postgres::types::Type;
use postgres::{CancelToken, Client, SimpleQueryMessage};

use super::budget::Budget;
use super::question::Question;
use crate::core::rows::{Column, Cut, Kind, Reading, Row, Rows};
use crate::engine::copy_text::fields;
use crate::engine::database::{DatabaseError, Target};
use crate::engine::login::{NO_OTHER_LIMITS, WHATEVER_IT_HOLDS};

/// Values are printed alike whatever a tenant's own settings are, since they come to stand in one table. READ ONLY is what keeps a
/// function from writing: once the first statement has its snapshot, nothing can take it back. In one message, since a role may allow
/// its transactions no idle moment; and SET LOCAL, since behind a pooler the session is used by others afterwards.
fn begin(question: &Question) -> String {
    let timeout = i32::try_from(question.timeout.as_millis()).unwrap_or(i32::MAX).max(1);
    format!(
        "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY NOT DEFERRABLE; SET LOCAL statement_timeout = {timeout}; {NO_OTHER_LIMITS}; \
         {WHATEVER_IT_HOLDS}; SET LOCAL DateStyle = 'ISO, MDY'; SET LOCAL IntervalStyle = 'postgres'; SET LOCAL bytea_output = 'hex'; \
         SET LOCAL extra_float_digits = 1"
    )
}

pub(super) fn ask(
    (target, client, token): (&Target, &mut Client, &CancelToken),
    question: &Question,
    of_all: &AtomicUsize,
) -> Result<Rows, DatabaseError> {
    client.batch_execute(&begin(question))?;
    let mut budget = Budget::new(question.max_rows, of_all);
    let rows = match &question.reading {
        Reading::Query(sql) => {
            let mut rows = Rows { columns: columns(client, sql)?, ..Rows::default() };
            rows.cut = copy(client, sql, |row| budget.take(&row).map(|()| rows.rows.push(row)))?;
            if rows.cut.is_some() {
                // The server would send all the rest, and it would be waited for. It does not matter whether it hears of this.
                let _ = target.cancel(token);
            }
            rows
        }
        Reading::Report(sql) => report(client, sql, &mut budget)?,
    };
    // What follows takes nothing back: the rows are here.
    let _ = client.batch_execute("ROLLBACK");
    Ok(rows)
}

/// A statement is prepared alone: the server refuses several in one, so that none can stand behind it that ends the transaction.
fn columns(client: &mut Client, sql: &str) -> Result<Vec<Column>, DatabaseError> {
    let statement = client.prepare(sql)?;
    let column = |column: &postgres::Column| Column { name: column.name().to_owned(), kind: kind(column.type_()) };
    Ok(statement.columns().iter().map(column).collect())
}

fn kind(kind: &Type) -> Kind {
    match *kind {
        Type::BOOL => Kind::Bool,
        Type::INT2 | Type::INT4 | Type::INT8 | Type::OID => Kind::Integer,
        Type::FLOAT4 | Type::FLOAT8 | Type::NUMERIC => Kind::Number,
        Type::JSON | Type::JSONB => Kind::Json,
        _ => Kind::Text,
    }
}

/// COPY gives every type as text, and row by row: what is cut off was never in memory.
fn copy(
    client: &mut Client,
    sql: &str,
    mut take: impl FnMut(Row) -> Result<(), Cut>,
) -> Result<Option<Cut>, DatabaseError> {
    // A comment may end the query, and would end at the line's end.
    let mut reader = client.copy_out(&format!("COPY (\n{sql}\n) TO STDOUT"))?;
    let mut line = Vec::new();
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line).map_err(DatabaseError::of_copy)? == 0 {
            return Ok(None);
        }
        let line = line.strip_suffix(b"\n").unwrap_or(&line);
        if let Err(cut) = take(fields(line)) {
            return Ok(Some(cut));
        }
    }
}

/// Prepared first, so that it is one statement.
fn report(client: &mut Client, sql: &str, budget: &mut Budget<'_>) -> Result<Rows, DatabaseError> {
    let mut rows = Rows { columns: columns(client, sql)?, ..Rows::default() };
    for message in client.simple_query(sql)? {
        let SimpleQueryMessage::Row(row) = message else { continue };
        let value = |n| row.try_get(n).unwrap_or(Some("\u{fffd}")).map(str::to_owned);
        let row: Row = (0..row.len()).map(value).collect();
        if let Err(cut) = budget.take(&row) {
            rows.cut = Some(cut);
            break;
        }
        rows.rows.push(row);
    }
    Ok(rows)
}
