//! Counting what a dump really holds: it is read from its first byte to its last, decompressed, and its rows are counted.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;

use super::manifest::TableRows;
use super::programs::{Programs, failed, read_to_end};
use crate::error::{Doing, Error};

/// Every table of the dump with its number of rows, by name.
///
/// # Errors
/// When pg_restore cannot read the dump.
pub(super) fn count(programs: &Programs, dump: &Path) -> Result<Vec<TableRows>, Error> {
    let doing = format!("reading back {}", dump.display());
    let mut command = programs.command("pg_restore", None);
    command.args(["--data-only", "--file=-"]).arg(dump).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().doing(&doing)?;
    let said = read_to_end(child.stderr.take());
    let counted = child.stdout.take().map(|stdout| in_script(BufReader::with_capacity(1 << 16, stdout)));
    let status = child.wait().doing(&doing)?;
    let said = said.join().unwrap_or_default();
    if !status.success() {
        return Err(failed(&doing, &said, status));
    }
    let mut tables = counted.transpose().doing(&doing)?.unwrap_or_default();
    tables.sort_by(|a, b| a.table.cmp(&b.table));
    Ok(tables)
}

/// In COPY's text format a row is a line, whatever it holds, and `\.` ends them (manual, "COPY", Text Format).
fn in_script(mut script: impl BufRead) -> std::io::Result<Vec<TableRows>> {
    let mut tables: Vec<TableRows> = Vec::new();
    let mut copying = false;
    let mut begin = Vec::new();
    loop {
        begin.clear();
        // A row may be a gigabyte long; what it begins with is enough.
        let ends = first_of_line(&mut script, &mut begin)?;
        if !ends && begin.is_empty() {
            return Ok(tables);
        }
        match (copying, tables.last_mut()) {
            (true, _) if begin == b"\\." => copying = false,
            (true, Some(table)) => table.rows += 1,
            _ => {
                if let Some(name) = begin.strip_prefix(b"COPY ") {
                    // A name may hold a line break, and then the statement has more lines.
                    let mut statement = String::from_utf8_lossy(name).into_owned();
                    while !statement.ends_with(" FROM stdin;") {
                        let mut more = Vec::new();
                        if script.read_until(b'\n', &mut more)? == 0 {
                            return Ok(tables);
                        }
                        statement.push('\n');
                        statement.push_str(String::from_utf8_lossy(&more).trim_end_matches('\n'));
                    }
                    tables.push(TableRows { table: table_of(&statement), rows: 0 });
                    copying = true;
                }
            }
        }
    }
}

/// The line's beginning, up to 64 kB, without its end; the rest of it is skipped. False at the end of the input.
fn first_of_line(script: &mut impl BufRead, begin: &mut Vec<u8>) -> std::io::Result<bool> {
    const ENOUGH: usize = 1 << 16;
    loop {
        let buffer = script.fill_buf()?;
        if buffer.is_empty() {
            return Ok(false);
        }
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let line = &buffer[..end.unwrap_or(buffer.len())];
        begin.extend_from_slice(&line[..line.len().min(ENOUGH.saturating_sub(begin.len()))]);
        let used = end.map_or(buffer.len(), |end| end + 1);
        script.consume(used);
        if end.is_some() {
            return Ok(true);
        }
    }
}

/// The table's name in `schema.table (columns) FROM stdin;`, each name quoted where it must be.
fn table_of(statement: &str) -> String {
    let mut names = vec![String::new()];
    let mut quoted = false;
    let mut chars = statement.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.next_if_eq(&'"').is_some() => names.last_mut().into_iter().for_each(|n| n.push('"')),
            '"' => quoted = !quoted,
            '.' if !quoted => names.push(String::new()),
            ' ' if !quoted => break,
            c => names.last_mut().into_iter().for_each(|name| name.push(c)),
        }
    }
    names.pop().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(script: &str) -> Vec<(String, u64)> {
        in_script(script.as_bytes()).unwrap().into_iter().map(|table| (table.table, table.rows)).collect()
    }

    #[test]
    fn rows_are_the_lines_between_copy_and_its_end() {
        let script = "SET x = 1;\nCOPY s.users (id, email) FROM stdin;\n1\ta\\nb\n2\tCOPY s.t (a) FROM stdin;\n\\.\n\n\
                      COPY s.empty (id) FROM stdin;\n\\.\nSELECT pg_catalog.setval('s.x', 3, true);\n";
        assert_eq!(counted(script), [("users".to_owned(), 2), ("empty".to_owned(), 0)]);
    }

    #[test]
    fn odd_names_are_read_as_they_are_quoted() {
        let script = "COPY \"a.b\".\"t \"\"x\"\"\ny.z\" (\"c (\nd\") FROM stdin;\n1\n\\.\nCOPY s.nothing  FROM stdin;\n\n\n\\.\n";
        assert_eq!(counted(script), [("t \"x\"\ny.z".to_owned(), 1), ("nothing".to_owned(), 2)]);
    }

    #[test]
    fn a_row_longer_than_any_buffer_is_one_row() {
        let script = format!("COPY s.t (a) FROM stdin;\n{}\nb\n\\.\n", "x".repeat(1 << 18));
        assert_eq!(counted(&script), [("t".to_owned(), 2)]);
    }
}
