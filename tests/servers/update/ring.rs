//! Names that go round: all of the tenants that change them, in one transaction, or none.

use crate::fleet::{BOTH, Fleet, ask};

/// Each tenant has a row that says whose it was.
fn with_rows(fleet: &Fleet, keys: &[&str]) {
    for key in keys {
        fleet.log_in(key).batch_execute(&format!("INSERT INTO users (email) VALUES ('{key}')")).unwrap();
    }
}

#[track_caller]
fn kept(fleet: &Fleet, keys: &[&str]) {
    fleet.settled();
    for key in keys {
        assert_eq!(ask(&mut fleet.log_in(key), "SELECT email FROM users"), *key);
    }
    let parked = "SELECT rolname::text FROM pg_roles WHERE rolname LIKE 'tenantry\\_parked%' \
                  UNION ALL SELECT nspname::text FROM pg_namespace WHERE nspname LIKE 'tenantry\\_parked%'";
    assert_eq!(fleet.ask(parked), "");
}

#[test]
fn two_tenants_swap_all_their_names() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "swap");
        let declare = |a: &str, b: &str| {
            let line = |key: &str, name: &str| {
                format!("{key} = {{ schema = \"s {name}\", username = \"u {name}\", owner = \"o {name}\" }}\n")
            };
            fleet.declare(&format!("{}{}", line("rg-a", a), line("rg-b", b)));
        };
        declare("a", "b");
        fleet.apply();
        with_rows(&fleet, &["rg-a", "rg-b"]);
        let plan = fleet.run(&["plan", "--out", "plan.json"]).ends(0);
        assert!(plan.stdout.contains("No changes"));
        declare("b", "a");
        fleet.run(&["plan"]).ends(0).says("schema s a, role u a  changes hands").says("Plan: 0 to create, 2 to update");
        fleet.run(&["plan", "--out", "plan.json"]).ends(0);
        fleet.run(&["apply", "-y", "plan.json"]).ends(0).says("2 applied");
        assert_eq!(ask(&mut fleet.log_in("rg-a"), "SELECT current_user, current_schema()"), "u b, s b");
        kept(&fleet, &["rg-a", "rg-b"]);
    }
}

#[test]
fn three_tenants_and_a_new_one_pass_their_names_on() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "round");
        let name = |key: &str, name: &str| format!("rd-{key} = {{ username = \"rd {name}\" }}\n");
        fleet.declare(&["a", "b", "c"].map(|key| name(key, key)).concat());
        fleet.apply();
        with_rows(&fleet, &["rd-a", "rd-b", "rd-c"]);
        fleet.declare(&[name("a", "b"), name("b", "c"), name("c", "a")].concat());
        fleet.applies_and_settles();
        kept(&fleet, &["rd-a", "rd-b", "rd-c"]);
        // One that is new takes a name that another leaves; and one changes names with itself.
        fleet.declare(
            "rd-a = { username = \"rd_a_owner\", owner = \"rd b\" }\nrd-b = { username = \"rd z\", access = \"owner\" }\n\
             rd-c = { username = \"rd a\" }\nrd-new = { username = \"rd c\" }\n",
        );
        fleet.applies_and_settles();
        kept(&fleet, &["rd-a", "rd-b", "rd-c"]);
    }
}

#[test]
fn when_one_cannot_change_none_does() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "stuck");
        let declare = |a: &str, b: &str| {
            fleet.declare(&format!("rs-a = {{ username = \"rs {a}\" }}\nrs-b = {{ username = \"rs {b}\" }}"));
        };
        declare("a", "b");
        fleet.apply();
        with_rows(&fleet, &["rs-a", "rs-b"]);
        declare("b", "a");
        fleet.execute("INSERT INTO tenant_rs_b.users (email) VALUES ('rs-b2')");
        fleet.migration("V3__fails.sql", "ALTER TABLE users ADD CHECK (email <> 'rs-b2');");
        fleet.try_apply().ends(1).says("V3__fails.sql:1").says("with the names of rs-a, rs-b").says("0 applied");
        assert_eq!(ask(&mut fleet.log_in("rs-a"), "SELECT current_user"), "rs a");
        assert_eq!(ask(&mut fleet.log_in("rs-b"), "SELECT current_user"), "rs b");
        fleet.execute("DELETE FROM tenant_rs_b.users WHERE email = 'rs-b2'");
        // Nor when one of them is blocked.
        fleet.execute("ALTER TABLE tenant_rs_b.refinery_schema_history ENABLE ROW LEVEL SECURITY");
        let blocked = fleet.run(&["plan"]).ends(0).says("it swaps names with tenant rs-b, which is blocked");
        assert!(blocked.stdout.contains("2 blocked"), "{}", blocked.stdout);
        fleet.execute("ALTER TABLE tenant_rs_b.refinery_schema_history DISABLE ROW LEVEL SECURITY");
        // Another tenant's name is not taken while that one is not looked at.
        fleet.run(&["plan", "--target", "rs-a"]).ends(0).says("role \"rs b\" belongs to tenant rs-b");
        fleet.applies_and_settles();
        kept(&fleet, &["rs-a", "rs-b"]);
    }
}

/// What is done for it is done under parked names, of which nobody has heard.
#[test]
fn what_fails_is_told_by_the_names_that_are_known() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "known");
        let declare = |a: &str, b: &str| {
            fleet.declare(&format!("rp-a = {{ schema = \"rp {a}\" }}\nrp-b = {{ schema = \"rp {b}\" }}"));
        };
        declare("1", "2");
        fleet.apply();
        declare("3", "1");
        fleet.execute(
            "CREATE FUNCTION public.stop() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN \
             IF EXISTS (SELECT FROM pg_namespace WHERE nspname LIKE 'tenantry\\_parked%') THEN RAISE EXCEPTION 'stop'; END IF; END$$; \
             CREATE EVENT TRIGGER stop ON ddl_command_start WHEN TAG IN ('ALTER SCHEMA') EXECUTE FUNCTION public.stop()",
        );
        let stopped = fleet.try_apply().ends(1).says("schema rp 1: stop (changed in one transaction");
        assert!(!stopped.stderr.contains("tenantry_parked"), "{}", stopped.stderr);
        fleet.execute("DROP EVENT TRIGGER stop; DROP FUNCTION public.stop()");
        fleet.applies_and_settles();
    }
}
