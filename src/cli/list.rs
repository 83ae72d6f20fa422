//! `list`: the fleet.

use tenantry::Options;
use tenantry::plan::RECOVER;
use tenantry::render;
use tenantry::render::escape::visible;
use tenantry::render::list::{ListRow, age};
use tenantry::words::size;

use super::args::{Format, Global};
use super::exit::Exit;
use super::failure::Failure;
use super::output::Output;
use super::{project, tables};

pub fn run(global: &Global, out: &mut Output) -> Result<Exit, Failure> {
    let options = Options { sizes: true, ..project::options(global) };
    let mut looked = project::open(global, options)?.look()?;
    out.talks_to(&looked.place());
    let mut rows = looked.tenants()?;
    let many = looked.many_locks()?;
    for row in &mut rows {
        row.locks = many.iter().find(|found| found.role == row.username).map(|found| found.locks);
    }
    let part = looked.targeting().map(|part| format!("\n{}\n", render::text::targeting(&part)));
    let table = || format!("{}{}", text(&rows), part.unwrap_or_default());
    out.print(&match out.format {
        Format::Json => render::list::json(&rows),
        Format::Text => table(),
        // The columns stand below one another.
        Format::Markdown => render::markdown::fenced("", &table()),
    })?;
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

/// As a table, in units for people.
fn text(rows: &[ListRow]) -> String {
    // A fleet without classes needs no column for them.
    let has_classes = rows.iter().any(|row| row.class.is_some());
    let cells = rows.iter().map(|row| {
        let [schema, username, state] = [&row.schema, &row.username, &row.state].map(|text| visible(text).into_owned());
        let mut cells = vec![row.tenant.clone(), schema, username, state];
        cells.extend(has_classes.then(|| visible(row.class.as_deref().unwrap_or("-")).into_owned()));
        cells.extend([
            row.migration.map_or("-".into(), |version| version.to_string()),
            size(row.size),
            row.connections.to_string(),
            row.secret_age.map_or("-".into(), age),
        ]);
        cells
    });
    if rows.is_empty() {
        return "No tenants.\n".into();
    }
    let mut header = vec!["tenant", "schema", "username", "state"];
    header.extend(has_classes.then_some("class"));
    let words = header.len();
    header.extend(["migration", "size", "connections", "secret_age"]);
    tables::text(header.into_iter().map(str::to_owned).collect(), cells, |column| column >= words)
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
            locks: None,
        };
        vec![row("acme", Some(12), 52 << 20, Some(90_000)), row("globex\x1b", None, 0, None)]
    }

    #[test]
    fn a_table_for_people() {
        insta::assert_snapshot!(text(&rows()[..1]));
        assert!(!text(&rows()).contains("globex\x1b_user"));
        assert_eq!(text(&[]), "No tenants.\n");
    }
}
