//! `drift --report`: one page a manager can open. Nothing is loaded from anywhere; light and dark by the reader's choice.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::escape::visible;
use super::group::{Block, blocks, notes as notes_of};
use super::list::{ListRow, age};
use super::text::{names, no_changes};
use crate::plan::{Plan, Verb, size};

const STYLE: &str = include_str!("report.css");

/// Rows of a table that people read to the end; the rest is counted.
const ROWS: usize = 50;

/// The report of one look.
pub struct Report<'a> {
    pub plan: &'a Plan,
    /// The whole fleet, with sizes.
    pub fleet: &'a [ListRow],
    /// When the look was taken, as a person reads it.
    pub taken_at: &'a str,
}

#[must_use]
pub fn report(report: &Report<'_>) -> String {
    let database = &report.plan.database;
    let title = format!("Tenants of {} on {}:{}", database.name, database.host, database.port);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n<p class=\"when\">{}</p>\n",
        escape(report.taken_at),
        title = escape(&title),
    );
    verdict(&mut page, report.plan);
    totals(&mut page, report);
    versions(&mut page, report.fleet);
    differences(&mut page, report.plan);
    notes(&mut page, report.plan);
    oldest(&mut page, report.fleet);
    largest(&mut page, report.fleet);
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

fn verdict(page: &mut String, plan: &Plan) {
    let differing = plan.tenants.iter().filter(|tenant| tenant.verb != Verb::Unchanged).count();
    let (class, words) = match (differing, plan.database_changes.len()) {
        (0, 0) if !plan.unseen.is_empty() => ("drift", no_changes(plan).to_owned()),
        (0, 0) => ("ok", "In sync: PostgreSQL and the secret store match what is declared.".to_owned()),
        (0, shared) => ("drift", format!("Drift: {shared} changes to what the tenants share.")),
        (n, _) => ("drift", format!("Drift: {n} of {} tenants differ from what is declared.", plan.tenants.len())),
    };
    let _ = writeln!(page, "<p class=\"verdict {class}\">{words}</p>");
    for hazard in &plan.hazards {
        let _ = writeln!(page, "<p class=\"hazard\">{}</p>", escape(&hazard.detail));
    }
    for unseen in &plan.unseen {
        let hint = unseen.hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default();
        let _ = writeln!(page, "<p class=\"hazard\">{}</p>", escape(&format!("Could not see {}{hint}", unseen.what)));
    }
}

fn totals(page: &mut String, report: &Report<'_>) {
    page.push_str("<dl class=\"totals\">\n");
    let mut total = |name: &str, value: String| {
        let _ = writeln!(page, "<div><dt>{name}</dt><dd>{value}</dd></div>");
    };
    total("tenants", report.fleet.len().to_string());
    for verb in Verb::ALL {
        let count = report.plan.count(verb);
        if count > 0 && verb != Verb::Unchanged {
            total(&format!("to {}", verb.as_str()).replace("to blocked", "blocked"), count.to_string());
        }
    }
    total("in sync", report.plan.count(Verb::Unchanged).to_string());
    total("on disk", size(report.fleet.iter().map(|row| row.size).sum()));
    total("connections", report.fleet.iter().map(|row| row.connections).sum::<i64>().to_string());
    page.push_str("</dl>\n");
}

/// How far the fleet is: one bar, a part for each version.
fn versions(page: &mut String, fleet: &[ListRow]) {
    let mut counts: BTreeMap<Option<i64>, usize> = BTreeMap::new();
    for row in fleet.iter().filter(|row| row.state == "active") {
        *counts.entry(row.migration).or_default() += 1;
    }
    let all: usize = counts.values().sum();
    if all == 0 {
        return;
    }
    page.push_str(
        "<h2>Migrations</h2>\n<div class=\"bar\" role=\"img\" aria-label=\"tenants by migration version\">\n",
    );
    let name = |version: Option<i64>| version.map_or("none".to_owned(), |version| format!("V{version}"));
    for (n, (version, count)) in counts.iter().rev().enumerate() {
        let _ = writeln!(
            page,
            "<span class=\"part p{}\" style=\"flex-grow:{count}\" title=\"{}: {count} of {all}\"></span>",
            n.min(5),
            name(*version)
        );
    }
    page.push_str("</div>\n<ul class=\"legend\">\n");
    for (n, (version, count)) in counts.iter().rev().enumerate() {
        let _ = writeln!(page, "<li><span class=\"key p{}\"></span>{}: {count}</li>", n.min(5), name(*version));
    }
    page.push_str("</ul>\n");
}

/// Tenants with the same difference stand together.
fn differences(page: &mut String, plan: &Plan) {
    if plan.is_empty() {
        return;
    }
    page.push_str("<h2>What differs</h2>\n");
    if !plan.database_changes.is_empty() {
        page.push_str("<details open><summary>What the tenants share</summary>\n<ul>\n");
        for change in &plan.database_changes {
            let _ = writeln!(page, "<li>{}</li>", escape(&change.detail));
        }
        page.push_str("</ul></details>\n");
    }
    for block in blocks(plan, false) {
        difference(page, &block);
    }
}

fn difference(page: &mut String, block: &Block<'_>) {
    let count = block.members.len();
    let keys = block.members.iter().map(|member| &member.tenant);
    let who = names(keys, count, "…");
    let who = if count == 1 { who } else { format!("{count} tenants: {who}") };
    let verb = block.verb.as_str();
    let _ = writeln!(
        page,
        "<details{}><summary><span class=\"verb {verb}\">{verb}</span> {}</summary>\n<ul>",
        if count <= 20 { " open" } else { "" },
        escape(&who)
    );
    if let Some(reason) = &block.shape.reason {
        let _ = writeln!(page, "<li>{}</li>", escape(reason));
    }
    for change in &block.shape.changes {
        let value = |value: &Option<String>| value.as_deref().map_or("—".to_owned(), escape);
        let _ = writeln!(
            page,
            "<li>{}: <span class=\"before\">{}</span> → <span class=\"after\">{}</span></li>",
            escape(&change.what),
            value(&change.before),
            value(&change.after)
        );
    }
    for (_, detail) in &block.shape.hazards {
        let _ = writeln!(page, "<li class=\"hazard\">{}</li>", escape(detail));
    }
    page.push_str("</ul></details>\n");
}

/// What is there beside what is declared, and stays.
fn notes(page: &mut String, plan: &Plan) {
    let notes = notes_of(plan, false);
    if notes.is_empty() {
        return;
    }
    page.push_str("<h2>Beside what is declared, and left as it is</h2>\n<ul>\n");
    for note in notes.iter().take(ROWS) {
        let who = names(note.members.iter().copied(), note.members.len(), "…");
        let _ = writeln!(page, "<li>{}: {}: {}</li>", escape(&who), escape(&note.what), escape(&note.detail));
    }
    if notes.len() > ROWS {
        let _ = writeln!(page, "<li>and {} more</li>", notes.len() - ROWS);
    }
    page.push_str("</ul>\n");
}

fn oldest(page: &mut String, fleet: &[ListRow]) {
    let mut rows: Vec<_> = fleet.iter().filter_map(|row| Some((row.secret_age?, row))).collect();
    rows.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.tenant.cmp(&b.1.tenant)));
    table(
        page,
        "Oldest passwords",
        ["tenant", "age"],
        rows.iter().map(|(seconds, row)| (row.tenant.as_str(), age(*seconds))),
    );
}

fn largest(page: &mut String, fleet: &[ListRow]) {
    let mut rows: Vec<_> = fleet.iter().collect();
    rows.sort_by(|a, b| b.size.cmp(&a.size).then_with(|| a.tenant.cmp(&b.tenant)));
    table(page, "Largest tenants", ["tenant", "on disk"], rows.iter().map(|row| (row.tenant.as_str(), size(row.size))));
}

fn table<'a>(page: &mut String, title: &str, head: [&str; 2], rows: impl ExactSizeIterator<Item = (&'a str, String)>) {
    let all = rows.len();
    if all == 0 {
        return;
    }
    let _ = writeln!(
        page,
        "<h2>{title}</h2>\n<table>\n<thead><tr><th>{}</th><th>{}</th></tr></thead>\n<tbody>",
        head[0], head[1]
    );
    for (tenant, value) in rows.take(ROWS) {
        let _ = writeln!(page, "<tr><td>{}</td><td>{}</td></tr>", escape(tenant), escape(&value));
    }
    page.push_str("</tbody>\n</table>\n");
    if all > ROWS {
        let _ = writeln!(page, "<p class=\"more\">and {} more</p>", all - ROWS);
    }
}

/// Text for HTML, in an element or in a quoted attribute.
fn escape(text: &str) -> String {
    visible(text)
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(tenant: &str) -> ListRow {
        ListRow {
            tenant: tenant.into(),
            schema: tenant.into(),
            username: tenant.into(),
            state: "active".into(),
            migration: Some(3),
            size: 1,
            connections: 0,
            secret_age: Some(60),
        }
    }

    #[test]
    fn a_page_loads_nothing_and_a_name_cannot_become_markup() {
        let fleet = [row("<script>alert(1)</script>")];
        let page = report(&Report { plan: &Plan::default(), fleet: &fleet, taken_at: "now" });
        assert!(!page.contains("<script") && page.contains("&lt;script&gt;"), "{page}");
        for loader in ["src=", "href=", "url(", "@import"] {
            assert!(!page.contains(loader), "{loader}");
        }
    }

    #[test]
    fn a_long_table_is_cut_and_counted() {
        let fleet: Vec<_> = (0..5_000).map(|n| row(&format!("t{n:04}"))).collect();
        let page = report(&Report { plan: &Plan::default(), fleet: &fleet, taken_at: "now" });
        assert!(page.contains("and 4950 more") && page.len() < 40_000, "{}", page.len());
    }
}
