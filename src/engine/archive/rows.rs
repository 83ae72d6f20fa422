//! What a dump really holds: it is read from its first byte to its last, decompressed, and its rows are counted; those of a small
//! tenant are kept, to be tried.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use super::manifest::TableRows;
use super::names::{identifiers, readable};
use super::programs::{Programs, failed, read_to_end};
use super::script::{bare, restricted_by};
use crate::engine::error::{Context, Error};

/// The data of a dump.
pub(super) struct Data {
    /// Every table with its number of rows, by name.
    pub tables: Vec<TableRows>,
    /// All of it in the order of the dump, when it is no more than was asked to be kept.
    pub kept: Option<Vec<Piece>>,
}

/// A part of the data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Where sequences stand.
    Sql(Vec<u8>),
    /// What COPY is given: `schema.table (columns)`, and the lines.
    Rows { into: Vec<u8>, lines: Vec<u8> },
}

/// `most`: how many bytes of data are kept.
///
/// # Errors
/// When pg_restore cannot read the dump.
pub(super) fn read(programs: &Programs, dump: &Path, most: usize) -> Result<Data, Error> {
    let doing = format!("reading back {}", dump.display());
    let mut child = printing(programs, dump).spawn().doing(&doing)?;
    let said = read_to_end(child.stderr.take());
    let read = child.stdout.take().map(|stdout| in_script(BufReader::with_capacity(1 << 16, stdout), most));
    let status = child.wait().doing(&doing)?;
    let said = said.join().unwrap_or_default();
    if !status.success() {
        return Err(failed(&doing, &said, status));
    }
    let mut data = read.transpose().doing(&doing)?.unwrap_or(Data { tables: Vec::new(), kept: None });
    data.tables.sort_by(|a, b| a.table.cmp(&b.table));
    Ok(data)
}

/// The pg_restore that prints a dump's data.
pub(super) fn printing(programs: &Programs, dump: &Path) -> Command {
    let mut command = programs.command("pg_restore", None);
    command.args(["--data-only", "--file=-"]).arg(dump).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// In COPY's text format a row is a line, whatever it holds, and `\.` ends them (manual, "COPY", Text Format).
fn in_script(mut script: impl BufRead, most: usize) -> std::io::Result<Data> {
    let mut tables: Vec<TableRows> = Vec::new();
    let mut kept = Kept { pieces: Some(Vec::new()), room: most };
    let mut copying = false;
    let mut begin = Vec::new();
    loop {
        begin.clear();
        // A row may be a gigabyte long; what it begins with is enough, but for those that are kept.
        let ends = first_of_line(&mut script, &mut begin, kept.wants())?;
        if !ends && begin.is_empty() {
            return Ok(Data { tables, kept: kept.pieces.map(as_sql) });
        }
        match (copying, tables.last_mut()) {
            (true, _) if begin == b"\\." => copying = false,
            (true, Some(table)) => {
                table.rows += 1;
                kept.row(&begin);
            }
            _ => {
                if let Some(name) = begin.strip_prefix(COPIES) {
                    let Some(statement) = statement_of_copy(&mut script, name)? else {
                        return Ok(Data { tables, kept: None });
                    };
                    tables.push(TableRows { table: table_of(&readable(&statement)), rows: 0 });
                    kept.table(statement);
                    copying = true;
                } else {
                    kept.sql(&begin);
                }
            }
        }
    }
}

/// What a statement begins with that rows follow.
pub(super) const COPIES: &[u8] = b"COPY ";

const FROM: &[u8] = b" FROM stdin;";

/// What is between these, `schema.table (columns)`; none when the script ends in it. `begin`: what was read of it.
pub(super) fn statement_of_copy(script: &mut impl BufRead, begin: &[u8]) -> std::io::Result<Option<Vec<u8>>> {
    let mut statement = begin.to_vec();
    // A name may hold a line break, and then the statement has more lines.
    while !statement.ends_with(FROM) {
        statement.push(b'\n');
        if script.read_until(b'\n', &mut statement)? == 0 {
            return Ok(None);
        }
        if statement.last() == Some(&b'\n') {
            statement.pop();
        }
    }
    statement.truncate(statement.len() - FROM.len());
    Ok(Some(statement))
}

/// What is kept, until it is too much.
struct Kept {
    pieces: Option<Vec<Piece>>,
    room: usize,
}

impl Kept {
    /// Of a line, at least.
    fn wants(&self) -> usize {
        const ENOUGH: usize = 1 << 16;
        if self.pieces.is_some() { ENOUGH.max(self.room + 1) } else { ENOUGH }
    }

    /// The pieces, when there is room for as many bytes more.
    fn more(&mut self, bytes: usize) -> Option<&mut Vec<Piece>> {
        match self.room.checked_sub(bytes) {
            Some(room) => self.room = room,
            None => self.pieces = None,
        }
        self.pieces.as_mut()
    }

    fn table(&mut self, into: Vec<u8>) {
        if let Some(pieces) = self.more(into.len()) {
            pieces.push(Piece::Rows { into, lines: Vec::new() });
        }
    }

    fn row(&mut self, line: &[u8]) {
        if let Some(Piece::Rows { lines, .. }) = self.more(line.len() + 1).and_then(|pieces| pieces.last_mut()) {
            lines.extend_from_slice(line);
            lines.push(b'\n');
        }
    }

    fn sql(&mut self, line: &[u8]) {
        let Some(pieces) = self.more(line.len() + 1) else { return };
        if !matches!(pieces.last(), Some(Piece::Sql(_))) {
            pieces.push(Piece::Sql(Vec::new()));
        }
        if let Some(Piece::Sql(sql)) = pieces.last_mut() {
            sql.extend_from_slice(line);
            sql.push(b'\n');
        }
    }
}

/// Without what only psql understands.
fn as_sql(mut pieces: Vec<Piece>) -> Vec<Piece> {
    let token = match pieces.first() {
        Some(Piece::Sql(sql)) => restricted_by(sql).map(<[u8]>::to_vec),
        _ => None,
    };
    for piece in &mut pieces {
        if let Piece::Sql(sql) = piece {
            *sql = bare(sql, token.as_deref());
        }
    }
    pieces
}

/// The line's beginning, up to so many bytes, without its end; the rest of it is skipped. False at the end of the input.
pub(super) fn first_of_line(script: &mut impl BufRead, begin: &mut Vec<u8>, enough: usize) -> std::io::Result<bool> {
    loop {
        let buffer = script.fill_buf()?;
        if buffer.is_empty() {
            return Ok(false);
        }
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let line = &buffer[..end.unwrap_or(buffer.len())];
        begin.extend_from_slice(&line[..line.len().min(enough.saturating_sub(begin.len()))]);
        let used = end.map_or(buffer.len(), |end| end + 1);
        script.consume(used);
        if end.is_some() {
            return Ok(true);
        }
    }
}

/// The table's name in `schema.table (columns)`.
fn table_of(statement: &str) -> String {
    identifiers(statement, '.').0.pop().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(script: &str) -> Vec<(String, u64)> {
        let tables = in_script(script.as_bytes(), 0).unwrap().tables;
        tables.into_iter().map(|table| (table.table, table.rows)).collect()
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

    #[test]
    fn what_there_is_room_for_is_kept_in_its_order() {
        let script = "\\restrict t\n\nSET lock_timeout = 0;\nSET row_security = on;\nCOPY s.t (a) FROM stdin;\nx\n\\N\n\\.\n\n\
                      SELECT pg_catalog.setval('s.q', 3, true);\n\\unrestrict t\n";
        let kept = |most| in_script(script.as_bytes(), most).unwrap().kept;
        let sql = |text: &str| Piece::Sql(text.into());
        assert_eq!(
            kept(1000).unwrap(),
            [
                sql("\nSET row_security = on;\n"),
                Piece::Rows { into: b"s.t (a)".to_vec(), lines: b"x\n\\N\n".to_vec() },
                sql("\nSELECT pg_catalog.setval('s.q', 3, true);\n"),
            ]
        );
        assert_eq!(kept(20), None);
    }
}
