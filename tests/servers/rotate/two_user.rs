//! Two users that log in for a tenant in turn: the secret names one that works, whatever happens.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use serde_json::Value;

use crate::fleet::{Admin, BOTH, Fleet, ask};

const ADMINS: [(Admin, &str); 2] = [(Admin::Superuser, "ts"), (Admin::Createrole, "tc")];

fn url(secret: &Value) -> &str {
    secret["url"].as_str().unwrap()
}

fn opens(secret: &Value) -> Result<postgres::Client, postgres::Error> {
    postgres::Client::connect(url(secret), postgres::NoTls)
}

#[track_caller]
fn is_refused(secret: &Value) {
    let code = opens(secret).err().unwrap().code().cloned().unwrap();
    assert!(["28P01", "28000"].contains(&code.code()), "{code:?}");
}

/// Who logs in, and as whom it acts.
fn who(secret: &Value) -> String {
    ask(&mut opens(secret).unwrap(), "SELECT session_user, current_user, current_schema()")
}

#[test]
fn two_users_take_turns_and_what_they_make_is_the_tenants() {
    for version in BOTH {
        for (admin, prefix) in ADMINS {
            let fleet = Fleet::under(admin, version, &format!("{prefix}_turns"));
            let key = format!("{prefix}-one");
            let (own, user, schema) =
                (format!("{prefix}-own"), format!("{prefix}_one_user"), format!("tenant_{prefix}_one"));
            fleet.declare(&format!(
                "{key} = {{ rotation = \"two-user\", settings = {{ work_mem = \"7MB\" }}, connection_limit = 3 }}\n\
                 {own} = {{ rotation = \"two-user\", access = \"owner\" }}"
            ));
            fleet.applies_and_settles();
            let first = fleet.secret(&key);
            assert_eq!(first["username"], format!("{user}_a"));
            assert_eq!(who(&first), format!("{user}_a, {user}, {schema}"));
            let logins = format!("SELECT rolname, rolcanlogin FROM pg_roles WHERE rolname ~ '^{user}' ORDER BY 1");
            assert_eq!(fleet.ask(&logins), format!("{user}, f; {user}_a, t; {user}_b, f"));
            let mut old = opens(&first).unwrap();
            assert_eq!(ask(&mut old, "SELECT current_setting('work_mem')"), "7MB");
            old.batch_execute("CREATE TABLE its_own (id int); INSERT INTO its_own VALUES (1)").unwrap();

            fleet.run(&["rotate", "-y", &key, &own]).ends(0).says("2 applied");
            let second = fleet.secret(&key);
            assert_eq!(second["username"], format!("{user}_b"));
            assert_ne!(second["password"], first["password"]);
            assert_eq!(who(&second), format!("{user}_b, {user}, {schema}"));
            // The one before works until the next rotation, and so do its sessions.
            assert_eq!(who(&first), format!("{user}_a, {user}, {schema}"));
            old.batch_execute("INSERT INTO its_own VALUES (2)").unwrap();
            let mut new = opens(&second).unwrap();
            new.batch_execute(
                "INSERT INTO its_own VALUES (3); ALTER TABLE its_own ADD COLUMN note text; SELECT FROM users",
            )
            .unwrap();
            assert_eq!(fleet.secret(&own)["username"], format!("{prefix}_own_user_b"));
            fleet.log_in(&own).batch_execute("ALTER TABLE users ADD COLUMN note text").unwrap();
            fleet.settled();
            fleet.run(&["verify"]).ends(0);
            fleet.run(&["drift", "--deep"]).ends(2).says("its_own").says("note");

            fleet.run(&["rotate", "-y", &key]).ends(0);
            is_refused(&first);
            assert_eq!(who(&second), format!("{user}_b, {user}, {schema}"));
            assert_eq!(fleet.secret(&key)["username"], format!("{user}_a"));
            fleet.settled();
            fleet.run(&["list"]).ends(0).says(&user);

            fleet.declare("");
            fleet.run(&["apply", "-y", "--allow-removals", "2"]).ends(0);
            assert!(!fleet.secret_file(&key).exists());
            assert_eq!(fleet.ask("SELECT count(*) FROM tenantry.tenants"), "0");
            assert_eq!(
                fleet.ask(&format!("SELECT count(*) FROM pg_roles WHERE rolname ~ '^{prefix}_(one|own)_'")),
                "0"
            );
        }
    }
}

#[test]
fn from_one_to_two_and_back_with_a_working_secret_all_along() {
    for version in BOTH {
        for (admin, prefix) in ADMINS {
            let fleet = Fleet::under(admin, version, &format!("{prefix}_back"));
            let (key, user) = (format!("{prefix}-back"), format!("{prefix}_back_user"));
            fleet.declare(&format!("{key} = {{}}"));
            fleet.applies_and_settles();
            let single = fleet.secret(&key);
            let mut open = opens(&single).unwrap();
            open.batch_execute("CREATE TABLE its_own (id int)").unwrap();

            fleet.declare(&format!("{key} = {{ rotation = \"two-user\" }}"));
            fleet.applies_and_settles();
            let two = fleet.secret(&key);
            assert_eq!(two["username"], format!("{user}_a"));
            opens(&two).unwrap().batch_execute("ALTER TABLE its_own ADD COLUMN note text; SELECT FROM users").unwrap();
            is_refused(&single);
            open.batch_execute("INSERT INTO its_own VALUES (1)").unwrap();
            drop(open);

            // What one of them makes as itself becomes the tenant's.
            opens(&two).unwrap().batch_execute("SET ROLE NONE; CREATE TABLE by_itself (id int)").unwrap();
            fleet.applies_and_settles();
            assert_eq!(fleet.ask(&format!("SELECT tableowner FROM pg_tables WHERE schemaname = 'tenant_{prefix}_back' AND tablename = 'by_itself'")), user);

            let mut open = opens(&two).unwrap();
            fleet.declare(&format!("{key} = {{}}"));
            fleet.run(&["plan"]).ends(0).says("ends_sessions");
            fleet.applies_and_settles();
            let back = fleet.secret(&key);
            assert_eq!(back["username"], user);
            opens(&back).unwrap().batch_execute("DROP TABLE its_own, by_itself; SELECT FROM users").unwrap();
            open.batch_execute("SELECT").unwrap_err();
            assert_eq!(fleet.ask(&format!("SELECT count(*) FROM pg_roles WHERE rolname ~ '^{user}'")), "1");
            fleet.run(&["verify"]).ends(0);
        }
    }
}

/// Reads the secret and connects, over and over.
fn client(fleet: &Fleet, tenant: &str, stop: &AtomicBool, connected: &AtomicUsize) -> Result<(), String> {
    let file = fleet.secret_file(tenant);
    while !stop.load(Ordering::Relaxed) {
        let secret: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        let mut session = opens(&secret).map_err(|error| format!("{error:?}"))?;
        session.batch_execute("SELECT FROM users").map_err(|error| format!("{error:?}"))?;
        connected.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

#[test]
fn a_client_that_reads_the_secret_and_connects_never_fails_through_a_hundred_rotations() {
    let fleet = Fleet::usual(BOTH[1], "hundred");
    fleet.declare("hu-one = { rotation = \"two-user\" }");
    fleet.apply();
    let (stop, connected) = (AtomicBool::new(false), AtomicUsize::new(0));
    let result = thread::scope(|scope| {
        let client = scope.spawn(|| client(&fleet, "hu-one", &stop, &connected));
        for n in 0..100 {
            let user = format!("hu_one_user_{}", if n % 2 == 0 { "b" } else { "a" });
            fleet.run(&["rotate", "-y", "hu-one"]).ends(0);
            assert_eq!(fleet.secret("hu-one")["username"], user);
            if client.is_finished() {
                break;
            }
        }
        stop.store(true, Ordering::Relaxed);
        client.join().unwrap()
    });
    assert_eq!(result, Ok(()));
    assert!(connected.into_inner() > 100);
    fleet.settled();
}

#[test]
fn a_role_of_that_name_that_is_somebody_elses_blocks_the_tenant() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "taken");
        fleet.execute("CREATE ROLE tk_one_user_b LOGIN");
        fleet.declare("tk-one = { rotation = \"two-user\" }");
        fleet.try_apply().ends(1).says("\"tk_one_user_b\"");
        fleet.declare("tk-one = {}");
        fleet.applies_and_settles();
        fleet.declare("tk-one = { rotation = \"two-user\" }");
        fleet.try_apply().ends(1).says("\"tk_one_user_b\"");
        assert_eq!(who(&fleet.secret("tk-one")), "tk_one_user, tk_one_user, tenant_tk_one");
        fleet.execute("DROP ROLE tk_one_user_b");
        fleet.applies_and_settles();
    }
}

#[test]
fn what_a_person_does_to_the_users_is_mended() {
    for version in BOTH {
        for (admin, prefix) in ADMINS {
            let fleet = Fleet::under(admin, version, &format!("{prefix}_mend"));
            let (key, user) = (format!("{prefix}-mend"), format!("{prefix}_mend_user"));
            fleet.declare(&format!("{key} = {{ rotation = \"two-user\" }}"));
            fleet.applies_and_settles();
            let (a, b) = (format!("{user}_a"), format!("{user}_b"));
            for sql in [
                format!("ALTER ROLE {a} NOLOGIN"),
                format!("ALTER ROLE {a} RESET role"),
                format!("ALTER ROLE {b} SET search_path = public"),
                format!("ALTER ROLE {user} LOGIN"),
                format!("ALTER ROLE {a} CONNECTION LIMIT 1"),
                format!("ALTER ROLE {b} VALID UNTIL '2001-01-01'"),
                format!("REVOKE {user} FROM {a}"),
                format!("CREATE ROLE {prefix}_guest; GRANT {a} TO {prefix}_guest; GRANT {prefix}_guest TO {b}"),
            ] {
                // As the one who made them.
                let mut admin_session = postgres::Client::connect(&fleet.url, postgres::NoTls).unwrap();
                admin_session.batch_execute(&sql).unwrap();
                fleet.run(&["plan", "--detailed-exitcode"]).ends(2);
                fleet.applies_and_settles();
                assert_eq!(who(&fleet.secret(&key)), format!("{a}, {user}, tenant_{prefix}_mend"), "{sql}");
            }
            fleet.execute(&format!("DROP ROLE {prefix}_guest"));
            // The secret is the record of who is in force: a person puts another password there.
            let mut secret = fleet.secret(&key);
            secret["password"] = "a password that somebody typed".into();
            let text = url(&secret).to_owned();
            let (head, rest) = text.split_once("//").unwrap();
            let (_, place) = rest.split_once('@').unwrap();
            secret["url"] = format!("{head}//{a}:a%20password%20that%20somebody%20typed@{place}").into();
            secret["version"] = "typed".into();
            std::fs::write(fleet.secret_file(&key), secret.to_string()).unwrap();
            fleet.applies_and_settles();
            assert_eq!(who(&fleet.secret(&key)), format!("{a}, {user}, tenant_{prefix}_mend"));
        }
    }
}
