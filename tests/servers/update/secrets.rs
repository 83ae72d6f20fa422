//! Passwords and secrets of tenants that exist.

use std::fs;

use serde_json::json;

use crate::fleet::{BOTH, Fleet, ask, log_in};

#[test]
fn a_given_password_is_taken_changed_and_given_up() {
    for version in BOTH {
        let mut fleet = Fleet::usual(version, "given");
        fleet.declare("gp-one = {}");
        fleet.applies_and_settles();
        let generated = fleet.secret("gp-one");
        fleet.declare("gp-one = { password_from = \"${GP_PASSWORD}\" }");
        for password in ["first :/@ % one", "second\" 'one\\", "dritter Schlüssel ∞"] {
            fleet.env.insert("GP_PASSWORD".into(), password.into());
            fleet.run(&["plan", "--detailed-exitcode"]).ends(2);
            fleet.applies_and_settles();
            assert_eq!(fleet.secret("gp-one")["password"], password);
            assert_eq!(ask(&mut fleet.log_in("gp-one"), "SELECT current_schema()"), "tenant_gp_one");
        }
        fleet.env.clear();
        fleet.try_apply().ends(1).says("GP_PASSWORD is not set");
        fleet.declare("gp-one = {}");
        fleet.applies_and_settles();
        let last = fleet.secret("gp-one");
        assert!(last["password"] != "dritter Schlüssel ∞" && last["password"] != generated["password"]);
        fleet.log_in("gp-one");
    }
}

#[test]
fn a_secret_moves_to_another_path_with_its_password() {
    for version in BOTH {
        let mut fleet = Fleet::usual(version, "moved");
        fleet.declare("mv-one = {}\nmv-two = { password_from = \"given for good\" }");
        fleet.applies_and_settles();
        let before = fleet.secret("mv-one");
        fleet.head.push_str("[secrets]\npath = \"elsewhere/{tenant}/db\"\n");
        fleet.declare("mv-one = {}\nmv-two = { password_from = \"given for good\" }");
        fleet.applies_and_settles();
        let new = |tenant: &str| fleet.path(&format!(".tenantry/secrets/elsewhere/{tenant}/db.json"));
        let after: serde_json::Value = serde_json::from_slice(&fs::read(new("mv-one")).unwrap()).unwrap();
        assert_eq!(after["password"], before["password"]);
        assert!(new("mv-two").exists());
        assert!(!fleet.secret_file("mv-one").exists() && !fleet.secret_file("mv-two").exists());
        log_in(&after);
    }
}

#[test]
fn what_is_advertised_is_what_secrets_say() {
    for version in BOTH {
        let mut fleet = Fleet::usual(version, "advertised");
        fleet.declare("ad-one = {}");
        fleet.applies_and_settles();
        let before = fleet.secret("ad-one");
        let head = fleet.head.clone();
        fleet.head = format!("[database]\nadvertise = {{ host = \"localhost\" }}\n{head}");
        fleet.declare("ad-one = {}");
        fleet.applies_and_settles();
        let after = fleet.secret("ad-one");
        assert_eq!((&after["host"], &after["port"]), (&json!("localhost"), &before["port"]));
        assert_eq!(after["password"], before["password"]);
        log_in(&after);
        fleet.head = format!("[database]\nadvertise = {{ host = \"pgbouncer.internal\", port = 6432 }}\n{head}");
        fleet.declare("ad-one = {}");
        fleet.apply();
        fleet.run(&["plan", "--detailed-exitcode"]).ends(0);
        assert!(fleet.secret("ad-one")["url"].as_str().unwrap().contains("@pgbouncer.internal:6432/"));
        fleet.head = head;
        fleet.declare("ad-one = {}");
        fleet.applies_and_settles();
    }
}

#[test]
fn a_secret_that_somebody_deleted_is_made_again() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "deleted");
        fleet.declare("de-one = {}");
        fleet.applies_and_settles();
        let before = fleet.secret("de-one");
        fs::remove_file(fleet.secret_file("de-one")).unwrap();
        fleet.run(&["verify"]).ends(2).says("there is no secret");
        // It was the only one: nothing shows that this is the store it was in.
        let words = "the secret of de-one is gone from the store, and nothing else of this fleet's";
        fleet.run(&["plan"]).ends(0).says("secrets_missing").says(words);
        for args in [&["apply", "-y"][..], &["rotate", "-y", "de-one"], &["apply", "-y", "--target", "de-*"]] {
            fleet.run(args).ends(1).says(words).says("tenants/de-one").says("--allow-new-secrets 1");
        }
        fleet.run(&["apply", "-y", "--allow-new-secrets", "1"]).ends(0);
        fleet.settled();
        // Another that is there shows it.
        fleet.declare("de-one = {}\nde-two = {}");
        fleet.applies_and_settles();
        fs::remove_file(fleet.secret_file("de-one")).unwrap();
        fleet.applies_and_settles();
        assert_ne!(fleet.secret("de-one")["password"], before["password"]);
        fleet.log_in("de-one");
    }
}

#[test]
fn a_secret_that_somebody_changed_is_what_postgresql_is_brought_to() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "changed");
        fleet.declare("ch-one = {}");
        fleet.applies_and_settles();
        let mut secret = fleet.secret("ch-one");
        let old = secret["password"].as_str().unwrap().to_owned();
        secret["password"] = json!("rotated-by-somebody-else");
        let url = secret["url"].as_str().unwrap().to_owned();
        let (head, tail) = (url.split_once("_user:").unwrap().0.to_owned(), url.rsplit_once('@').unwrap().1.to_owned());
        secret["url"] = json!(format!("{head}_user:rotated-by-somebody-else@{tail}"));
        secret["version"] = json!(secret["version"].as_u64().unwrap() + 1);
        fs::write(fleet.secret_file("ch-one"), secret.to_string()).unwrap();
        fleet.run(&["verify"]).ends(2).says("password authentication failed");
        fleet.applies_and_settles();
        assert_eq!(fleet.secret("ch-one")["password"], "rotated-by-somebody-else");
        assert_ne!(old, "rotated-by-somebody-else");
        fleet.log_in("ch-one");
        // A word that is not the tenant's is put right, the password kept.
        secret["version"] = json!(secret["version"].as_u64().unwrap() + 1);
        secret["schema"] = json!("public");
        fs::write(fleet.secret_file("ch-one"), secret.to_string()).unwrap();
        fleet.applies_and_settles();
        assert_eq!(fleet.secret("ch-one")["schema"], "tenant_ch_one");
        assert_eq!(fleet.secret("ch-one")["password"], "rotated-by-somebody-else");
    }
}

/// Two places count their versions for themselves: the same number is not the same password. What lies where nothing leads
/// any more is left there (docs/adr/0001).
#[test]
fn a_directory_that_is_changed_and_changed_back_holds_the_password_again() {
    for version in BOTH {
        let mut fleet = Fleet::usual(version, "places");
        let head = fleet.head.clone();
        fleet.declare("pl-one = {}");
        fleet.applies_and_settles();
        let first = fleet.secret("pl-one");
        fleet.head = format!("[secrets]\ndir = \"elsewhere\"\n{head}");
        fleet.declare("pl-one = {}");
        // Its only secret is not there, and a person says that it is the right store.
        fleet.try_apply().ends(1).says("secrets_missing").says("--allow-new-secrets 1");
        fleet.run(&["apply", "-y", "--allow-new-secrets", "1"]).ends(0);
        fleet.settled();
        assert_eq!(fleet.secret("pl-one"), first);
        let second: serde_json::Value =
            serde_json::from_slice(&fs::read(fleet.path("elsewhere/tenants/pl-one.json")).unwrap()).unwrap();
        assert_eq!(second["version"], first["version"]);
        assert_ne!(second["password"], first["password"]);
        fleet.head = head;
        fleet.declare("pl-one = {}");
        fleet.run(&["plan", "--detailed-exitcode"]).ends(2).says("as in the secret store");
        fleet.applies_and_settles();
        fleet.log_in("pl-one");
    }
}
