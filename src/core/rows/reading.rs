//! Which statements only read.

use squawk_lexer::TokenKind;

/// One statement that gives rows, as it can be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    /// SELECT, WITH, VALUES, TABLE: without what may stand at its end.
    Query(String),
    /// SHOW, EXPLAIN: a few lines, which COPY does not give.
    Report(String),
}

/// What is no such statement.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotReading {
    #[error("there is no statement in it")]
    Nothing,
    #[error("there is more than one statement in it")]
    Several,
    #[error("{0} is no statement that reads")]
    Other(String),
}

impl Reading {
    /// By its first word. That it is one statement, and reads only, is for the server to say: this is for a message before anybody
    /// is asked.
    ///
    /// # Errors
    /// What it is instead.
    pub fn new(sql: &str) -> Result<Self, NotReading> {
        let (mut at, mut first, mut end, mut closed) = (0, None, 0, false);
        for token in squawk_lexer::tokenize(sql) {
            let written = at..(at + token.len as usize).min(sql.len());
            at = written.end;
            match token.kind {
                TokenKind::Whitespace | TokenKind::LineComment | TokenKind::BlockComment { .. } | TokenKind::Eof => {}
                TokenKind::Semi => closed |= first.is_some(),
                _ if closed => return Err(NotReading::Several),
                _ => {
                    end = written.end;
                    // A parenthesis may stand before SELECT.
                    if first.is_none_or(|word| word == "(") {
                        first = Some(&sql[written]);
                    }
                }
            }
        }
        let first = first.ok_or(NotReading::Nothing)?.to_ascii_uppercase();
        match first.as_str() {
            "SELECT" | "WITH" | "VALUES" | "TABLE" => Ok(Self::Query(sql[..end].to_owned())),
            "SHOW" | "EXPLAIN" => Ok(Self::Report(sql[..end].to_owned())),
            _ => Err(NotReading::Other(first)),
        }
    }

    #[must_use]
    pub fn sql(&self) -> &str {
        match self {
            Self::Query(sql) | Self::Report(sql) => sql,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_that_reads_is_known_by_its_first_word() {
        let query = |sql: &str| Ok(Reading::Query(sql.to_owned()));
        assert_eq!(Reading::new("select 1;"), query("select 1"));
        assert_eq!(
            Reading::new(" -- of all\n/* ; */ SELECT ';' ; -- done; really\n;"),
            query(" -- of all\n/* ; */ SELECT ';'")
        );
        assert_eq!(Reading::new("((TABLE users))"), query("((TABLE users))"));
        assert_eq!(Reading::new("WITH a AS (SELECT 1) SELECT * FROM a"), query("WITH a AS (SELECT 1) SELECT * FROM a"));
        assert_eq!(Reading::new("explain select 1"), Ok(Reading::Report("explain select 1".into())));
        let sent = ["SELECT 1;", "SHOW server_version ;"].map(|sql| Reading::new(sql).unwrap().sql().to_owned());
        assert_eq!(sent, ["SELECT 1", "SHOW server_version"]);
        for (sql, error) in [
            ("", NotReading::Nothing),
            (" ; -- x", NotReading::Nothing),
            ("SELECT 1; SELECT 2", NotReading::Several),
            ("COMMIT", NotReading::Other("COMMIT".into())),
            ("\"select\" 1", NotReading::Other("\"SELECT\"".into())),
            ("$$", NotReading::Other("$$".into())),
        ] {
            assert_eq!(Reading::new(sql), Err(error), "{sql}");
        }
    }
}
