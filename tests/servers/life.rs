//! A tenant's life in tenants.toml: classes, files that are included, and tenants that are suspended for a while.

mod edit;
mod include;
mod source;
mod suspended;

use std::fs;

use crate::fleet::{BOTH, Fleet};

#[test]
fn a_class_stands_between_the_tenant_and_the_defaults_and_list_and_show_say_it() {
    let mut fleet = Fleet::usual(BOTH[0], "life_class");
    fleet.head += "class = \"free\"\n[classes.free]\nconnection_limit = 2\n[classes.pro]\nconnection_limit = 9\n\
                   settings = { statement_timeout = \"9s\" }\n";
    fleet.declare("lc-one = {}\nlc-two = { class = \"pro\" }\nlc-three = { class = \"pro\", connection_limit = 1 }");
    fleet.applies_and_settles();
    let limits = "SELECT rolname, rolconnlimit FROM pg_roles WHERE rolname LIKE 'lc%user' ORDER BY 1";
    assert_eq!(fleet.ask(limits), "lc_one_user, 2; lc_three_user, 1; lc_two_user, 9");
    assert!(fleet.log_in("lc-three").batch_execute("SELECT 1").is_ok());
    fleet.run(&["list"]).ends(0).says("class").says("pro");
    let list = fleet.run(&["list", "--format", "json"]).ends(0).json();
    assert_eq!((&list[0]["class"], &list[0]["declared"]), (&"free".into(), &"file".into()), "{list}");
    let of = |globs: &[&str]| {
        let globs = globs.iter().flat_map(|glob| ["--class", glob]).collect::<Vec<_>>();
        fleet.run(&[&["list", "--format", "csv", "--columns", "tenant"], globs.as_slice()].concat()).ends(0).stdout
    };
    assert_eq!(of(&["p*"]), "tenant\nlc-three\nlc-two\n");
    assert_eq!(of(&["free", "pro"]), "tenant\nlc-one\nlc-three\nlc-two\n");
    assert_eq!(of(&["fr"]), "tenant\n");
    fleet.run(&["list", "--class", "p["]).ends(64);
    fleet.run(&["show", "lc-two"]).ends(0).says("of class pro");

    let source = fs::read_to_string(fleet.path("tenants.toml")).unwrap();
    fs::write(fleet.path("tenants.toml"), source.replace("{ class = \"pro\" }", "{ class = \"pr0\" }")).unwrap();
    fleet.run(&["validate"]).ends(1).says("there is no class \"pr0\"").says("did you mean \"pro\"?");
}
