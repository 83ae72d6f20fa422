//! The tables of a schema, as rows are read from them and loaded into them.

use std::collections::BTreeMap;

use postgres::GenericClient;

use crate::engine::database::Ask;

pub(super) struct Table {
    /// Where the rows of a partition go in; of any other table, itself.
    pub root: String,
    /// Its rows are in its partitions.
    pub is_partitioned: bool,
    pub bytes: i64,
    /// Those that are not generated, in their order.
    pub columns: Vec<Column>,
}

pub(super) struct Column {
    pub name: String,
    /// By which two tenants' are compared.
    pub of: String,
    /// The type that its values are read as.
    pub arrives_as: String,
    /// What they are then cast to; `None`: they are assigned.
    pub cast_to: Option<String>,
}

pub(super) type Tables = BTreeMap<String, Table>;

/// # Errors
/// What PostgreSQL answered.
pub(super) fn read(client: &mut impl GenericClient, schema: &str, history: &str) -> Result<Tables, postgres::Error> {
    let rows = client.ask(include_str!("tables.sql"), &[&schema, &history])?;
    let table = |row: &crate::engine::database::Record| {
        let [names, types, arrives_as, cast_to] =
            ["names", "types", "arrives_as", "cast_to"].map(|column| row.get::<_, Vec<String>>(column));
        let columns = names.into_iter().zip(types).zip(arrives_as).zip(cast_to);
        let columns = columns.map(|(((name, of), arrives_as), cast_to)| Column {
            name,
            of,
            arrives_as,
            cast_to: Some(cast_to).filter(|cast| !cast.is_empty()),
        });
        Table {
            root: row.get("root"),
            is_partitioned: row.get("is_partitioned"),
            bytes: row.get("bytes"),
            columns: columns.collect(),
        }
    };
    Ok(rows.iter().map(|row| (row.get("name"), table(row))).collect())
}

/// The sequences of a schema, by their OIDs.
///
/// # Errors
/// What PostgreSQL answered.
pub(super) fn sequences(client: &mut impl GenericClient, schema: &str) -> Result<Vec<(u32, String)>, postgres::Error> {
    let rows = client.ask(
        "SELECT c.oid, c.relname::text AS name FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = $1::text::name AND c.relkind = 'S' AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d \
         WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e') ORDER BY c.relname",
        &[&schema],
    )?;
    Ok(rows.iter().map(|row| (row.get("oid"), row.get("name"))).collect())
}
