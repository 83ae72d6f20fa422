//! `drift --report`: one page a manager can open. Nothing is loaded from anywhere and nothing runs: the page's own policy
//! says so to the browser. Light and dark by the reader's choice.

mod differences;
mod escape;

use std::collections::BTreeMap;
use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::group::notes as notes_of;
use super::list::{ListRow, age};
use super::page::names;
use super::text::{no_changes, targeting};
use crate::core::migrations::Format;
use crate::core::plan::{Document, Verb};
use crate::core::words::size;
use differences::differences;
use escape::escape;

const STYLE: &str = include_str!("report.css");

/// Rows of a table that people read to the end; the rest is counted.
const ROWS: usize = 20;
/// Migration versions with a colour of their own, the newest; the older ones are one part.
const COLOURS: usize = 5;

/// The report of one look.
pub struct Report<'a> {
    pub plan: &'a Document,
    /// Every tenant that was looked at, with sizes.
    pub fleet: &'a [ListRow],
    /// Seconds since each tenant's password was changed, where that is known.
    pub passwords: &'a [(&'a str, i64)],
    /// Whose versions they are.
    pub format: Format,
    /// When the look was taken, as a person reads it.
    pub taken_at: &'a str,
    /// The command that shows this plan again, such as `tenantry plan`.
    pub planning: &'a str,
}

#[must_use]
pub fn report(report: &Report<'_>) -> String {
    let database = &report.plan.database;
    let title = format!("Tenants of {} on {}", database.name, database.address());
    // The style sheet and nothing else, by its digest: a name that became markup after all would still do nothing.
    let style = STANDARD.encode(Sha256::digest(STYLE));
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n<p class=\"when\">{}</p>\n",
        escape(report.taken_at),
        title = escape(&title),
    );
    verdict(&mut page, report.plan);
    totals(&mut page, report);
    versions(&mut page, report);
    differences(&mut page, report.plan, report.planning);
    if let Some(shape) = &report.plan.shape {
        page.push_str(&super::shape::html(shape, &escape));
    }
    notes(&mut page, report.plan);
    page.push_str("<div class=\"tables\">\n");
    oldest(&mut page, report.passwords);
    largest(&mut page, report.fleet);
    page.push_str("</div>\n</main>\n</body>\n</html>\n");
    page
}

fn verdict(page: &mut String, plan: &Document) {
    let differing = plan.tenants.iter().filter(|tenant| tenant.verb != Verb::Unchanged).count();
    let misshapen = plan.shape.iter().flat_map(|shape| &shape.groups).map(|group| group.tenants.len()).sum::<usize>();
    let (class, words) = match (differing, plan.database_changes.len()) {
        (0, 0) if misshapen > 0 => {
            ("drift", format!("Drift: {} not as the migrations create them.", schemas(misshapen)))
        }
        (0, 0) if !plan.unseen.is_empty() || plan.targeting.is_some() => ("drift", no_changes(plan).to_owned()),
        (0, 0) => ("ok", "In sync: PostgreSQL and the secret store match what is declared.".to_owned()),
        (0, shared) => ("drift", format!("Drift: {shared} changes to what the tenants share.")),
        (n, _) => ("drift", format!("Drift: {n} of {} tenants differ from what is declared.", plan.tenants.len())),
    };
    let _ = writeln!(page, "<p class=\"verdict {class}\">{words}</p>");
    if let Some(part) = &plan.targeting {
        let _ = writeln!(page, "<p class=\"hazard\">{}</p>", escape(&targeting(part)));
    }
    for hazard in &plan.hazards {
        let _ = writeln!(page, "<p class=\"hazard\">{}</p>", escape(&hazard.detail));
    }
    for unseen in &plan.unseen {
        let hint = unseen.hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default();
        let _ = writeln!(page, "<p class=\"hazard\">{}</p>", escape(&format!("Could not see {}{hint}", unseen.what)));
    }
}

fn schemas(count: usize) -> String {
    if count == 1 { "the schema of 1 tenant is".into() } else { format!("the schemas of {count} tenants are") }
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

/// How far the fleet is: one bar, a part for each version, the newest first.
fn versions(page: &mut String, report: &Report<'_>) {
    let mut counts: BTreeMap<Option<i64>, usize> = BTreeMap::new();
    for row in report.fleet.iter().filter(|row| row.state == "active") {
        *counts.entry(row.migration).or_default() += 1;
    }
    let all: usize = counts.values().sum();
    if all == 0 {
        return;
    }
    let name = |version: &Option<i64>| version.map_or("none".to_owned(), |version| report.format.label(version));
    let mut parts: Vec<(String, usize)> = counts.iter().rev().map(|(version, n)| (name(version), *n)).collect();
    if parts.len() > COLOURS + 1 {
        let older = parts.split_off(COLOURS);
        let ends = [older.last(), older.first()].map(|part| part.map_or("", |(name, _)| name));
        parts.push((format!("{} to {}", ends[0], ends[1]), older.iter().map(|(_, n)| n).sum()));
    }
    let said: Vec<String> = parts.iter().map(|(name, n)| format!("{name}: {n}")).collect();
    // One tenant of thousands is still to be seen.
    let widths: Vec<usize> = parts.iter().map(|(_, n)| (*n).max(all.div_ceil(150))).collect();
    let _ = writeln!(
        page,
        "<h2>Migrations</h2>\n<svg class=\"bar\" viewBox=\"0 0 {} 1\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"tenants by migration version: {}\">",
        widths.iter().sum::<usize>(),
        said.join(", ")
    );
    let mut x = 0;
    for (n, (width, said)) in widths.iter().zip(&said).enumerate() {
        let _ = writeln!(
            page,
            "<rect class=\"p{n}\" x=\"{x}\" width=\"{width}\" height=\"1\"><title>{said} of {all}</title></rect>"
        );
        x += width;
    }
    page.push_str("</svg>\n<ul class=\"legend\">\n");
    for (n, said) in said.iter().enumerate() {
        let _ = writeln!(page, "<li><span class=\"key p{n}\"></span>{said}</li>");
    }
    page.push_str("</ul>\n");
}

fn oldest(page: &mut String, passwords: &[(&str, i64)]) {
    let mut rows = passwords.to_vec();
    rows.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
    table(page, "Oldest passwords", ["tenant", "age"], rows.iter().map(|(tenant, seconds)| (*tenant, age(*seconds))));
}

/// What is there beside what is declared, and stays.
fn notes(page: &mut String, plan: &Document) {
    let notes = notes_of(plan, false);
    if notes.is_empty() {
        return;
    }
    page.push_str("<h2>Not declared; left unchanged</h2>\n<ul>\n");
    for note in notes.iter().take(ROWS) {
        let who = names(note.members.iter().copied(), note.members.len(), "…");
        let _ = writeln!(page, "<li>{}: {}: {}</li>", escape(&who), escape(&note.what), escape(&note.detail));
    }
    if notes.len() > ROWS {
        let _ = writeln!(page, "<li>and {} more</li>", notes.len() - ROWS);
    }
    page.push_str("</ul>\n");
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
        "<section>\n<h2>{title}</h2>\n<table>\n<thead><tr><th>{}</th><th>{}</th></tr></thead>\n<tbody>",
        head[0], head[1]
    );
    for (tenant, value) in rows.take(ROWS) {
        let _ = writeln!(page, "<tr><td>{}</td><td>{}</td></tr>", escape(tenant), escape(&value));
    }
    page.push_str("</tbody>\n</table>\n");
    if all > ROWS {
        let _ = writeln!(page, "<p class=\"more\">and {} more</p>", all - ROWS);
    }
    page.push_str("</section>\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::model::TenantKey;
    use crate::core::plan::{Kind, ShownChange, ShownTenant};

    fn row(tenant: &str, migration: i64) -> ListRow {
        ListRow {
            class: None,
            declared: Some("file".into()),
            tenant: tenant.into(),
            schema: tenant.into(),
            username: tenant.into(),
            state: "active".into(),
            migration: Some(migration),
            size: 1,
            connections: 0,
            secret_age: Some(60),
            rows: None,
            last_migration: None,
            locks: None,
        }
    }

    /// Each tenant differs in a way of its own, in as many words as `words` gives.
    fn differing(n: usize, words: impl Fn(usize) -> String) -> Document {
        let tenants = (0..n).map(|n| ShownTenant {
            tenant: TenantKey::new(format!("t{n:04}")).unwrap(),
            verb: if n == 4_999 { Verb::Blocked } else { Verb::Update },
            schema: format!("tenant_t{n:04}"),
            username: format!("t{n:04}_user"),
            owner: format!("t{n:04}_owner"),
            changes: vec![ShownChange::sql(Kind::SetSettings, words(n), Vec::new()).before("1MB").after("2MB")],
            hazards: Vec::new(),
            notes: Vec::new(),
            reason: (n == 4_999).then(|| "the last one needs a person".into()),
            hint: None,
            access: None,
        });
        Document { tenants: tenants.collect(), ..Document::default() }
    }

    fn page(plan: &Document, fleet: &[ListRow]) -> String {
        let passwords: Vec<_> = fleet.iter().map(|row| (row.tenant.as_str(), 60)).collect();
        report(&Report {
            plan,
            fleet,
            passwords: &passwords,
            format: Format::Refinery,
            taken_at: "now",
            planning: "tenantry plan",
        })
    }

    #[test]
    fn a_page_loads_nothing_and_a_name_cannot_become_markup() {
        let hostile = "<script>alert(1)</script>\"'&\u{202e}";
        let mut plan = differing(3, |_| hostile.into());
        plan.tenants[0].reason = Some(hostile.into());
        plan.database.name = hostile.into();
        let page = page(&plan, &[row(hostile, 3)]);
        assert!(!page.contains("<script") && !page.contains('\u{202e}') && page.contains("&lt;script&gt;"), "{page}");
        for loader in ["src=", "href=", "url(", "@import", "style=\"", "<link"] {
            assert!(!page.contains(loader), "{loader}");
        }
        let inside = page.split_once("<style>").unwrap().1.split_once("</style>").unwrap().0;
        let policy = format!("style-src 'sha256-{}'", STANDARD.encode(Sha256::digest(inside)));
        assert!(page.contains("default-src 'none'") && page.contains(&policy), "{page}");
    }

    #[test]
    fn thousands_of_tenants_are_a_page_that_is_still_read() {
        let fleet: Vec<_> = (0..5_000).map(|n| row(&format!("t{n:04}"), n % 9)).collect();
        // The same in all.
        let one = page(&differing(5_000, |_| "setting work_mem".into()), &fleet);
        assert!(one.contains("4999 tenants: t0000") && one.contains("t0499, and 4499 more"), "{one}");
        assert!(one.contains("V0 to V3: 2224") && one.contains("V8: 555"), "{one}");
        assert!(one.contains("and 4980 more") && one.len() < 20_000, "{}", one.len());
        // Something of its own in each: the one that needs a person comes first, the rest is counted.
        let many = page(&differing(5_000, |n| format!("setting {n}")), &fleet);
        assert!(many.find("the last one needs a person").unwrap() < many.find("setting 17").unwrap());
        assert!(many.contains("and 4950 differences more, of 4950 tenants"), "{many}");
        assert!(many.len() < 60_000, "{}", many.len());
    }
}
