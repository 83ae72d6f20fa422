//! Enums in migrations: a label that was added may be used only once the transaction that added it is committed (55P04),
//! unless its type is as new, and that only from PostgreSQL 17 on.

use std::ops::Range;

use squawk_syntax::ast::{self, AstNode};

use super::blocking::stored;
use super::parse::with_tree;
use super::statements::Statement;

/// What a statement does to an enum; types by their name as PostgreSQL stores it, without the schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum EnumChange {
    /// `list`: where in the statement the labels stand, with their parentheses. A label that is written as no plain
    /// string is not known.
    Makes {
        name: String,
        labels: Option<Vec<String>>,
        list: Range<usize>,
    },
    Adds {
        name: String,
        label: Option<(String, At)>,
        if_not_exists: bool,
    },
    RenamesLabel {
        name: String,
        from: String,
        to: String,
    },
    RenamesType {
        name: String,
        to: String,
    },
}

/// Where a label is added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum At {
    End,
    Before(String),
    After(String),
}

pub(super) fn of(statement: &Statement) -> Option<EnumChange> {
    // Every other statement is spared the parser.
    let upper = statement.sql.to_ascii_uppercase();
    if !upper.contains("TYPE") || !["ENUM", "VALUE", "RENAME"].iter().any(|word| upper.contains(word)) {
        return None;
    }
    let found = with_tree(&statement.sql, |parse| match parse.tree().stmts().next()? {
        _ if !parse.errors().is_empty() => None,
        ast::Stmt::CreateType(create) => makes(&create),
        ast::Stmt::AlterType(alter) => alters(&alter),
        _ => None,
    });
    found.ok().flatten()
}

fn makes(create: &ast::CreateType) -> Option<EnumChange> {
    let ast::CreateTypeKind::EnumType(kind) = create.kind()? else { return None };
    let name = stored(create.type_name()?.path()?.segment()?.syntax().text().to_string().trim());
    let variants = kind.variant_list()?;
    let range = variants.syntax().text_range();
    let labels = variants.variants().filter_map(|variant| variant.literal()).map(|label| value(&label)).collect();
    Some(EnumChange::Makes { name, labels, list: usize::from(range.start())..usize::from(range.end()) })
}

fn alters(alter: &ast::AlterType) -> Option<EnumChange> {
    let name = stored(alter.type_name_ref()?.path_ref()?.segment()?.syntax().text().to_string().trim());
    match alter.action()? {
        ast::AlterTypeAction::AddValue(add) => {
            let at = match add.value_position() {
                None => Some(At::End),
                Some(ast::ValuePosition::BeforeValue(before)) => value(&before.literal()?).map(At::Before),
                Some(ast::ValuePosition::AfterValue(after)) => value(&after.literal()?).map(At::After),
            };
            let label = value(&add.literal()?).zip(at);
            Some(EnumChange::Adds { name, label, if_not_exists: add.if_not_exists().is_some() })
        }
        ast::AlterTypeAction::RenameValue(rename) => {
            let mut labels = rename.syntax().descendants().filter_map(ast::Literal::cast);
            let (from, to) = (value(&labels.next()?)?, value(&labels.next()?)?);
            Some(EnumChange::RenamesLabel { name, from, to })
        }
        ast::AlterTypeAction::TypeRenameTo(rename) => {
            let to = stored(rename.type_name()?.path()?.segment()?.syntax().text().to_string().trim());
            Some(EnumChange::RenamesType { name, to })
        }
        _ => None,
    }
}

/// A label as PostgreSQL stores it, if it is written as a plain string.
fn value(label: &ast::Literal) -> Option<String> {
    let text = label.syntax().text().to_string();
    let inside = text.trim().strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
    inside.map(|inside| inside.replace("''", "'"))
}
