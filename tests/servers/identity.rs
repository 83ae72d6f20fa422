//! What the registry names is known by its OID, when a plan is made and again before it is dropped.
mod copies;
mod meanwhile;
mod recover;

use crate::fleet::{BOTH, Fleet, ask};

const REMOVE: [&str; 4] = ["apply", "-y", "--allow-removals", "9"];

/// Changes nothing of these schemas, by what PostgreSQL says of them.
#[track_caller]
fn leaves_alone(fleet: &Fleet, like: &str, apply: impl FnOnce()) {
    let state = format!(
        "SELECT n.nspname, n.oid, n.nspowner, n.nspacl::text, (SELECT count(*) FROM pg_class c WHERE c.relnamespace = n.oid) \
         FROM pg_namespace n WHERE n.nspname LIKE '{like}' ORDER BY 1"
    );
    let before = fleet.ask(&state);
    assert_ne!(before, "");
    apply();
    assert_eq!(fleet.ask(&state), before);
}

const SWAP: &str =
    "ALTER SCHEMA tenant_sw_acme RENAME TO aside; ALTER SCHEMA tenant_sw_globex RENAME TO tenant_sw_acme;
     ALTER SCHEMA aside RENAME TO tenant_sw_globex";

/// With a shared owner the owner says nothing about whose schema it is.
#[test]
fn schemas_that_were_swapped_by_hand_are_neither_granted_nor_dropped() {
    for version in BOTH {
        let mut fleet = Fleet::usual(version, "swapped");
        fleet.head = "[defaults]\nowner = \"sw_owner\"\naccess = \"readwrite\"\non_remove = \"drop\"\n".into();
        fleet.declare("sw-acme = {}\nsw-globex = {}");
        fleet.applies_and_settles();
        fleet.log_in("sw-globex").batch_execute("INSERT INTO users (email) VALUES ('of globex')").unwrap();
        fleet.execute(SWAP);
        leaves_alone(&fleet, "tenant_sw%", || {
            let run = fleet.run(&["apply", "-y"]).ends(1).says("that one is now called \"tenant_sw_globex\"");
            run.says("ALTER SCHEMA \"tenant_sw_globex\" RENAME TO \"tenant_sw_acme\"");
            fleet.declare("sw-globex = {}");
            fleet.run(&REMOVE).ends(1).says("2 blocked");
        });
        fleet.execute(SWAP);
        fleet.run(&REMOVE).ends(0);
        fleet.settled();
        assert_eq!(ask(&mut fleet.log_in("sw-globex"), "SELECT email FROM users"), "of globex");
    }
}

#[test]
fn a_schema_renamed_by_hand_gets_no_empty_one_beside_it() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "renamed");
        fleet.declare("re-one = {}\nre-two = {}");
        fleet.applies_and_settles();
        fleet.log_in("re-one").batch_execute("INSERT INTO users (email) VALUES ('kept')").unwrap();
        let back = "ALTER SCHEMA \"oops\" RENAME TO \"tenant_re_one\"";
        fleet.execute("ALTER SCHEMA tenant_re_one RENAME TO oops");
        for declared in ["re-one = {}\nre-two = {}", "re-two = {}"] {
            fleet.declare(declared);
            leaves_alone(&fleet, "oops", || {
                fleet.run(&REMOVE).ends(1).says("is now called \"oops\"").says(back);
            });
            assert_eq!(fleet.ask("SELECT count(*) FROM pg_namespace WHERE nspname = 'tenant_re_one'"), "0");
        }
        fleet.execute(back);
        fleet.declare("re-one = {}\nre-two = {}");
        fleet.applies_and_settles();
        assert_eq!(ask(&mut fleet.log_in("re-one"), "SELECT email FROM users"), "kept");
    }
}

/// Brought back from a backup by hand, say: a person must say that it is the tenant's.
#[test]
fn a_schema_made_anew_under_its_owner_is_taken_when_a_person_says_so() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "restored");
        fleet.declare("rs-one = {}");
        fleet.applies_and_settles();
        fleet.execute(
            "DROP SCHEMA tenant_rs_one CASCADE; CREATE SCHEMA tenant_rs_one AUTHORIZATION rs_one_owner;
             SET ROLE rs_one_owner; CREATE TABLE tenant_rs_one.backup (id int)",
        );
        let say = "UPDATE tenantry.tenants SET schema_oid = NULL WHERE tenant = 'rs-one'";
        leaves_alone(&fleet, "tenant_rs%", || {
            fleet.run(&["apply", "-y"]).ends(1).says("that one is gone").says(say);
            fleet.declare("");
            fleet.run(&REMOVE).ends(1).says("that one is gone").says(say);
        });
        fleet.execute(say);
        fleet.declare("rs-one = {}");
        fleet.applies_and_settles();
        assert_eq!(ask(&mut fleet.log_in("rs-one"), "SELECT count(*) FROM backup"), "0");
        let known = "SELECT schema_oid = 'tenant_rs_one'::regnamespace FROM tenantry.tenants";
        assert_eq!(fleet.ask(known), "t", "from then on it is known");
    }
}

#[test]
fn another_key_with_the_same_names_drops_nothing() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "keys");
        let names = "{ schema = \"ky_acme\", username = \"ky_acme_app\", owner = \"ky_acme_owner\" }";
        fleet.declare(&format!("ky-acme = {names}"));
        fleet.applies_and_settles();
        fleet.declare(&format!("ky-acme-corp = {names}"));
        leaves_alone(&fleet, "ky_acme", || {
            for _ in 0..2 {
                let run = fleet.run(&REMOVE).ends(1).says("a key cannot be renamed yet").says("keep the key ky-acme");
                run.says("2 blocked");
            }
        });
        fleet.declare(&format!("ky-acme = {names}"));
        fleet.settled();
        fleet.declare("");
        fleet.run(&REMOVE).ends(0);
        fleet.settled();
    }
}

const CORP: &str = "SELECT rolname, rolinherit, ARRAY(SELECT roleid::regrole FROM pg_auth_members WHERE member = r.oid ORDER BY 1)::text,
     ARRAY(SELECT member::regrole FROM pg_auth_members WHERE roleid = r.oid ORDER BY 1)::text FROM pg_roles r WHERE rolname ~ '^corp_' ORDER BY 1";

#[test]
fn a_role_that_was_there_before_is_no_shared_owner() {
    for version in BOTH {
        let mut fleet = Fleet::usual(version, "corp");
        fleet.execute(
            "CREATE ROLE corp_readers; CREATE ROLE corp_dba; CREATE ROLE corp_owner IN ROLE corp_readers ROLE corp_dba",
        );
        let before = fleet.ask(CORP);
        fleet.head = "[defaults]\nowner = \"corp_owner\"\naccess = \"readwrite\"\non_remove = \"drop\"\n".into();
        for tenants in ["co-a = {}\nco-b = {}", "co-a = {}\nco-b = { owner = \"co_b_own\" }"] {
            fleet.declare(tenants);
            fleet.run(&["apply", "-y"]).ends(1).says("exists but is not managed by tenantry");
            assert_eq!(fleet.ask(CORP), before);
        }
        // One of ours passes from tenant to tenant, and goes with the last.
        fleet.head = fleet.head.replace("corp_owner", "co_shared");
        for tenants in ["co-a = {}\nco-b = {}", "co-b = {}\nco-c = {}", "co-c = {}\nco-d = {}"] {
            fleet.declare(tenants);
            fleet.run(&REMOVE).ends(0);
            fleet.settled();
            assert_eq!(fleet.ask("SELECT count(*) FROM tenantry.former_owners"), "0");
        }
        fleet.declare("");
        fleet.run(&REMOVE).ends(0);
        fleet.settled();
        assert_eq!(fleet.ask("SELECT count(*) FROM pg_roles WHERE rolname ~ '^co_'"), "0");
        assert_eq!(fleet.ask(CORP), before);
        fleet.execute("DROP ROLE corp_owner, corp_readers, corp_dba");
    }
}
