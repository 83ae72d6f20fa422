//! The table of docs/compatibility.md: what a migration may hold.

use std::fs;
use std::path::Path;

pub const NO_TRANSACTION: &str = "-- tenantry: no-transaction\n";

pub struct Row {
    pub sql: String,
    pub verdict: String,
    /// The first version that accepts it; 0: all.
    pub since: u32,
}

pub fn rows() -> Vec<Row> {
    let doc = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/compatibility.md")).unwrap();
    let rows: Vec<_> = doc
        .lines()
        .skip_while(|line| *line != "| statement | in a migration | why |")
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            let (sql, rest) = line.strip_prefix("| `").unwrap().split_once("` | ").unwrap();
            let (verdict, why) = rest.split_once(" | ").unwrap_or_else(|| panic!("{line}"));
            let since = why.strip_prefix("from ").map_or(0, |rest| rest.split(' ').next().unwrap().parse().unwrap());
            Row { sql: sql.to_owned(), verdict: verdict.trim().to_owned(), since }
        })
        .collect();
    assert!(rows.len() > 100, "{}", rows.len());
    rows
}

pub fn those<'a>(rows: &'a [Row], verdict: &'a str, major: u32) -> impl Iterator<Item = &'a str> {
    let rows = rows.iter().filter(move |row| row.verdict == verdict && row.since <= major);
    rows.map(|row| row.sql.as_str())
}

// Where a server is asked.
#[allow(dead_code)]
pub fn file<'a>(statements: impl Iterator<Item = &'a str>) -> String {
    statements.map(|sql| format!("{sql};\n")).collect()
}
