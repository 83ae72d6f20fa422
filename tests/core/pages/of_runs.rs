//! What apply, verify and list say.

use std::path::PathBuf;
use std::time::Duration;

use tenantry::model::ManyLocks;
use tenantry::plan::{Document, Targeting, Verb};
use tenantry::render::{Style, list, report as page, verify};
use tenantry::report::{Done, Failed, Outcome, Report, TenantError, TenantOutcome};
use tenantry::verdict::{Answer, Check, Ruling, Verdict};

use super::{assert_is_snapshot, key, with_colours};
use crate::situations::Situation;

fn error(message: &str) -> TenantError {
    TenantError { sqlstate: Some("55P03".into()), ..TenantError::new(message).hint("look") }
}

fn outcome(name: &str, outcome: Outcome, error: Option<TenantError>) -> TenantOutcome {
    TenantOutcome {
        tenant: key(name),
        verb: Verb::Update,
        outcome,
        error,
        archive: None,
        in_part: false,
        ended_sessions: Vec::new(),
        duration: Duration::from_millis(1_234),
    }
}

fn report() -> Report {
    let mut outcomes = vec![
        outcome("applied", Outcome::Applied, None),
        outcome("archived", Outcome::Applied, None),
        outcome("failed", Outcome::Failed, Some(error("first line\nsecond line"))),
        outcome("half", Outcome::Failed, Some(TenantError::new("its secret"))),
        outcome("skipped", Outcome::Skipped, Some(TenantError::new("blocked"))),
        outcome("unknown", Outcome::Unknown, Some(error("the answer was lost"))),
    ];
    outcomes[1].archive = Some(PathBuf::from("archives/a.json"));
    outcomes[3].archive = Some(PathBuf::from("archives/h.json"));
    outcomes[3].in_part = true;
    outcomes[0].ended_sessions = vec!["PID 1".into(), "PID 2".into()];
    Report { unchanged: 4, database_changes: 2, shared_error: Some(error("the group")), outcomes, interrupted: true }
}

#[test]
fn a_report_tells_what_a_person_needs_to_go_on() {
    let plan = Document { targeting: Some(Targeting { looked_at: 6, of: 9 }), ..Document::default() };
    let mut out = page::text(&report(), &plan, &Style::default());
    out += "== verbose\n";
    out += &with_colours(&page::text(&report(), &plan, &Style { verbose: true, color: true, ..Style::default() }));
    out += "== interrupted, and nothing is half done\n";
    let mut quiet = report();
    quiet.outcomes.retain(|outcome| outcome.outcome == Outcome::Applied);
    quiet.shared_error = None;
    out += &page::text(&quiet, &Document::default(), &Style::default());
    out += "== interrupted, and something is not known\n";
    quiet.outcomes.push(outcome("unknown", Outcome::Unknown, None));
    out += &page::text(&quiet, &Document::default(), &Style::default());
    out += "== nothing\n";
    let nothing =
        Report { unchanged: 1, database_changes: 0, shared_error: None, outcomes: Vec::new(), interrupted: false };
    out += &page::text(&nothing, &Document::default(), &Style::default());
    out += "== the same of all\n";
    let same = |name: &str| outcome(name, Outcome::Failed, Some(error(&format!("role {name}_user"))));
    let failed = Report {
        outcomes: vec![same("a"), same("b"), outcome("c", Outcome::Failed, Some(error("role a_user")))],
        ..nothing.clone()
    };
    let plan = Situation::applied("[tenants]\na = {}\nb = {}\nc = {}\n", &[]).plan().document();
    out += &page::text(&failed, &plan, &Style::default());
    out += &page::text(&failed, &plan, &Style { verbose: true, ..Style::default() });
    out +=
        &page::json(&report(), &Document { targeting: Some(Targeting { looked_at: 6, of: 9 }), ..Document::default() });
    assert_is_snapshot("page_apply", &out);
}

#[test]
fn an_outcome_is_what_came_of_it() {
    let plan = Situation::applied("[tenants]\na = { protected = true }\n", &[])
        .wished("[tenants]\n", &[])
        .plan()
        .tenants
        .remove(0);
    assert_eq!(plan.verb, Verb::Blocked);
    let of = |result: Result<Done, Failed>| TenantOutcome::new(&plan, result, Duration::from_secs(1));
    let archive = Some(PathBuf::from("a"));
    let applied = of(Ok(Done { archive: archive.clone(), left: None }));
    assert_eq!(
        (applied.outcome, applied.in_part, applied.error, applied.archive),
        (Outcome::Applied, false, None, archive.clone())
    );
    let half = of(Ok(Done { archive: archive.clone(), left: Some(error("x")) }));
    assert_eq!(
        (half.outcome, half.in_part, half.error, half.archive),
        (Outcome::Failed, true, Some(error("x")), archive.clone())
    );
    let failed = of(Err(Failed { outcome: Outcome::Unknown, error: error("x"), archive: archive.clone() }));
    assert_eq!(
        (failed.outcome, failed.in_part, failed.error, failed.archive),
        (Outcome::Unknown, false, Some(error("x")), archive)
    );
    assert_eq!((failed.tenant, failed.verb, failed.duration), (key("a"), Verb::Blocked, Duration::from_secs(1)));
    let blocked = TenantOutcome::blocked(&plan);
    let said = blocked.error.unwrap();
    assert_eq!(
        (blocked.outcome, Some(said.message), said.hint),
        (Outcome::Skipped, plan.reason.clone(), plan.hint.clone())
    );
    let skipped = TenantOutcome::skipped(&plan, "why");
    assert_eq!((skipped.outcome, skipped.error), (Outcome::Skipped, Some(TenantError::new("why"))));
    assert_eq!(error("m").to_string(), "m (SQLSTATE 55P03); hint: look");
    assert_eq!(TenantError::new("m").to_string(), "m");

    let mut report = report();
    assert_eq!(
        [Outcome::Applied, Outcome::Failed, Outcome::Skipped, Outcome::Unknown].map(|of| report.count(of)),
        [2, 2, 1, 1]
    );
    assert!(!report.is_success());
    report.outcomes.retain(|outcome| outcome.outcome == Outcome::Applied);
    assert!(!report.is_success(), "what is shared failed");
    report.shared_error = None;
    assert!(report.is_success());
}

fn check(what: &str, ruling: Ruling, detail: Option<&str>) -> Check {
    Check {
        object: Some("table a_user".into()),
        answer: Some(Answer::NoPrivilege),
        ..Check::new(what, ruling, detail.map(str::to_owned))
    }
}

fn verdict(name: &str, tried: bool, checks: Vec<Check>) -> Verdict {
    let ok = tried && checks.iter().all(|check| check.ok);
    Verdict { tenant: key(name), ok, tried, checks, other_databases: Vec::new() }
}

#[test]
fn a_verdict_says_leaks_first_and_what_is_worth_knowing() {
    let said = |name: &str| check("read", Ruling::Said, Some(&format!("{name}_user may")));
    let verdicts = [
        verdict("a", true, vec![check("read", Ruling::Right, None), said("a")]),
        verdict("b", true, vec![check("read", Ruling::Right, None), said("b")]),
        verdict("c", true, vec![check("read", Ruling::Wrong, Some("it could")), check("write", Ruling::Right, None)]),
        verdict("d", false, vec![check("log in", Ruling::Open, Some("no room"))]),
        verdict("e", false, vec![check("log in", Ruling::Wrong, None), said("e")]),
        verdict("f", true, vec![Check::asked("asked", Ok(())), Check::asked("asked", Err("wrong".into()))]),
    ];
    let tenants = Situation::applied("[tenants]\na = {}\nb = {}\nc = {}\n", &[]).desired.tenants;
    let part = Some(Targeting { looked_at: 6, of: 9 });
    let many = [ManyLocks { role: "r".into(), tenant: None, locks: 5, advisory: 1, sessions: 1, of: 9 }];
    let mut out = verify::text(&verdicts, &tenants, part, &Style::default());
    out += "== verbose\n";
    out += &with_colours(&verify::text(
        &verdicts,
        &tenants,
        None,
        &Style { verbose: true, color: true, ..Style::default() },
    ));
    out += "== all is well\n";
    out += &verify::text(&verdicts[..1], &tenants, None, &Style::default());
    out += &verify::json(&verdicts, part, &many);
    out += &verify::json(&verdicts[..1], None, &[]);
    assert_is_snapshot("page_verify", &out);
    assert_eq!(verdicts.iter().map(Verdict::failed).collect::<Vec<_>>(), [false, false, true, false, true, true]);
}

#[test]
fn who_crowds_the_lock_table_is_told_with_how_to_end_it() {
    let of = |sessions: i64, tenant: Option<&str>| {
        list::many_locks(&ManyLocks {
            role: "o'r".into(),
            tenant: tenant.map(key),
            locks: 5_000,
            advisory: 7,
            sessions,
            of: 6_400,
        })
    };
    let out = [of(0, None), of(1, Some("acme")), of(2, None)].join("\n");
    assert_is_snapshot("many_locks", &out);
}

#[test]
fn ages_sizes_and_durations_for_a_person() {
    assert_eq!([0, 59, 60, 3_599, 3_600, 86_399, 86_400].map(list::age), ["0s", "59s", "1m", "59m", "1h", "23h", "1d"]);
    let size = tenantry::words::size;
    let kb = 1024;
    assert_eq!(
        [0, 10 * kb - 1, 10 * kb, 10 * kb + 511, 10 * kb + 512].map(size),
        ["0 bytes", "10239 bytes", "10 kB", "10 kB", "11 kB"]
    );
    assert_eq!([10 * kb * kb, 10 * kb * kb * kb, 10 * kb * kb * kb * kb].map(size), ["10 MB", "10 GB", "10 TB"]);
    let typed = tenantry::words::typed;
    assert_eq!(
        [Duration::from_secs(30), Duration::from_millis(1_500), Duration::ZERO].map(typed),
        ["30s", "1500ms", "0s"]
    );
}
