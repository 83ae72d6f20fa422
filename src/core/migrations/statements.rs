//! A migration cut into its statements, so that an error can name the line and nothing in a file ends the transaction.

use squawk_syntax::ast::{self, AstNode};

use super::blocking::{self, Blocking};
use super::look::{self, Look};
use super::parse::{ParseError, with_tree};
use super::place;
use crate::core::model::literal;

/// One SQL statement of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    pub sql: String,
    /// The line of the file it begins on, from 1.
    pub line: usize,
    /// What a DETACH PARTITION … CONCURRENTLY that may have run before is about.
    pub detach: Option<Detach>,
    /// What is done CONCURRENTLY, outside a transaction: it waits for transactions that began before it to end, and nobody
    /// waits behind it.
    pub waits_for_transactions: bool,
}

/// A partition that is detached in two transactions, between which a run may be interrupted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detach {
    /// Both as they are written, with or without a schema.
    pub table: String,
    pub partition: String,
    /// The statement that completes what was started.
    pub finalize: String,
}

impl Detach {
    /// Detached CONCURRENTLY, a partition keeps the bounds it had as a CHECK constraint; otherwise it does not.
    fn constraint(&self) -> String {
        let add = literal(&format!("ALTER TABLE {} ADD CHECK (", self.partition));
        let partition = literal(&self.partition);
        let bounds = format!("pg_catalog.pg_get_partition_constraintdef({partition}::pg_catalog.regclass)");
        format!("DO {}", literal(&format!("BEGIN EXECUTE {add} || {bounds} || ')'; END")))
    }
}

impl Statement {
    pub(super) fn new(sql: impl Into<String>, line: usize) -> Self {
        Self { sql: sql.into(), line, detach: None, waits_for_transactions: false }
    }

    /// What one transaction can run in its place, and leaves the same: the statement without CONCURRENTLY. None for REINDEX,
    /// VACUUM and the like, which change no definition.
    pub(super) fn in_transaction(&self) -> Vec<Self> {
        let found = self.look(|statement| match statement {
            ast::Stmt::Reindex(_) | ast::Stmt::Vacuum(_) | ast::Stmt::Analyze(_) | ast::Stmt::Cluster(_) => None,
            ast::Stmt::CreateIndex(create) => Some((create.concurrently_token().as_ref().map(look::range), None)),
            ast::Stmt::DropIndex(drop) => Some((drop.concurrently_token().as_ref().map(look::range), None)),
            ast::Stmt::AlterTable(alter) => {
                let keyword = place::detach(alter).map(|(_, word)| look::range_of(word.syntax()));
                Some((keyword, detach(alter, &self.sql)))
            }
            _ => Some((None, None)),
        });
        let Some((keyword, detach)) = found else { return Vec::new() };
        let mut sql = self.sql.clone();
        if let Some(keyword) = keyword {
            sql.replace_range(keyword, "");
        }
        let constraint = detach.map(|detach| Self::new(detach.constraint(), self.line));
        constraint.into_iter().chain([Self::new(sql, self.line)]).collect()
    }

    /// A form that can run again: nothing records that a statement outside a transaction is done in the same moment as it
    /// is, so a run that was interrupted runs it once more. CREATE INDEX CONCURRENTLY gets IF NOT EXISTS, DROP INDEX
    /// CONCURRENTLY IF EXISTS; of DETACH PARTITION is known what it is about, so that how far it got can be asked; the
    /// others make what is there once more.
    pub(super) fn repeatable(&self) -> Self {
        let (clause, detach) = self
            .look(|statement| match statement {
                ast::Stmt::CreateIndex(create) if create.if_not_exists().is_none() => {
                    Some((create.concurrently_token().map(|word| (look::range(&word).end, " IF NOT EXISTS")), None))
                }
                ast::Stmt::DropIndex(drop) if drop.if_exists().is_none() => {
                    Some((drop.concurrently_token().map(|word| (look::range(&word).end, " IF EXISTS")), None))
                }
                ast::Stmt::AlterTable(alter) => Some((None, detach(alter, &self.sql))),
                _ => None,
            })
            .unwrap_or_default();
        let mut sql = self.sql.clone();
        if let Some((at, clause)) = clause {
            sql.insert_str(at, clause);
        }
        let waits_for_transactions = self.look(|statement| Some(place::is_concurrent(statement))).unwrap_or_default();
        Self { sql, line: self.line, detach, waits_for_transactions }
    }

    /// What `look` finds in its tree.
    fn look<T: Send>(&self, look: impl FnOnce(&ast::Stmt) -> Option<T> + Send) -> Option<T> {
        with_tree(&self.sql, |parse| parse.tree().stmts().next().and_then(|statement| look(&statement))).ok().flatten()
    }
}

fn detach(alter: &ast::AlterTable, sql: &str) -> Option<Detach> {
    let (detach, keyword) = place::detach(alter)?;
    let written = |node: &squawk_syntax::SyntaxNode| node.text().to_string().trim().to_owned();
    let mut finalize = sql.to_owned();
    finalize.replace_range(look::range_of(keyword.syntax()), "FINALIZE");
    Some(Detach {
        table: written(alter.table_relation_name()?.table_name_ref()?.syntax()),
        partition: written(detach.table_name_ref()?.syntax()),
        finalize,
    })
}

/// A file, cut and looked at.
#[derive(Clone, Debug, Default)]
pub(super) struct Cut {
    pub statements: Vec<Statement>,
    /// The statements that the parser knows; from the first that it does not know on, none.
    pub looks: Vec<Look>,
    /// The line of the first thing that the parser does not know.
    pub unknown: Option<usize>,
    pub blocking: Vec<Blocking>,
}

/// The statements of a file in order, what they are, and those of them that block a table.
///
/// A text the parser does not know comes back as one statement: PostgreSQL has the last word on what is SQL.
pub(super) fn cut(sql: &str) -> Result<Cut, ParseError> {
    let text = sql.trim_start_matches('\u{feff}');
    with_tree(text, |parse| {
        let error = parse.errors().first().map(|error| usize::from(error.range().start()));
        let known = error.unwrap_or(text.len());
        let mut cut =
            Cut { unknown: error.map(|at| 1 + text[..at.min(text.len())].matches('\n').count()), ..Cut::default() };
        let mut looks = look::Looks::default();
        let (mut line, mut counted) = (1, 0);
        for statement in parse.tree().stmts() {
            let range = look::range_of(statement.syntax());
            let raw = &text[range.clone()];
            let sql = raw.trim_start();
            let begin = range.start + (raw.len() - sql.len());
            line += text[counted..begin].matches('\n').count();
            counted = begin;
            let sql = sql.trim_end().trim_end_matches(';');
            if sql.is_empty() {
                continue;
            }
            // A statement that ends where the unknown begins may be the beginning of something else.
            let whole = range.end < known || error.is_none();
            // But whatever follows SET ROLE, such as "=", it is one.
            if whole || (range.end == known && matches!(statement, ast::Stmt::SetRole(_))) {
                cut.looks.push(looks.look(&statement, line));
            }
            cut.statements.push(Statement::new(sql, line));
        }
        if error.is_some() {
            cut.statements = (!text.trim().is_empty()).then(|| Statement::new(text, 1)).into_iter().collect();
        } else {
            cut.blocking = blocking::of(parse, text);
        }
        cut
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(sql: &str) -> Vec<Statement> {
        cut(sql).unwrap().statements
    }

    #[test]
    fn semicolons_in_strings_bodies_and_comments_do_not_cut() {
        let sql = "\u{feff}-- first; comment\nCREATE TABLE t (a text DEFAULT ';');\r\n\n/* ; */ INSERT INTO t VALUES ('x;y');\nCREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$ SELECT 1; SELECT 2; $$;\nDO $x$ BEGIN NULL; END $x$";
        let statements = split(sql);
        let lines: Vec<_> = statements.iter().map(|s| s.line).collect();
        assert_eq!(lines, [2, 4, 5, 6], "{statements:#?}");
        assert!(statements[0].sql.starts_with("CREATE TABLE"));
    }

    #[test]
    fn what_is_done_concurrently_waits_for_transactions() {
        let waits = |sql: &str| Statement::new(sql, 1).repeatable().waits_for_transactions;
        for sql in [
            "CREATE INDEX CONCURRENTLY i ON t (a)",
            "DROP INDEX CONCURRENTLY i",
            "REINDEX (CONCURRENTLY) TABLE t",
            "ALTER TABLE p DETACH PARTITION c CONCURRENTLY",
        ] {
            assert!(waits(sql), "{sql}");
        }
        for sql in ["VACUUM t", "CREATE INDEX i ON t (a)", "REINDEX TABLE t", "ALTER TABLE t ADD concurrently int"] {
            assert!(!waits(sql), "{sql}");
        }
    }

    #[test]
    fn concurrently_goes_where_it_is_the_keyword() {
        let in_transaction =
            |sql: &str| Statement::new(sql, 1).in_transaction().into_iter().map(|s| s.sql).collect::<Vec<_>>();
        let sql = "create index concurrently if not exists \"concurrently\" on t (a)";
        assert_eq!(in_transaction(sql), ["create index  if not exists \"concurrently\" on t (a)"]);
        assert_eq!(in_transaction("DROP INDEX CONCURRENTLY i"), ["DROP INDEX  i"]);
        for sql in ["REINDEX TABLE CONCURRENTLY t", "REINDEX (CONCURRENTLY) TABLE t", "VACUUM FULL t", "CLUSTER t"] {
            assert_eq!(in_transaction(sql), Vec::<String>::new(), "{sql}");
        }
        let sql = "ALTER TABLE p DETACH PARTITION \"concurrently\" CONCURRENTLY";
        let in_transaction = in_transaction(sql);
        assert!(in_transaction[0].starts_with("DO ") && in_transaction[0].contains("ADD CHECK"), "{in_transaction:?}");
        assert_eq!(in_transaction[1..], ["ALTER TABLE p DETACH PARTITION \"concurrently\" "]);
    }

    #[test]
    fn what_runs_outside_a_transaction_can_run_again() {
        let repeatable = |sql: &str| Statement::new(sql, 1).repeatable().sql;
        for (sql, again) in [
            (
                "create unique index concurrently i on t (a)",
                "create unique index concurrently IF NOT EXISTS i on t (a)",
            ),
            (
                "CREATE INDEX CONCURRENTLY if not exists i ON t (a)",
                "CREATE INDEX CONCURRENTLY if not exists i ON t (a)",
            ),
            ("DROP INDEX CONCURRENTLY /* old */ i", "DROP INDEX CONCURRENTLY IF EXISTS /* old */ i"),
            ("REINDEX TABLE CONCURRENTLY t", "REINDEX TABLE CONCURRENTLY t"),
            (
                "/* a */ CREATE -- b\n INDEX CONCURRENTLY i ON t (a)",
                "/* a */ CREATE -- b\n INDEX CONCURRENTLY IF NOT EXISTS i ON t (a)",
            ),
            ("VACUUM t", "VACUUM t"),
        ] {
            assert_eq!(repeatable(sql), again);
        }
        let detach =
            Statement::new("ALTER TABLE IF EXISTS s.p DETACH PARTITION \"P 1\" concurrently", 1).repeatable().detach;
        let finalize = "ALTER TABLE IF EXISTS s.p DETACH PARTITION \"P 1\" FINALIZE".to_owned();
        assert_eq!(detach, Some(Detach { table: "s.p".into(), partition: "\"P 1\"".into(), finalize }));
    }

    #[test]
    fn begin_atomic_bodies_stay_whole() {
        let sql = "CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT CASE WHEN a > 1 THEN 1 ELSE 2 END; SELECT 2; END;\nSELECT 1;";
        assert_eq!(split(sql).len(), 2, "{:#?}", split(sql));
    }

    #[test]
    fn an_empty_file_has_no_statement_and_an_unknown_syntax_is_kept_whole() {
        assert!(split("").is_empty());
        assert!(split("-- nothing\n").is_empty());
        let odd = "CREATE GIZMO x WITH 1 2 3; SELECT 1";
        assert_eq!(split(odd), [Statement::new(odd, 1)]);
    }
}
