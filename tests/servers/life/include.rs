//! More files with tenants and classes.

use std::fs;

use crate::fleet::{BOTH, Fleet};

fn write(fleet: &Fleet, file: &str, text: &str) {
    let path = fleet.path(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

#[test]
fn their_tenants_are_applied_as_those_of_the_file_and_a_fault_names_its_own_file() {
    let mut fleet = Fleet::usual(BOTH[0], "life_include");
    fleet.head.insert_str(0, "include = [\"tenants.d/*.toml\", \"more.toml\", \"none.d/*.toml\"]\n");
    fleet.env.insert("LI_PASSWORD".into(), "a password of the environment".into());
    fleet.declare("li-main = { class = \"pro\" }");
    fleet.run(&["validate"]).ends(1).says("more.toml: there is no such file");
    write(&fleet, "more.toml", "[classes.pro]\nconnection_limit = 7\n");
    write(&fleet, "tenants.d/a.toml", "[tenants]\nli-a = { password_from = \"${LI_PASSWORD}\" }\n");
    write(&fleet, "tenants.d/b.toml", "[tenants.li-b]\nclass = \"pro\"\n");
    write(&fleet, "tenants.d/.hidden.toml", "[tenants.li-hidden]\n");
    fleet.run(&["validate"]).ends(0).says("include \"none.d/*.toml\" matches no file");
    fleet.applies_and_settles();
    let limits = "SELECT rolname, rolconnlimit FROM pg_roles WHERE rolname LIKE 'li%user' ORDER BY 1";
    assert_eq!(fleet.ask(limits), "li_a_user, -1; li_b_user, 7; li_main_user, 7");
    assert_eq!(fleet.secret("li-a")["password"], "a password of the environment");

    write(
        &fleet,
        "tenants.d/b.toml",
        "include = []\n[tenants.li-b]\nclas = \"pro\"\n[tenants.li-main]\n[archive]\ndir = \"x\"\n",
    );
    let faults = fleet.run(&["validate"]).ends(1);
    let faults =
        faults.says("tenants.d/b.toml").says("unknown key \"clas\"").says("an included file includes no others");
    let faults = faults.says("this does not belong into an included file").says("is declared twice, also in");
    assert!(faults.stderr.contains("tenants.toml, line"), "{}", faults.stderr);
    let json = fleet.run(&["validate", "--format", "json", "--log-format", "json"]).ends(1);
    assert!(json.stderr.contains("b.toml") || json.stdout.contains("b.toml"), "{json:?}");
    // A file that is gone takes its tenants along, with the ceiling of any removal.
    fs::remove_file(fleet.path("tenants.d/b.toml")).unwrap();
    fleet.try_apply().ends(1).says("--allow-removals 1");
}

#[test]
fn a_saved_plan_is_stale_once_an_included_file_says_something_else() {
    let mut fleet = Fleet::usual(BOTH[0], "life_saved");
    fleet.head.insert_str(0, "include = [\"more.toml\"]\n");
    fleet.declare("lv-one = {}");
    write(&fleet, "more.toml", "[tenants]\nlv-two = {}\n");
    fleet.run(&["plan", "--out", "saved.plan"]).ends(0);
    write(&fleet, "more.toml", "[tenants]\nlv-two = { connection_limit = 1 }\n");
    fleet.run(&["apply", "-y", "saved.plan"]).ends(1).says("stale");
    write(&fleet, "more.toml", "[tenants]\nlv-two = {}\n");
    fleet.run(&["apply", "-y", "saved.plan"]).ends(0);
    fleet.settled();
}
