//! Tenants that a program created, seen by a file that does not declare them, and by the program.

use tenantry::model::{Named, Origin, Scope, State};
use tenantry::plan::{Plan, Verb};

use super::{Situation, row};

const TWO: &str = "[defaults]\non_remove = \"drop\"\n[tenants]\na = {}\nb = {}\n";

/// Both are there, and a program created b.
fn of_a_program() -> Situation {
    Situation::applied(TWO, &[]).then(|observed| row(observed, "b").declared_by = Origin::Api)
}

fn verb(plan: &Plan, tenant: &str) -> Option<Verb> {
    plan.tenants.iter().find(|planned| planned.tenant.as_str() == tenant).map(|planned| planned.verb)
}

#[test]
fn no_file_removes_what_a_program_created_and_the_plan_says_that_it_is_there() {
    let plan = of_a_program().wished("[defaults]\non_remove = \"drop\"\n[tenants]\n", &[]).plan();
    assert_eq!((verb(&plan, "a"), verb(&plan, "b")), (Some(Verb::Remove), Some(Verb::Unchanged)));
    let noted = plan.tenants.iter().find(|planned| planned.tenant.as_str() == "b").unwrap();
    assert!(noted.notes.len() == 1 && noted.notes[0].detail.contains("adopt --print"), "{:?}", noted.notes);
}

#[test]
fn what_a_program_began_to_remove_is_finished_by_whoever_comes_next() {
    for (state, begun) in [
        (State::Active, false),
        (State::Retained, false),
        (State::Restoring, false),
        (State::Removing, true),
        (State::Removed, true),
    ] {
        let situation = of_a_program().then(|observed| row(observed, "b").state = state);
        let plan = situation.wished("[defaults]\non_remove = \"drop\"\n[tenants]\na = {}\n", &[]).plan();
        assert_eq!(verb(&plan, "b") == Some(Verb::Remove), begun, "{state:?}");
    }
}

#[test]
fn a_file_that_declares_it_takes_it_over_and_changes_nothing_else() {
    let plan = of_a_program().plan();
    let taken = plan.tenants.iter().find(|planned| planned.tenant.as_str() == "b").unwrap();
    let changes: Vec<String> = taken.shown_changes().into_iter().map(|change| change.what).collect();
    assert_eq!((taken.verb, changes), (Verb::Update, vec!["declared by".to_owned()]));
    assert_eq!(verb(&plan, "a"), Some(Verb::Unchanged));
}

#[test]
fn a_program_removes_the_one_tenant_that_it_names_and_none_of_a_files() {
    let removing = |schema: &str| {
        let mut situation = of_a_program().wished("[tenants]\n", &[]);
        let removes = Some(schema.to_owned());
        situation.desired.scope = Scope::Named(Named { removes, ..Named::default() });
        situation.plan()
    };
    let plan = removing("tenant_b");
    assert_eq!((verb(&plan, "a"), verb(&plan, "b")), (None, Some(Verb::Remove)));
    for schema in ["tenant_a", "tenant_c"] {
        let plan = removing(schema);
        assert_eq!((verb(&plan, "a"), verb(&plan, "b")), (None, None), "{schema}");
    }
}
