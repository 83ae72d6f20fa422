//! The columns that the registry's tables have.

use super::embedded::{self, HISTORY_TABLE};

/// A column of a table of ours, and the version of the migration that makes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MadeColumn {
    pub version: i32,
    pub table: String,
    pub name: String,
    /// As the migration spells it.
    pub kind: String,
}

/// Those of the history are refinery's.
pub(crate) fn columns_made() -> Vec<MadeColumn> {
    let history = [("version", "int4"), ("name", "varchar"), ("applied_on", "varchar"), ("checksum", "varchar")];
    let of = |version, table: &str, name: &str, kind: &str| MadeColumn {
        version,
        table: table.to_owned(),
        name: name.to_owned(),
        kind: kind.to_owned(),
    };
    let mut made: Vec<_> = history.iter().map(|(name, kind)| of(0, HISTORY_TABLE, name, kind)).collect();
    for migration in embedded::migrations::runner().get_migrations() {
        let (mut table, mut is_new) = (String::new(), false);
        for line in migration.sql().unwrap_or_default().lines().filter(|line| !line.starts_with("--")) {
            for (words, makes) in [("CREATE TABLE tenantry.", true), ("ALTER TABLE tenantry.", false)] {
                if let Some((_, rest)) = line.split_once(words) {
                    (table, is_new) = (first_word(rest).to_owned(), makes);
                }
            }
            let added = line.split_once("ADD COLUMN ").map(|(_, rest)| rest);
            let column = added.or_else(|| line.strip_prefix("    ").filter(|_| is_new));
            // Constraints begin with a capital letter.
            if let Some(column) = column.filter(|column| column.starts_with(|c: char| c.is_ascii_lowercase())) {
                let name = first_word(column);
                let kind = column[name.len()..].trim_start();
                let ends = |c: char| c.is_whitespace() || c == ',' || c == ';';
                made.push(of(migration.version(), &table, name, kind.split(ends).next().unwrap_or_default()));
            }
            is_new &= line != ");";
        }
    }
    made
}

fn first_word(text: &str) -> &str {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_of_ours_has_columns() {
        let made = columns_made();
        for table in super::super::guard::tables() {
            assert!(made.iter().any(|column| column.table == table), "{table}");
        }
        let of = |table: &str, name: &str| {
            made.iter()
                .find(|column| (column.table.as_str(), column.name.as_str()) == (table, name))
                .map(|column| (column.version, column.kind.as_str()))
        };
        assert_eq!(of("tenants", "secret_port"), Some((1, "integer")));
        assert_eq!(of("tenants", "history_table"), Some((11, "text")));
        assert_eq!(of("identity", "reached"), Some((10, "text[]")));
        assert_eq!(of("identity", "server_started"), Some((10, "timestamptz")));
    }
}
