//! The text of the function that runs a tenant's migrations, and which file and line an error in it comes from.

use rand::RngExt;

use super::call::{Call, Mode};
use super::failure::database_error;
use super::job::Job;
use crate::core::migrations::{MigrationSet, Statement};
use crate::core::report::TenantError;
use crate::engine::database::{DatabaseError, Position, ServerError};

/// Files that share a transaction; see there.
const DEFERRED: &str = include_str!("deferred.sql");

/// The function does one thing: it EXECUTEs a DO block, which EXECUTEs each statement. PL/pgSQL keeps a saved plan for
/// every expression that a function of the session evaluated, `EXECUTE 'constant'` too, even when the function is gone; each
/// change of a table walks all of them (`PlanCacheRelCallback`), so that a fleet's time would grow with its square. Those of a
/// DO block go with it (`plpgsql_inline_handler`).
pub(super) struct Body {
    /// Of the function.
    pub text: String,
    /// Ends every dollar quote; unguessable, so that no migration can hold it.
    pub tag: String,
    /// The DO block, of which errors quote every character.
    block: String,
    /// By the line of the block, in order.
    origin: Vec<Origin>,
}

/// Where a line of the block comes from.
struct Origin {
    line: usize,
    /// `None`: of no file in particular.
    file: Option<String>,
    /// `None`: of the file's end.
    statement: Option<Statement>,
}

/// The block as it is written.
struct Block<'a> {
    tag: &'a str,
    text: String,
    /// Of what comes next.
    line: usize,
    origin: Vec<Origin>,
}

impl Block<'_> {
    fn push(&mut self, text: &str) {
        self.line += text.matches('\n').count();
        self.text.push_str(text);
    }

    fn execute(&mut self, sql: &str) {
        let tag = self.tag;
        self.push(&format!("EXECUTE $s{tag}${sql}$s{tag}$;\n"));
    }

    fn comes_from(&mut self, file: Option<&str>, statement: Option<&Statement>) {
        let (file, statement) = (file.map(str::to_owned), statement.cloned());
        self.origin.push(Origin { line: self.line, file, statement });
    }
}

impl Body {
    pub fn new(
        job: &Job<'_>,
        batch: &Call<'_>,
        set: &MigrationSet,
        queries: &[String],
        is_new: bool,
    ) -> Result<Self, TenantError> {
        let stale = || TenantError::new("the migration history changed since the plan was made").hint("plan again");
        let tag = format!("t{:032x}", rand::rng().random::<u128>());
        let mut block = Block { tag: &tag, text: String::new(), line: 1, origin: Vec::new() };
        block.push("\nBEGIN\n");
        block.comes_from(None, None);
        let mut queries = queries.iter();
        // The Runner's first query makes the history table; where there is one it was looked at and stays.
        if let Some(create) = queries.next().filter(|_| is_new) {
            block.execute(create);
            batch.history_sql.iter().for_each(|sql| block.execute(sql));
        }
        let path = job.apply.desired.search_path(batch.schema);
        let may_defer = set.may_defer();
        let mut files = batch.versions.iter().peekable();
        while let Some(version) = files.next() {
            let file = set.get(*version).ok_or_else(stale)?;
            block.comes_from(Some(&file.file), None);
            if batch.mode != Mode::Record {
                if queries.next().map(String::as_str) != Some(&file.sql) {
                    return Err(stale());
                }
                // A file that set search_path for itself, as pg_dump's output does, sets it for no other.
                block.execute(&format!("SET LOCAL search_path = {path}"));
                for statement in &file.statements {
                    block.comes_from(Some(&file.file), Some(statement));
                    block.execute(&statement.sql);
                }
                block.comes_from(Some(&file.file), None);
            }
            block.execute(queries.next().ok_or_else(stale)?);
            if files.peek().is_some() && batch.mode != Mode::Record {
                if may_defer {
                    block.execute(DEFERRED);
                }
                file.at_commit.iter().for_each(|sql| block.execute(sql));
            } else if !may_defer && batch.versions.len() > 1 {
                // What is deferred then is the tenant's own, and any of the files may have met it.
                block.comes_from(None, None);
            }
        }
        if queries.next().is_some() {
            return Err(stale());
        }
        block.push("SET CONSTRAINTS ALL IMMEDIATE;\nEND ");
        let Block { text, origin, .. } = block;
        let block = format!("DO $d{tag}${text}$d{tag}$");
        let text = format!("\nBEGIN\nEXECUTE $f{tag}${block}$f{tag}$;\nEND\n");
        Ok(Self { text, tag, block, origin })
    }

    /// The error with the file and the line it comes from.
    pub fn located(&self, error: &DatabaseError) -> TenantError {
        let mut failure = database_error("", error);
        if let Some(place) = error.server().and_then(|server| self.place(server)) {
            failure.message = format!("{place}: {}", failure.message);
        }
        failure
    }

    /// The words of a CONTEXT are translated, so none is read. It quotes the block, which nobody else can have written, and
    /// what stands on the line before that is where in the block the error was: "PL/pgSQL function inline_code_block line 7 at
    /// EXECUTE", in any language, of which the number is taken.
    fn place(&self, error: &ServerError) -> Option<String> {
        let context = error.where_.as_deref()?;
        let (before, _) = context[..context.rfind(&self.block)?].rsplit_once('\n')?;
        let said = before.rsplit('\n').next()?;
        let mut numbers = said.split(|c: char| !c.is_ascii_digit()).filter(|digits| !digits.is_empty());
        let (Some(line), None) = (numbers.next(), numbers.next()) else { return None };
        let line: usize = line.parse().ok()?;
        let origin = self.origin.iter().rfind(|origin| origin.line <= line)?;
        let file = origin.file.as_deref()?;
        let Some(statement) = &origin.statement else { return Some(file.to_owned()) };
        let inside = error.position.as_ref().map_or(0, |position| inside(&statement.sql, position));
        Some(format!("{file}:{}", statement.line + inside))
    }
}

/// How many lines into the statement the server saw it: in itself, or in what it holds, such as a function's body.
fn inside(sql: &str, position: &Position) -> usize {
    let Position::Internal { query, .. } = position else { return 0 };
    let mut found = sql.match_indices(query.as_str());
    match (found.next(), found.next()) {
        (Some((at, _)), None) if !query.is_empty() => {
            sql[..at].matches('\n').count() + position.line_and_column(query).0 - 1
        }
        // Of a function that the statement calls.
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(context: String, position: Option<Position>) -> ServerError {
        ServerError {
            message: "m".into(),
            sqlstate: "23514".into(),
            detail: None,
            hint: None,
            where_: Some(context),
            position,
        }
    }

    fn body() -> Body {
        let block = "DO $dt1$\nBEGIN\nEXECUTE $st1$one$st1$;\nEXECUTE $st1$two 7\nlines$st1$;\nEND $dt1$";
        let statement =
            |sql: &str, line| Some(Statement { sql: sql.into(), line, detach: None, waits_for_transactions: false });
        let origin = |line, statement| Origin { line, file: Some("V2__x.sql".into()), statement };
        Body {
            text: String::new(),
            tag: "t1".into(),
            block: block.into(),
            origin: vec![origin(3, statement("one", 1)), origin(4, statement("two 7\nlines", 3)), origin(6, None)],
        }
    }

    #[test]
    fn a_place_is_read_in_any_language() {
        let body = body();
        for (said, quoted) in [
            ("PL/pgSQL function inline_code_block line 4 at EXECUTE", "SQL statement \""),
            ("PL/pgSQL-Funktion inline_code_block Zeile 4 bei EXECUTE", "SQL-Anweisung »"),
            ("PL/pgSQL関数inline_code_blockの4行目 - EXECUTE", "SQL文 \""),
            ("在EXECUTE的第4行的PL/pgSQL函数inline_code_block", "SQL 语句 \""),
        ] {
            let inner = "PL/pgSQL function f(integer) line 99 at RAISE\nSQL statement \"two 7\nlines\"";
            let context = format!("{inner}\n{said}\n{quoted}{}\"\nPL/pgSQL function g() line 3 at EXECUTE", body.block);
            assert_eq!(body.place(&error(context, None)).as_deref(), Some("V2__x.sql:3"), "{said}");
        }
        let context =
            format!("PL/pgSQL function inline_code_block line 6 at EXECUTE\nSQL statement \"{}\"", body.block);
        assert_eq!(body.place(&error(context, None)).as_deref(), Some("V2__x.sql"), "of the file's end");
        assert_eq!(body.place(&error("somewhere line 4".into(), None)), None);
    }

    #[test]
    fn a_position_counts_from_where_its_text_stands_in_the_statement() {
        let at = |position, query: &str| Position::Internal { position, query: query.into() };
        let sql = "CREATE FUNCTION f()\nAS $$\nBEGIN\n RETRUN 1;\nEND $$";
        assert_eq!(inside(sql, &at(1, sql)), 0);
        assert_eq!(inside(sql, &at(10, "\nBEGIN\n RETRUN 1;\nEND ")), 3);
        assert_eq!(inside(sql, &at(3, "SELECT elsewhere")), 0);
    }
}
