//! Statements about relations, by their OIDs: a name need not be one that can be sent (SQL_ASCII).

use crate::engine::database::Ask;
use postgres::Transaction;

/// The encoding in which text is passed as bytes, as SQL: UTF-8 where PostgreSQL converts to it.
pub(crate) const ENCODING: &str = "CASE WHEN pg_catalog.getdatabaseencoding() IN ('SQL_ASCII', 'MULE_INTERNAL') \
     THEN pg_catalog.getdatabaseencoding() ELSE 'UTF8' END";

/// Runs one statement about all of these that are still there: `LOCK TABLE % IN EXCLUSIVE MODE`, say, with `ONLY ` before each name.
///
/// # Errors
/// What PostgreSQL answered.
pub(crate) fn at_once(
    transaction: &mut Transaction<'_>,
    oids: &[u32],
    statement: &str,
    before_each: &str,
) -> Result<(), postgres::Error> {
    if oids.is_empty() {
        return Ok(());
    }
    let names = format!(
        "SELECT pg_catalog.convert_to(pg_catalog.format('%I.%I', n.nspname, c.relname), {ENCODING}) \
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = ANY ($1) ORDER BY c.oid"
    );
    let names = transaction.ask(&names, &[&oids])?;
    let names = names.iter().map(|row| String::from_utf8(row.get(0)).ok());
    let (head, tail) = statement.split_once('%').unwrap_or((statement, ""));
    match names.collect::<Option<Vec<String>>>() {
        Some(names) if names.is_empty() => Ok(()),
        Some(names) => {
            let names = names.iter().map(|name| format!("{before_each}{name}")).collect::<Vec<_>>().join(", ");
            transaction.batch_execute(&format!("{head}{names}{tail}"))
        }
        None => transaction.batch_execute(&by_the_server(oids, [head, tail], before_each)),
    }
}

/// The same, put together where the names are. Not always so: it takes PL/pgSQL, which an administrator may have taken from us.
fn by_the_server(oids: &[u32], around: [&str; 2], before_each: &str) -> String {
    let oids = oids.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let [head, tail] = around.map(crate::core::model::literal);
    let before_each = crate::core::model::literal(before_each);
    let quote = format!("$q{:016x}$", rand::random::<u64>());
    format!(
        "DO {quote}DECLARE names text; BEGIN \
         SELECT pg_catalog.string_agg({before_each} || pg_catalog.format('%I.%I', n.nspname, c.relname), ', ' ORDER BY c.oid) INTO names \
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.oid = ANY ('{{{oids}}}'::pg_catalog.oid[]); \
         IF names IS NOT NULL THEN EXECUTE {head} || names || {tail}; END IF; END{quote}"
    )
}
