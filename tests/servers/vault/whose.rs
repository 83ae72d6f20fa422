//! Whose a secret is, by its metadata; and a server that is another one than the secrets are in.

use serde_json::{Value, json};

use super::{REMOVE, fleet_with, kv2};
use crate::fleet::{BOTH, Fleet};
use crate::openbao::OpenBao;

const TWO: &str = "wh-one = {}\nwh-two = {}";
const OTHER_TWO: &str = "we-one = {}\nwe-two = {}";

fn metadata(bao: &OpenBao, tenant: &str) -> Value {
    bao.api("GET", &format!("secret/metadata/tenants/{tenant}"), Value::Null)["data"].clone()
}

fn known(fleet: &Fleet) -> Value {
    fleet.ask("SELECT fleet FROM tenantry.identity").into()
}

#[test]
fn secrets_without_a_mark_get_one_and_no_new_version() {
    let bao = OpenBao::dev();
    for version in BOTH {
        let fleet = fleet_with(version, "whose", &bao, "");
        fleet.declare(TWO);
        fleet.applies_and_settles();
        let before = kv2(&bao, "wh-one");
        // As an older version left them, and with somebody's note.
        fleet.unmark(&[]);
        for tenant in ["wh-one", "wh-two"] {
            let old =
                json!({"managed_by": "tenantry", "tenant": tenant, "database": fleet.database.name, "team": "blue"});
            bao.api("POST", &format!("secret/metadata/tenants/{tenant}"), json!({"custom_metadata": old}));
        }
        fleet.run(&["drift"]).ends(2).says("2 secrets marked as this database's");
        fleet.applies_and_settles();
        assert_eq!(kv2(&bao, "wh-one"), before);
        let now = metadata(&bao, "wh-one");
        assert_eq!(now["current_version"], 1);
        assert_eq!(now["custom_metadata"]["team"], "blue");
        assert_eq!(now["custom_metadata"]["fleet"], known(&fleet));
        // By hand, with another's mark: nothing of it is touched.
        let mut theirs = metadata(&bao, "wh-two")["custom_metadata"].clone();
        theirs["fleet"] = json!("of somebody else");
        bao.api("POST", "secret/metadata/tenants/wh-two", json!({"custom_metadata": theirs}));
        fleet.run(&["rotate", "-y", "wh-two"]).ends(1).says("it carries the fleet of somebody else");
        fleet.declare("wh-one = {}");
        fleet.run(&REMOVE).ends(1).says("is another database's").says("apply --moved");
        assert_eq!(metadata(&bao, "wh-two")["current_version"], 1, "it is left where it is");
        fleet.declare(TWO);
        fleet.run(&["apply", "-y"]).ends(1).says("the secret at tenants/wh-two is another database's");
        bao.api("DELETE", "secret/metadata/tenants/wh-two", Value::Null);
        fleet.applies_and_settles();
        // A rotation leaves the fleet, and says which run it was.
        let run = metadata(&bao, "wh-one")["custom_metadata"]["fleet_run"].clone();
        fleet.run(&["rotate", "-y", "wh-one"]).ends(0);
        let now = metadata(&bao, "wh-one");
        assert_eq!(now["custom_metadata"]["fleet"], known(&fleet));
        assert_ne!(now["custom_metadata"]["fleet_run"], run);
        fleet.settled();
        // This registry set back to before that rotation.
        fleet.execute("DELETE FROM tenantry.runs WHERE began = (SELECT max(began) FROM tenantry.runs)");
        fleet.run(&["drift"]).ends(2).says("another_copy").says("tenants/wh-one");
        fleet.run(&["rotate", "-y", "--all"]).ends(1).says("set back to an earlier state");
        fleet.run(&["apply", "-y", "--moved"]).ends(0);
        fleet.settled();
        assert_eq!(metadata(&bao, "wh-two")["custom_metadata"]["fleet"], known(&fleet));
        fleet.declare("");
        fleet.run(&REMOVE).ends(0);
    }
}

#[test]
fn an_empty_server_gives_no_tenant_a_new_password() {
    let (bao, empty) = (OpenBao::dev(), OpenBao::dev());
    empty.api("POST", "sys/namespaces/other", Value::Null);
    for version in BOTH {
        let mut fleet = fleet_with(version, "empty", &bao, "");
        fleet.declare(OTHER_TWO);
        fleet.applies_and_settles();
        let (usual, before) = (fleet.head.clone(), [kv2(&bao, "we-one"), kv2(&bao, "we-two")]);
        let verifiers = "SELECT rolname, rolpassword FROM pg_authid WHERE rolname LIKE 'we%' ORDER BY 1";
        let kept = fleet.ask(verifiers);
        fleet.head = usual.replace(&bao.address, &empty.address);
        fleet.declare(OTHER_TWO);
        let words = "the secrets of 2 of 2 tenants are gone from the store (we-one, we-two), more than the 1";
        fleet.run(&["plan", "--detailed-exitcode"]).ends(2).says("secrets_missing").says(words);
        let one = [&["apply", "-y", "--target", "we-one"][..], &["rotate", "-y", "we-one"]];
        for args in one.into_iter().chain([&["apply", "-y"][..], &["rotate", "-y", "--all"]]) {
            let run = fleet.run(args).ends(1).says(words).says(&empty.address).says("secret/tenants/we-one");
            run.says("apply --allow-new-secrets 2");
        }
        assert_eq!(fleet.ask(verifiers), kept);
        // Another mount of the right server.
        bao.try_api("POST", "sys/mounts/aside", &json!({"type": "kv", "options": {"version": "2"}}));
        fleet.head = format!("{usual}mount = \"aside\"\n");
        fleet.declare(OTHER_TWO);
        fleet.run(&["apply", "-y"]).ends(1).says(words).says("aside/tenants/we-one");
        assert_eq!(fleet.ask(verifiers), kept);
        fleet.head = usual;
        fleet.declare(OTHER_TWO);
        fleet.settled();
        assert_eq!([kv2(&bao, "we-one"), kv2(&bao, "we-two")], before);
        fleet.declare("");
        fleet.run(&REMOVE).ends(0);
    }
}

#[test]
fn kv_version_1_carries_the_mark_in_the_document() {
    let bao = OpenBao::dev();
    bao.api("POST", "sys/mounts/old", json!({"type": "kv", "options": {"version": "1"}}));
    let read = |tenant: &str| bao.api("GET", &format!("old/tenants/{tenant}"), Value::Null)["data"].clone();
    let fleet = fleet_with(BOTH[0], "whose1", &bao, "mount = \"old\"");
    fleet.declare("w1-one = {}");
    fleet.applies_and_settles();
    let before = read("w1-one");
    assert_eq!(before["fleet"], known(&fleet));
    let mut old = before.clone();
    for key in ["fleet", "fleet_run", "fleet_cluster"] {
        old.as_object_mut().unwrap().remove(key).unwrap();
    }
    old["team"] = json!("blue");
    bao.api("POST", "old/tenants/w1-one", old);
    fleet.unmark(&[]);
    fleet.run(&["drift"]).ends(2).says("1 secret marked as this database's");
    fleet.applies_and_settles();
    let now = read("w1-one");
    assert_eq!((&now["fleet"], &now["team"]), (&known(&fleet), &json!("blue")));
    for key in ["password", "version", "url"] {
        assert_eq!(now[key], before[key]);
    }
}
