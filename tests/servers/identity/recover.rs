//! Schema tenantry is dropped: what is printed brings it back.

use std::process::Command;

use crate::fleet::{Admin, BOTH, Fleet, ask};

const DECLARED: &str = "rc-one = {}\nrc-two = { access = \"owner\", protected = true, connection_limit = 7 }\n\
     rc-three = { access = \"readonly\", schema = 'Bob\"s; DROP', username = \"rc it's\", owner = 'rc \\ owner' }\n\
     rc-given = { password_from = \"given for good\" }";

/// What the hint says, to the letter.
fn follow(fleet: &Fleet) -> String {
    let recovered = fleet.run(&["recover"]).ends(0);
    std::fs::write(fleet.path("recover.sql"), &recovered.stdout).unwrap();
    let run = psql(fleet, &["-v", "ON_ERROR_STOP=1", "-f", "recover.sql", &fleet.url]);
    assert!(run.0, "{}\n{}", run.1, recovered.stdout);
    recovered.stderr
}

fn psql(fleet: &Fleet, args: &[&str]) -> (bool, String) {
    let mut command: Command = fleet.program("psql");
    let output = command.arg("-X").arg("-q").args(args).output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn passwords(fleet: &Fleet) -> Vec<String> {
    ["rc-one", "rc-two", "rc-three", "rc-given"].map(|tenant| fleet.secret(tenant)["password"].to_string()).to_vec()
}

const VERIFIERS: &str = "SELECT rolname, rolpassword FROM pg_authid WHERE rolname ~ '^rc' ORDER BY 1";

#[test]
fn a_dropped_registry_comes_back_by_what_is_printed_and_no_password_changes() {
    for version in BOTH {
        for admin in [Admin::Superuser, Admin::Createrole] {
            let fleet = Fleet::under(admin, version, "lost");
            fleet.declare(DECLARED);
            fleet.applies_and_settles();
            fleet.log_in("rc-one").batch_execute("INSERT INTO users (email) VALUES ('kept')").unwrap();
            let (before, verifiers) = (passwords(&fleet), fleet.ask(VERIFIERS));
            fleet.execute("DROP SCHEMA tenantry CASCADE");
            fleet.run(&["plan"]).ends(0).says("4 blocked").says("was created by tenantry").says("tenantry recover ");
            fleet.run(&["apply", "-y"]).ends(1);
            assert_eq!(fleet.ask(VERIFIERS), verifiers);
            follow(&fleet);
            fleet.settled();
            fleet.applies_and_settles();
            assert_eq!((passwords(&fleet), fleet.ask(VERIFIERS)), (before, verifiers));
            assert_eq!(ask(&mut fleet.log_in("rc-one"), "SELECT email FROM users"), "kept");
            assert_eq!(fleet.ask("SELECT tenant FROM tenantry.tenants WHERE protected"), "rc-two");
            assert_eq!(fleet.ask("SELECT count(*) FROM tenantry.audit_log WHERE verb = 'recover'"), "4");
            assert_eq!(fleet.memberships(admin), "");
            fleet.run(&["recover"]).ends(0).says("there is no tenant to register again");
            // What is registered is managed as before.
            fleet.declare("rc-two = { access = \"owner\" }");
            fleet.run(&["apply", "-y", "--target", "rc-two"]).ends(0);
            fleet.declare("");
            fleet.run(&["apply", "-y", "--allow-removals", "4"]).ends(0);
            assert_eq!(fleet.ask("SELECT rolname FROM pg_roles WHERE rolname ~ '^rc'"), "");
        }
    }
}

#[test]
fn rows_that_were_lost_come_back_and_what_is_somebody_elses_is_left_out() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "rows_lost");
        fleet.declare("rl-one = {}\nrl-two = {}\nrl-gone = {}");
        fleet.applies_and_settles();
        fleet.execute(
            "DELETE FROM tenantry.tenants; CREATE ROLE rl_bob; CREATE SCHEMA tenant_rl_bob AUTHORIZATION rl_bob;
             ALTER SCHEMA tenant_rl_two OWNER TO rl_bob; DROP SCHEMA tenant_rl_gone CASCADE",
        );
        fleet.declare("rl-one = {}\nrl-two = {}\nrl-gone = {}\nrl-bob = {}\nrl-new = {}");
        let said = follow(&fleet);
        for words in [
            "rl-two is left out: schema tenant_rl_two belongs to \"rl_bob\"",
            "rl-gone is left out: schema tenant_rl_gone is not there",
            "rl-bob is left out: schema tenant_rl_bob belongs to \"rl_bob\"",
            "registers 1 tenant",
        ] {
            assert!(said.contains(words), "{words}: {said}");
        }
        assert_eq!(fleet.ask("SELECT tenant FROM tenantry.tenants"), "rl-one");
        fleet.run(&["plan"]).ends(0).says("1 to create, 0 to update, 0 to remove, 1 unchanged, 3 blocked");
        fleet.execute("ALTER SCHEMA tenant_rl_two OWNER TO rl_two_owner");
        follow(&fleet);
        assert_eq!(fleet.ask("SELECT tenant FROM tenantry.tenants ORDER BY 1"), "rl-one; rl-two");
        // Elsewhere it does nothing.
        let elsewhere = Fleet::usual(version, "elsewhere");
        fleet.execute("DELETE FROM tenantry.tenants WHERE tenant = 'rl-one'");
        let sql = fleet.run(&["recover"]).ends(0).stdout;
        let error = elsewhere.database.client().batch_execute(&sql).unwrap_err();
        assert!(format!("{error:?}").contains("this was made for another database"), "{error:?}");
        assert_eq!(elsewhere.ask("SELECT to_regnamespace('tenantry') IS NULL"), "t");
        fleet.execute("DROP SCHEMA tenant_rl_bob; DROP ROLE rl_bob");
    }
}

#[test]
fn a_dump_of_the_registry_is_restored_into_its_database() {
    // The installed version: pg_dump and psql are of it.
    let fleet = Fleet::usual(BOTH[0], "dumped");
    fleet.declare("rd-one = {}\nrd-two = {}");
    fleet.applies_and_settles();
    let dump = fleet.program("pg_dump").args(["-n", "tenantry", "-f", "tenantry.sql", &fleet.url]).status().unwrap();
    assert!(dump.success());
    fleet.declare("rd-one = {}\nrd-two = {}\nrd-since = {}");
    fleet.applies_and_settles();
    fleet.execute("DROP SCHEMA tenantry CASCADE");
    let run = psql(&fleet, &["-v", "ON_ERROR_STOP=1", "-f", "tenantry.sql", &fleet.url]);
    assert!(run.0, "{}", run.1);
    fleet.run(&["plan"]).ends(0).says("2 unchanged, 1 blocked");
    follow(&fleet);
    fleet.settled();
    fleet.applies_and_settles();
}

#[test]
fn an_empty_schema_is_as_good_as_none_and_one_that_holds_something_else_names_the_way_out() {
    for version in BOTH {
        for admin in [Admin::Superuser, Admin::Createrole] {
            let fleet = Fleet::under(admin, version, "emptied");
            fleet.declare("rem-one = {}");
            fleet.applies_and_settles();
            let name = fleet.admin_name(admin);
            fleet.execute(&format!("DROP SCHEMA tenantry CASCADE; CREATE SCHEMA tenantry AUTHORIZATION {name}"));
            fleet.run(&["plan"]).ends(0).says("1 blocked").says("tenantry recover ");
            follow(&fleet);
            fleet.settled();
            fleet.applies_and_settles();
            let refused = |made: &str| {
                fleet.execute(&format!(
                    "DROP SCHEMA tenantry CASCADE; CREATE SCHEMA tenantry AUTHORIZATION {name}; {made}"
                ));
                for command in [["plan"].as_slice(), &["recover"], &["apply", "-y"]] {
                    let run = fleet.run(command).ends(1).says("does not hold tenantry's tables");
                    run.says("ALTER SCHEMA tenantry RENAME TO ...").says("tenantry recover ");
                }
            };
            // Others may have put something into it between two looks.
            refused("GRANT CREATE ON SCHEMA tenantry TO PUBLIC");
            refused("CREATE FUNCTION tenantry.evil() RETURNS int LANGUAGE sql AS 'SELECT 1'");
            fleet.execute("ALTER SCHEMA tenantry RENAME TO mine");
            follow(&fleet);
            fleet.applies_and_settles();
            fleet.declare("");
            fleet.run(&["apply", "-y", "--allow-removals", "1"]).ends(0);
        }
    }
}

/// The wrong store is said, and the registry that comes of it gives nobody a new password.
#[test]
fn with_a_store_without_the_secrets_no_tenant_gets_a_new_password() {
    for version in BOTH {
        for admin in [Admin::Superuser, Admin::Createrole] {
            let mut fleet = Fleet::under(admin, version, "rw");
            let (right, declared) = (fleet.head.clone(), "rw-one = {}\nrw-two = {}\nrw-three = {}");
            fleet.declare(declared);
            fleet.applies_and_settles();
            let verifiers = "SELECT rolname, rolpassword FROM pg_authid WHERE rolname ~ '^rw' ORDER BY 1";
            let before = fleet.ask(verifiers);
            let password = fleet.secret("rw-one")["password"].clone();
            fleet.execute("DROP SCHEMA tenantry CASCADE");
            fleet.head.push_str("[secrets]\ndir = \"elsewhere\"\n");
            fleet.declare(declared);
            let said = follow(&fleet);
            let script = std::fs::read_to_string(fleet.path("recover.sql")).unwrap();
            for text in [&said, &script] {
                assert!(text.contains("3 of 3 have no secret in file ("), "{text}");
                assert!(text.contains("elsewhere): rw-one, rw-three, rw-two; check [secrets]"), "{text}");
            }
            fleet.run(&["plan"]).ends(0).says("secrets_missing");
            fleet.run(&["apply", "-y"]).ends(1).says("the secrets of 3 of 3 tenants are gone from the store");
            assert_eq!(fleet.ask(verifiers), before);
            fleet.head = right;
            fleet.declare(declared);
            // That store had no identity for the registry.
            fleet.run(&["apply", "-y"]).ends(1).says("3 blocked").says("apply --moved");
            fleet.run(&["apply", "-y", "--moved"]).ends(0);
            fleet.settled();
            assert_eq!(fleet.secret("rw-one")["password"], password);
            fleet.log_in("rw-one");
            fleet.declare("");
            fleet.run(&["apply", "-y", "--allow-removals", "3"]).ends(0);
        }
    }
}

#[test]
fn a_table_of_the_registry_that_is_gone_is_named_with_the_way_back() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "single_tables");
        fleet.declare("rt-one = {}");
        fleet.applies_and_settles();
        let verifiers = fleet.ask(&VERIFIERS.replace("^rc", "^rt"));
        for table in [
            "runs",
            "audit_log",
            "apply_lock",
            "identity",
            "tenants",
            "refinery_schema_history",
            "migration_objects",
            "former_owners",
        ] {
            fleet.execute(&format!("DROP TABLE tenantry.{table} CASCADE"));
            for command in [["plan"].as_slice(), &["recover"], &["apply", "-y"], &["list"], &["drift"]] {
                let run = fleet.run(command).ends(1);
                run.says(&format!("schema tenantry lacks a table of tenantry's own: tenantry.{table}"))
                    .says("ALTER SCHEMA tenantry RENAME TO ...");
            }
            fleet.execute(&format!("ALTER SCHEMA tenantry RENAME TO without_{table}"));
            follow(&fleet);
            fleet.settled();
            fleet.applies_and_settles();
            assert_eq!(fleet.ask(&VERIFIERS.replace("^rc", "^rt")), verifiers);
        }
        fleet.execute("DROP TABLE tenantry.runs CASCADE; DROP TABLE tenantry.identity CASCADE");
        fleet.run(&["plan"]).ends(1).says("lacks tables of tenantry's own: tenantry.identity, tenantry.runs");
    }
}

#[test]
fn a_column_of_ours_that_is_gone_or_has_another_type_is_named_with_the_way_back() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "columns");
        fleet.declare("rq-one = {}");
        fleet.applies_and_settles();
        let verifiers = fleet.ask(&VERIFIERS.replace("^rc", "^rq"));
        for (sql, says) in [
            ("tenants DROP COLUMN history_table", "lacks a column of tenantry's own: tenantry.tenants.history_table;"),
            (
                "tenants DROP COLUMN deputy, DROP COLUMN secret_place",
                "lacks columns of tenantry's own: tenantry.tenants.deputy, tenantry.tenants.secret_place",
            ),
            (
                "tenants ALTER COLUMN secret_port TYPE text",
                "columns of tenantry's own tables were altered: tenantry.tenants.secret_port is text, not integer",
            ),
            (
                "identity RENAME COLUMN reached TO reached_by",
                "lacks a column of tenantry's own: tenantry.identity.reached",
            ),
            ("refinery_schema_history DROP COLUMN version", "tenantry.refinery_schema_history.version"),
            ("apply_lock DROP COLUMN token", "lacks a column of tenantry's own: tenantry.apply_lock.token"),
        ] {
            fleet.execute(&format!("ALTER TABLE tenantry.{sql}"));
            for command in [["plan"].as_slice(), &["recover"], &["list"], &["drift"]] {
                fleet
                    .run(command)
                    .ends(1)
                    .says(says)
                    .says("ALTER SCHEMA tenantry RENAME TO ...")
                    .says("tenantry recover");
            }
            let of_the_lock = "tenantry.apply_lock is not as tenantry made it";
            let refused = fleet.run(&["apply", "-y"]).ends(1);
            refused.says(if sql.starts_with("apply_lock") { of_the_lock } else { says });
            fleet.execute(
                "DROP SCHEMA IF EXISTS tenantry_before CASCADE; ALTER SCHEMA tenantry RENAME TO tenantry_before",
            );
            follow(&fleet);
            fleet.settled();
            fleet.applies_and_settles();
            assert_eq!(fleet.ask(&VERIFIERS.replace("^rc", "^rq")), verifiers);
        }
    }
    // Every single one.
    let fleet = Fleet::usual(BOTH[0], "every_column");
    fleet.declare("rv-one = {}");
    fleet.applies_and_settles();
    let columns = "SELECT c.relname || '.' || a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid \
         WHERE c.relnamespace = 'tenantry'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped";
    for column in fleet.ask(columns).split("; ") {
        let (table, name) = column.split_once('.').unwrap();
        fleet.execute(&format!("ALTER TABLE tenantry.{table} RENAME COLUMN {name} TO away"));
        fleet.run(&["plan"]).ends(1).says(&format!("lacks a column of tenantry's own: tenantry.{column};"));
        fleet.execute(&format!("ALTER TABLE tenantry.{table} RENAME COLUMN away TO {name}"));
    }
    fleet.settled();
}

#[test]
fn rotate_and_list_name_recover_when_the_registry_is_gone() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "rotate_lost");
        fleet.declare("rr-one = {}\nrr-two = {}");
        fleet.applies_and_settles();
        let verifiers = fleet.ask(&VERIFIERS.replace("^rc", "^rr"));
        fleet.execute("DROP SCHEMA tenantry CASCADE");
        for command in [["rotate", "--all", "-y"].as_slice(), &["rotate", "rr-one", "-y"]] {
            fleet.run(command).ends(1).says("no row in schema tenantry names").says("tenantry recover ");
        }
        fleet.run(&["list"]).ends(0).says("2 tenants: no row in schema tenantry names them").says("tenantry recover ");
        follow(&fleet);
        // One row alone.
        fleet.execute("DELETE FROM tenantry.tenants WHERE tenant = 'rr-one'");
        fleet.run(&["rotate", "--all", "-y"]).ends(1).says("rr-one").says("tenantry recover ");
        assert_eq!(fleet.ask(&VERIFIERS.replace("^rc", "^rr")), verifiers);
        follow(&fleet);
        // What is only declared waits for its apply, as before.
        fleet.declare("rr-one = {}\nrr-two = {}\nrr-new = {}");
        fleet
            .run(&["rotate", "--all", "-y"])
            .ends(0)
            .says("1 tenant left out: not set up in this database yet, so first: tenantry apply");
    }
}

/// Whoever applies first, with a part of the tenants declared, takes nothing from the others.
#[test]
fn the_apply_that_makes_the_registry_leaves_the_members_of_the_group_role() {
    for version in BOTH {
        for admin in [Admin::Superuser, Admin::Createrole] {
            let fleet = Fleet::under(admin, version, "rg");
            let all = "rg-one = {}\nrg-two = {}";
            fleet.declare(all);
            fleet.applies_and_settles();
            let group = format!("tenantry_{}_tenants", fleet.database.name);
            let members = format!(
                "SELECT m.member::regrole FROM pg_auth_members m WHERE m.roleid = '{group}'::regrole ORDER BY m.member::regrole::text"
            );
            let before = fleet.ask(&members);
            assert!(before.contains("rg_two"), "{before}");
            fleet.execute("DROP SCHEMA tenantry CASCADE");
            fleet.declare("rg-new = {}");
            let words = format!("members of {group} that are no declared tenant's");
            let planned = fleet.run(&["plan"]).ends(0).says("group_role").says(&words).says("tenantry recover");
            assert!(!planned.stdout.contains("which is no tenant's"), "{}", planned.stdout);
            fleet.run(&["apply", "-y"]).ends(0);
            let after = fleet.ask(&members);
            for member in before.split("; ") {
                assert!(after.split("; ").any(|role| role == member), "{member}: {after}");
            }
            fleet.log_in("rg-two").batch_execute("INSERT INTO users (email) VALUES ('kept')").unwrap();
            // So they can be recovered still.
            fleet.declare(&format!("{all}\nrg-new = {{}}"));
            follow(&fleet);
            fleet.run(&["apply", "-y"]).ends(0);
            fleet.settled();
            fleet.declare("");
            fleet.run(&["apply", "-y", "--allow-removals", "3"]).ends(0);
        }
    }
}
