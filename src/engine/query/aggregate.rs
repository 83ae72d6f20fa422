//! SQL over all the rows, in SQLite, in memory.
//!
//! Not in PostgreSQL: there it would run as the administrator, next to the tenants' schemas, where a name that leads into one of them
//! runs the tenant's code; it would need TEMPORARY on the database and a primary; and a DBA's event triggers fire on a temporary table.
//! Here the statement can reach the rows and nothing else: no file, no other database, no setting.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, params_from_iter};

use super::budget::Budget;
use crate::core::rows::{Column, Kind, Reading, Row, Rows, unambiguous};

/// A statement over the table `tenants`, and how much it may take.
pub struct Aggregate<'a> {
    pub sql: &'a str,
    pub timeout: Duration,
    pub max_rows: usize,
}

/// No text or blob that a statement makes is longer.
const LONGEST: i32 = 64 << 20;

/// Steps of SQLite's machine between two looks at the clock.
const STEPS: i32 = 10_000;

/// What the statement gives of these rows. `stopped`: whether somebody wants it to end.
///
/// # Errors
/// What SQLite says.
pub fn aggregate(
    rows: &Rows,
    aggregate: &Aggregate<'_>,
    mut stopped: impl FnMut() -> bool + Send + 'static,
) -> Result<Rows, String> {
    let reading = Reading::new(aggregate.sql).map_err(|error| error.to_string())?;
    let failed = |error: rusqlite::Error| said(error, aggregate.timeout);
    let mut db = filled(rows).map_err(failed)?;
    let (begun, timeout) = (Instant::now(), aggregate.timeout);
    db.progress_handler(STEPS, Some(move || begun.elapsed() > timeout || stopped())).map_err(failed)?;
    db.authorizer(Some(reads_only)).map_err(failed)?;
    run(&db, reading.sql(), aggregate.max_rows).map_err(failed)
}

fn reads_only(context: AuthContext<'_>) -> Authorization {
    match context.action {
        AuthAction::Select | AuthAction::Read { .. } | AuthAction::Function { .. } | AuthAction::Recursive => {
            Authorization::Allow
        }
        _ => Authorization::Deny,
    }
}

fn filled(rows: &Rows) -> rusqlite::Result<Connection> {
    let mut db = Connection::open_in_memory()?;
    db.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
    db.set_limit(Limit::SQLITE_LIMIT_LENGTH, LONGEST)?;
    // SQLite's names differ in more than case.
    let names = unambiguous(&rows.columns, BTreeSet::new(), str::to_lowercase);
    let names: Vec<String> = names.iter().map(|name| quoted(name)).collect();
    db.execute_batch(&format!("CREATE TABLE tenants ({})", names.join(", ")))?;
    let places = vec!["?"; names.len()].join(", ");
    let transaction = db.transaction()?;
    {
        let mut insert = transaction.prepare(&format!("INSERT INTO tenants VALUES ({places})"))?;
        for row in &rows.rows {
            let values = rows.columns.iter().zip(row).map(|(column, value)| into_sqlite(column.kind, value.as_deref()));
            insert.execute(params_from_iter(values))?;
        }
    }
    transaction.commit()?;
    Ok(db)
}

/// A NUL would end the statement.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('\0', "").replace('"', "\"\""))
}

fn into_sqlite(kind: Kind, value: Option<&str>) -> Value {
    let Some(value) = value else { return Value::Null };
    let text = || Value::Text(value.to_owned());
    match kind {
        Kind::Bool => Value::Integer(i64::from(value == "t")),
        Kind::Integer | Kind::Number => match (value.parse::<i64>(), value.parse::<f64>()) {
            (Ok(whole), _) => Value::Integer(whole),
            (_, Ok(real)) if !real.is_nan() => Value::Real(real),
            _ => text(),
        },
        Kind::Json | Kind::Text => text(),
    }
}

fn run(db: &Connection, sql: &str, max_rows: usize) -> rusqlite::Result<Rows> {
    let mut statement = db.prepare(sql)?;
    let width = statement.column_count();
    let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let mut kinds: Vec<Option<Kind>> = vec![None; width];
    let (mut out, of_all) = (Rows::default(), std::sync::atomic::AtomicUsize::new(0));
    let mut budget = Budget::new(max_rows, &of_all);
    let mut found = statement.query([])?;
    while let Some(row) = found.next()? {
        let mut values: Row = Vec::with_capacity(width);
        for (n, kind) in kinds.iter_mut().enumerate() {
            let (value, is) = from_sqlite(row.get_ref(n)?);
            if let Some(is) = is {
                *kind = Some(kind.map_or(is, |known| if known == is { is } else { Kind::Text }));
            }
            values.push(value);
        }
        if let Err(cut) = budget.take(&values) {
            out.cut = Some(cut);
            break;
        }
        out.rows.push(values);
    }
    let column = |(name, kind): (String, Option<Kind>)| Column { name, kind: kind.unwrap_or(Kind::Text) };
    out.columns = names.into_iter().zip(kinds).map(column).collect();
    Ok(out)
}

fn from_sqlite(value: ValueRef<'_>) -> (Option<String>, Option<Kind>) {
    let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match value {
        ValueRef::Null => (None, None),
        ValueRef::Integer(whole) => (Some(whole.to_string()), Some(Kind::Number)),
        ValueRef::Real(real) => (Some(format!("{real:?}")), Some(Kind::Number)),
        ValueRef::Text(text) | ValueRef::Blob(text) => (Some(lossy(text)), Some(Kind::Text)),
    }
}

fn said(error: rusqlite::Error, timeout: Duration) -> String {
    match error {
        rusqlite::Error::SqliteFailure(failure, _) if failure.code == rusqlite::ErrorCode::OperationInterrupted => {
            format!("it took longer than {} s, or was interrupted", timeout.as_secs_f32())
        }
        rusqlite::Error::SqliteFailure(_, Some(message)) => message,
        rusqlite::Error::SqlInputError { msg, offset, .. } if offset >= 0 => {
            format!("{msg} (character {})", offset + 1)
        }
        rusqlite::Error::SqlInputError { msg, .. } => msg,
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Rows {
        let column = |name: &str, kind| Column { name: name.into(), kind };
        let columns = vec![
            column("tenant", Kind::Text),
            column("n", Kind::Integer),
            column("N", Kind::Number),
            column("od\"d", Kind::Json),
            column("ok", Kind::Bool),
        ];
        let row = |values: [&str; 5]| values.map(|value| (value != "-").then(|| value.to_owned())).to_vec();
        let rows = vec![row(["a", "1", "0.5", "{\"x\": 7}", "t"]), row(["b", "2", "NaN", "-", "f"])];
        Rows { columns, rows, cut: None }
    }

    fn ask(sql: &str) -> Result<Vec<Row>, String> {
        let limits = Aggregate { sql, timeout: Duration::from_millis(300), max_rows: 5 };
        aggregate(&rows(), &limits, || false).map(|rows| rows.rows)
    }

    #[test]
    fn it_counts_and_sums_what_tenants_answered() {
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(
            ask("SELECT count(*), sum(n), sum(ok), min(\"N_2\") FROM tenants;"),
            Ok(vec![vec![text("2"), text("3"), text("1"), text("0.5")]])
        );
        assert_eq!(
            ask("SELECT tenant, \"od\"\"d\" ->> 'x' FROM tenants WHERE n = 1"),
            Ok(vec![vec![text("a"), text("7")]])
        );
        assert_eq!(ask("SELECT NULL"), Ok(vec![vec![None]]));
    }

    #[test]
    fn it_reaches_nothing_but_the_rows_and_comes_to_an_end() {
        for sql in [
            "ATTACH DATABASE '/tmp/tenantry-attached' AS other",
            "WITH x AS (SELECT 1) DELETE FROM tenants",
            "SELECT load_extension('/tmp/x.so')",
            "SELECT readfile('/etc/passwd')",
            "SELECT * FROM pragma_database_list",
            "SELECT zeroblob(1000000000)",
            "DROP TABLE tenants",
            "SELECT 1; SELECT 2",
            "SELECT nothing FROM tenants",
        ] {
            assert!(ask(sql).is_err(), "{sql}: {:?}", ask(sql));
        }
        let endless = "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT ";
        assert!(ask(&format!("{endless} count(*) FROM t")).unwrap_err().contains("longer than 0.3 s"));
        assert_eq!(ask(&format!("{endless} n FROM t")).unwrap().len(), 5, "the rest is cut off");
    }
}
