//! A migration cut into its statements, so that an error can name the line and nothing in a file ends the transaction.

use squawk_syntax::ast::AstNode;

use super::blocking::{self, Blocking};
use super::parse::{ParseError, with_tree};

/// One SQL statement of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    pub sql: String,
    /// The line of the file it begins on, from 1.
    pub line: usize,
}

impl Statement {
    /// The statement without CONCURRENTLY; none for REINDEX, which changes no definition.
    pub(super) fn in_transaction(&self) -> Option<Self> {
        if first_word(&self.sql).eq_ignore_ascii_case("REINDEX") {
            return None;
        }
        let mut sql = self.sql.clone();
        if let Some((keyword, _)) = after_concurrently(&sql) {
            sql.replace_range(keyword, "");
        }
        Some(Self { sql, line: self.line })
    }

    /// CREATE INDEX CONCURRENTLY with IF NOT EXISTS, DROP INDEX CONCURRENTLY with IF EXISTS: nothing records that such a
    /// statement is done in the same moment as it is, so a run that was cut off runs it again.
    pub(super) fn repeatable(&self) -> Self {
        let mut sql = self.sql.clone();
        let clause = match first_word(&sql).to_ascii_uppercase().as_str() {
            "CREATE" => " IF NOT EXISTS",
            "DROP" => " IF EXISTS",
            _ => return self.clone(),
        };
        if let Some((keyword, next)) = after_concurrently(&sql)
            && !next.eq_ignore_ascii_case("IF")
        {
            sql.insert_str(keyword.end, clause);
        }
        Self { sql, line: self.line }
    }
}

fn first_word(sql: &str) -> &str {
    sql.split(|c: char| !c.is_ascii_alphabetic()).find(|word| !word.is_empty()).unwrap_or_default()
}

/// Where the keyword CONCURRENTLY stands, and the word after it.
pub(super) fn after_concurrently(sql: &str) -> Option<(std::ops::Range<usize>, String)> {
    let found = with_tree(sql, |parse| {
        let tokens = parse.tree().syntax().descendants_with_tokens().filter_map(|node| node.into_token());
        let mut words = tokens.filter(|token| {
            !token.text().trim().is_empty() && !token.text().starts_with("--") && !token.text().starts_with("/*")
        });
        let keyword = words.find(|token| token.text().eq_ignore_ascii_case("CONCURRENTLY"))?.text_range();
        let next = words.next().map(|token| token.text().to_owned()).unwrap_or_default();
        Some((usize::from(keyword.start())..usize::from(keyword.end()), next))
    });
    found.ok().flatten()
}

/// The statements of a file in order, and those of them that block a table.
///
/// A text the parser does not know comes back as one statement: PostgreSQL has the last word on what is SQL.
pub(super) fn split(sql: &str) -> Result<(Vec<Statement>, Vec<Blocking>), ParseError> {
    let text = sql.trim_start_matches('\u{feff}');
    with_tree(text, |parse| {
        if !parse.errors().is_empty() {
            let whole = (!text.trim().is_empty()).then(|| Statement { sql: text.to_owned(), line: 1 });
            return (whole.into_iter().collect(), Vec::new());
        }
        let mut statements = Vec::new();
        let (mut line, mut counted) = (1, 0);
        for statement in parse.tree().stmts() {
            let range = statement.syntax().text_range();
            let start = usize::from(range.start());
            let raw = &text[start..usize::from(range.end())];
            let sql = raw.trim_start();
            let begin = start + (raw.len() - sql.len());
            line += text[counted..begin].matches('\n').count();
            counted = begin;
            let sql = sql.trim_end().trim_end_matches(';').to_owned();
            if !sql.is_empty() {
                statements.push(Statement { sql, line });
            }
        }
        (statements, blocking::of(parse, text))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(sql: &str) -> Vec<Statement> {
        super::split(sql).unwrap().0
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
    fn concurrently_goes_where_it_is_the_keyword() {
        let in_transaction = |sql: &str| Statement { sql: sql.into(), line: 1 }.in_transaction().map(|s| s.sql);
        let sql = "create index concurrently if not exists \"concurrently\" on t (a)";
        assert_eq!(in_transaction(sql).unwrap(), "create index  if not exists \"concurrently\" on t (a)");
        assert_eq!(in_transaction("DROP INDEX CONCURRENTLY i").unwrap(), "DROP INDEX  i");
        assert_eq!(in_transaction("REINDEX TABLE CONCURRENTLY t"), None);
    }

    #[test]
    fn what_runs_outside_a_transaction_can_run_again() {
        let repeatable = |sql: &str| Statement { sql: sql.into(), line: 1 }.repeatable().sql;
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
        ] {
            assert_eq!(repeatable(sql), again);
        }
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
        assert_eq!(split(odd), [Statement { sql: odd.into(), line: 1 }]);
    }
}
