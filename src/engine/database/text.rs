//! Rows whose text may be anything.
//!
//! The catalogs that all databases of a cluster share (roles, their settings, sessions) hold bytes in the encoding of
//! whichever database they were written from, and PostgreSQL hands them out unchecked; a database in SQL_ASCII holds
//! whatever was sent to it. The driver's own `Row::get` panics at text that is not UTF-8, so that one tenant's name or
//! setting would end a look at all of them. Here it is read with U+FFFD in the place of what cannot be read: it is then
//! nobody's name, and what is done by it fails for the tenant that it belongs to.

use std::collections::BTreeMap;
use std::error::Error;

use postgres::types::{FromSql, ToSql, Type};
use postgres::{GenericClient, Row};

/// Text, whatever its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Text(pub String);

impl<'a> FromSql<'a> for Text {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(String::from_utf8_lossy(raw).into_owned()))
    }

    fn accepts(ty: &Type) -> bool {
        <&str as FromSql>::accepts(ty)
    }
}

/// A row of a query of ours. The columns are ours to know: which there are, of which type, and which may be NULL.
pub(crate) struct Record {
    row: Row,
    /// By the column's number, what was no UTF-8.
    mended: BTreeMap<usize, String>,
}

impl Record {
    fn new(row: Row) -> Self {
        let texts = (0..row.len()).filter(|n| <&str as FromSql>::accepts(row.columns()[*n].type_()));
        let broken = texts.filter(|n| row.try_get::<_, Option<&str>>(*n).is_err());
        let mended = broken.map(|n| (n, row.get::<_, Text>(n).0)).collect();
        Self { row, mended }
    }

    /// The column of that name or number.
    pub fn get<'a, C: Column, T: Readable<'a>>(&'a self, column: C) -> T {
        T::read(self, column.number(self.row.columns()))
    }
}

/// Which column of a row.
pub(crate) trait Column {
    fn number(&self, columns: &[postgres::Column]) -> usize;
}

impl Column for usize {
    fn number(&self, _: &[postgres::Column]) -> usize {
        *self
    }
}

impl Column for &str {
    fn number(&self, columns: &[postgres::Column]) -> usize {
        columns.iter().position(|column| column.name() == *self).unwrap_or(columns.len())
    }
}

/// What can be read from a row.
pub(crate) trait Readable<'a>: Sized {
    fn read(record: &'a Record, column: usize) -> Self;
}

impl<'a> Readable<'a> for &'a str {
    fn read(record: &'a Record, column: usize) -> Self {
        record.mended.get(&column).map_or_else(|| record.row.get(column), String::as_str)
    }
}

impl<'a> Readable<'a> for Option<&'a str> {
    fn read(record: &'a Record, column: usize) -> Self {
        record.mended.get(&column).map_or_else(|| record.row.get(column), |text| Some(text.as_str()))
    }
}

impl Readable<'_> for String {
    fn read(record: &Record, column: usize) -> Self {
        record.row.get::<_, Text>(column).0
    }
}

impl Readable<'_> for Option<String> {
    fn read(record: &Record, column: usize) -> Self {
        record.row.get::<_, Option<Text>>(column).map(|Text(text)| text)
    }
}

impl<'a> Readable<'a> for &'a [u8] {
    fn read(record: &'a Record, column: usize) -> Self {
        record.row.get(column)
    }
}

impl Readable<'_> for Vec<String> {
    fn read(record: &Record, column: usize) -> Self {
        record.row.get::<_, Vec<Text>>(column).into_iter().map(|Text(text)| text).collect()
    }
}

macro_rules! as_it_is {
    ($($t:ty),+ $(,)?) => {$(
        impl Readable<'_> for $t {
            fn read(record: &Record, column: usize) -> Self {
                record.row.get(column)
            }
        }
    )+};
}

as_it_is!(
    bool,
    i16,
    i32,
    i64,
    u32,
    Vec<u8>,
    Vec<Vec<u8>>,
    Option<bool>,
    Option<i32>,
    Option<i64>,
    Option<u32>,
    Option<Vec<u8>>
);

/// PostgreSQL's reach farther than ours, to infinity: what cannot be told is as far away as can be.
impl Readable<'_> for jiff::Timestamp {
    fn read(record: &Record, column: usize) -> Self {
        record.row.try_get(column).unwrap_or(Self::MAX)
    }
}

impl Readable<'_> for Option<jiff::Timestamp> {
    fn read(record: &Record, column: usize) -> Self {
        record.row.try_get(column).unwrap_or(Some(jiff::Timestamp::MAX))
    }
}

/// Queries, answered with [`Record`]s.
pub(crate) trait Ask: GenericClient {
    fn ask(&mut self, query: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Record>, postgres::Error> {
        Ok(self.query(query, params)?.into_iter().map(Record::new).collect())
    }

    fn ask_one(&mut self, query: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Record, postgres::Error> {
        self.query_one(query, params).map(Record::new)
    }

    fn ask_opt(&mut self, query: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Option<Record>, postgres::Error> {
        Ok(self.query_opt(query, params)?.map(Record::new))
    }
}

impl<C: GenericClient> Ask for C {}
