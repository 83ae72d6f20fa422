//! How the code is laid out: which layer may name which, that no files name each other in a circle, and where the SQL of
//! tenantry's own tables stands.

mod sources;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

use petgraph::algo::kosaraju_scc;
use petgraph::graphmap::DiGraphMap;
use regex::Regex;
use sources::{Edges, Sources};

/// To read all of src takes seconds.
static SOURCES: LazyLock<Sources> = LazyLock::new(Sources::of_this_crate);

/// Directories of src without a circle of files.
const WITHOUT_A_CIRCLE: [&str; 4] = ["core/", "engine/", "tenantry/", "cli/"];

/// What of the engine imports what: each only what comes before it. The error of a run holds what the database and the store
/// answer, so it is the one exception: it names their errors.
const ORDER: [&str; 21] = [
    "failpoint",
    "retry",
    "workers",
    "private",
    "password",
    "installed",
    "copy_text",
    "error",
    "database",
    "registry",
    "secrets",
    "login",
    "project",
    "inspect",
    "archive",
    "apply",
    "deep",
    "verify",
    "query",
    "exec",
    "sandbox",
];

#[test]
fn a_layer_imports_nothing_of_those_above_it() {
    let edges = SOURCES.edges();
    let layer =
        |file: &str| ["core/", "engine/", "tenantry/"].iter().position(|layer| file.starts_with(layer)).unwrap_or(3);
    let wrong = edges.iter().filter(|((from, to), _)| layer(from) < layer(to)).map(|(_, why)| why.as_str());
    assert_eq!(wrong.collect::<Vec<_>>(), Vec::<&str>::new());
    assert!(SOURCES.files.len() > 200 && edges.len() > 600, "{} files, {} edges", SOURCES.files.len(), edges.len());
}

#[test]
fn the_parts_of_the_engine_import_only_what_comes_before_them() {
    let part = |file: &str| {
        let below = file.strip_prefix("engine/")?;
        let part = below.split_once('/').map_or(below, |(part, _)| part).trim_end_matches(".rs");
        if part == "mod" {
            return None;
        }
        Some(ORDER.iter().position(|name| *name == part).unwrap_or_else(|| panic!("{part} has no place in ORDER")))
    };
    let is_an_error = |file: &str| file.ends_with("error.rs") || file == "engine/database/connect.rs";
    let edges = SOURCES.edges();
    let wrong = edges.iter().filter(|((from, to), _)| {
        let (Some(from_part), Some(to_part)) = (part(from), part(to)) else { return false };
        from_part < to_part && !(from == "engine/error.rs" && is_an_error(to))
    });
    let wrong: Vec<&str> = wrong.map(|(_, why)| why.as_str()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_files_name_each_other_in_a_circle() {
    let mut edges = SOURCES.edges();
    edges.retain(|(from, to), _| {
        WITHOUT_A_CIRCLE.iter().any(|directory| from.starts_with(directory) && to.starts_with(directory))
    });
    let circles = circles(&edges);
    assert!(circles.is_empty(), "{}", circles.join("\n\n"));
}

#[test]
fn every_file_is_part_of_the_program() {
    assert_eq!(SOURCES.left_over(), Vec::<&str>::new());
    let files = [("lib.rs", "mod m;"), ("m/mod.rs", "mod a;"), ("m/a.rs", ""), ("m/b.rs", "")];
    let sources = Sources::new(files.map(|(name, text)| (name.to_owned(), text.to_owned())));
    assert_eq!(sources.left_over(), ["m/b.rs"]);
}

/// Each with what makes it one.
fn circles(edges: &Edges) -> Vec<String> {
    let graph: DiGraphMap<&str, ()> = edges.keys().map(|(from, to)| (from.as_str(), to.as_str())).collect();
    let circles = kosaraju_scc(&graph).into_iter().filter(|files| files.len() > 1);
    let why = |files: Vec<&str>| {
        let inside =
            edges.iter().filter(|((from, to), _)| files.contains(&from.as_str()) && files.contains(&to.as_str()));
        let inside: Vec<&str> = inside.map(|(_, why)| why.as_str()).collect();
        format!("{} files in a circle:\n{}", files.len(), inside.join("\n"))
    };
    circles.map(why).collect()
}

fn crate_of(files: &[(&str, &str)]) -> Vec<String> {
    circles(&Sources::new(files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))).edges())
}

#[test]
fn a_circle_is_seen_however_it_is_written() {
    let root = ("lib.rs", "mod m;");
    let ways = [
        ("mod a; mod b;", "use super::b::B; pub struct A;", "use crate::m::a::A; pub struct B;"),
        ("mod a; mod b;", "use super::b; pub struct A(b::B);", "pub struct B; fn f() { drop(super::a::A); }"),
        ("mod a; mod b;", "use super::b::B as C; pub struct A;", "pub fn f() { println!(\"{}\", super::a::A); }"),
        (
            "mod a; mod b; pub use a::A; pub use b::*;",
            "use super::B; pub struct A;",
            "use crate::m::{self, A}; pub struct B;",
        ),
        (
            "mod a; mod b;",
            "pub use super::b::B; pub fn a() { B::f() }",
            "impl B { fn f() { crate::m::a::a() } } pub struct B;",
        ),
    ];
    for (parent, a, b) in ways {
        let found = crate_of(&[root, ("m/mod.rs", parent), ("m/a.rs", a), ("m/b.rs", b)]);
        assert!(found.len() == 1 && found[0].starts_with("2 files"), "{a} {b}: {found:?}");
    }
    let through_the_parent =
        [root, ("m/mod.rs", "mod a; pub struct P; fn f() { a::g() }"), ("m/a.rs", "use super::P; pub fn g() {}")];
    assert_eq!(crate_of(&through_the_parent).len(), 1);
}

#[test]
fn a_parent_that_only_reexports_and_a_test_make_no_circle() {
    let files = [
        ("lib.rs", "mod m;"),
        ("m/mod.rs", "mod a; mod b; pub use a::A; pub use b::B;"),
        ("m/a.rs", "use super::B; pub struct A(B);"),
        ("m/b.rs", "pub struct B; #[cfg(test)] mod tests { use crate::m::A; }"),
    ];
    assert_eq!(crate_of(&files), Vec::<String>::new());
}

/// SQL that reads or writes one of them: a word of SQL, in capitals, before the table with its schema, whether it is named or
/// filled in. A message says what it is about in small letters, or names the table first.
fn own_tables() -> Regex {
    Regex::new(r"\b(?:FROM|JOIN|INTO|UPDATE|ONLY|TABLE|TRUNCATE|USING|REFERENCES|COPY)\s+tenantry\.(?:[a-z_]+|%I|\{)")
        .unwrap()
}

#[test]
fn only_the_registry_has_sql_of_tenantrys_own_tables() {
    let own_tables = own_tables();
    // A plan shows the SQL that closes them.
    let may = |file: &str| file.starts_with("engine/registry/") || file.starts_with("core/plan/");
    let mut found = BTreeMap::new();
    for (name, file) in SOURCES.files.iter().filter(|(name, _)| !may(name)) {
        let sql = file.literals.iter().find(|(text, _)| own_tables.is_match(text));
        found.extend(sql.map(|(text, line)| (format!("src/{name}:{line}"), text.clone())));
    }
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for entry in walkdir::WalkDir::new(&src).into_iter().map(Result::unwrap) {
        let name = entry.path().strip_prefix(&src).unwrap().to_string_lossy().into_owned();
        if name.ends_with(".sql") && !may(&name) {
            let text = std::fs::read_to_string(entry.path()).unwrap();
            let code = text.lines().filter(|line| !line.trim_start().starts_with("--")).collect::<Vec<_>>().join("\n");
            found.extend(own_tables.find(&code).map(|sql| (format!("src/{name}"), sql.as_str().to_owned())));
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn sql_of_tenantrys_own_tables_is_told_from_words_about_them() {
    let own_tables = own_tables();
    for sql in ["SELECT FROM tenantry.tenants", "WITH x AS (INSERT INTO\n     tenantry.runs", "LOCK TABLE tenantry.%I"]
    {
        assert!(own_tables.is_match(sql), "{sql}");
    }
    for words in ["reading tenantry.tenants", "look at \\d tenantry.apply_lock", "DROP SCHEMA tenantry CASCADE"] {
        assert!(!own_tables.is_match(words), "{words}");
    }
}
