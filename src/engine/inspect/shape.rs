//! The shapes of schemas: as digests, to tell which are alike, and in full.

use std::collections::BTreeMap;

use postgres::Transaction;

use crate::core::shape::{ObjectName, PartName, Shape};
use crate::engine::database::{Ask, Record};
use crate::engine::error::{Context, Error};

/// Whose shape to read.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    pub schema: String,
    pub username: String,
    pub owner: String,
    /// What the username made counts like everything else.
    pub strict: bool,
}

/// What two schemas of one shape have in common.
#[derive(Clone, Debug, Default)]
pub(crate) struct Digest {
    pub digest: Vec<u8>,
    /// What the username made, such as "table notes"; not in the digest.
    pub own: Vec<String>,
}

const ROWS: &str = concat!(include_str!("sql/shape.sql"), include_str!("sql/shape_rows.sql"));
const DIGESTS: &str = concat!(include_str!("sql/shape.sql"), include_str!("sql/shape_digests.sql"));

/// The shapes in full, or of the items with these titles; a schema with none is left out.
///
/// # Errors
/// What PostgreSQL answered; 55P03 when a tenant holds one of its views locked.
pub(crate) fn rows(
    transaction: &mut Transaction<'_>,
    subjects: &[Subject],
    history_tables: &[&str],
    titles: Option<&[String]>,
) -> Result<BTreeMap<String, Shape>, Error> {
    let mut shapes: BTreeMap<String, Shape> = BTreeMap::new();
    for row in ask(transaction, ROWS, subjects, history_tables, titles)? {
        let [kind, name, part_kind, part] = ["kind", "object", "part_kind", "part"].map(|c| row.get::<_, String>(c));
        let part = (!part_kind.is_empty()).then_some(PartName { kind: part_kind, name: part });
        shapes.entry(row.get("schema")).or_default().insert(
            ObjectName { kind, name },
            part,
            row.get("position"),
            row.get("definition"),
            row.get("is_partition"),
        );
    }
    Ok(shapes)
}

/// A digest for each schema that is not empty, the items with these titles left out.
///
/// # Errors
/// As [`rows`].
pub(crate) fn digests(
    transaction: &mut Transaction<'_>,
    subjects: &[Subject],
    history_tables: &[&str],
    without: &[String],
) -> Result<BTreeMap<String, Digest>, Error> {
    let rows = ask(transaction, DIGESTS, subjects, history_tables, Some(without))?;
    Ok(rows.iter().map(|row| (row.get("schema"), Digest { digest: row.get("digest"), own: row.get("own") })).collect())
}

fn ask(
    transaction: &mut Transaction<'_>,
    query: &str,
    subjects: &[Subject],
    history_tables: &[&str],
    titles: Option<&[String]>,
) -> Result<Vec<Record>, Error> {
    let doing = "reading the shapes of the schemas";
    let column = |text: fn(&Subject) -> &str| subjects.iter().map(text).collect::<Vec<_>>();
    let [schemas, usernames, owners] = [column(|s| &s.schema), column(|s| &s.username), column(|s| &s.owner)];
    let strict: Vec<bool> = subjects.iter().map(|subject| subject.strict).collect();
    let rows =
        transaction.ask(query, &[&schemas, &usernames, &owners, &strict, &history_tables, &titles]).doing(doing)?;
    // The query left the last schema's search_path behind.
    transaction.batch_execute("SET LOCAL search_path = pg_catalog, pg_temp").doing(doing)?;
    Ok(rows)
}
