//! Tenants that are taken out of tenants.toml.
mod holds;

use crate::fleet::{BOTH, Fleet, ask, log_in};
use crate::openbao;
use crate::openbao::OpenBao;
use crate::postgres_server::{Version, database_of};

const REMOVE: [&str; 4] = ["apply", "-y", "--allow-removals", "9"];

#[test]
fn drop_leaves_nothing() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "dropped");
        fleet.declare("rd-stays = {}\nrd-full = {}\nrd-own = { access = \"owner\" }\nrd-rw = { access = \"readwrite\" }\nrd-ro = { access = \"readonly\" }");
        fleet.applies_and_settles();
        fleet.log_in("rd-full").batch_execute("CREATE TABLE mine (); CREATE VIEW v AS SELECT * FROM users").unwrap();
        fleet.execute("ALTER DEFAULT PRIVILEGES FOR ROLE rd_full_user IN SCHEMA tenant_rd_full GRANT SELECT ON TABLES TO rd_stays_user");
        fleet.execute("ALTER DEFAULT PRIVILEGES FOR ROLE rd_own_user GRANT SELECT ON TABLES TO PUBLIC");
        fleet.declare("rd-stays = {}");
        fleet.run(&["plan"]).ends(0).says("4 to remove").says("deletes");
        fleet.run(&REMOVE).ends(0);
        fleet.settled();
        assert_eq!(
            fleet.ask("SELECT rolname FROM pg_roles WHERE rolname ~ '^rd_' ORDER BY 1"),
            "rd_stays_owner; rd_stays_user"
        );
        assert_eq!(fleet.ask("SELECT nspname FROM pg_namespace WHERE nspname ~ '^tenant_rd'"), "tenant_rd_stays");
        assert_eq!(fleet.ask("SELECT tenant FROM tenantry.tenants"), "rd-stays");
        assert_eq!(fleet.ask("SELECT count(*) FROM tenantry.audit_log WHERE verb = 'remove'"), "4");
        assert_eq!(fleet.ask("SELECT count(*) FROM pg_default_acl d WHERE NOT EXISTS (SELECT FROM pg_roles r WHERE r.oid = defaclrole)"), "0");
        for tenant in ["rd-full", "rd-own", "rd-rw", "rd-ro"] {
            assert!(!fleet.secret_file(tenant).exists(), "{tenant}");
        }
        // And anew.
        fleet.declare("rd-stays = {}\nrd-full = {}");
        fleet.applies_and_settles();
    }
}

#[test]
fn retain_keeps_the_data_and_lets_nobody_in_and_taking_it_back_works() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "retained");
        for access in ["full", "owner", "readwrite"] {
            let tenant = format!("rt-{access}");
            let declared = format!("{tenant} = {{ access = \"{access}\", on_remove = \"retain\" }}");
            fleet.declare(&declared);
            fleet.applies_and_settles();
            let secret = fleet.secret(&tenant);
            let mut open = fleet.log_in(&tenant);
            open.batch_execute("INSERT INTO users (email) VALUES ('kept')").unwrap();
            fleet.declare("");
            fleet.run(&["apply", "-y"]).ends(1).says("--allow-removals 1");
            fleet.run(&REMOVE).ends(0);
            fleet.run(&["plan", "--detailed-exitcode"]).ends(0);
            assert!(open.batch_execute("SELECT 1").is_err(), "an open session is ended");
            assert!(!fleet.secret_file(&tenant).exists());
            let url = secret["url"].as_str().unwrap();
            assert!(postgres::Client::connect(url, postgres::NoTls).is_err());
            assert_eq!(fleet.ask(&format!("SELECT email FROM tenant_rt_{access}.users")), "kept");
            assert_eq!(fleet.ask(&format!("SELECT state FROM tenantry.tenants WHERE tenant = '{tenant}'")), "retained");
            fleet.run(&["list"]).ends(0).says("retained");
            fleet.migration("V3__since.sql", "CREATE TABLE since (id int);");
            fleet.declare(&declared);
            fleet.applies_and_settles();
            assert_eq!(ask(&mut fleet.log_in(&tenant), "SELECT email FROM users"), "kept");
            assert_ne!(fleet.secret(&tenant)["password"], secret["password"]);
            fleet.declare("");
            fleet.run(&REMOVE).ends(0);
            std::fs::remove_file(fleet.path("migrations/V3__since.sql")).unwrap();
        }
    }
}

#[test]
fn removals_must_be_allowed_by_number() {
    let fleet = Fleet::usual(Version::V18, "allowed");
    fleet.declare("al-one = {}\nal-two = {}\nal-three = {}");
    fleet.applies_and_settles();
    fleet.declare("al-three = { connection_limit = 3 }");
    for allow in [vec![], vec!["--allow-removals", "0"], vec!["--allow-removals", "1"]] {
        let args = [vec!["apply", "-y"], allow].concat();
        fleet.run(&args).ends(1).says("al-one, al-two").says("--allow-removals 2").says("nothing was changed");
        assert_eq!(fleet.ask("SELECT count(*) FROM tenantry.tenants"), "3");
        assert_eq!(fleet.ask("SELECT rolconnlimit FROM pg_roles WHERE rolname = 'al_three_user'"), "-1");
    }
    // Without -y a number is no answer.
    fleet.run(&["apply", "--allow-removals", "2"]).ends(1).says("stdin is not a terminal");
    fleet.run(&["apply", "-y", "--allow-removals", "1", "--target", "al-one"]).ends(0);
    assert_eq!(fleet.ask("SELECT tenant FROM tenantry.tenants ORDER BY 1"), "al-three; al-two");
    fleet.run(&["apply", "-y", "--allow-removals", "2"]).ends(0);
    fleet.settled();
}

#[test]
fn what_is_protected_is_not_dropped() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "blocked");
        fleet.declare("bl-safe = { protected = true }\nbl-gone = {}");
        fleet.applies_and_settles();
        fleet.declare("");
        let run = fleet.run(&REMOVE).ends(1).says("it is protected");
        assert!(run.stdout.contains("1 applied") && run.stdout.contains("1 skipped"), "{}", run.stdout);
        assert_eq!(fleet.ask("SELECT count(*) FROM tenant_bl_safe.users"), "0");
        fleet.declare("bl-safe = {}");
        fleet.applies_and_settles();
        fleet.declare("");
        fleet.run(&REMOVE).ends(0);
        fleet.settled();
    }
}

#[test]
fn open_sessions_are_ended_even_in_the_middle_of_a_transaction() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "sessions");
        fleet.declare("os-one = {}");
        fleet.applies_and_settles();
        let mut sessions = [fleet.log_in("os-one"), fleet.log_in("os-one")];
        sessions[0].batch_execute("BEGIN; LOCK TABLE users IN ROW EXCLUSIVE MODE").unwrap();
        assert_eq!(fleet.run(&["list", "--format", "json"]).ends(0).json()[0]["connections"], 2);
        fleet.declare("");
        fleet.run(&REMOVE).ends(0);
        fleet.settled();
        assert!(sessions.iter_mut().all(|session| session.batch_execute("SELECT 1").is_err()));
    }
}

#[test]
fn objects_in_another_database_block_and_are_named() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "abroad");
        fleet.declare("ab-one = {}");
        fleet.applies_and_settles();
        let other = database_of(version, "other_place");
        other.execute("CREATE SCHEMA theirs AUTHORIZATION ab_one_user");
        fleet.declare("");
        fleet.run(&["plan"]).ends(0).says("1 blocked");
        fleet.run(&REMOVE).ends(1).says(&format!("database {}", other.name)).says("DROP OWNED BY");
        // Nothing of it is gone.
        assert_eq!(fleet.ask("SELECT state FROM tenantry.tenants"), "active");
        assert_eq!(ask(&mut fleet.log_in("ab-one"), "SELECT count(*) FROM users"), "0");
        other.execute("DROP OWNED BY ab_one_user CASCADE");
        fleet.run(&REMOVE).ends(0);
        fleet.settled();
    }
}

#[test]
fn what_was_dropped_by_hand_already_is_no_hindrance() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "by_hand");
        fleet.declare("dh-one = {}\ndh-two = {}\ndh-three = {}");
        fleet.applies_and_settles();
        fleet.execute(
            "DROP SCHEMA tenant_dh_one CASCADE; DROP OWNED BY dh_two_user; DROP ROLE dh_two_user; \
             DROP SCHEMA tenant_dh_three CASCADE; DROP OWNED BY dh_three_user, dh_three_owner; DROP ROLE dh_three_user, dh_three_owner",
        );
        std::fs::remove_file(fleet.secret_file("dh-one")).unwrap();
        fleet.declare("");
        fleet.run(&REMOVE).ends(0);
        fleet.settled();
        assert_eq!(fleet.ask("SELECT count(*) FROM pg_roles WHERE rolname ~ '^dh_'"), "0");
    }
}

#[test]
fn a_schema_that_changed_hands_is_not_dropped() {
    let fleet = Fleet::usual(Version::V18, "hands");
    fleet.declare("ha-one = {}");
    fleet.applies_and_settles();
    fleet.execute("ALTER SCHEMA tenant_ha_one OWNER TO postgres");
    fleet.declare("");
    fleet.run(&REMOVE).ends(1).says("now belongs to");
    fleet.execute("ALTER SCHEMA tenant_ha_one OWNER TO ha_one_owner");
    fleet.run(&REMOVE).ends(0);
    fleet.settled();
}

/// What a token may do whose policy was written without thinking of removals.
const NO_DELETE: &str = "path \"secret/data/*\" { capabilities = [\"create\", \"read\", \"update\"] }
path \"secret/metadata/*\" { capabilities = [\"create\", \"read\", \"update\", \"list\"] }
path \"secret/detailed-metadata/*\" { capabilities = [\"list\"] }
path \"sys/internal/ui/mounts/*\" { capabilities = [\"read\"] }";

#[test]
fn a_tombstone_remembers_a_secret_that_could_not_be_deleted() {
    for version in BOTH {
        let bao = OpenBao::dev();
        let mut fleet = Fleet::usual(version, "tombstone");
        fleet.head.push_str(&format!("[secrets]\nstore = \"vault\"\n[vault]\naddress = \"{}\"\n", bao.address));
        fleet.env.insert("VAULT_TOKEN".into(), bao.token_with("no-delete", NO_DELETE, serde_json::json!({})));
        fleet.declare("ts-one = {}\nts-two = { on_remove = \"retain\" }");
        fleet.applies_and_settles();
        let secret = bao.api("GET", "secret/data/tenants/ts-one", serde_json::Value::Null)["data"]["data"].clone();
        log_in(&secret);
        fleet.declare("");
        fleet
            .run(&REMOVE)
            .ends(1)
            .says("deleting the secret at tenants/ts-one")
            .says("the next apply deletes the secret");
        assert_eq!(
            fleet.ask("SELECT tenant, state FROM tenantry.tenants ORDER BY 1"),
            "ts-one, removed; ts-two, retained"
        );
        assert_eq!(fleet.ask("SELECT rolname FROM pg_roles WHERE rolname ~ '^ts_one'"), "");
        fleet.run(&["plan", "--detailed-exitcode"]).ends(2).says("ts-one").says("ts-two");
        fleet.env.insert("VAULT_TOKEN".into(), openbao::ROOT_TOKEN.into());
        // Declared again before the tombstone is gone: the secret is reused.
        fleet.declare("ts-one = {}");
        fleet.run(&REMOVE).ends(0);
        fleet.settled();
        let again = bao.api("GET", "secret/data/tenants/ts-one", serde_json::Value::Null)["data"]["data"].clone();
        assert_eq!(again["password"], secret["password"]);
        fleet.declare("");
        fleet.run(&REMOVE).ends(0);
        fleet.settled();
        for tenant in ["ts-one", "ts-two"] {
            let path = format!("secret/metadata/tenants/{tenant}");
            assert_eq!(bao.try_api("GET", &path, &serde_json::Value::Null).unwrap().0, 404, "{tenant}");
        }
        assert_eq!(fleet.ask("SELECT tenant, state FROM tenantry.tenants"), "ts-two, retained");
    }
}
