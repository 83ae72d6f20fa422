//! What one statement of a migration is: where it runs, what it reaches beyond the schema, which extensions it wants.

use std::collections::BTreeSet;
use std::ops::Range;

use squawk_syntax::ast::{self, AstNode};
use squawk_syntax::{SyntaxKind, SyntaxNode, SyntaxToken};

use super::blocking::stored;
use super::place::{self, Place};

/// A statement that the parser knows.
#[derive(Clone, Debug)]
pub(super) struct Look {
    /// From 1.
    pub line: usize,
    pub place: Place,
    /// Why it may leave the tenant's schema, if it looks as if it did.
    pub escapes: Option<&'static str>,
    pub extensions: Vec<Extension>,
    /// A label that this file adds to an enum and that this statement uses.
    pub label: Option<String>,
}

/// CREATE or DROP EXTENSION.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    pub name: String,
    /// From 1.
    pub line: usize,
    /// With IF NOT EXISTS, or IF EXISTS.
    pub if_needed: bool,
    pub drops: bool,
}

/// The statements of one file, one after the other.
#[derive(Default)]
pub(super) struct Looks {
    types: BTreeSet<String>,
    /// (type, label), of types that are there before this file.
    labels: Vec<(String, String)>,
}

impl Looks {
    pub fn look(&mut self, statement: &ast::Stmt, line: usize) -> Look {
        let tokens = tokens(statement.syntax());
        let label =
            self.labels.iter().find(|(name, label)| is_used(&tokens, name, label)).map(|(_, label)| label.clone());
        self.remember(statement);
        let extensions = extensions(statement, line);
        Look { line, place: place::of(statement), escapes: escapes(statement, &tokens), extensions, label }
    }

    fn remember(&mut self, statement: &ast::Stmt) {
        match statement {
            ast::Stmt::CreateType(create) => {
                self.types.extend(create.type_name().map(|name| last_name(&name.syntax().text().to_string())));
            }
            ast::Stmt::AlterType(alter) => {
                let name = alter.type_name_ref().map(|name| last_name(&name.syntax().text().to_string()));
                let Some(ast::AlterTypeAction::AddValue(add)) = alter.action() else { return };
                // With IF NOT EXISTS it may have been there all along; to a type as new it may be added at once.
                let Some(name) = name.filter(|name| add.if_not_exists().is_none() && !self.types.contains(name)) else {
                    return;
                };
                self.labels
                    .extend(add.literal().map(|label| (name, unquoted(label.syntax().text().to_string().trim()))));
            }
            _ => {}
        }
    }
}

pub(super) fn range(token: &SyntaxToken) -> Range<usize> {
    usize::from(token.text_range().start())..usize::from(token.text_range().end())
}

pub(super) fn range_of(node: &SyntaxNode) -> Range<usize> {
    usize::from(node.text_range().start())..usize::from(node.text_range().end())
}

type Token = (SyntaxKind, String);

fn tokens(node: &SyntaxNode) -> Vec<Token> {
    node.descendants_with_tokens()
        .filter_map(squawk_syntax::SyntaxElement::into_token)
        .filter(|token| !matches!(token.kind(), SyntaxKind::WHITESPACE | SyntaxKind::COMMENT))
        .map(|token| (token.kind(), token.text().to_owned()))
        .collect()
}

/// `'it''s'` → `it's`, as far as a label goes.
fn unquoted(literal: &str) -> String {
    literal.trim_matches('\'').replace("''", "'")
}

/// The last part of a name with or without a schema, as PostgreSQL stores it.
fn last_name(written: &str) -> String {
    stored(written.rsplit('.').next().unwrap_or_default().trim())
}

/// Whether a constant of this type and label is written down: PostgreSQL reads it as the statement is parsed.
fn is_used(tokens: &[Token], name: &str, label: &str) -> bool {
    let word = |at: Option<usize>| at.and_then(|at| tokens.get(at)).map_or("", |(_, text)| text.as_str());
    let is_type = |written: &str| stored(written) == name;
    // A type's name from here on, its schema left out.
    let named = |mut at: usize| {
        while word(Some(at + 1)) == "." {
            at += 2;
        }
        is_type(word(Some(at)))
    };
    let strings =
        tokens.iter().enumerate().filter(|(_, (kind, text))| *kind == SyntaxKind::STRING && unquoted(text) == label);
    strings.map(|(at, _)| at).any(|at| {
        let before = |n: usize| word(at.checked_sub(n));
        let after = |n: usize| word(Some(at + n));
        (after(1) == "::" && named(at + 2))
            || (after(1) == ":" && after(2) == ":" && named(at + 3))
            || (before(1) == "("
                && before(2).eq_ignore_ascii_case("cast")
                && after(1).eq_ignore_ascii_case("as")
                && named(at + 2))
            || is_type(before(1))
            || (before(1).eq_ignore_ascii_case("default") && is_type(before(2)))
    })
}

fn extensions(statement: &ast::Stmt, line: usize) -> Vec<Extension> {
    let name = |node: &SyntaxNode| stored(node.text().to_string().trim());
    match statement {
        ast::Stmt::CreateExtension(create) => {
            let if_needed = create.if_not_exists().is_some();
            let names = create.extension().into_iter().map(|extension| name(extension.syntax()));
            names.map(|name| Extension { name, line, if_needed, drops: false }).collect()
        }
        ast::Stmt::DropExtension(drop) => {
            let if_needed = drop.if_exists().is_some();
            let names = drop.extension_refs().map(|extension| name(extension.syntax()));
            names.map(|name| Extension { name, line, if_needed, drops: true }).collect()
        }
        _ => Vec::new(),
    }
}

fn escapes(statement: &ast::Stmt, tokens: &[Token]) -> Option<&'static str> {
    use ast::Stmt as S;
    let holds = |kind| statement.syntax().descendants().any(|node| node.kind() == kind);
    let says = |word: &str| tokens.iter().any(|(_, text)| text.eq_ignore_ascii_case(word));
    match statement {
        S::Grant(_) | S::Revoke(_) | S::AlterDefaultPrivileges(_) => {
            Some("changes privileges: access determines them, and the next apply puts them back")
        }
        S::Set(_) | S::Reset(_)
            if place::parameter(statement) == "search_path" || holds(SyntaxKind::SET_SCHEMA_VALUE) =>
        {
            Some("sets search_path: what follows may land outside the tenant's schema")
        }
        S::Select(_) if says("set_config") && says("'search_path'") => {
            Some("sets search_path: what follows may land outside the tenant's schema")
        }
        _ if holds(SyntaxKind::SET_SCHEMA) => Some("moves something into another schema, out of the tenant's"),
        _ if tokens.iter().any(|(_, text)| names_public(text)) || qualifies_by_public(tokens) => Some(NAMES_PUBLIC),
        _ => None,
    }
}

pub(super) const NAMES_PUBLIC: &str = "uses \"public.\", which all tenants share";

/// `public.` or `"public".` between tokens.
fn qualifies_by_public(tokens: &[Token]) -> bool {
    tokens.windows(2).any(|pair| pair[1].1 == "." && stored(&pair[0].1) == "public")
}

/// `public.` inside the body of a function, a string; `republic.` is another word.
pub(super) fn names_public(text: &str) -> bool {
    text.match_indices("public.")
        .any(|(at, _)| !text[..at].ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '$')))
}

#[cfg(test)]
mod tests {
    use crate::core::migrations::statements::cut;

    #[test]
    fn a_label_is_used_where_a_constant_of_its_type_says_it() {
        let label = |sql: &str| cut(sql).unwrap().looks.into_iter().filter_map(|look| look.label).collect::<Vec<_>>();
        for using in [
            "SELECT 'it''s'::Mood",
            "UPDATE t SET m = 'it''s'::app.\"mood\"",
            "SELECT CAST('it''s' AS app.mood)",
            "SELECT mood 'it''s'",
            "ALTER TABLE t ADD COLUMN m mood DEFAULT 'it''s'",
            "CREATE TABLE t (m mood DEFAULT 'it''s')",
        ] {
            assert_eq!(label(&format!("ALTER TYPE mood ADD VALUE 'it''s';\n{using};")), ["it's"], "{using}");
            assert_eq!(
                label(&format!("CREATE TYPE mood AS ENUM ('a');\nALTER TYPE mood ADD VALUE 'it''s';\n{using};")).len(),
                0
            );
            assert_eq!(label(&format!("ALTER TYPE mood ADD VALUE IF NOT EXISTS 'it''s';\n{using};")).len(), 0);
            assert_eq!(label(&format!("{using};\nALTER TYPE mood ADD VALUE 'it''s';")).len(), 0);
        }
        for other in [
            "SELECT 'it''s'::text",
            "SELECT 'a'::mood",
            "SELECT $$ 'it''s'::mood $$",
            "ALTER TYPE mood ADD VALUE 'b' AFTER 'it''s'",
        ] {
            assert_eq!(label(&format!("ALTER TYPE mood ADD VALUE 'it''s';\n{other};")).len(), 0, "{other}");
        }
    }

    #[test]
    fn what_reaches_beyond_the_schema_is_warned_of() {
        let escapes = |sql: &str| cut(sql).unwrap().looks.iter().find_map(|look| look.escapes);
        let [privileges, path, moves] = ["changes privileges", "sets search_path", "moves something"];
        for (sql, warned) in [
            ("GRANT SELECT ON t TO PUBLIC", Some(privileges)),
            ("REVOKE ALL ON t FROM PUBLIC", Some(privileges)),
            ("ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC", Some(privileges)),
            ("SET search_path = other", Some(path)),
            ("SET LOCAL \"search_path\" TO other", Some(path)),
            ("SET SCHEMA 'other'", Some(path)),
            ("RESET search_path", Some(path)),
            ("SELECT set_config('search_path', 'other', true)", Some(path)),
            ("SELECT set_config('work_mem', '1MB', true)", None),
            ("SELECT 'search_path'", None),
            ("SET work_mem = '1MB'", None),
            ("ALTER TABLE t SET SCHEMA other", Some(moves)),
            ("ALTER FUNCTION f() SET SCHEMA other", Some(moves)),
            ("ALTER TABLE t RENAME TO other", None),
        ] {
            let found = escapes(sql);
            assert!(
                found.map(|found| warned.is_some_and(|warned| found.starts_with(warned))).unwrap_or(warned.is_none()),
                "{sql}: {found:?}"
            );
        }
    }

    #[test]
    fn public_is_seen_as_a_word() {
        for (sql, seen) in [
            ("SELECT * FROM public.t", true),
            ("SELECT * FROM \"public\" . t", true),
            ("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$ SELECT count(*) FROM public.t $$", true),
            ("SELECT nextval('public.s')", true),
            ("SELECT republic.a FROM republic -- public.t", false),
        ] {
            let cut = cut(sql).unwrap();
            assert_eq!(cut.looks[0].escapes.is_some(), seen, "{sql}");
        }
    }
}
