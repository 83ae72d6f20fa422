//! Plans without a database: each file of `tests/core/plan_cases/` holds a state, a wish and the plan, SQL included.
//!
//! `UPDATE_CASES=1 cargo test --test core` writes the plans anew; then read the difference as a DBA would.

mod by_hand;
mod by_hand_roles;
mod case;

use std::path::{Path, PathBuf};

use crate::support_as_applied::{as_applied, judge_given_passwords, look_for_histories, server, untouched};
use crate::support_folded::folded;
use case::Case;
use similar::TextDiff;
use tenantry::model::{Desired, Observed, VaultSeen};
use tenantry::plan::{Plan, Verb};
use tenantry::render::{Style, json, text};

fn case_files() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/core/plan_cases");
    let mut files: Vec<PathBuf> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "case"))
        .collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

fn name(path: &Path) -> String {
    path.file_stem().unwrap().to_string_lossy().into_owned()
}

/// The state the case begins with, and what is desired.
fn sides(case: &Case) -> (Observed, Desired) {
    let after = case.desired("after.toml", "migrations after");
    let mut observed = match case.section("before.toml") {
        Some(_) => {
            let before = case.desired("before.toml", "migrations before");
            let mut observed = as_applied(&before, case.server());
            judge_given_passwords(&mut observed, &before, &after);
            look_for_histories(&mut observed, &before, &after);
            observed
        }
        None => untouched(case.server()),
    };
    if after.secrets.access().is_some() {
        // Nobody asks Vault before.
        observed.vault.get_or_insert_with(|| VaultSeen { secrets_at: "secret/data".into(), ..VaultSeen::default() });
    }
    by_hand::carry_out(case.section("by hand").unwrap_or_default(), &mut observed);
    (observed, after)
}

/// What apply would do; or, where the case says `== rotate`, what a rotation of the tenants named there would.
fn planned(case: &Case, observed: &Observed, desired: &Desired) -> Plan {
    match case.section("rotate") {
        Some(keys) => {
            let end_old = keys.split_whitespace().any(|word| word == "--end-old");
            let names = |key: &tenantry::model::TenantKey| keys.split_whitespace().any(|k| k == key.as_str());
            tenantry::plan::rotation(desired, observed, &names, end_old)
        }
        None => tenantry::plan::diff(desired, observed, &|_| true),
    }
}

fn shown(case: &Case, observed: &Observed, desired: &Desired) -> String {
    let plan = planned(case, observed, desired);
    text::plan(&plan.document(), &Style { verbose: true, ..Style::default() })
}

#[test]
fn every_case_plans_as_its_file_says() {
    let update = std::env::var_os("UPDATE_CASES").is_some();
    let mut wrong = Vec::new();
    for path in case_files() {
        let case = Case::read(&path);
        let (observed, desired) = sides(&case);
        let plan = shown(&case, &observed, &desired);
        let expected = case.section("plan").unwrap_or_default();
        if plan == expected {
            continue;
        }
        if update {
            case.with_plan(&plan).write(&path);
        } else {
            let diff = TextDiff::from_lines(expected, &plan);
            wrong.push(format!("{}:\n{}", name(&path), diff.unified_diff().header("expected", "planned")));
        }
    }
    assert!(wrong.is_empty(), "{}\nUPDATE_CASES=1 rewrites", wrong.join("\n"));
}

#[test]
fn a_state_as_applied_has_an_empty_plan() {
    for path in case_files() {
        let case = Case::read(&path);
        for (toml, migrations) in [("before.toml", "migrations before"), ("after.toml", "migrations after")] {
            if case.section(toml).is_none() {
                continue;
            }
            let desired = case.desired(toml, migrations);
            // What is blocked on an empty database was never applied.
            if tenantry::plan::diff(&desired, &untouched(case.server()), &|_| true).count(Verb::Blocked) > 0 {
                continue;
            }
            let plan = tenantry::plan::diff(&desired, &as_applied(&desired, case.server()), &|_| true);
            assert!(plan.is_empty(), "{} {toml}:\n{}", name(&path), text::plan(&plan.document(), &Style::default()));
        }
    }
}

/// The values of a plan say all that it does: where each is carried out as it says, the next plan finds nothing to do for anybody
/// who was not blocked.
#[test]
fn what_a_plan_says_is_enough_for_the_next_to_be_empty() {
    let mut wrong = Vec::new();
    for path in case_files() {
        let case = Case::read(&path);
        // A rotation leaves all else to the next apply.
        if case.section("rotate").is_some() {
            continue;
        }
        let (observed, desired) = sides(&case);
        let plan = planned(&case, &observed, &desired);
        let folded = folded(&plan, &desired, &observed);
        let next = tenantry::plan::diff(&desired, &folded, &|_| true);
        for tenant in plan.tenants.iter().filter(|tenant| tenant.verb.is_work()) {
            let left = next.tenants.iter().find(|next| next.tenant == tenant.tenant && next.verb != Verb::Unchanged);
            if let Some(left) = left {
                let left = Plan { tenants: vec![left.clone()], ..next.clone() };
                let shown = text::plan(&left.document(), &Style { verbose: true, ..Style::default() });
                wrong.push(format!("{}:\n{shown}", name(&path)));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of them: {}", wrong.len(), wrong.join("\n"));
}

#[test]
fn same_input_same_bytes() {
    for path in case_files() {
        let case = Case::read(&path);
        let once = || {
            let (observed, desired) = sides(&case);
            let plan = tenantry::plan::diff(&desired, &observed, &|_| true);
            (
                json::plan(&plan.document()),
                tenantry::render::markdown::plan(&plan.document()),
                shown(&case, &observed, &desired),
            )
        };
        assert_eq!(once(), once(), "{}", name(&path));
    }
}

#[test]
fn no_plan_holds_a_password() {
    for path in case_files() {
        let case = Case::read(&path);
        let (observed, desired) = sides(&case);
        let plan = tenantry::plan::diff(&desired, &observed, &|_| true);
        let shown = json::plan(&plan.document()) + &shown(&case, &observed, &desired);
        assert!(!shown.contains("hunter2"), "{}:\n{shown}", name(&path));
    }
}

#[test]
fn show_tells_no_difference_where_there_is_none() {
    for path in case_files() {
        let case = Case::read(&path);
        let desired = case.desired("after.toml", "migrations after");
        let observed = as_applied(&desired, case.server());
        for key in desired.tenants.keys() {
            let shown = tenantry::render::show::tenant(&desired, &observed, key, &Style::default()).unwrap();
            assert!(shown.contains("In sync"), "{}:\n{shown}", name(&path));
        }
    }
}

#[test]
fn the_server_of_a_case_is_a_superusers_15_unless_it_says_otherwise() {
    let case = Case::parse("== after.toml\n[tenants]\n== by hand\nserver 160000\nadmin is not superuser\n");
    let server_of_case = case.server();
    assert_eq!((server_of_case.major(), server_of_case.admin.superuser), (16, false));
    assert!(server(150_000, true).admin.superuser);
}

#[test]
fn show_tells_what_differs_and_only_that_with_a_sign() {
    let shown = |name: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/core/plan_cases/{name}.case"));
        let (observed, desired) = sides(&Case::read(&path));
        let key = desired.tenants.keys().next().unwrap();
        tenantry::render::show::tenant(&desired, &observed, key, &Style::default()).unwrap()
    };
    assert_is_snapshot("show_of_what_was_altered_by_hand", &shown("role_altered_by_hand"));
    assert_is_snapshot("show_of_a_tenant_not_made_yet", &shown("create_every_key"));
}

#[test]
fn the_json_document_has_the_promised_keys() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/core/plan_cases/change_connection_limit.case");
    let (observed, desired) = sides(&Case::read(&path));
    let plan = tenantry::plan::diff(&desired, &observed, &|_| true);
    assert_is_snapshot("plan_json", &json::plan(&plan.document()));
}

#[track_caller]
fn assert_is_snapshot(name: &str, text: &str) {
    insta::with_settings!({snapshot_path => "../snapshots", prepend_module_to_snapshot => false}, {
        insta::assert_snapshot!(name, text);
    });
}
