//! How an apply went.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::escape::{MARK, visible};
use super::group::Names;
use super::page::{Page, names};
use super::style::Tone;
use super::{Style, text::targeting};
use crate::core::model::TenantKey;
use crate::core::plan::{self, ShownTenant, Targeting};
use crate::core::report::{Outcome, Report, TenantError, TenantOutcome};
use crate::core::words::count;

/// The tenants that are not as declared, each with what a person needs to continue; the total last.
///
/// `plan` is the one that was applied: it knows the tenants' names.
#[must_use]
pub fn text(report: &Report, plan: &plan::Document, style: &Style) -> String {
    let style = *style;
    let plans: BTreeMap<&TenantKey, &ShownTenant> =
        plan.tenants.iter().map(|tenant| (&tenant.tenant, tenant)).collect();
    let mut page = Page::default();
    for (outcome, tone) in [
        (Outcome::Applied, Tone::Create),
        (Outcome::Skipped, Tone::Update),
        (Outcome::Unknown, Tone::Danger),
        (Outcome::Failed, Tone::Danger),
    ] {
        if outcome == Outcome::Applied && !style.verbose {
            continue;
        }
        for group in grouped(report, outcome, &plans, style.verbose) {
            page.gap();
            block(&mut page, outcome, tone, &group, style);
        }
    }
    page.gap();
    for tenant in &report.outcomes {
        if let Some(archive) = &tenant.archive {
            let failed = if tenant.outcome == Outcome::Failed { " (its removal failed, see above)" } else { "" };
            page.line(0, format!("Archived: {} in {}{failed}", tenant.tenant, visible(&archive.display().to_string())));
        }
    }
    for tenant in &report.outcomes {
        for session in &tenant.ended_sessions {
            page.line(0, format!("Ended: {}, which blocked {}", visible(session), tenant.tenant));
        }
    }
    if report.interrupted {
        page.line(0, interrupted(report));
    }
    if let Some(error) = &report.shared_error {
        page.line(0, style.paint(Tone::Danger, &format!("failed: {}", visible(&error.message))));
        if let Some(hint) = &error.hint {
            page.line(0, format!("  hint: {}", visible(hint)));
        }
    }
    if let Some(part) = &plan.targeting {
        page.line(0, style.paint(Tone::Update, &targeting(part)));
    }
    if report.database_changes > 0 {
        page.line(0, format!("Database: {} applied.", count(report.database_changes, "change")));
    }
    page.line(0, style.paint(Tone::Strong, &summary(report)));
    page.into_string()
}

fn interrupted(report: &Report) -> String {
    let in_part: Vec<_> = report.outcomes.iter().filter(|tenant| tenant.in_part).collect();
    let unknown = report.count(Outcome::Unknown) > 0;
    let rest = match (in_part.as_slice(), unknown) {
        ([], false) => "; nothing was left half done.".to_owned(),
        ([], true) => ", as far as is known; the next apply finds out, and does the rest.".to_owned(),
        (some, _) => {
            let keys = names(some.iter().map(|one| &one.tenant), some.len(), "…");
            format!(", but a part of {keys} is committed (see above); the next apply does the rest.")
        }
    };
    format!("Interrupted: tenants in progress were finished or rolled back{rest}")
}

/// `Apply: 12 applied, 88 unchanged, 1 failed, 0 skipped.`
#[must_use]
pub fn summary(report: &Report) -> String {
    let of = |outcome| report.count(outcome);
    let unknown = match of(Outcome::Unknown) {
        0 => String::new(),
        n => format!(", {n} unknown"),
    };
    format!(
        "Apply: {} applied, {} unchanged, {} failed, {} skipped{unknown}.",
        of(Outcome::Applied),
        report.unchanged,
        of(Outcome::Failed),
        of(Outcome::Skipped)
    )
}

/// How an apply went, as `--format json` prints it; format version 1.
#[derive(Serialize, JsonSchema)]
#[schemars(title = "A report of tenantry's")]
pub(super) struct Document<'a> {
    format_version: &'static str,
    summary: Counts,
    /// What failed in what the tenants share, after the tenants were done.
    #[serde(skip_serializing_if = "Option::is_none")]
    shared_error: Option<&'a TenantError>,
    /// When not every tenant was looked at: this document does not cover the others.
    #[serde(skip_serializing_if = "Option::is_none")]
    targeting: Option<Targeting>,
    /// Every tenant that had work or was blocked, by key.
    tenants: &'a [TenantOutcome],
}

/// Tenants by outcome.
#[derive(Serialize, JsonSchema)]
struct Counts {
    applied: usize,
    unchanged: usize,
    failed: usize,
    skipped: usize,
    unknown: usize,
}

/// The document of `apply --format json`.
#[must_use]
pub fn json(report: &Report, plan: &plan::Document) -> String {
    let summary = Counts {
        applied: report.count(Outcome::Applied),
        unchanged: report.unchanged,
        failed: report.count(Outcome::Failed),
        skipped: report.count(Outcome::Skipped),
        unknown: report.count(Outcome::Unknown),
    };
    super::json::pretty(&Document {
        format_version: "1",
        summary,
        shared_error: report.shared_error.as_ref(),
        targeting: plan.targeting,
        tenants: &report.outcomes,
    })
}

/// Tenants that ended in the same way for the same reason, and that reason in their common words.
struct Group<'a> {
    members: Vec<&'a TenantOutcome>,
    message: String,
    sqlstate: Option<String>,
    hint: Option<String>,
}

fn grouped<'a>(
    report: &'a Report,
    outcome: Outcome,
    plans: &BTreeMap<&TenantKey, &ShownTenant>,
    each_on_its_own: bool,
) -> Vec<Group<'a>> {
    let mut groups: BTreeMap<(String, String, Option<String>), Vec<&TenantOutcome>> = BTreeMap::new();
    for (n, tenant) in report.outcomes.iter().filter(|tenant| tenant.outcome == outcome).enumerate() {
        let names = plans.get(&tenant.tenant).map_or_else(Names::none, |plan| Names::of(plan));
        let error = tenant.error.as_ref();
        let mut message = error.map(|error| names.hide(&error.message)).unwrap_or_default();
        if each_on_its_own {
            // A key of its own for each.
            message = format!("{n:09} {message}");
        }
        let sqlstate = error.and_then(|error| error.sqlstate.clone()).unwrap_or_default();
        let hint = error.and_then(|error| error.hint.as_ref()).map(|hint| names.hide(hint));
        groups.entry((message, sqlstate, hint)).or_default().push(tenant);
    }
    let mut groups: Vec<_> = groups
        .into_iter()
        .map(|((message, sqlstate, hint), members)| {
            let sqlstate = Some(sqlstate).filter(|code| !code.is_empty());
            match (members.as_slice(), members[0].error.as_ref()) {
                // A group of one shows real names.
                ([_], Some(error)) => {
                    Group { message: error.message.clone(), sqlstate, hint: error.hint.clone(), members }
                }
                ([_], None) => Group { message: String::new(), sqlstate, hint: None, members },
                _ => Group { members, message, sqlstate, hint },
            }
        })
        .collect();
    groups.sort_by_key(|group| &group.members[0].tenant);
    groups
}

fn block(page: &mut Page, outcome: Outcome, tone: Tone, group: &Group<'_>, style: Style) {
    let word = match outcome {
        Outcome::Applied => "applied",
        Outcome::Failed => "failed",
        Outcome::Skipped => "skipped",
        Outcome::Unknown => "unknown",
    };
    let head = match group.members.as_slice() {
        [one] => format!("{word}: {} ({}, {} ms)", one.tenant, one.verb.as_str(), one.duration.as_millis()),
        many => {
            let keys = names(many.iter().map(|one| &one.tenant), many.len(), "… (-v: each on its own)");
            format!("{word}: {}: {keys}", count(many.len(), "tenant"))
        }
    };
    page.line(0, style.paint(tone, &head));
    for (n, line) in group.message.lines().enumerate() {
        let sqlstate = group.sqlstate.as_ref().filter(|_| n == 0);
        let sqlstate = sqlstate.map(|code| format!(" (SQLSTATE {})", visible(code))).unwrap_or_default();
        let mark = if n == 0 { "" } else { MARK };
        page.line(2, format!("{mark}{}{sqlstate}", visible(line)));
    }
    if let Some(hint) = &group.hint {
        page.line(2, format!("hint: {}", visible(hint)));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::core::plan::Verb;
    use crate::core::report::TenantError;

    fn outcome(key: &str, outcome: Outcome, message: Option<&str>) -> TenantOutcome {
        TenantOutcome {
            tenant: TenantKey::new(key).unwrap(),
            verb: Verb::Update,
            outcome,
            error: message.map(|message| TenantError {
                message: message.replace("KEY", key),
                sqlstate: (outcome == Outcome::Failed).then(|| "55P03".into()),
                hint: Some(format!("see who holds the lock on tenant_{key}.users")),
            }),
            archive: None,
            in_part: false,
            ended_sessions: Vec::new(),
            duration: Duration::from_millis(12),
        }
    }

    fn report() -> (Report, plan::Document) {
        let timeout = Some("migration V2__x, line 3: relation \"tenant_KEY.users\" is locked");
        let mut outcomes: Vec<_> = (0..9).map(|n| outcome(&format!("t{n}"), Outcome::Failed, timeout)).collect();
        outcomes.push(outcome("acme", Outcome::Applied, None));
        outcomes.push(outcome("bad", Outcome::Failed, Some("db says\x1b[2J\nsecond line")));
        outcomes.push(outcome("late", Outcome::Skipped, Some("interrupted before it started")));
        let tenants = outcomes
            .iter()
            .map(|outcome| ShownTenant {
                tenant: outcome.tenant.clone(),
                verb: outcome.verb,
                schema: format!("tenant_{}", outcome.tenant),
                username: format!("{}_user", outcome.tenant),
                owner: format!("{}_owner", outcome.tenant),
                changes: Vec::new(),
                hazards: Vec::new(),
                reason: None,
                hint: None,
                notes: Vec::new(),
                access: None,
            })
            .collect();
        let report = Report { unchanged: 88, database_changes: 2, shared_error: None, outcomes, interrupted: true };
        (report, plan::Document { tenants, ..plan::Document::default() })
    }

    #[test]
    fn failures_with_one_cause_are_told_once() {
        let (report, plan) = report();
        insta::assert_snapshot!(text(&report, &plan, &Style::default()));
    }

    #[test]
    fn verbose_names_each_tenant() {
        let (report, plan) = report();
        let text = text(&report, &plan, &Style { verbose: true, ..Style::default() });
        assert!(
            text.contains("failed: t8 (update, 12 ms)\n  migration V2__x, line 3: relation \"tenant_t8.users\""),
            "{text}"
        );
        assert!(text.contains("applied: acme (update, 12 ms)\n"), "{text}");
    }

    #[test]
    fn an_interrupt_in_what_comes_after_a_commit_is_not_told_as_if_all_was_rolled_back() {
        let (mut report, plan) = report();
        let said = |report: &Report| text(report, &plan, &Style::default());
        assert!(said(&report).contains("rolled back; nothing was left half done.\n"));
        report.outcomes[10].in_part = true;
        assert!(said(&report).contains("rolled back, but a part of bad is committed (see above); the next apply"));
    }

    #[test]
    fn json_is_as_promised() {
        let (report, plan) = report();
        let document: serde_json::Value = serde_json::from_str(&json(&report, &plan)).unwrap();
        assert_eq!(document["format_version"], "1");
        assert_eq!(document["summary"]["failed"], 10);
        assert_eq!(document["tenants"][0]["error"]["sqlstate"], "55P03");
        assert_eq!(document["tenants"][9]["error"], serde_json::Value::Null);
        assert_eq!(document["tenants"][0]["duration_ms"], 12);
    }
}
