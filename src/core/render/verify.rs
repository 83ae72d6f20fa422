//! What `verify` came to.

use std::collections::BTreeMap;

use serde_json::json;

use super::Style;
use super::escape::visible;
use super::group::Names;
use super::page::{Page, names};
use super::style::Tone;
use super::text::targeting;
use crate::core::model::ManyLocks;
use crate::core::model::{Tenant, TenantKey};
use crate::core::plan::Targeting;
use crate::core::verdict::{Check, Ruling, Verdict};
use crate::core::words::count;

/// The document of `verify --format json`, format version 1.
#[must_use]
pub fn json(verdicts: &[Verdict], part: Option<Targeting>, many: &[ManyLocks]) -> String {
    let [verified, failed, not_tried] = counts(verdicts);
    let mut document = json!({
        "format_version": "1",
        "summary": { "verified": verified, "failed": failed },
        "tenants": verdicts,
    });
    if not_tried > 0 {
        document["summary"]["not_tried"] = json!(not_tried);
    }
    if !many.is_empty() {
        document["many_locks"] = json!(many);
    }
    if let Some(part) = part {
        document["targeting"] = json!(part);
    }
    super::json::pretty(&document)
}

/// The tenants that failed or could not be tried, what is worth knowing of the others, and the sum. Verbose: every check of
/// every tenant.
#[must_use]
pub fn text(
    verdicts: &[Verdict],
    tenants: &BTreeMap<TenantKey, Tenant>,
    part: Option<Targeting>,
    style: &Style,
) -> String {
    let style = *style;
    let mut page = Page::default();
    for verdict in verdicts.iter().filter(|verdict| style.verbose || !verdict.ok) {
        let (tone, word) = match verdict {
            verdict if verdict.failed() => (Tone::Danger, "FAILED"),
            verdict if !verdict.tried => (Tone::Update, "not tried"),
            _ => (Tone::Create, "ok"),
        };
        page.line(0, format!("{} {}", verdict.tenant, style.paint(tone, word)));
        for check in verdict.checks.iter().filter(|check| style.verbose || !check.ok) {
            page.line(2, line(check, style));
        }
    }
    if !style.verbose {
        noted(&mut page, verdicts, tenants);
    }
    if let Some(part) = &part {
        page.line(0, style.paint(Tone::Update, &targeting(part)));
    }
    let probes: usize = verdicts.iter().map(|verdict| verdict.checks.len()).sum();
    let [verified, failed, not_tried] = counts(verdicts);
    let not_tried = if not_tried > 0 { format!(", {not_tried} not tried") } else { String::new() };
    page.line(
        0,
        format!(
            "Verify: {} isolated and working, {failed} failed{not_tried}; {}.",
            count(verified, "tenant"),
            count(probes, "probe")
        ),
    );
    page.into_string()
}

fn counts(verdicts: &[Verdict]) -> [usize; 3] {
    let of = |is: fn(&Verdict) -> bool| verdicts.iter().filter(|verdict| is(verdict)).count();
    [of(|verdict| verdict.ok), of(Verdict::failed), of(|verdict| !verdict.tried && !verdict.failed())]
}

fn line(check: &Check, style: Style) -> String {
    let (tone, mark) = match check.ruling {
        Ruling::Right => (Tone::Create, "+"),
        Ruling::Said => (Tone::Update, "~"),
        Ruling::Wrong => (Tone::Danger, "!"),
        Ruling::Open => (Tone::Update, "?"),
    };
    format!("{} {}", style.paint(tone, mark), visible(&words(check, |text| text.to_owned())))
}

fn words(check: &Check, hide: impl Fn(&str) -> String) -> String {
    let object = check.object.as_deref().map(|object| format!(" ({})", hide(object))).unwrap_or_default();
    let detail = check.detail.as_deref().map(|detail| format!(": {}", hide(detail))).unwrap_or_default();
    format!("{}{object}{detail}", hide(&check.what))
}

/// The same of many tenants together, once each one's own names are placeholders.
fn noted(page: &mut Page, verdicts: &[Verdict], tenants: &BTreeMap<TenantKey, Tenant>) {
    let mut groups: BTreeMap<String, Vec<(&TenantKey, &Check)>> = BTreeMap::new();
    for verdict in verdicts {
        let names = tenants.get(&verdict.tenant).map_or_else(Names::none, |tenant| {
            Names::new(tenant.key.as_str(), &tenant.username, &tenant.schema, tenant.owner())
        });
        for check in verdict.checks.iter().filter(|check| check.ruling == Ruling::Said) {
            groups.entry(words(check, |text| names.hide(text))).or_default().push((&verdict.tenant, check));
        }
    }
    if !groups.is_empty() {
        page.line(0, "Neither leaks nor faults:");
    }
    for (text, members) in groups {
        let (who, text) = match members.as_slice() {
            // A group of one shows real names.
            [(key, check)] => (key.to_string(), words(check, |text| text.to_owned())),
            many => {
                let keys = names(many.iter().map(|(key, _)| *key), many.len(), "… (-v: each on its own)");
                (format!("{}: {keys}", count(many.len(), "tenant")), text)
            }
        };
        page.line(2, format!("{} {who}: {}", Tone::Update.sign(), visible(&text)));
    }
}
