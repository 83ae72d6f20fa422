//! The shapes of a fleet, and of one tenant, compared with what the migrations create.

use serde_json::json;
use similar::{ChangeTag, TextDiff};

use super::Style;
use super::escape::visible;
use super::page::{Page, names};
use super::style::Tone;
use crate::core::model::TenantKey;
use crate::core::shape::{self, Report, Shape};
use crate::core::words::count;

/// Tenants with objects of their own, and objects of one, that are named; the rest is counted.
const SHOWN: usize = 10;

/// Kinds of difference that people read; the largest groups stand first.
const GROUPS: usize = 50;

/// What stands around a line that differs.
const CONTEXT: usize = 3;

/// The report's entries: who, with how grave a tone, and what is said.
fn entries(report: &Report) -> Vec<(String, Tone, Vec<String>)> {
    let who = |tenants: &[TenantKey]| match tenants.len() {
        1 => tenants[0].to_string(),
        many => format!("{}: {}", count(many, "tenant"), names(tenants.iter(), many, "…")),
    };
    let rest: usize = report.groups.iter().skip(GROUPS).map(|group| group.tenants.len()).sum();
    let rest = (rest > 0).then(|| {
        let what = "differ in other ways; --format json has them all".to_owned();
        (count(rest, "more tenant"), Tone::Update, vec![what])
    });
    let groups =
        report.groups.iter().take(GROUPS).map(|group| {
            (who(&group.tenants), Tone::Update, group.differences.iter().map(ToString::to_string).collect())
        });
    let unseen = report
        .unseen
        .iter()
        .map(|unseen| (who(&unseen.tenants), Tone::Danger, vec![format!("could not be seen: {}", unseen.reason)]));
    groups.chain(rest).chain(unseen).collect()
}

/// "tenants made themselves", said of the first few.
fn own(report: &Report) -> Vec<String> {
    let mut lines: Vec<String> = report
        .made_by_tenants
        .iter()
        .take(SHOWN)
        .map(|own| {
            let mut objects: Vec<&str> = own.objects.iter().take(SHOWN).map(String::as_str).collect();
            let more = own.objects.len().saturating_sub(SHOWN);
            let more = format!("{more} more");
            if own.objects.len() > SHOWN {
                objects.push(&more);
            }
            format!("{}: {}", own.tenant, objects.join(", "))
        })
        .collect();
    if let Some(more) = report.made_by_tenants.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        lines.push(format!("and {}", count(more, "more tenant")));
    }
    lines
}

/// "412 tenants as migrated, 2 differ."
fn summary(report: &Report) -> String {
    let differ: usize = report.groups.iter().map(|group| group.tenants.len()).sum();
    let unseen: usize = report.unseen.iter().map(|unseen| unseen.tenants.len()).sum();
    let unseen = if unseen > 0 { format!(", {unseen} not seen") } else { String::new() };
    format!("Shape: {} as migrated, {differ} different{unseen}.", count(report.as_migrated, "tenant"))
}

/// `registered`: the tenants are in the registry, and can be shown one by one.
pub(super) fn text(page: &mut Page, report: &Report, registered: bool, style: Style) {
    page.gap();
    for (who, tone, lines) in entries(report) {
        page.line(0, style.paint(tone, &format!("{} shape of {}", tone.sign(), visible(&who))));
        for line in lines {
            page.line(4, visible(&line));
        }
        page.gap();
    }
    let own = own(report);
    if !own.is_empty() {
        page.line(0, style.paint(Tone::Faint, "  created by tenants themselves, and partitions (not drift)"));
        for line in own {
            page.line(4, style.paint(Tone::Faint, &visible(&line)));
        }
        page.gap();
    }
    page.line(0, style.paint(Tone::Strong, &summary(report)));
    if report.differs() && registered {
        page.line(0, "tenantry show TENANT --shape shows the whole difference.");
    }
}

pub(super) fn markdown(report: &Report, escape: &dyn Fn(&str) -> String) -> String {
    let mut out = format!("\n{}\n\n", escape(&summary(report)));
    for (who, _, lines) in entries(report) {
        out.push_str(&format!("- {}: {}\n", escape(&who), escape(&lines.join("; "))));
    }
    let own = own(report);
    if !own.is_empty() {
        out.push_str("\n<details><summary>Created by tenants themselves</summary>\n\n");
        for line in own {
            out.push_str(&format!("- {}\n", escape(&line)));
        }
        out.push_str("\n</details>\n");
    }
    out
}

pub(super) fn html(report: &Report, escape: &dyn Fn(&str) -> String) -> String {
    let mut out = format!("<h2>Shapes</h2>\n<p>{}</p>\n", escape(&summary(report)));
    for (who, _, lines) in entries(report) {
        out.push_str(&format!("<details open><summary>{}</summary>\n<ul>\n", escape(&who)));
        for line in lines {
            out.push_str(&format!("<li>{}</li>\n", escape(&line)));
        }
        out.push_str("</ul></details>\n");
    }
    let own = own(report);
    if !own.is_empty() {
        out.push_str("<details><summary>Created by tenants themselves, and partitions</summary>\n<ul>\n");
        for line in own {
            out.push_str(&format!("<li>{}</li>\n", escape(&line)));
        }
        out.push_str("</ul></details>\n");
    }
    out
}

/// One tenant's shape as a diff: "-" is there and not given by the migrations, "+" is given and not there.
#[must_use]
pub fn tenant(key: &TenantKey, observed: &Shape, desired: &Shape, style: &Style) -> String {
    let mut page = Page::default();
    page.line(0, style.paint(Tone::Strong, &format!("shape of tenant {key}")));
    let (have, want) = (shape::text(observed), shape::text(desired));
    if have == want {
        page.line(0, format!("As migrated: {}.", count(observed.objects.len(), "object")));
        return page.into_string();
    }
    page.line(0, style.paint(Tone::Remove, "- observed"));
    page.line(0, style.paint(Tone::Create, "+ as the migrations create it"));
    let diff = TextDiff::from_lines(&have, &want);
    for group in diff.grouped_ops(CONTEXT) {
        page.gap();
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let text = visible(change.value().trim_end_matches('\n'));
            let (sign, tone) = match change.tag() {
                ChangeTag::Equal => {
                    page.line(0, format!("  {text}").trim_end());
                    continue;
                }
                ChangeTag::Delete => ("-", Tone::Remove),
                ChangeTag::Insert => ("+", Tone::Create),
            };
            page.line(0, style.paint(tone, format!("{sign} {text}").trim_end()));
        }
    }
    page.into_string()
}

/// The differences of one tenant as JSON, with both texts.
#[must_use]
pub fn json(key: &TenantKey, observed: &Shape, desired: &Shape) -> String {
    let (differences, partitions) = shape::compare(observed, desired);
    super::json::pretty(&json!({
        "tenant": key,
        "differences": differences,
        "partitions": partitions.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "observed": shape::text(observed),
        "desired": shape::text(desired),
    }))
}
