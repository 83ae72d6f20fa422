//! Nobody logs in as a suspended tenant, and everything of it is kept.

use crate::fleet::{Admin, BOTH, Fleet};

/// The error of its next statement, or of its login.
fn is_kept_out(fleet: &Fleet, tenant: &str) {
    let secret = fleet.secret(tenant);
    let error = postgres::Client::connect(secret["url"].as_str().unwrap(), postgres::NoTls).err().unwrap();
    assert_eq!(error.code().map(|code| code.code()), Some("28000"), "{error:?}");
}

fn state(fleet: &Fleet, tenant: &str) -> String {
    let list = fleet.run(&["list", "--format", "json"]).ends(0).json();
    let row = list.as_array().unwrap().iter().find(|row| row["tenant"] == tenant).unwrap();
    row["state"].as_str().unwrap().to_owned()
}

#[test]
fn it_is_kept_out_and_comes_back_with_what_it_had() {
    for version in BOTH {
        for (admin, prefix) in [(Admin::Superuser, "ss"), (Admin::Createrole, "sc")] {
            let fleet = Fleet::under(admin, version, prefix);
            let key = |name: &str| format!("{prefix}-{name}");
            let declare = |one: &str, two: &str| {
                fleet.declare(&format!("{prefix}-one = {{ {one} }}\n{prefix}-two = {{ access = \"owner\"{two} }}"));
            };
            declare("", "");
            fleet.apply();
            let (one, two) = (key("one"), key("two"));
            let (secret, held) = (fleet.secret(&one), fleet.memberships(admin));
            let mut session = fleet.log_in(&one);
            session.batch_execute("INSERT INTO users (email) VALUES ('a@b')").unwrap();
            let mut other = fleet.log_in(&two);

            declare("suspended = true", "");
            fleet.run(&["plan"]).ends(0).says("ends_sessions").says("it is suspended");
            fleet.run(&["drift"]).ends(2);
            fleet.applies_and_settles();
            let error = session.batch_execute("SELECT 1").unwrap_err();
            assert!(error.is_closed() || error.code().is_some_and(|code| code.code() == "57P01"), "{error:?}");
            is_kept_out(&fleet, &one);
            assert_eq!(fleet.secret(&one), secret);
            other.batch_execute("SELECT 1").unwrap();
            assert_eq!((state(&fleet, &one), state(&fleet, &two)), ("suspended".into(), "active".into()));
            fleet.run(&["verify", "--format", "json"]).ends(0).says("may not log in with the delivered secret");

            // It takes part in everything else.
            fleet.migration("V3__more.sql", "CREATE TABLE more (id int);");
            fleet.run(&["rotate", "-y", &one]).ends(0).says("1 applied");
            assert_ne!(fleet.secret(&one)["password"], secret["password"]);
            is_kept_out(&fleet, &one);
            declare("suspended = true, username = \"{tenant} app\"", ", suspended = true");
            fleet.applies_and_settles();
            is_kept_out(&fleet, &one);
            is_kept_out(&fleet, &two);
            assert_eq!(fleet.ask(&format!("SELECT count(*) FROM \"tenant_{prefix}_one\".more")), "0");
            assert_eq!(fleet.memberships(admin), held);

            // By hand.
            fleet.execute(&format!("ALTER ROLE \"{prefix}_two_user\" LOGIN"));
            fleet.run(&["drift"]).ends(2).says("NOLOGIN");
            fleet.run(&["verify", &two]).ends(2).says("it logged in");
            fleet.applies_and_settles();
            is_kept_out(&fleet, &two);

            declare("username = \"{tenant} app\"", "");
            fleet.applies_and_settles();
            let mut back = fleet.log_in(&one);
            assert_eq!(crate::fleet::ask(&mut back, "SELECT email FROM users"), "a@b");
            fleet.log_in(&two).batch_execute("SELECT FROM more").unwrap();
            fleet.run(&["verify"]).ends(0);
            assert_eq!(fleet.memberships(admin), held);
        }
    }
}

#[test]
fn a_new_one_may_be_suspended_at_once_and_a_suspended_one_is_removed_or_retained_as_any() {
    let fleet = Fleet::usual(BOTH[1], "life_new");
    fleet.declare("ln-one = { suspended = true }\nln-two = { suspended = true, on_remove = \"retain\" }");
    fleet.applies_and_settles();
    is_kept_out(&fleet, "ln-one");
    fleet.run(&["drift", "--deep"]).ends(0);
    fleet.declare("");
    fleet.run(&["apply", "-y", "--allow-removals", "2"]).ends(0);
    let left = "SELECT rolname FROM pg_roles WHERE rolname LIKE 'ln\\_%' ORDER BY 1";
    assert_eq!(fleet.ask(left), "ln_two_owner; ln_two_user");
    assert_eq!(state(&fleet, "ln-two"), "retained");
    fleet.declare("ln-two = { suspended = true, on_remove = \"retain\" }");
    fleet.applies_and_settles();
    is_kept_out(&fleet, "ln-two");
    fleet.declare("ln-two = {}");
    fleet.applies_and_settles();
    fleet.log_in("ln-two").batch_execute("SELECT FROM users").unwrap();
}

#[test]
fn one_whose_transaction_fails_is_as_before_and_one_that_was_suspended_stays_so() {
    let fleet = Fleet::usual(BOTH[0], "life_fails");
    fleet.declare("lf-one = {}\nlf-two = { suspended = true }");
    fleet.apply();
    fleet.migration("V3__fails.sql", "SELECT 1 / count(*) FROM users;");
    fleet.declare("lf-one = { suspended = true }\nlf-two = { suspended = true }");
    fleet.execute("ALTER ROLE lf_two_user LOGIN");
    fleet.try_apply().ends(1).says("22012");
    fleet.log_in("lf-one").batch_execute("SELECT FROM users").unwrap();
    is_kept_out(&fleet, "lf-two");
    fleet.migration("V3__fails.sql", "SELECT 1;");
    fleet.applies_and_settles();
    is_kept_out(&fleet, "lf-one");
}

#[test]
fn of_two_users_neither_logs_in_and_the_one_that_the_secret_names_comes_back() {
    for version in BOTH {
        for (admin, prefix) in [(Admin::Superuser, "s2"), (Admin::Createrole, "c2")] {
            let fleet = Fleet::under(admin, version, &format!("{prefix}_two"));
            let (key, user) = (format!("{prefix}-two"), format!("{prefix}_two_user"));
            let declare = |more: &str| fleet.declare(&format!("{key} = {{ rotation = \"two-user\"{more} }}"));
            declare("");
            fleet.apply();
            let held = fleet.memberships(admin);
            let first = fleet.secret(&key);
            let mut old = fleet.log_in(&key);
            fleet.run(&["rotate", "-y", &key]).ends(0);
            let mut new = fleet.log_in(&key);

            declare(", suspended = true");
            fleet.run(&["plan"]).ends(0).says(&format!("sessions of {user}, {user}_a, {user}_b are ended"));
            fleet.applies_and_settles();
            old.batch_execute("SELECT 1").unwrap_err();
            new.batch_execute("SELECT 1").unwrap_err();
            is_kept_out(&fleet, &key);
            assert!(postgres::Client::connect(first["url"].as_str().unwrap(), postgres::NoTls).is_err());
            let logins = format!("SELECT count(*) FROM pg_roles WHERE rolname LIKE '{user}%' AND rolcanlogin");
            assert_eq!(fleet.ask(&logins), "0");
            fleet.run(&["verify"]).ends(0).says("1 tenant");
            fleet.run(&["drift", "--deep"]).ends(0);
            assert_eq!(fleet.memberships(admin), held);

            // By hand: either of them.
            for letter in ["a", "b"] {
                fleet.execute(&format!("ALTER ROLE {user}_{letter} LOGIN"));
                fleet.run(&["verify"]).ends(2).says(&format!("{user}_{letter} may log in"));
                fleet.applies_and_settles();
                assert_eq!(fleet.ask(&logins), "0");
            }
            // A leaked password is replaced meanwhile, and lets nobody in.
            fleet.run(&["rotate", "-y", &key]).ends(0);
            fleet.run(&["rotate", "-y", "--end-old", &key]).ends(0);
            is_kept_out(&fleet, &key);
            assert_eq!(fleet.ask(&logins), "0");
            fleet.settled();
            fleet.declare(&format!("{key} = {{ suspended = true }}"));
            fleet.try_apply().ends(1).says("its rotation cannot change while it is suspended");

            declare("");
            // Not before the apply that says so.
            fleet.run(&["rotate", "-y", &key]).ends(0);
            is_kept_out(&fleet, &key);
            fleet.applies_and_settles();
            fleet.log_in(&key).batch_execute("SELECT FROM users").unwrap();
            fleet.run(&["verify"]).ends(0);
            let before = fleet.secret(&key);
            fleet.run(&["rotate", "-y", &key]).ends(0);
            assert_ne!(fleet.secret(&key)["username"], before["username"]);
            fleet.log_in(&key).batch_execute("SELECT FROM users").unwrap();
            fleet.settled();
            assert_eq!(fleet.memberships(admin), held);
        }
    }
}

#[test]
fn a_new_one_of_two_users_may_be_suspended_at_once_and_removed() {
    let fleet = Fleet::usual(BOTH[0], "life_two_new");
    fleet.declare("l2-one = { suspended = true, rotation = \"two-user\" }");
    fleet.applies_and_settles();
    is_kept_out(&fleet, "l2-one");
    fleet.declare("");
    fleet.run(&["apply", "-y", "--allow-removals", "1"]).ends(0);
    assert_eq!(fleet.ask("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'l2\\_%'"), "0");
}
