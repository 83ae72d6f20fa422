//! Where each tool keeps its history, and in which form.

use super::format::Format;

/// Where a tool keeps its history, unless it is told otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForeignTable {
    /// In the schema that the tool migrates.
    pub table: &'static str,
    /// In the order in which a `Row` has them.
    pub columns: &'static [(&'static str, Type)],
}

/// What a column holds, so that another tool's table of the same name is not taken for this one's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    Text,
    Integer,
    Boolean,
    Time,
    Bytes,
}

impl Type {
    /// Whether it is this type of PostgreSQL's, by its name in the catalogs' words.
    #[must_use]
    pub fn is(self, name: &str) -> bool {
        match self {
            Self::Text => ["character varying", "text", "character"].contains(&name),
            Self::Integer => ["integer", "bigint"].contains(&name),
            Self::Boolean => name == "boolean",
            Self::Time => ["timestamp with time zone", "timestamp without time zone"].contains(&name),
            Self::Bytes => name == "bytea",
        }
    }
}

/// Where the format's tool keeps its history; nothing where that is tenantry's own.
#[must_use]
pub fn history_of(format: Format) -> Option<ForeignTable> {
    use Type::{Boolean, Bytes, Integer, Text, Time};
    let (table, columns): (_, &[(_, _)]) = match format {
        Format::Refinery => return None,
        Format::Sqlx => ("_sqlx_migrations", &[("version", Integer), ("success", Boolean), ("checksum", Bytes)]),
        Format::Diesel => ("__diesel_schema_migrations", &[("version", Text)]),
        Format::GolangMigrate => ("schema_migrations", &[("version", Integer), ("dirty", Boolean)]),
        Format::Dbmate => ("schema_migrations", &[("version", Text)]),
        Format::Flyway => (
            "flyway_schema_history",
            &[
                ("installed_rank", Integer),
                ("version", Text),
                ("type", Text),
                ("success", Boolean),
                ("checksum", Integer),
            ],
        ),
        Format::Prisma => (
            "_prisma_migrations",
            &[("migration_name", Text), ("finished_at", Time), ("rolled_back_at", Time), ("checksum", Text)],
        ),
    };
    Some(ForeignTable { table, columns })
}
