//! Rows from wherever they come, into the tables of one schema.

use std::collections::BTreeMap;
use std::io::{BufRead, Write};

use postgres::Transaction;
use rand::RngExt;

use super::fence::{Fence, Step};
use super::tables::{Column, Table, Tables};
use crate::core::model::{ident, literal, qualified};
use crate::core::report::TenantError;
use crate::core::words::few;
use crate::engine::apply::failure::database_error;
use crate::engine::apply::job::Job;

/// Where a sequence stands, as `setval` takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stand {
    pub value: i64,
    pub is_called: bool,
}

pub(super) struct Load<'a> {
    fence: Fence<'a>,
    tables: Tables,
    /// By the table that they went into.
    loaded: BTreeMap<String, u64>,
    stands: BTreeMap<String, Option<Stand>>,
}

impl<'a> Load<'a> {
    pub fn new(fence: Fence<'a>, tables: Tables, sequences: Vec<String>) -> Self {
        let stands = sequences.into_iter().map(|name| (name, None)).collect();
        Self { fence, tables, loaded: BTreeMap::new(), stands }
    }

    pub fn job(&self) -> &'a Job<'a> {
        self.fence.job
    }

    pub fn schema(&self) -> &'a str {
        self.fence.schema
    }

    pub fn owner(&self) -> &'a str {
        self.fence.owner
    }

    /// Where rows of a table of this name go; `None`: there is no such table.
    pub fn target(&self, name: &str) -> Option<(&str, &Table)> {
        let root = &self.tables.get(name)?.root;
        self.tables.get_key_value(root).map(|(name, table)| (name.as_str(), table))
    }

    /// Every table that is to be filled.
    pub fn roots(&self) -> impl Iterator<Item = &str> {
        self.tables.iter().filter(|(name, table)| **name == table.root).map(|(name, _)| name.as_str())
    }

    /// Those of them that hold their rows themselves.
    pub fn plain(&self) -> impl Iterator<Item = &str> {
        self.roots().filter(|name| self.tables.get(*name).is_some_and(|table| !table.is_partitioned))
    }

    /// Rows of these columns of one table, as lines of COPY's text format up to the end of the reader. How many they were.
    ///
    /// # Errors
    /// What PostgreSQL answered, or the reader; or that the columns are not those of the table.
    pub fn rows(
        &mut self,
        transaction: &mut Transaction<'_>,
        table: &str,
        columns: &[String],
        from: &mut dyn BufRead,
    ) -> Result<u64, TenantError> {
        let doing = format!("copying the rows of table {table}");
        self.job().apply.underway.doing(self.job().plan.tenant.as_str(), &doing)?;
        let (target, columns) = self.columns(table, columns)?;
        let target = target.to_owned();
        let arrived = format!("tenantry_rows_{:032x}", rand::rng().random::<u128>());
        let arrived = qualified(self.schema(), &arrived);
        let failed = |error: postgres::Error| database_error(&doing, &error.into());
        let typed = columns.iter().enumerate().map(|(n, column)| format!("c{n} {}", column.arrives_as));
        let create = format!(
            "SET LOCAL ROLE {}; CREATE UNLOGGED TABLE {arrived} ({})",
            ident(self.owner()),
            typed.collect::<Vec<_>>().join(", ")
        );
        transaction.batch_execute(&create).map_err(failed)?;
        let mut writer = transaction.copy_in(&format!("COPY {arrived} FROM STDIN")).map_err(failed)?;
        pass_on(from, &mut writer).map_err(|error| of_io(&doing, error))?;
        let rows = writer.finish().map_err(failed)?;
        transaction.batch_execute("RESET ROLE").map_err(failed)?;
        if rows > 0 {
            let otherwise = format!("table {table} did not take all of its rows");
            let insert = insert(&qualified(self.schema(), &target), &columns, &arrived);
            self.fence.run(transaction, &[Step::Affects { sql: insert, rows, otherwise }], &doing)?;
        }
        transaction.batch_execute(&format!("DROP TABLE {arrived}")).map_err(failed)?;
        *self.loaded.entry(target).or_default() += rows;
        Ok(rows)
    }

    /// The table that rows of these columns go into, and the columns in that order.
    fn columns(&self, table: &str, names: &[String]) -> Result<(&str, Vec<&Column>), TenantError> {
        let differs = |what: String| {
            TenantError::new(format!(
                "table {table} differs from what the migrations create: {what}; nothing was changed"
            ))
            .hint("tenantry drift --deep shows how; bring it in line, and try again")
        };
        let (target, found) = self.target(table).ok_or_else(|| differs("they create none".into()))?;
        let is_there = |name: &str| found.columns.iter().find(|column| column.name == name);
        let missing: Vec<&str> = names.iter().map(String::as_str).filter(|name| is_there(name).is_none()).collect();
        if !missing.is_empty() {
            return Err(differs(format!("they give it no column {}", few(&missing))));
        }
        let lacking = found.columns.iter().map(|column| column.name.as_str());
        let lacking: Vec<&str> = lacking.filter(|name| !names.iter().any(|other| other == name)).collect();
        if !lacking.is_empty() {
            return Err(differs(format!("it lacks column {}", few(&lacking))));
        }
        Ok((target, names.iter().filter_map(|name| is_there(name)).collect()))
    }

    /// # Errors
    /// When the migrations make no such sequence.
    pub fn sequence(&mut self, name: &str, stand: Stand) -> Result<(), TenantError> {
        let Some(slot) = self.stands.get_mut(name) else {
            return Err(TenantError::new(format!("the migrations create no sequence {name}; nothing was changed"))
                .hint("tenantry drift --deep shows what is not of the migrations' making"));
        };
        *slot = Some(stand);
        Ok(())
    }

    pub fn has_sequence(&self, name: &str) -> bool {
        self.stands.contains_key(name)
    }

    /// That every table holds what was loaded into it.
    pub fn counts(&self) -> impl Iterator<Item = Step> {
        self.roots().map(|name| Step::Gives {
            sql: format!("SELECT pg_catalog.count(*) FROM {}{}", self.only(name), qualified(self.schema(), name)),
            number: self.loaded.get(name).copied().unwrap_or_default(),
            otherwise: format!("table {name} does not hold the rows that were copied"),
        })
    }

    /// What inherits from it is another table.
    fn only(&self, name: &str) -> &'static str {
        if self.tables.get(name).is_some_and(|table| table.is_partitioned) { "" } else { "ONLY " }
    }

    /// # Errors
    /// When it is not known where one stands.
    pub fn sequences(&self) -> Result<Vec<Step>, TenantError> {
        let one = |(name, stand): (&String, &Option<Stand>)| {
            let unknown =
                || TenantError::new(format!("where sequence {name} stands is not known; nothing was changed"));
            let Stand { value, is_called } = stand.ok_or_else(unknown)?;
            let sequence = literal(&qualified(self.schema(), name));
            let sql = format!("SELECT pg_catalog.setval({sequence}::pg_catalog.regclass, {value}, {is_called})");
            Ok(Step::Execute(sql))
        };
        self.stands.iter().map(one).collect()
    }
}

fn insert(target: &str, columns: &[&Column], arrived: &str) -> String {
    let value = |(n, column): (usize, &&Column)| match &column.cast_to {
        Some(cast) => format!("c{n}::{cast}"),
        None => format!("c{n}"),
    };
    let values: Vec<String> = columns.iter().enumerate().map(value).collect();
    let names: Vec<String> = columns.iter().map(|column| ident(&column.name)).collect();
    // A table may have no column at all.
    let names = if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) };
    format!("INSERT INTO {target}{names} OVERRIDING SYSTEM VALUE SELECT {} FROM {arrived}", values.join(", "))
}

fn pass_on(from: &mut dyn BufRead, to: &mut dyn Write) -> std::io::Result<()> {
    loop {
        let buffer = from.fill_buf()?;
        if buffer.is_empty() {
            return Ok(());
        }
        to.write_all(buffer)?;
        let passed = buffer.len();
        from.consume(passed);
    }
}

/// The driver wraps what PostgreSQL answered in an error of reading or writing.
fn of_io(doing: &str, error: std::io::Error) -> TenantError {
    match error.downcast::<postgres::Error>() {
        Ok(error) => database_error(doing, &error.into()),
        Err(error) => TenantError::new(format!("{doing}: {error}")),
    }
}
