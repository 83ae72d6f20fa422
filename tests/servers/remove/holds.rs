//! What others gave a tenant's roles keeps PostgreSQL from dropping them: seen in the plan, taken away by whoever gave it, or said.

use super::REMOVE;
use crate::fleet::{Admin, BOTH, Fleet, ask};
use crate::postgres_server::{Version, database_of};

const ADMINS: [(Admin, &str); 2] = [(Admin::Superuser, "s"), (Admin::Createrole, "c")];

/// Two tenants, `PREFIXa` and `PREFIXb`; the second has made a table and a function of its own.
fn two(version: Version, admin: Admin, name: &str, prefix: &str) -> Fleet {
    let fleet = Fleet::under(admin, version, name);
    fleet.declare(&both(prefix));
    fleet.applies_and_settles();
    fleet.log_in(&format!("{prefix}b")).batch_execute("CREATE TABLE mine (id int, name text)").unwrap();
    fleet
}

fn both(prefix: &str) -> String {
    format!("{prefix}a = {{}}\n{prefix}b = {{}}")
}

fn only_b(prefix: &str) -> String {
    format!("{prefix}b = {{}}")
}

#[track_caller]
fn no_roles_of(fleet: &Fleet, prefix: &str) {
    assert_eq!(fleet.ask(&format!("SELECT rolname FROM pg_roles WHERE rolname ~ '^{prefix}a_'")), "");
    assert_eq!(fleet.ask("SELECT tenant FROM tenantry.tenants"), format!("{prefix}b"));
}

#[test]
fn what_another_tenant_gave_is_taken_away_as_that_tenant() {
    for version in BOTH {
        for (admin, letter) in ADMINS {
            let prefix = format!("hg{letter}");
            let fleet = two(version, admin, "gave", &prefix);
            let user = format!("{prefix}a_user");
            fleet
                .log_in(&format!("{prefix}b"))
                .batch_execute(&format!(
                    "GRANT SELECT ON mine TO {user}; GRANT UPDATE (name) ON mine TO {user}; \
                     CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'; GRANT EXECUTE ON FUNCTION f() TO {user}; \
                     CREATE TYPE shade AS ENUM ('red'); GRANT USAGE ON TYPE shade TO {user}; \
                     CREATE SEQUENCE numbers; GRANT USAGE ON SEQUENCE numbers TO {user}; \
                     CREATE TABLE \"its \"\"own\"\"'s\" (); GRANT SELECT ON \"its \"\"own\"\"'s\" TO {prefix}a_owner; \
                     ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO {user}; \
                     ALTER TABLE mine ENABLE ROW LEVEL SECURITY; CREATE POLICY only_it ON mine TO {user} USING (true); \
                     CREATE POLICY it_too ON mine TO {user}, {prefix}b_user USING (true); \
                     SELECT lo_create({0}); GRANT SELECT ON LARGE OBJECT {0} TO {user}",
                    if letter == "s" { 778_001 } else { 778_002 },
                ))
                .unwrap();
            fleet.declare(&only_b(&prefix));
            fleet.run(&["plan"]).ends(0).says("1 to remove").says(&format!("what {prefix}b_user gave {user}"));
            fleet.run(&REMOVE).ends(0);
            no_roles_of(&fleet, &prefix);
            // What else the other tenant has stays.
            assert_eq!(
                fleet.ask(&format!(
                    "SELECT polname, polroles::regrole[] FROM pg_policy WHERE polrelid = 'tenant_{prefix}b.mine'::regclass"
                )),
                format!("it_too, {{{prefix}b_user}}")
            );
            assert_eq!(ask(&mut fleet.log_in(&format!("{prefix}b")), "SELECT count(*) FROM mine"), "0");
            if admin == Admin::Createrole {
                assert_eq!(fleet.memberships(admin), "", "nothing that was borrowed stays");
            }
            fleet.run(&["plan", "--detailed-exitcode"]).ends(0);
        }
    }
}

#[test]
fn what_was_passed_on_is_taken_away_from_whoever_passed_it_on() {
    for version in BOTH {
        for (admin, letter) in ADMINS {
            let prefix = format!("hp{letter}");
            let fleet = two(version, admin, "passed", &prefix);
            fleet.declare(&format!("{}\n{prefix}c = {{}}", both(&prefix)));
            fleet.apply();
            fleet
                .log_in(&format!("{prefix}b"))
                .batch_execute(&format!(
                    "GRANT SELECT ON mine TO {prefix}c_user WITH GRANT OPTION; GRANT USAGE ON SCHEMA tenant_{prefix}b TO {prefix}c_user"
                ))
                .unwrap();
            fleet.execute(&format!("GRANT USAGE ON SCHEMA tenant_{prefix}b TO {prefix}c_user"));
            fleet
                .log_in(&format!("{prefix}c"))
                .batch_execute(&format!("GRANT SELECT ON tenant_{prefix}b.mine TO {prefix}a_user"))
                .unwrap();
            fleet.declare(&format!("{}\n{prefix}c = {{}}", only_b(&prefix)));
            fleet.run(&["plan"]).ends(0).says(&format!("what {prefix}c_user gave {prefix}a_user"));
            fleet.run(&[&REMOVE[..], &["--target", &format!("{prefix}a")]].concat()).ends(0);
            assert_eq!(fleet.ask(&format!("SELECT rolname FROM pg_roles WHERE rolname ~ '^{prefix}a_'")), "");
            // The other one's grant is not touched.
            let held = format!(
                "SELECT has_table_privilege('{prefix}c_user', 'tenant_{prefix}b.mine', 'SELECT WITH GRANT OPTION')"
            );
            assert_eq!(fleet.ask(&held), "t");
        }
    }
}

#[test]
fn what_is_not_ours_to_take_away_blocks_before_anything_is_done() {
    for version in BOTH {
        let prefix = "hn";
        let fleet = two(version, Admin::Createrole, "not_ours", prefix);
        let database = fleet.database.name.clone();
        fleet.execute(&format!(
            "CREATE TABLE public.prices_{database} (); GRANT SELECT ON public.prices_{database} TO hna_user"
        ));
        fleet.declare(&only_b(prefix));
        let run = fleet.run(&["plan"]).ends(0).says("1 blocked").says("is not ours to take away");
        run.says(&format!("as postgres: REVOKE ALL ON TABLE public.prices_{database} FROM \"hna_user\" CASCADE"));
        fleet.run(&["drift"]).ends(2).says("not ours to take away");
        fleet.run(&REMOVE).ends(1).says("not ours to take away");
        assert_eq!(ask(&mut fleet.log_in("hna"), "SELECT count(*) FROM users"), "0", "it was not even locked out");
        fleet.execute(&format!("REVOKE ALL ON TABLE public.prices_{database} FROM hna_user CASCADE"));
        fleet.run(&REMOVE).ends(0);
        no_roles_of(&fleet, prefix);
        fleet.settled();
    }
}

#[test]
fn what_the_clusters_own_things_give_is_seen_and_taken_away_by_a_superuser() {
    for version in BOTH {
        let prefix = "hc";
        let fleet = two(version, Admin::Superuser, "shared", prefix);
        let other = database_of(version, "hc_other");
        other.execute(&format!("GRANT CONNECT ON DATABASE {} TO hca_user", other.name));
        fleet.execute("GRANT CREATE ON TABLESPACE pg_default TO hca_user");
        let major: i32 = fleet.ask("SELECT current_setting('server_version_num')::int / 10000").parse().unwrap();
        if major >= 15 {
            fleet.execute("GRANT SET ON PARAMETER log_statement TO hca_user");
        }
        fleet.execute(
            "CREATE FOREIGN DATA WRAPPER hc_wrapper; CREATE SERVER hc_server FOREIGN DATA WRAPPER hc_wrapper; \
             GRANT USAGE ON FOREIGN DATA WRAPPER hc_wrapper TO hca_user; GRANT USAGE ON FOREIGN SERVER hc_server TO hca_user; \
             CREATE USER MAPPING FOR hca_user SERVER hc_server; GRANT USAGE ON LANGUAGE plpgsql TO hca_user; \
             CREATE ROLE hc_between; GRANT hcb_owner TO hc_between WITH ADMIN OPTION",
        );
        if major >= 16 {
            fleet.execute("GRANT hcb_owner TO hca_user WITH ADMIN OPTION; CREATE ROLE hc_further; GRANT hcb_owner TO hc_further GRANTED BY hca_user");
        }
        fleet.declare(&only_b(prefix));
        fleet
            .run(&["plan", "-v"])
            .ends(0)
            .says("1 to remove")
            .says("FOREIGN SERVER hc_server")
            .says("TABLESPACE pg_default");
        fleet.run(&REMOVE).ends(0);
        no_roles_of(&fleet, prefix);
        assert_eq!(fleet.ask("SELECT count(*) FROM pg_user_mappings WHERE srvname = 'hc_server'"), "0");
        fleet.execute("DROP FOREIGN DATA WRAPPER hc_wrapper CASCADE");
    }
}

#[test]
fn what_it_owns_outside_of_its_schema_blocks_before_anything_is_done() {
    for version in BOTH {
        for (admin, letter) in ADMINS {
            let prefix = format!("ho{letter}");
            let fleet = two(version, admin, "owns", &prefix);
            fleet.execute(&format!(
                "CREATE TABLE public.{prefix}_kept (); ALTER TABLE public.{prefix}_kept OWNER TO {prefix}a_user"
            ));
            fleet.declare(&only_b(&prefix));
            fleet
                .run(&REMOVE)
                .ends(1)
                .says(&format!("{prefix}a_user owns table public.{prefix}_kept outside of its schema"))
                .says(&format!("ALTER TABLE public.{prefix}_kept OWNER TO"));
            assert_eq!(ask(&mut fleet.log_in(&format!("{prefix}a")), "SELECT count(*) FROM users"), "0");
            fleet.execute(&format!("ALTER TABLE public.{prefix}_kept OWNER TO postgres"));
            fleet.run(&REMOVE).ends(0);
            no_roles_of(&fleet, &prefix);
        }
    }
}

/// The holder's transaction is open: nobody else sees its GRANT. Then it commits, and one apply converges.
#[test]
fn an_open_transactions_grant_is_told_of_and_one_apply_later_it_is_gone() {
    for version in BOTH {
        for (admin, letter) in ADMINS {
            let prefix = format!("hx{letter}");
            let mut fleet = two(version, admin, "open", &prefix);
            fleet.head.push_str("[migrations]\nlock_timeout = \"200ms\"\n");
            let mut open = fleet.log_in(&format!("{prefix}b"));
            open.batch_execute(&format!("BEGIN; GRANT SELECT ON mine TO {prefix}a_user")).unwrap();
            fleet.declare(&only_b(&prefix));
            let run = fleet.run(&REMOVE).ends(1).says("55P03");
            run.says("blocked by PID ").says(&format!("role {prefix}b_user (tenant {prefix}b), "));
            assert_eq!(
                ask(&mut fleet.log_in(&format!("{prefix}a")), "SELECT count(*) FROM users"),
                "0",
                "it can log in again"
            );
            open.batch_execute("COMMIT").unwrap();
            fleet.run(&REMOVE).ends(0);
            no_roles_of(&fleet, &prefix);
        }
    }
}

/// Given between the plan and the drop: PostgreSQL says by whom, nobody stays locked out, and one apply later it is gone.
#[test]
fn what_was_given_since_the_plan_is_told_of_and_the_next_apply_takes_it_away() {
    for version in BOTH {
        for (admin, letter) in ADMINS {
            let prefix = format!("hw{letter}");
            let fleet = two(version, admin, "since", &prefix);
            fleet.declare(&only_b(&prefix));
            // The removal waits for this lock; the grant is committed meanwhile.
            let mut locks = fleet.database.client();
            locks.batch_execute(&format!("BEGIN; LOCK TABLE tenant_{prefix}a.users IN ACCESS SHARE MODE")).unwrap();
            let run = std::thread::scope(|scope| {
                let apply = scope.spawn(|| fleet.run(&REMOVE));
                wait_for(
                    &fleet,
                    "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
                );
                fleet
                    .log_in(&format!("{prefix}b"))
                    .batch_execute(&format!("GRANT SELECT ON mine TO {prefix}a_user"))
                    .unwrap();
                locks.batch_execute("COMMIT").unwrap();
                apply.join().unwrap()
            });
            // DROP OWNED takes it along where we are a superuser.
            if admin == Admin::Createrole {
                run.ends(1).says("2BP01").says("plan again").says("mine");
                assert_eq!(ask(&mut fleet.log_in(&format!("{prefix}a")), "SELECT count(*) FROM users"), "0");
                fleet.run(&REMOVE).ends(0);
            } else {
                run.ends(0);
            }
            no_roles_of(&fleet, &prefix);
        }
    }
}

fn wait_for(fleet: &Fleet, question: &str) {
    for _ in 0..200 {
        if fleet.ask(question) == "t" {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("never: {question}");
}

/// Each gave something to the other, and both go at once: whoever goes first takes along what it gave.
#[test]
fn tenants_that_gave_to_each_other_are_removed_together() {
    for version in BOTH {
        for (admin, letter) in ADMINS {
            let prefix = format!("hm{letter}");
            let fleet = Fleet::under(admin, version, "mutual");
            let keys: Vec<String> = (0..4).map(|n| format!("{prefix}{n}")).collect();
            fleet.declare(&keys.iter().map(|key| format!("{key} = {{}}\n")).collect::<String>());
            fleet.applies_and_settles();
            for key in &keys {
                let mut session = fleet.log_in(key);
                session.batch_execute("CREATE TABLE mine (id int)").unwrap();
                for other in keys.iter().filter(|other| *other != key) {
                    session.batch_execute(&format!("GRANT SELECT ON mine TO {other}_user, {other}_owner")).unwrap();
                }
            }
            fleet.declare("");
            fleet.run(&REMOVE).ends(0);
            assert_eq!(fleet.ask(&format!("SELECT rolname FROM pg_roles WHERE rolname ~ '^{prefix}'")), "");
            fleet.run(&["plan", "--detailed-exitcode"]).ends(0);
        }
    }
}

/// A's plan takes back what B's role was given, and B is removed, or renamed, by the same apply: neither fails.
#[test]
fn a_revoke_from_a_role_that_the_same_apply_drops_or_renames_is_nobodys_failure() {
    for version in BOTH {
        for (admin, letter) in ADMINS {
            for (how, after) in
                [("d", ""), ("r", "PREFIX9 = { username = \"PREFIX9_other\", owner = \"PREFIX9_others\" }")]
            {
                let prefix = format!("hr{letter}{how}");
                let fleet = Fleet::under(admin, version, "revokes");
                // In the order of their keys the one that is dropped would be first, or last: both.
                let declared = |one: &str| format!("{one}{prefix}5 = {{}}\n{prefix}6 = {{}}\n{prefix}9 = {{}}\n");
                fleet.declare(&declared(&format!("{prefix}1 = {{}}\n")));
                fleet.applies_and_settles();
                for goes in ["1", "9"] {
                    let other = format!("{prefix}{goes}");
                    for stays in ["5", "6"] {
                        let (schema, owner) = (format!("tenant_{prefix}{stays}"), format!("{prefix}{stays}_owner"));
                        fleet.execute(&format!(
                            "GRANT SELECT ON {schema}.users TO {other}_user; GRANT UPDATE (email) ON {schema}.users TO {other}_user; \
                             GRANT USAGE ON SCHEMA {schema} TO {other}_user, {other}_owner; \
                             GRANT SELECT ON {schema}.refinery_schema_history TO {other}_owner; \
                             ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA {schema} GRANT SELECT ON TABLES TO {other}_user"
                        ));
                        let mut admin = postgres::Client::connect(&fleet.url, postgres::NoTls).unwrap();
                        admin.batch_execute(&format!("GRANT {owner} TO {other}_user")).unwrap();
                    }
                }
                let after = after.replace("PREFIX", &prefix);
                let one = after.replace(&format!("{prefix}9"), &format!("{prefix}1"));
                fleet.declare(&format!("{one}\n{prefix}5 = {{}}\n{prefix}6 = {{}}\n{after}"));
                let run = fleet.run(&REMOVE).ends(0);
                assert!(!run.stderr.contains("42704") && !run.stdout.contains("42704"), "{}", run.stdout);
                fleet.settled();
            }
        }
    }
}

/// An owner role that its only tenant leaves is dropped too.
#[test]
fn an_owner_that_its_tenant_leaves_gives_back_what_it_was_given() {
    for version in BOTH {
        for (admin, letter) in ADMINS {
            let prefix = format!("hl{letter}");
            let fleet = two(version, admin, "leaves", &prefix);
            fleet
                .log_in(&format!("{prefix}b"))
                .batch_execute(&format!("GRANT SELECT ON mine TO {prefix}a_owner"))
                .unwrap();
            fleet.declare(&format!("{prefix}a = {{ access = \"owner\" }}\n{prefix}b = {{}}"));
            fleet.applies_and_settles();
            assert_eq!(fleet.ask(&format!("SELECT rolname FROM pg_roles WHERE rolname = '{prefix}a_owner'")), "");
        }
    }
}

/// Memberships, whoever granted them, what it granted with them, and a user mapping go along; an admin who is no superuser
/// could take none of them away.
#[test]
fn memberships_and_user_mappings_go_along_whoever_gave_them() {
    for version in BOTH {
        for (admin, letter) in ADMINS {
            let prefix = format!("ha{letter}");
            let fleet = two(version, admin, "along", &prefix);
            let (user, stranger) = (format!("{prefix}a_user"), format!("{prefix}_stranger"));
            fleet.execute(&format!(
                "CREATE ROLE {stranger}; GRANT pg_monitor TO {user} WITH ADMIN OPTION; GRANT {user} TO {stranger}; \
                 GRANT {prefix}b_owner TO {user} WITH ADMIN OPTION; \
                 SET ROLE {user}; GRANT pg_monitor TO {stranger}; RESET ROLE; \
                 CREATE FOREIGN DATA WRAPPER {prefix}_w; CREATE SERVER {prefix}_s FOREIGN DATA WRAPPER {prefix}_w; \
                 CREATE USER MAPPING FOR {user} SERVER {prefix}_s"
            ));
            fleet.declare(&only_b(&prefix));
            fleet.run(&[&REMOVE[..], &["--target", &format!("{prefix}a")]].concat()).ends(0);
            no_roles_of(&fleet, &prefix);
            fleet.execute(&format!("DROP FOREIGN DATA WRAPPER {prefix}_w CASCADE"));
        }
    }
}

/// It is dropped after all tenants, and what was granted to it since a plan was made by the apply after that one.
#[test]
fn what_others_gave_a_shared_owner_is_taken_away_too() {
    for version in BOTH {
        for (admin, letter) in ADMINS {
            let prefix = format!("hs{letter}");
            let fleet = Fleet::under(admin, version, "shared_gifts");
            let shared = |n| format!("{prefix}a-{n} = {{ owner = \"{prefix}a_all\", access = \"readwrite\" }}\n");
            fleet.declare(&format!("{}\n{}{}", only_b(&prefix), shared(1), shared(2)));
            fleet.applies_and_settles();
            let give = format!("CREATE TABLE mine (); GRANT SELECT ON mine TO {prefix}a_all");
            fleet.log_in(&format!("{prefix}b")).batch_execute(&give).unwrap();
            fleet.declare(&only_b(&prefix));
            let revoke = format!("REVOKE ALL ON TABLE tenant_{prefix}b.mine FROM \"{prefix}a_all\"");
            fleet.run(&["plan", "-v"]).ends(0).says("leave it; what others granted it is revoked").says(&revoke);
            fleet.run(&REMOVE).ends(0);
            no_roles_of(&fleet, &prefix);
            fleet.settled();
        }
    }
}
