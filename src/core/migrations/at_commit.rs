//! What COMMIT does with temporary tables, for files that share a transaction.

use squawk_syntax::ast::{self, AstNode};

use super::blocking::stored;
use super::parse::with_tree;
use super::statements::Statement;
use crate::core::model::ident;

/// What COMMIT would do with the temporary tables of a file.
pub(super) fn at_commit(statements: &[Statement]) -> Vec<String> {
    statements.iter().filter_map(on_commit).collect()
}

fn on_commit(statement: &Statement) -> Option<String> {
    // Every other statement is spared the parser.
    if !statement.sql.to_ascii_uppercase().contains("COMMIT") {
        return None;
    }
    let found = with_tree(&statement.sql, |parse| {
        let (name, on_commit) = match parse.tree().stmts().next()? {
            _ if !parse.errors().is_empty() => return None,
            ast::Stmt::CreateTable(create) => (create.table_name()?, create.on_commit()?),
            ast::Stmt::CreateTableAs(create) => (create.table_name()?, create.on_commit()?),
            _ => return None,
        };
        let name = ident(&stored(name.path()?.segment()?.syntax().text().to_string().trim()));
        match on_commit.on_commit_action()? {
            ast::OnCommitAction::Drop(_) => Some(format!("DROP TABLE IF EXISTS pg_temp.{name}")),
            // The file may have dropped it by itself.
            ast::OnCommitAction::DeleteRows(_) => Some(format!(
                "DO $tenantry$BEGIN TRUNCATE pg_temp.{name}; EXCEPTION WHEN undefined_table THEN NULL; END$tenantry$"
            )),
            ast::OnCommitAction::PreserveRows(_) => None,
        }
    });
    found.ok().flatten()
}
