//! Saved plans: bound to a cluster, a database, a configuration and what was seen; refused when anything of it moved.
mod moved;
mod tampered;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use crate::fleet;
use crate::fleet::{BOTH, Fleet};
use crate::postgres_server;
use crate::postgres_server::{Version, database_on};
use serde_json::{Value, json};
use tenantry::sandbox::Server;

/// Saves a plan to plan.json.
#[track_caller]
fn save(fleet: &Fleet) -> Value {
    fleet.run(&["plan", "--out", "plan.json"]).ends(0).says("tenantry apply plan.json");
    serde_json::from_slice(&fs::read(fleet.path("plan.json")).unwrap()).unwrap()
}

fn mode(fleet: &Fleet, name: &str) -> u32 {
    fs::metadata(fleet.path(name)).unwrap().permissions().mode() & 0o7777
}

#[test]
fn a_saved_plan_is_applied_once() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "once");
        fleet.declare("so-one = {}\nso-two = { connection_limit = 7 }");
        save(&fleet);
        assert_eq!(fleet.ask("SELECT to_regclass('tenantry.tenants')::text"), "-", "plan changes nothing");
        fleet.run(&["apply", "plan.json"]).ends(1).says("--auto-approve");
        fleet.run(&["apply", "-y", "plan.json"]).ends(0).says("Apply: 2 applied, 0 unchanged");
        fleet.settled();
        let again =
            fleet.run(&["apply", "-y", "plan.json"]).ends(1).says("the saved plan is stale; nothing was changed");
        again.says("tenant so-one: there is nothing left to do").says("so-two").says("tenantry plan --out");
        // One without work is nobody's harm, however often.
        save(&fleet);
        for _ in 0..2 {
            fleet.run(&["apply", "-y", "plan.json"]).ends(0).says("No changes");
        }
    }
}

/// Sent after the tenants, which the file does not say.
#[test]
fn a_shared_owner_is_dropped_by_a_saved_plan_too() {
    let fleet = Fleet::usual(Version::Installed, "sharing");
    let shared = |n| format!("sg-{n} = {{ owner = \"sg_shared\", access = \"readwrite\" }}\n");
    fleet.declare(&format!("sg-stays = {{}}\n{}{}", shared(1), shared(2)));
    fleet.apply();
    fleet.declare("sg-stays = {}");
    save(&fleet);
    fleet.run(&["apply", "-y", "--allow-removals", "2", "plan.json"]).ends(0);
    assert_eq!(fleet.ask("SELECT count(*) FROM pg_roles WHERE rolname = 'sg_shared'"), "0");
    assert_eq!(fleet.ask("SELECT count(*) FROM tenantry.former_owners"), "0");
}

#[test]
fn what_a_plan_does_not_touch_is_counted_and_left_alone() {
    let fleet = Fleet::usual(Version::V18, "others");
    fleet.execute("CREATE SCHEMA tenant_ot_bad");
    fleet.declare("ot-one = {}\not-two = {}");
    fleet.apply();
    fleet.declare("ot-one = { connection_limit = 3 }\not-two = {}\not-bad = {}");
    save(&fleet);
    // A tenant that the plan has no work for may move; what it needs now is the next plan's.
    fleet.execute("ALTER ROLE ot_two_user CONNECTION LIMIT 9");
    let report = fleet.run(&["apply", "-y", "--format", "json", "plan.json"]).ends(1).json();
    assert_eq!(report["summary"], json!({"applied": 1, "unchanged": 0, "failed": 0, "skipped": 1, "unknown": 0}));
    assert_eq!(report["tenants"][0]["tenant"], "ot-bad");
    assert_eq!(
        fleet.ask("SELECT rolconnlimit FROM pg_roles WHERE rolname ~ '^ot_(one|two)_user' ORDER BY rolname"),
        "3; 9"
    );
    fleet.execute("DROP SCHEMA tenant_ot_bad");
    fleet.applies_and_settles();
}

#[test]
fn the_file_is_the_owners_alone_and_holds_no_secret() {
    let mut fleet = Fleet::usual(Version::V18, "mode");
    fleet.env.insert("GIVEN".into(), "correct horse battery staple".into());
    fleet.declare("mo-one = { password_from = \"${GIVEN}\" }\nmo-two = {}");
    fleet.apply();
    let made = fleet.secret("mo-two")["password"].as_str().unwrap().to_owned();
    let verifiers = fleet.ask("SELECT rolpassword FROM pg_authid WHERE rolname LIKE 'mo\\_%user'");
    fleet.env.insert("GIVEN".into(), "another horse battery staple".into());
    fleet.declare("mo-one = { password_from = \"${GIVEN}\" }\nmo-two = { username = \"mo_renamed\" }\nmo-three = {}");
    fs::write(fleet.path("plan.json"), "what was there before").unwrap();
    fs::set_permissions(fleet.path("plan.json"), fs::Permissions::from_mode(0o644)).unwrap();
    for umask in ["000", "077"] {
        let script = format!("umask {umask} && exec \"$0\" plan --out plan.json --quiet");
        let output = fleet.program("sh").args(["-c", &script, env!("CARGO_BIN_EXE_tenantry")]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        assert_eq!(mode(&fleet, "plan.json"), 0o600, "umask {umask}");
    }
    let text = fs::read_to_string(fleet.path("plan.json")).unwrap();
    assert!(text.contains("SCRAM-SHA-256$…") && text.contains("mo_renamed"), "{text}");
    let verifiers = verifiers.split("; ").map(|verifier| verifier.rsplit('$').next().unwrap());
    let secrets = ["correct horse battery staple", "another horse battery staple", &made];
    for secret in secrets.into_iter().chain(verifiers).chain([fleet.database.server.password()]) {
        assert!(!secret.is_empty() && !text.contains(secret), "the plan holds {secret}");
    }
    fleet.run(&["apply", "-y", "plan.json"]).ends(0);
    fleet.settled();
}

#[test]
fn a_plan_goes_into_a_file_and_nowhere_else() {
    let fleet = Fleet::usual(Version::V18, "where");
    fleet.declare("wh-one = {}");
    fs::create_dir(fleet.path("dir")).unwrap();
    fs::write(fleet.path("real.json"), "mine").unwrap();
    symlink("real.json", fleet.path("link.json")).unwrap();
    fleet.run(&["plan", "--out", "dir"]).ends(1).says("dir is a directory");
    fleet.run(&["plan", "--out", "link.json"]).ends(1).says("a symbolic link").says("real.json");
    fleet.run(&["plan", "--out", "/dev/null"]).ends(1).says("not a regular file");
    fleet.run(&["plan", "--out", "nowhere/plan.json"]).ends(1).says("writing nowhere/plan.json").says("No such file");
    assert_eq!(fs::read_to_string(fleet.path("real.json")).unwrap(), "mine");
    assert!(fs::metadata("/dev/null").unwrap().permissions().mode() & 0o666 == 0o666);
    fleet.run(&["apply", "-y", "nowhere.json"]).ends(1).says("reading nowhere.json");
    fleet.run(&["apply", "-y", "dir"]).ends(1).says("reading dir");
    // An existing file is replaced; a link to a plan is read.
    fleet.run(&["plan", "--out", "real.json"]).ends(0);
    fleet.run(&["apply", "-y", "link.json"]).ends(0);
    fleet.settled();
}

#[test]
fn targets_are_kept() {
    let fleet = Fleet::usual(Version::V18, "kept");
    fleet.declare("ke-one = {}\nke-two = {}");
    fleet.run(&["plan", "--target", "*-one", "--out", "plan.json"]).ends(0);
    fleet.run(&["apply", "-y", "plan.json", "--target", "ke-two"]).ends(1).says("takes no --target");
    fleet.run(&["apply", "-y", "plan.json"]).ends(0).says("Apply: 1 applied");
    assert_eq!(fleet.ask("SELECT tenant FROM tenantry.tenants"), "ke-one");
    fleet.run(&["apply", "-y", "plan.json"]).ends(1).says("ke-one");
}

#[test]
fn removals_are_allowed_by_number_there_too() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "removals");
        fleet.declare("re-one = {}\nre-two = {}\nre-kept = {}");
        fleet.apply();
        fleet.declare("re-kept = {}");
        save(&fleet);
        fleet.run(&["apply", "-y", "plan.json"]).ends(1).says("tenantry apply plan.json --allow-removals 2");
        fleet.run(&["apply", "-y", "plan.json", "--allow-removals", "1"]).ends(1);
        assert_eq!(fleet.ask("SELECT count(*) FROM pg_namespace WHERE nspname ~ '^tenant_re_'"), "3");
        // A tenant that is still written to grows, which is no reason to ask again.
        fleet
            .log_in("re-one")
            .batch_execute("INSERT INTO users (email) SELECT g::text FROM generate_series(1, 5000) g")
            .unwrap();
        fleet.run(&["apply", "-y", "plan.json", "--allow-removals", "2"]).ends(0).says("2 applied, 1 unchanged");
        fleet.settled();
    }
}

#[test]
fn a_saved_plan_is_shown_in_every_format_without_a_database() {
    let mut fleet = Fleet::usual(Version::V18, "shown");
    fleet.declare("sh-one = {}");
    fleet.apply();
    fleet.declare("sh-one = { connection_limit = 4 }\nsh-new = {}");
    let saved = save(&fleet);
    let planned = |format: &str| fleet.run(&["plan", "--format", format]).stdout;
    let [text, json, markdown] = ["text", "json", "markdown"].map(planned);
    fleet.env.insert("TENANTRY_DATABASE_URL".into(), "postgresql://nobody@127.0.0.1:1/none".into());
    fs::remove_file(fleet.path("tenants.toml")).unwrap();
    let shown = |format: &str| fleet.run(&["show", "./plan.json", "--format", format]).ends(0).stdout;
    assert_eq!(shown("json"), json);
    // Who asked, and from where, is not in the file.
    let place = format!("{} on 127.0.0.1:{}", fleet.database.name, fleet.database.server.port());
    let of_the_file = |planned: &str| {
        planned.replacen(
            &format!("{place} as postgres (from TENANTRY_DATABASE_URL)"),
            &format!("{place} (from ./plan.json)"),
            1,
        )
    };
    assert_eq!(shown("markdown"), of_the_file(&markdown));
    // What a tenant's access is stands in tenants.toml, and not in the plan.
    assert_eq!(shown("text"), of_the_file(&text.replace(", access full", "")));
    fleet.run(&["-v", "show", "plan.json"]).ends(0).says("ALTER ROLE \"sh_one_user\" CONNECTION LIMIT 4");
    let document: Value = serde_json::from_str(&json).unwrap();
    for (key, value) in document.as_object().unwrap() {
        assert_eq!(&saved[key], value, "{key}");
    }
    fleet.run(&["show", "plan.txt"]).ends(1).says("no file plan.txt");
}

#[test]
fn another_database_and_another_cluster_are_refused() {
    for (tenant, version, other) in
        [("bo-one", Version::V18, Version::Installed), ("bo-two", Version::Installed, Version::V18)]
    {
        let mut fleet = Fleet::usual(version, "bound");
        fleet.declare(&format!("{tenant} = {{}}"));
        save(&fleet);
        let own = fleet.url.clone();
        let elsewhere = database_on(fleet.database.server.clone(), "bound");
        fleet.url.clone_from(&elsewhere.url);
        let refused = fleet.run(&["apply", "-y", "plan.json"]).ends(1).says("it was made for database bound_");
        refused.says(&elsewhere.name).says("nothing was changed");
        // The same name in another cluster.
        let twin = Server::builder().binaries(postgres_server::binaries(other)).start().unwrap();
        fleet::ask(
            &mut postgres_server::target(&twin.admin_url()).connect_admin().unwrap(),
            &format!("CREATE DATABASE \"{}\" TEMPLATE template0", fleet.database.name),
        );
        fleet.url = twin.url(&fleet.database.name, "postgres", twin.password());
        let cluster = fleet.ask("SELECT system_identifier::text FROM pg_control_system()");
        fleet.run(&["apply", "-y", "plan.json"]).ends(1).says(&format!("(cluster {cluster})"));
        fleet.url = own;
        fleet.run(&["apply", "-y", "plan.json"]).ends(0);
    }
}
