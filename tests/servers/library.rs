//! The library as a program uses it, without the command: opening, looking, planning, approving and applying; and that each
//! guard says no to whoever has no command line to ask.

mod guards;
mod intents;

use tenantry::{Consent, Environment, Intent, Options, Planned, Tenantry};

use crate::fleet::{BOTH, Fleet};

/// The fleet's project, opened with nothing of the process's own environment.
#[track_caller]
fn open(fleet: &Fleet, options: Options) -> Tenantry {
    let env: Environment = fleet.env.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
    let options = Options { database_url: Some(fleet.url.clone()), ..options };
    Tenantry::open(&fleet.path("tenants.toml"), &env, options).unwrap()
}

#[track_caller]
fn converging(fleet: &Fleet) -> Planned {
    open(fleet, Options::default()).lock().unwrap().plan(Intent::Converge).unwrap()
}

#[track_caller]
fn apply(fleet: &Fleet, consents: &[Consent]) {
    let report = converging(fleet).approve(consents).unwrap().apply(&()).unwrap();
    assert!(report.is_success(), "{report:?}");
}

#[test]
fn a_program_opens_looks_plans_approves_and_applies() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "program");
        fleet.declare("pr-one = {}\npr-two = {}");
        let tenantry = open(&fleet, Options::default());

        let mut looked = tenantry.look().unwrap();
        let plan = looked.plan().unwrap();
        assert_eq!(plan.summary().create, 2);
        drop(looked);

        let planned = tenantry.lock().unwrap().plan(Intent::Converge).unwrap();
        assert!(planned.has_work() && planned.needs().is_empty());
        let report = planned.approve(&[]).unwrap().apply(&()).unwrap();
        assert!(report.is_success(), "{report:?}");

        let mut looked = tenantry.look().unwrap();
        assert!(looked.plan().unwrap().in_sync());
        let verdicts = looked.verify(&[], &|_| {}).unwrap();
        assert!(verdicts.len() == 2 && !verdicts.iter().any(tenantry::verdict::Verdict::failed), "{verdicts:?}");
        let states: Vec<String> = looked.tenants().unwrap().into_iter().map(|row| row.state).collect();
        assert_eq!(states, ["active", "active"]);
        // The command sees it the same way.
        fleet.settled();
    }
}

#[test]
fn a_plan_without_work_is_applied_and_changes_nothing() {
    let fleet = Fleet::usual(BOTH[0], "without_work");
    fleet.declare("ww-one = {}");
    apply(&fleet, &[]);
    let audit = "SELECT count(*) FROM tenantry.audit_log";
    let before = fleet.ask(audit);
    let planned = converging(&fleet);
    assert!(!planned.has_work());
    let report = planned.approve(&[]).unwrap().apply(&()).unwrap();
    assert_eq!((report.is_success(), report.unchanged), (true, 1));
    assert_eq!(fleet.ask(audit), before);
}

/// Nothing may be planned from what another apply is about to change.
#[test]
fn one_plan_at_a_time_holds_the_lock() {
    let fleet = Fleet::usual(BOTH[0], "at_a_time");
    fleet.declare("at-one = {}");
    apply(&fleet, &[]);
    let planned = converging(&fleet);
    let error = open(&fleet, Options::default()).lock().err().unwrap();
    assert_eq!(error.guard(), Some(&tenantry::Guard::Lock), "{error}");
    assert!(error.to_string().contains("another apply is already running"), "{error}");
    drop(planned);
    converging(&fleet);
}
