//! Literals that could be read by a tenant's type, in statements that run outside the fence.
//!
//! CREATE INDEX CONCURRENTLY runs under SET ROLE, and parsing it reads each literal as the type it is resolved to. A
//! tenant may make an operator that fits better than PostgreSQL's own, for an array of a domain of its own, say:
//! `tags && '{a}'` then calls the domain's CHECK, which says RESET ROLE. Only literals of containers come to that: arrays,
//! rows, ranges, multiranges. A cast to a type of PostgreSQL's own, whose names come first in any search_path, settles it.

use squawk_syntax::SyntaxKind;
use squawk_syntax::ast::AstNode;

use super::parse::with_tree;

/// The types of PostgreSQL's own that such literals are of, or that text is read as.
const BUILT_IN: [&str; 37] = [
    "text",
    "varchar",
    "char",
    "character",
    "bpchar",
    "name",
    "json",
    "jsonb",
    "xml",
    "bytea",
    "uuid",
    "int",
    "int2",
    "int4",
    "int8",
    "integer",
    "smallint",
    "bigint",
    "numeric",
    "decimal",
    "boolean",
    "bool",
    "date",
    "timestamp",
    "timestamptz",
    "point",
    "box",
    "lseg",
    "path",
    "polygon",
    "circle",
    "daterange",
    "tsrange",
    "tstzrange",
    "int4range",
    "int8range",
    "numrange",
];

/// The literals whose type is left to be found out, as they are written; all of the text where it cannot be told.
pub(super) fn of_unsure_type(sql: &str) -> Vec<String> {
    let found = with_tree(sql, |parse| {
        let tokens: Vec<_> = parse
            .tree()
            .syntax()
            .descendants_with_tokens()
            .filter_map(squawk_syntax::SyntaxElement::into_token)
            .filter(|token| !matches!(token.kind(), SyntaxKind::WHITESPACE | SyntaxKind::COMMENT))
            .map(|token| (token.kind(), token.text().to_owned()))
            .collect();
        let literals = tokens.iter().enumerate().filter(|(_, (kind, text))| may_be_a_container(*kind, text));
        literals.filter(|(at, _)| !is_cast(&tokens[at + 1..])).map(|(_, (_, text))| text.clone()).collect()
    });
    found.unwrap_or_else(|_| vec![sql.to_owned()])
}

fn may_be_a_container(kind: SyntaxKind, text: &str) -> bool {
    let inside = match kind {
        SyntaxKind::STRING | SyntaxKind::NATIONAL_STRING => text.trim_start_matches(['n', 'N']).trim_matches('\''),
        SyntaxKind::DOLLAR_QUOTED_STRING => text.split('$').nth(2).unwrap_or_default(),
        // Its first character may be spelled as an escape.
        SyntaxKind::ESC_STRING | SyntaxKind::UNICODE_ESC_STRING => return true,
        _ => return false,
    };
    let inside = inside.trim();
    inside.starts_with(['{', '[', '(']) || inside.eq_ignore_ascii_case("empty")
}

fn is_cast(rest: &[(SyntaxKind, String)]) -> bool {
    let mut words = rest.iter().map(|(_, text)| text.as_str());
    let mut colons = String::new();
    while colons.len() < 2 {
        match words.next() {
            Some(colon @ (":" | "::")) => colons.push_str(colon),
            _ => return false,
        }
    }
    words.next().is_some_and(|name| {
        let name = name.to_ascii_lowercase();
        name == "pg_catalog" || BUILT_IN.contains(&name.as_str())
    })
}

#[cfg(test)]
mod tests {
    use super::of_unsure_type;

    #[test]
    fn literals_of_containers_want_a_cast_to_a_type_of_postgresqls_own() {
        let index =
            |condition: &str| of_unsure_type(&format!("CREATE INDEX CONCURRENTLY i ON t (a) WHERE {condition}"));
        for unsure in ["tags && '{a}'", "p && ' [1,2)'", "r = '(1,2)'", "p <> 'Empty'", "d = $$(1)$$", "e = E'\\x7b'"] {
            assert_eq!(index(unsure).len(), 1, "{unsure}");
        }
        assert_eq!(index("tags && '{a}'::labels[]").len(), 1, "a type of somebody else's");
        for sure in [
            "status = 'open'",
            "tags && '{a}'::text[]",
            "tags && '{a}' :: TEXT []",
            "data @> '{\"a\": 1}'::pg_catalog.jsonb",
            "a IN ('x', 'y') AND b > 5 AND c ~ '^[a-z]'",
            "/* '{' */ a IS NULL",
        ] {
            assert!(index(sure).is_empty(), "{sure}: {:?}", index(sure));
        }
    }
}
