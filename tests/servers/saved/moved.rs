//! What moved between plan and apply is named, and nothing is done.

use std::fs;

use super::save;
use crate::fleet::{BOTH, Fleet};
use crate::postgres_server::Version;

/// Refused with these words, and the tenants as they were.
#[track_caller]
fn stale(fleet: &Fleet, words: &[&str]) {
    let state = "SELECT tenant, username, password_changed_at::text FROM tenantry.tenants ORDER BY 1";
    let before = fleet.ask(state);
    let mut run = fleet.run(&["apply", "-y", "plan.json"]).ends(1).says("the saved plan is stale; nothing was changed");
    for words in words {
        run = run.says(words);
    }
    assert_eq!(fleet.ask(state), before);
}

#[test]
fn the_configuration() {
    let fleet = Fleet::usual(Version::V18, "configured");
    fleet.declare("co-one = {}");
    fleet.apply();
    let plan = "co-one = { connection_limit = 4 }";
    fleet.declare(plan);
    save(&fleet);
    // Even where it changes nothing about the plan: who reviewed it reviewed another file.
    fleet.declare(&format!("{plan} # agreed"));
    stale(&fleet, &["tenants.toml or the migrations changed"]);
    fleet.declare(plan);
    let first = fs::read_to_string(fleet.path("migrations/V1__create_users.sql")).unwrap();
    fleet.migration("V1__create_users.sql", &format!("{first}-- a comment\n"));
    fleet.run(&["apply", "-y", "plan.json"]).ends(1).says("tenants.toml or the migrations changed");
    fleet.migration("V1__create_users.sql", &first);
    fleet.migration("V9__more.sql", "CREATE TABLE more ();");
    stale(&fleet, &["tenants.toml or the migrations changed", "tenant co-one: now migration V9__more"]);
    fs::remove_file(fleet.path("migrations/V9__more.sql")).unwrap();
    fleet.run(&["apply", "-y", "plan.json"]).ends(0);
    fleet.settled();
}

#[test]
fn each_part_of_a_tenant() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "parts");
        fleet.declare("pa-one = {}\npa-two = {}");
        fleet.apply();
        fleet.declare("pa-one = { connection_limit = 4 }\npa-two = {}");
        let schema = "tenant pa-one: changed since: schema tenant_pa_one";
        for (by_hand, words) in [
            ("ALTER ROLE pa_one_user CREATEDB", "now role pa_one_user CREATEDB, no connection limit → NOCREATEDB"),
            ("ALTER ROLE pa_one_user CONNECTION LIMIT 9", "no longer role pa_one_user no connection limit"),
            ("ALTER ROLE pa_one_user VALID UNTIL '2001-01-01'", "role pa_one_user"),
            ("ALTER ROLE pa_one_user CONNECTION LIMIT 4", "tenant pa-one: there is nothing left to do"),
            ("GRANT SELECT ON ALL TABLES IN SCHEMA tenant_pa_one TO PUBLIC", "tenant pa-one: now "),
            ("SET ROLE pa_one_user; CREATE TABLE tenant_pa_one.own (id int)", schema),
            (
                "DROP TABLE tenant_pa_one.own; DELETE FROM tenant_pa_one.refinery_schema_history",
                "now 2 migrations no migration → V2",
            ),
            ("ALTER SCHEMA tenant_pa_one RENAME TO elsewhere", "tenant pa-one: "),
            (
                "UPDATE tenantry.tenants SET created_at = created_at - interval '1 s' WHERE tenant = 'pa-one'",
                "changed since: its row in the registry",
            ),
        ] {
            save(&fleet);
            fleet.execute(by_hand);
            stale(&fleet, &[words]);
            if by_hand.contains("RENAME") {
                fleet.execute("ALTER SCHEMA elsewhere RENAME TO tenant_pa_one");
            }
            if by_hand.contains("DELETE") {
                fleet.execute("DROP SCHEMA tenant_pa_one CASCADE");
            }
            if !by_hand.contains("CREATE TABLE") {
                fleet.run(&["apply", "-y", "-q"]).ends(0);
                fleet.execute("ALTER ROLE pa_one_user CONNECTION LIMIT -1");
            }
        }
        fleet.applies_and_settles();
    }
}

#[test]
fn a_secret_a_tenant_that_is_gone_and_one_that_is_blocked() {
    let fleet = Fleet::usual(Version::V18, "secretly");
    fleet.declare("se-one = {}\nse-two = {}");
    fleet.apply();
    fleet.declare("se-one = { connection_limit = 4 }\nse-two = { connection_limit = 4 }\nse-new = {}");
    save(&fleet);
    let secret = fs::read_to_string(fleet.secret_file("se-one")).unwrap();
    fs::write(fleet.secret_file("se-one"), secret.replace("\"password\": \"", "\"password\": \"x")).unwrap();
    fleet.execute("CREATE SCHEMA tenant_se_new");
    stale(&fleet, &["tenant se-one: ", "secret", "tenant se-new: it is now blocked: "]);
    fs::write(fleet.secret_file("se-one"), secret).unwrap();
    fleet.execute("DROP SCHEMA tenant_se_new");
    fleet.declare("se-one = { connection_limit = 4 }\nse-new = {}");
    stale(
        &fleet,
        &["tenants.toml or the migrations changed", "tenant se-two: the file says update, but now it is remove"],
    );
    fleet.run(&["apply", "-y", "-q", "--allow-removals", "1"]).ends(0);
    stale(&fleet, &["tenant se-two: it is no longer declared or registered"]);
}

#[test]
fn what_tenants_share() {
    let fleet = Fleet::usual(Version::V18, "shared");
    fleet.declare("sd-one = {}");
    fleet.apply();
    fleet.declare("sd-one = { connection_limit = 4 }");
    save(&fleet);
    let group = format!("tenantry_{}_tenants", fleet.database.name);
    fleet.execute(&format!("REVOKE CONNECT ON DATABASE \"{0}\" FROM PUBLIC, {group}", fleet.database.name));
    stale(&fleet, &["what the tenants share: now ", &group]);
    fleet.applies_and_settles();
}
