//! Statements that keep a table from being read or written for as long as it takes to read or rewrite it all.
//!
//! Which they are is squawk's to say, the linter of PostgreSQL migrations; on a table the same file makes they are harmless,
//! and squawk knows that too. Whether a tenant's table is large enough to matter is for the plan to see.

use std::collections::BTreeMap;

use squawk_linter::{Linter, Rule};
use squawk_syntax::ast::{self, AstNode};
use squawk_syntax::{Parse, SourceFile};

/// Such a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocking {
    /// From 1.
    pub line: usize,
    /// The table's name as PostgreSQL stores it, without its schema.
    pub table: String,
    /// What it does, and what to write instead.
    pub message: &'static str,
}

/// Rule, what its statement does, what to write instead. Of squawk's rules those whose cost grows with the table.
const RULES: [(Rule, &str); 8] = [
    (
        Rule::RequireConcurrentIndexCreation,
        "writes wait while the index is built; create it CONCURRENTLY, in a no-transaction file",
    ),
    (
        Rule::DisallowedUniqueConstraint,
        "reads and writes wait while its index is built; create a unique index CONCURRENTLY first, then ADD CONSTRAINT … USING INDEX",
    ),
    (
        Rule::AddingSerialPrimaryKeyField,
        "reads and writes wait while its index is built; create a unique index CONCURRENTLY first, then ADD CONSTRAINT … USING INDEX",
    ),
    (Rule::ChangingColumnType, "reads and writes wait while all rows are rewritten; add a column and fill it in steps"),
    (
        Rule::AddingFieldWithDefault,
        "reads and writes wait while all rows are rewritten; add the column without the default, then set it and fill the rows in steps",
    ),
    (
        Rule::AddingForeignKeyConstraint,
        "writes to both tables wait while all rows are checked; add it NOT VALID, and VALIDATE CONSTRAINT in a later migration",
    ),
    (
        Rule::ConstraintMissingNotValid,
        "reads and writes wait while all rows are checked; add it NOT VALID, and VALIDATE CONSTRAINT in a later migration",
    ),
    (
        Rule::AddingNotNullableField,
        "reads and writes wait while all rows are checked; add CHECK (… IS NOT NULL) NOT VALID and validate it first",
    ),
];

/// In the order of the lines; of one statement, the first rule it breaks.
pub(super) fn of(parse: &Parse<SourceFile>, text: &str) -> Vec<Blocking> {
    let statements: Vec<ast::Stmt> = parse.tree().stmts().collect();
    let mut found = BTreeMap::new();
    for (rule, message) in RULES {
        let mut linter = Linter::from([rule]);
        linter.settings.assume_in_transaction = true;
        for violation in linter.lint(parse, text).into_iter().filter(|found| found.code == rule) {
            let place = violation.text_range.start();
            let at = statements.partition_point(|statement| statement.syntax().text_range().end() <= place);
            if let Some(table) = statements.get(at).and_then(table) {
                found.entry(at).or_insert((table, message));
            }
        }
    }
    let (mut line, mut counted) = (1, 0);
    let mut blocking = Vec::new();
    for (at, (table, message)) in found {
        let begin = usize::from(statements[at].syntax().text_range().start());
        line += text[counted..begin].matches('\n').count();
        counted = begin;
        blocking.push(Blocking { line, table, message });
    }
    blocking
}

/// The table a statement is about.
fn table(statement: &ast::Stmt) -> Option<String> {
    let table = match statement {
        ast::Stmt::AlterTable(alter) => alter.table_relation_name(),
        ast::Stmt::CreateIndex(create) => create.table_relation_name(),
        _ => None,
    };
    let name = table?.table_name_ref()?.path_ref()?.segment()?.syntax().text().to_string();
    Some(stored(name.trim()))
}

/// A name as it is written → as PostgreSQL stores it.
pub(super) fn stored(written: &str) -> String {
    match written.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(quoted) => quoted.replace("\"\"", "\""),
        None => written.to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use crate::core::migrations::MigrationFile;

    fn found(sql: &str) -> Vec<(usize, String, &'static str)> {
        let file = MigrationFile::parse("V2__x.sql", sql).unwrap();
        file.blocking.into_iter().map(|b| (b.line, b.table, b.message.split("; ").next().unwrap())).collect()
    }

    #[test]
    fn what_reads_or_rewrites_a_whole_table_is_seen_with_its_line_and_table() {
        let built = "writes wait while the index is built";
        let unique = "reads and writes wait while its index is built";
        let rewritten = "reads and writes wait while all rows are rewritten";
        let checked = "reads and writes wait while all rows are checked";
        for (sql, message) in [
            ("CREATE INDEX ON Users (email)", built),
            ("CREATE UNIQUE INDEX i ON acme.\"users\" (email)", built),
            ("ALTER TABLE users ADD CONSTRAINT u UNIQUE (email)", unique),
            ("ALTER TABLE users ADD PRIMARY KEY (email)", unique),
            ("ALTER TABLE users ALTER COLUMN id TYPE bigint", rewritten),
            ("ALTER TABLE users ADD COLUMN key uuid DEFAULT gen_random_uuid()", rewritten),
            ("ALTER TABLE users ADD CONSTRAINT c CHECK (id > 0)", checked),
            ("ALTER TABLE ONLY users ALTER COLUMN email SET NOT NULL", checked),
            (
                "ALTER TABLE users ADD FOREIGN KEY (org) REFERENCES orgs",
                "writes to both tables wait while all rows are checked",
            ),
        ] {
            assert_eq!(found(&format!("SELECT 1;\n\n{sql};\n")), [(3, "users".to_owned(), message)], "{sql}");
        }
    }

    #[test]
    fn what_takes_no_time_and_what_the_same_file_makes_is_let_be() {
        for sql in [
            "ALTER TABLE users ADD COLUMN plan text DEFAULT 'free'",
            "ALTER TABLE users ADD COLUMN plan text",
            "ALTER TABLE users ADD CONSTRAINT c CHECK (id > 0) NOT VALID",
            "ALTER TABLE users VALIDATE CONSTRAINT c",
            "CREATE TABLE t (id int);\nCREATE INDEX ON t (id);\nALTER TABLE t ADD CONSTRAINT c CHECK (id > 0)",
            "-- tenantry: no-transaction\nCREATE INDEX CONCURRENTLY i ON users (email)",
            "CREATE GIZMO x",
        ] {
            assert_eq!(found(sql), [], "{sql}");
        }
    }
}
