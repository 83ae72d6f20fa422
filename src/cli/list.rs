//! `list`: the fleet.

use tenantry::Options;
use tenantry::plan::RECOVER;
use tenantry::render;
use tenantry::render::list::{Column, ListRow, sort};

use super::args::{Format, Global, ListArgs};
use super::exit::Exit;
use super::failure::Failure;
use super::output::Output;
use super::{project, tables};

pub fn run(global: &Global, args: &ListArgs, out: &mut Output) -> Result<Exit, Failure> {
    let options = Options { sizes: true, ..project::options(global) };
    let mut looked = project::open(global, options)?.look()?;
    out.talks_to(&looked.place());
    let mut rows = looked.tenants()?;
    let is_asked_for = |column| args.columns.contains(&column) || args.sort.iter().any(|sort| sort.column == column);
    if is_asked_for(Column::LastMigration) {
        looked.date_migrations(&mut rows)?;
    }
    let is_whole_document = !out.csv && out.format == Format::Json && args.columns.is_empty();
    if is_whole_document || is_asked_for(Column::Rows) {
        looked.estimate_rows(&mut rows)?;
    }
    let many = looked.count_locks(&mut rows)?;
    rows.retain(|row| is_wanted(row, args));
    sort(&mut rows, &args.sort);
    let part = looked.targeting().map(|part| format!("\n{}\n", render::text::targeting(&part)));
    let columns = if args.columns.is_empty() { Column::usual(&rows) } else { args.columns.clone() };
    let columns = columns.as_slice();
    let table = || format!("{}{}", text(&rows, columns), part.unwrap_or_default());
    if out.csv {
        out.print_data(&render::rows::csv(&render::list::table(&rows, columns)))?;
    } else {
        out.print(&match out.format {
            Format::Json if is_whole_document => render::list::json(&rows),
            Format::Json => render::rows::json(&render::list::table(&rows, columns)),
            Format::Text => table(),
            // The columns stand below one another.
            Format::Markdown => render::markdown::fenced("", &table()),
        })?;
    }
    for unseen in looked.unseen() {
        out.note(&format!("could not see {}", unseen.what));
        if let Some(hint) = &unseen.hint {
            out.note(&format!(" hint: {hint}"));
        }
    }
    if let Some(lost) = looked.lost() {
        out.note(&lost);
        out.note(&format!(" hint: {RECOVER}"));
    }
    many.iter().for_each(|found| out.note(&render::list::many_locks(found)));
    Ok(Exit::Ok)
}

fn is_wanted(row: &ListRow, args: &ListArgs) -> bool {
    let older = |age: std::time::Duration| {
        row.secret_age.is_some_and(|seconds| u64::try_from(seconds).unwrap_or_default() >= age.as_secs())
    };
    let is_of = |class: &String| args.class.iter().any(|glob| glob.is_match(class));
    (args.state.is_empty() || args.state.contains(&row.state))
        && (args.class.is_empty() || row.class.as_ref().is_some_and(is_of))
        && args.older_than.is_none_or(older)
        && args
            .version_below
            .is_none_or(|version| row.state != "removed" && row.migration.is_none_or(|migration| migration < version))
}

/// As a table, in units for people.
fn text(rows: &[ListRow], columns: &[Column]) -> String {
    if rows.is_empty() {
        return "No tenants.\n".into();
    }
    let header = columns.iter().map(|column| column.as_str().to_owned()).collect();
    let cells = rows.iter().map(|row| columns.iter().map(|column| column.shown(row)).collect());
    tables::text(header, cells, |column| columns[column].is_number())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<ListRow> {
        let row = |tenant: &str, migration, size, secret_age| ListRow {
            tenant: tenant.into(),
            schema: format!("tenant_{tenant}"),
            username: format!("{tenant}_user"),
            state: "active".into(),
            class: None,
            declared: Some("file".into()),
            migration,
            size,
            connections: 3,
            secret_age,
            rows: None,
            last_migration: None,
            locks: None,
        };
        vec![row("acme", Some(12), 52 << 20, Some(90_000)), row("globex\x1b", None, 0, None)]
    }

    #[test]
    fn a_table_for_people() {
        insta::assert_snapshot!(text(&rows()[..1], &Column::usual(&rows())));
        assert!(!text(&rows(), &Column::usual(&rows())).contains("globex\x1b_user"));
        assert_eq!(text(&[], &[]), "No tenants.\n");
    }
}
