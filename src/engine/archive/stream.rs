//! The rows of a dump, table by table, as pg_restore prints them: for who puts them elsewhere than where they were.

use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdout};
use std::thread::JoinHandle;

use super::names::{identifiers, readable};
use super::programs::{Programs, failed, read_to_end};
use super::rows::{COPIES, first_of_line, printing, statement_of_copy};
use crate::engine::error::{Context, Error};

/// What a dump's data are made of.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The rows of a table come next: [`Stream::rows`].
    Rows { table: String, columns: Vec<String> },
    /// Where a sequence stands.
    Stand { sequence: String, value: i64, is_called: bool },
}

/// A pg_restore that prints them.
pub(crate) struct Stream {
    child: Child,
    said: JoinHandle<Vec<u8>>,
    script: Script<BufReader<ChildStdout>>,
    doing: String,
}

impl Stream {
    /// # Errors
    /// When pg_restore cannot be started.
    pub fn open(programs: &Programs, dump: &Path) -> Result<Self, Error> {
        let doing = format!("reading {}", dump.display());
        let mut child = printing(programs, dump).spawn().doing(&doing)?;
        let said = read_to_end(child.stderr.take());
        let stdout = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe).map_err(io::Error::from).doing(&doing)?;
        Ok(Self { child, said, script: Script::new(BufReader::with_capacity(1 << 16, stdout)), doing })
    }

    /// # Errors
    /// When the dump is not as pg_dump writes it.
    pub fn next(&mut self) -> Result<Option<Part>, Error> {
        self.script.next().doing(&self.doing)
    }

    /// The lines of the table that [`Self::next`] came to.
    pub fn rows(&mut self) -> impl BufRead + '_ {
        Lines { script: &mut self.script, line: Vec::new(), at: 0 }
    }

    /// # Errors
    /// What pg_restore said, when it did not read the dump to its end.
    pub fn ended(mut self) -> Result<(), Error> {
        let status = self.child.wait().doing(&self.doing)?;
        let said = std::mem::replace(&mut self.said, std::thread::spawn(Vec::new)).join().unwrap_or_default();
        if status.success() { Ok(()) } else { Err(failed(&self.doing, &said, status)) }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // Whoever stopped reading has said why; it may be waiting for us.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Script<R> {
    from: R,
    /// The lines that come are rows.
    copying: bool,
}

impl<R: BufRead> Script<R> {
    fn new(from: R) -> Self {
        Self { from, copying: false }
    }

    fn next(&mut self) -> io::Result<Option<Part>> {
        while self.copying {
            self.line()?;
        }
        let mut begin = Vec::new();
        loop {
            begin.clear();
            if !first_of_line(&mut self.from, &mut begin, MOST)? && begin.is_empty() {
                return Ok(None);
            }
            if let Some(name) = begin.strip_prefix(COPIES) {
                let statement = statement_of_copy(&mut self.from, name)?.ok_or_else(odd)?;
                self.copying = true;
                let (table, columns) = table_and_columns(&readable(&statement)).ok_or_else(odd)?;
                return Ok(Some(Part::Rows { table, columns }));
            }
            if begin.starts_with(STANDS.as_bytes()) {
                // A name may hold a line break.
                while !begin.ends_with(b");") {
                    begin.push(b'\n');
                    if !first_of_line(&mut self.from, &mut begin, MOST)? {
                        return Err(odd());
                    }
                }
                return stand(&readable(&begin)).map(Some).ok_or_else(odd);
            }
        }
    }

    /// A row with its end; none at the end of the table.
    fn line(&mut self) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        if !self.copying {
            return Ok(line);
        }
        if self.from.read_until(b'\n', &mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if line == b"\\.\n" {
            self.copying = false;
            line.clear();
        }
        Ok(line)
    }
}

/// Of a statement; a row may be longer.
const MOST: usize = 1 << 20;

const STANDS: &str = "SELECT pg_catalog.setval(";

fn odd() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "pg_restore printed what it has never printed before")
}

struct Lines<'a, R> {
    script: &'a mut Script<R>,
    line: Vec<u8>,
    at: usize,
}

impl<R: BufRead> BufRead for Lines<'_, R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.at == self.line.len() {
            (self.line, self.at) = (self.script.line()?, 0);
        }
        Ok(&self.line[self.at..])
    }

    fn consume(&mut self, amount: usize) {
        self.at += amount;
    }
}

impl<R: BufRead> Read for Lines<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(into)?;
        self.consume(read);
        Ok(read)
    }
}

/// Of `schema.table (columns)`.
fn table_and_columns(statement: &str) -> Option<(String, Vec<String>)> {
    let (mut names, rest) = identifiers(statement, '.');
    let list = rest.trim_start().strip_prefix('(');
    let columns = list.map(|list| identifiers(list, ',').0).unwrap_or_default();
    Some((names.pop()?, columns))
}

/// Of `SELECT pg_catalog.setval('schema.name', 3, true);`
fn stand(statement: &str) -> Option<Part> {
    let (name, numbers) = statement.strip_prefix(STANDS)?.strip_suffix(");")?.rsplit_once("', ")?;
    let (escaped, name) = match name.strip_prefix("E'") {
        Some(name) => (true, name),
        None => (false, name.strip_prefix('\'')?),
    };
    let name = name.replace("''", "'");
    let name = if escaped { name.replace("\\\\", "\\") } else { name };
    let (value, is_called) = numbers.split_once(", ")?;
    let sequence = identifiers(&name, '.').0.pop()?;
    Some(Part::Stand { sequence, value: value.parse().ok()?, is_called: is_called.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(script: &str) -> io::Result<Vec<String>> {
        let mut script = Script::new(script.as_bytes());
        let mut all = Vec::new();
        while let Some(part) = script.next()? {
            all.push(match part {
                Part::Rows { table, columns } => {
                    let mut rows = String::new();
                    let mut lines = Lines { script: &mut script, line: Vec::new(), at: 0 };
                    lines.read_to_string(&mut rows)?;
                    format!("{table} {columns:?} {rows:?}")
                }
                stand @ Part::Stand { .. } => format!("{stand:?}"),
            });
        }
        Ok(all)
    }

    #[test]
    fn tables_and_sequences_come_one_after_the_other_whatever_their_names() {
        let script = "\\restrict x\nSET a = 1;\nCOPY s.t (id, \"se\"\"l, ect\", c) FROM stdin;\n1\\ta\\n\t\\N\tCOPY s.u (a) FROM stdin;\n\\\\.\n\\.\n\n\
                      COPY \"a.b\".\"t (\nx\"  FROM stdin;\n\n\n\\.\nSELECT pg_catalog.setval('s.q', 3, true);\n\
                      SELECT pg_catalog.setval(E'\"a.b\".\"it''s \\\\ \"\"odd\"\", 1\nq\"', -7, false);\nREFRESH MATERIALIZED VIEW s.v;\n";
        assert_eq!(
            parts(script).unwrap(),
            [
                r#"t ["id", "se\"l, ect", "c"] "1\\ta\\n\t\\N\tCOPY s.u (a) FROM stdin;\n\\\\.\n""#,
                r#"t (
x [] "\n\n""#,
                r#"Stand { sequence: "q", value: 3, is_called: true }"#,
                r#"Stand { sequence: "it's \\ \"odd\", 1\nq", value: -7, is_called: false }"#,
            ]
        );
    }

    #[test]
    fn rows_that_nobody_wanted_are_passed_over_and_a_cut_is_an_error() {
        let mut script = Script::new(
            &b"COPY s.t (a) FROM stdin;\nSELECT pg_catalog.setval('no', 1, true);\n\\.\nCOPY s.u (a) FROM stdin;\n1\n"
                [..],
        );
        let table = |name: &str| Part::Rows { table: name.into(), columns: vec!["a".into()] };
        assert_eq!(script.next().unwrap(), Some(table("t")));
        assert_eq!(script.next().unwrap(), Some(table("u")));
        assert_eq!(script.next().unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
