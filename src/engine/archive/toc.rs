//! A dump without what pg_dump says of the database around the schema.
//!
//! In its custom format pg_dump writes the whole database's properties, whatever schema it is asked for: its settings, its comment,
//! its privileges, and every `ALTER ROLE … IN DATABASE … SET` of every role (pg_dump.c, dumpDatabase), for a `pg_restore --create` that
//! nobody runs on a tenant's archive. They are other tenants', who may write hundreds of megabytes there. So the dump is read as
//! pg_dump writes it, into a pipe, and those entries of its table of contents are left out.

use std::collections::BTreeMap;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};

/// The versions of the format whose table of contents is known: of pg_dump 12 to 15, 16, and 17 to 18.
const KNOWN: std::ops::RangeInclusive<u8> = 14..=16;

/// Those before 1.15 have a number for the compression, later ones a byte.
const COMPRESSION_IS_A_BYTE: u8 = 15;

/// From 1.16 on each entry has a relkind.
const HAS_RELKIND: u8 = 16;

const CUSTOM: u8 = 1;

/// A number is a byte for its sign and these, the lowest first (pg_backup_archiver.c, WriteInt).
const NUMBER: u8 = 4;
const OFFSET: u8 = 8;

/// What comes before an entry's offset (pg_backup_custom.c, WriteOffset).
const OFFSET_IS_SET: u8 = 2;

/// A block of rows; large objects have another, and are in no dump of a schema.
const BLOCK_OF_ROWS: u8 = 1;

/// Copies the dump, from the file's beginning on. Each entry gets the place of its data, as if pg_dump had written to a file.
/// Whether the format was known; one that is not is copied as it is.
///
/// # Errors
/// What the reader or the writer answered; `UnexpectedEof` when the dump ends in the middle.
pub(super) fn copy_without_the_database(dump: impl Read, to: impl Write + Seek) -> io::Result<bool> {
    let mut copy = Copy { from: BufReader::new(dump), to: BufWriter::new(to), at: 0, keeps: true };
    let known = copy.all()?;
    copy.to.flush()?;
    Ok(known)
}

struct Copy<R, W: Write> {
    from: BufReader<R>,
    to: BufWriter<W>,
    /// How much was written.
    at: u64,
    /// Of what is read now, whether it is written.
    keeps: bool,
}

/// The beginning of an entry, up to what tells whether it is left out.
struct Head {
    bytes: Vec<u8>,
    id: i64,
    has_data: bool,
    is_of_the_database: bool,
}

impl<R: Read, W: Write + Seek> Copy<R, W> {
    fn all(&mut self) -> io::Result<bool> {
        let mut head = [0; 11];
        self.from.read_exact(&mut head)?;
        self.write(&head)?;
        let [.., major, minor, _, number, offset, format] = head;
        let known = head.starts_with(b"PGDMP") && (major, number, offset, format) == (1, NUMBER, OFFSET, CUSTOM);
        if !known || !KNOWN.contains(&minor) {
            io::copy(&mut self.from, &mut self.to)?;
            return Ok(false);
        }
        if minor < COMPRESSION_IS_A_BYTE { self.number().map(drop) } else { self.bytes(1) }?;
        // When it was made: seven numbers. Then the database's name, the server's version and pg_dump's.
        (0..7).try_for_each(|_| self.number().map(drop))?;
        (0..3).try_for_each(|_| self.text().map(drop))?;
        let offsets = self.entries(minor)?;
        self.blocks(&offsets)?;
        Ok(true)
    }

    /// Where in the file the offset of each entry with data is to be written.
    fn entries(&mut self, minor: u8) -> io::Result<BTreeMap<i64, u64>> {
        let (counted_at, count) = (self.at, self.number()?);
        let (mut kept, mut offsets) = (0, BTreeMap::new());
        for _ in 0..count {
            let head = self.head()?;
            self.keeps = !head.is_of_the_database;
            self.write(&head.bytes)?;
            let offset_at = self.rest_of_an_entry(minor)?;
            if self.keeps {
                kept += 1;
                offsets.extend(head.has_data.then_some((head.id, offset_at)));
            }
        }
        self.keeps = true;
        self.patch(counted_at, &number(kept))?;
        Ok(offsets)
    }

    fn head(&mut self) -> io::Result<Head> {
        let mut bytes = Vec::new();
        let id = self.read_number(&mut bytes)?;
        let has_data = self.read_number(&mut bytes)? != 0;
        // OIDs of the catalog and of the object.
        self.read_text(&mut bytes)?;
        self.read_text(&mut bytes)?;
        let (tag, desc) = (self.read_text(&mut bytes)?, self.read_text(&mut bytes)?);
        let is_of_the_database = match desc.as_slice() {
            b"DATABASE" | b"DATABASE PROPERTIES" => true,
            b"ACL" | b"COMMENT" | b"SECURITY LABEL" => tag.starts_with(b"DATABASE "),
            _ => false,
        };
        Ok(Head { bytes, id, has_data, is_of_the_database })
    }

    /// What comes after the head; returns where its offset is.
    fn rest_of_an_entry(&mut self, minor: u8) -> io::Result<u64> {
        self.number()?; // The section.
        // Its statement, the one that drops it, the one that copies; schema, tablespace, access method.
        (0..6).try_for_each(|_| self.text().map(drop))?;
        if minor >= HAS_RELKIND {
            self.number()?;
        }
        // Its owner, and whether it has OIDs; then what it depends on, up to what is no text.
        (0..2).try_for_each(|_| self.text().map(drop))?;
        while self.text()? {}
        let at = self.at;
        self.bytes(1 + u64::from(OFFSET))?;
        Ok(at)
    }

    /// The data, block by block; what is no block of rows is copied as it is, with all that follows.
    fn blocks(&mut self, offsets: &BTreeMap<i64, u64>) -> io::Result<()> {
        loop {
            let begin = self.at;
            let mut kind = Vec::new();
            self.from.by_ref().take(1).read_to_end(&mut kind)?;
            self.write(&kind)?;
            if kind != [BLOCK_OF_ROWS] {
                return io::copy(&mut self.from, &mut self.to).map(drop);
            }
            let id = self.number()?;
            while let Some(length) = u64::try_from(self.number()?).ok().filter(|length| *length > 0) {
                self.bytes(length)?;
            }
            if let Some(at) = offsets.get(&id) {
                self.patch(*at, &[&[OFFSET_IS_SET][..], &begin.to_le_bytes()].concat())?;
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.keeps {
            self.at += bytes.len() as u64;
            self.to.write_all(bytes)?;
        }
        Ok(())
    }

    /// Over what was written there.
    fn patch(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.to.seek(SeekFrom::Start(at))?;
        self.to.write_all(bytes)?;
        self.to.seek(SeekFrom::Start(self.at)).map(drop)
    }

    fn read_number(&mut self, into: &mut Vec<u8>) -> io::Result<i64> {
        let mut bytes = [0; NUMBER as usize + 1];
        self.from.read_exact(&mut bytes)?;
        into.extend_from_slice(&bytes);
        let [sign, rest @ ..] = bytes;
        let number = i64::from(u32::from_le_bytes(rest));
        Ok(if sign == 0 { number } else { -number })
    }

    fn read_text(&mut self, into: &mut Vec<u8>) -> io::Result<Vec<u8>> {
        let length = length(self.read_number(into)?);
        let mut text = Vec::new();
        self.from.by_ref().take(length).read_to_end(&mut text)?;
        into.extend_from_slice(&text);
        is_all(text.len() as u64, length).map(|()| text)
    }

    fn number(&mut self) -> io::Result<i64> {
        let mut bytes = Vec::new();
        let number = self.read_number(&mut bytes)?;
        self.write(&bytes)?;
        Ok(number)
    }

    /// Whether there is one: NULL is not.
    fn text(&mut self) -> io::Result<bool> {
        let number = self.number()?;
        self.bytes(length(number))?;
        Ok(number >= 0)
    }

    fn bytes(&mut self, count: u64) -> io::Result<()> {
        let mut some = self.from.by_ref().take(count);
        if !self.keeps {
            return is_all(io::copy(&mut some, &mut io::sink())?, count);
        }
        let copied = io::copy(&mut some, &mut self.to)?;
        self.at += copied;
        is_all(copied, count)
    }
}

/// Of a text that is NULL it is less than nothing.
fn length(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

fn is_all(read: u64, wanted: u64) -> io::Result<()> {
    if read == wanted { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

fn number(number: u32) -> Vec<u8> {
    [&[0][..], &number.to_le_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Vec<u8> {
        [number(u32::try_from(text.len()).unwrap()), text.into()].concat()
    }

    const NULL: [u8; 5] = [1, 1, 0, 0, 0];

    /// `place`: of its data, where that is known.
    fn entry(minor: u8, id: u32, desc: &str, tag: &str, defn: &str, place: Option<Option<usize>>) -> Vec<u8> {
        let offset = match place {
            None => [3].into_iter().chain([0; 8]).collect(),
            Some(None) => [1].into_iter().chain([0; 8]).collect(),
            Some(Some(at)) => [2].into_iter().chain((at as u64).to_le_bytes()).collect(),
        };
        let relkind = if minor >= 16 { number(114) } else { Vec::new() };
        let before = [number(id), number(place.is_some().into()), text("0"), text("0"), text(tag), text(desc)].concat();
        let names = [number(2), text(defn), NULL.into(), text("COPY"), text("s"), NULL.into(), NULL.into()].concat();
        [before, names, relkind, text("owner"), text("false"), text("6"), NULL.into(), offset].concat()
    }

    fn head(minor: u8) -> Vec<u8> {
        let compression = if minor < 15 { number(6) } else { vec![2] };
        let versions = [text("app"), text("15.18"), text("15.18")].concat();
        [b"PGDMP\x01".to_vec(), vec![minor, 0, 4, 8, 1], compression, number(9).repeat(7), versions].concat()
    }

    fn copied(dump: &[u8]) -> io::Result<(bool, Vec<u8>)> {
        let mut to = io::Cursor::new(Vec::new());
        copy_without_the_database(dump, &mut to).map(|known| (known, to.into_inner()))
    }

    #[test]
    fn what_is_of_the_database_is_left_out_and_the_places_of_the_data_are_known() {
        let long = "ALTER ROLE globex_user IN DATABASE app SET x TO '…';".repeat(5000);
        for minor in 14..=16 {
            let schema = entry(minor, 6, "SCHEMA", "DATABASE s", "CREATE SCHEMA s;", None);
            let of_the_database = [
                entry(minor, 1, "DATABASE", "app", "CREATE DATABASE app;", None),
                entry(minor, 2, "COMMENT", "DATABASE app", "COMMENT ON DATABASE app IS 'x';", None),
                entry(minor, 3, "ACL", "DATABASE app", "GRANT CONNECT ON DATABASE app TO x;", None),
                entry(minor, 4, "DATABASE PROPERTIES", "app", &long, None),
            ];
            let rows = |id| [vec![1], number(id), number(3), b"abc".to_vec(), number(2), b"de".to_vec(), number(0)];
            let data = |id, place| entry(minor, id, "TABLE DATA", "t", "", Some(place));
            let dump = [
                head(minor),
                number(7),
                of_the_database.concat(),
                schema.clone(),
                data(8, None),
                data(9, None),
                rows(9).concat(),
                rows(8).concat(),
            ];
            let begin = [head(minor), number(3), schema].concat();
            let block = rows(9).concat().len();
            let first = begin.len() + data(8, None).len() * 2;
            let tables = [data(8, Some(first + block)), data(9, Some(first))].concat();
            let wanted = [begin, tables, rows(9).concat(), rows(8).concat()].concat();
            assert_eq!(copied(&dump.concat()).unwrap(), (true, wanted), "1.{minor}");
            let cut = dump.concat();
            let error = copied(&cut[..cut.len() - 1]).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        }
    }

    #[test]
    fn a_format_that_is_not_known_is_copied_as_it_is() {
        let dump = [head(17), vec![7; 1000]].concat();
        assert_eq!(copied(&dump).unwrap(), (false, dump));
        let no_dump = b"-- PostgreSQL database dump".to_vec();
        assert_eq!(copied(&no_dump).unwrap(), (false, no_dump));
    }
}
