//! `on_remove = "archive"`.

use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::project::{REMOVE, assert_no_deputy, manifests, project, project_of_weak_admin};
use crate::fleet::{BOTH, Fleet, ask};

#[test]
fn a_removed_tenant_is_in_its_archive_and_nowhere_else() {
    for version in BOTH {
        let fleet = project(version, "removed");
        fleet.declare("ra-one = { settings = { work_mem = \"6MB\" }, connection_limit = 7 }\nra-own = { access = \"owner\" }\nra-stays = {}");
        fleet.applies_and_settles();
        for tenant in ["ra-one", "ra-own"] {
            fleet
                .log_in(tenant)
                .batch_execute(
                    "INSERT INTO users (email) SELECT 'u' || n FROM generate_series(1, 1000) n; \
                     CREATE TABLE mine (a text); INSERT INTO mine VALUES (E'two\\nlines'), (E'\\\\.'), (NULL)",
                )
                .unwrap();
        }
        fleet.declare("ra-stays = {}");
        fleet.run(&["plan"]).ends(0).says("archive of schema").says("in archives").says("archived first");
        fleet.run(&REMOVE).ends(0).says("Archived: ra-one in ");
        fleet.settled();
        assert_no_deputy(&fleet);
        assert_eq!(fleet.ask("SELECT rolname FROM pg_roles WHERE rolname ~ '^ra_o'"), "");
        assert_eq!(fleet.ask("SELECT nspname FROM pg_namespace WHERE nspname ~ '^tenant_ra_o'"), "");
        let found = manifests(&fleet);
        assert_eq!(found.len(), 2);
        for (path, manifest) in &found {
            let rows = |table: &str| {
                let tables = manifest["tables"].as_array().unwrap();
                tables.iter().find(|found| found["table"] == table).unwrap()["rows"].as_u64().unwrap()
            };
            assert_eq!((rows("users"), rows("mine"), rows("projects")), (1000, 3, 0));
            assert_eq!(manifest["migrations"].as_array().unwrap().len(), 2);
            for file in [path.clone(), path.with_extension("dump")] {
                assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{}", file.display());
            }
            assert!(!std::fs::read_to_string(path).unwrap().contains("SCRAM"));
        }
        assert_eq!(found[0].1["tenant"], "ra-one");
        assert_eq!(found[0].1["settings"]["work_mem"], "6MB");
        assert_eq!(found[0].1["connection_limit"], 7);
        let dir = fleet.path("archives").metadata().unwrap();
        assert_eq!(dir.permissions().mode() & 0o777, 0o700);
    }
}

#[test]
fn nothing_that_is_committed_while_a_tenant_is_removed_is_lost() {
    for version in BOTH {
        let fleet = project(version, "hammered");
        fleet.declare("hm-one = {}");
        fleet.applies_and_settles();
        fleet.execute("INSERT INTO tenant_hm_one.users (email) SELECT 'old' || n FROM generate_series(1, 20000) n");
        let url = fleet.secret("hm-one")["url"].as_str().unwrap().to_owned();
        fleet.declare("");
        let stop = AtomicBool::new(false);
        let committed = std::thread::scope(|scope| {
            let hammer = |name: &'static str, connect: Box<dyn Fn() -> Option<postgres::Client> + Send>| {
                let stop = &stop;
                scope.spawn(move || {
                    let mut committed = Vec::new();
                    let mut client = None;
                    for n in 0.. {
                        if stop.load(Ordering::Relaxed) {
                            break;
                        }
                        if client.as_ref().is_none_or(postgres::Client::is_closed) {
                            client = connect();
                        }
                        let email = format!("{name}{n}");
                        let sql = "INSERT INTO tenant_hm_one.users (email) VALUES ($1)";
                        // A row whose fate is not known is not counted.
                        if client.as_mut().is_some_and(|client| client.execute(sql, &[&email]).is_ok()) {
                            committed.push(email);
                        }
                    }
                    committed
                })
            };
            let admin = fleet.database.url.clone();
            let threads = [
                hammer("tenant", Box::new(move || postgres::Client::connect(&url, postgres::NoTls).ok())),
                hammer("admin", Box::new(move || postgres::Client::connect(&admin, postgres::NoTls).ok())),
            ];
            std::thread::sleep(Duration::from_millis(300));
            let run = fleet.run(&REMOVE);
            stop.store(true, Ordering::Relaxed);
            run.ends(0);
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        });
        assert!(committed.iter().any(|email| email.starts_with("tenant")));
        assert!(committed.iter().any(|email| email.starts_with("admin")));
        let (path, manifest) = manifests(&fleet).pop().unwrap();
        let users =
            manifest["tables"].as_array().unwrap().iter().find(|t| t["table"] == "users").unwrap()["rows"].as_u64();
        assert!(users.unwrap() >= 20000 + committed.len() as u64);
        fleet.declare("hm-one = {}");
        fleet.run(&["restore", "-y", path.to_str().unwrap()]).ends(0);
        let mut session = fleet.log_in("hm-one");
        let lost = session
            .query(
                "SELECT e FROM unnest($1::text[]) e WHERE NOT EXISTS (SELECT FROM users WHERE email = e)",
                &[&committed],
            )
            .unwrap();
        assert!(lost.is_empty(), "{} of {} are lost", lost.len(), committed.len());
        // Restored with the identity's sequence, so that the next row has a number of its own.
        session.batch_execute("INSERT INTO users (email) VALUES ('new')").unwrap();
    }
}

#[test]
fn a_table_that_somebody_makes_meanwhile_is_archived_or_kept() {
    for version in BOTH {
        let fleet = project(version, "meanwhile");
        fleet.declare("mw-one = {}");
        fleet.applies_and_settles();
        fleet.declare("");
        // Begun before the look, committed after it.
        let mut late = fleet.database.client();
        late.batch_execute(
            "BEGIN; CREATE TABLE tenant_mw_one.late (a int); INSERT INTO tenant_mw_one.late VALUES (1); \
                            ALTER TABLE tenant_mw_one.late OWNER TO mw_one_owner",
        )
        .unwrap();
        let mut remove = fleet.command(&REMOVE).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(1500));
        late.batch_execute("COMMIT").unwrap();
        let code = remove.wait().unwrap().code().unwrap();
        if code != 0 {
            assert_eq!(fleet.ask("SELECT a FROM tenant_mw_one.late"), "1", "refused, and kept");
            fleet.run(&REMOVE).ends(0);
        }
        let (_, manifest) = manifests(&fleet).pop().unwrap();
        let late = manifest["tables"].as_array().unwrap().iter().any(|t| t["table"] == "late" && t["rows"] == 1);
        assert!(late, "{manifest}");
        fleet.settled();
    }
}

#[test]
fn killed_at_any_moment_one_more_apply_removes_it() {
    for version in BOTH {
        let fleet = project(version, "killed");
        let kills = 12;
        for n in 0..kills {
            let tenant = format!("ki-{n}");
            fleet.declare(&format!("{tenant} = {{}}"));
            fleet.run(&REMOVE).ends(0);
            fleet.execute(&format!(
                "INSERT INTO tenant_ki_{n}.users (email) SELECT 'u' || g FROM generate_series(1, 5000) g"
            ));
            fleet.declare("");
            let mut child = fleet.command(&REMOVE).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            std::thread::sleep(Duration::from_millis(60 * n));
            child.kill().unwrap();
            child.wait().unwrap();
            // Declared again it is whole; or it goes on being removed.
            if n % 2 == 0
                && fleet.ask(&format!(
                    "SELECT count(*) FROM tenantry.tenants WHERE tenant = '{tenant}' AND state = 'active'"
                )) == "1"
            {
                fleet.declare(&format!("{tenant} = {{}}"));
                fleet.applies_and_settles();
                assert_eq!(ask(&mut fleet.log_in(&tenant), "SELECT count(*) FROM users"), "5000");
                fleet.declare("");
            }
            fleet.run(&REMOVE).ends(0);
            fleet.settled();
            assert_no_deputy(&fleet);
            assert!(manifests_of(&fleet, &tenant) >= 1, "an archive of {tenant}");
        }
        assert_eq!(fleet.ask("SELECT rolname FROM pg_roles WHERE rolname ~ '^ki_'"), "");
    }
}

/// A neighbour's lock on a view's table is in the way of the drop, not of the dump: the tables stay locked, the archive stays good.
#[test]
fn a_drop_that_waits_for_a_lock_keeps_its_one_archive() {
    for version in BOTH {
        let mut fleet = project(version, "heldup");
        fleet.head.push_str("[migrations]\nlock_timeout = \"500ms\"\n");
        fleet.declare("hu-one = {}\nhu-two = {}");
        fleet.applies_and_settles();
        let oid = fleet.ask("SELECT 'tenant_hu_one.busy'::regclass::oid");
        let hold = || {
            let mut holder = fleet.log_in("hu-two");
            holder.batch_execute(&format!("BEGIN; SELECT pg_get_viewdef({oid})")).unwrap();
            holder
        };
        let holder = hold();
        fleet.declare("hu-two = {}");
        fleet.run(&REMOVE).ends(1).says("55P03").says("role hu_two_user (tenant hu-two)").says("--end-blockers");
        assert_eq!(manifests_of(&fleet, "hu-one"), 1, "six tries, one archive");
        assert_eq!(ask(&mut fleet.log_in("hu-one"), "SELECT count(*) FROM users"), "0");
        assert_no_deputy(&fleet);
        drop(holder);
        let _holder = hold();
        fleet.run(&[&REMOVE[..], &["--end-blockers"]].concat()).ends(0).says("Ended: ").says("Archived: hu-one in ");
        assert_eq!(manifests_of(&fleet, "hu-one"), 2, "and the one of the run that failed");
        fleet.settled();
    }
}

fn manifests_of(fleet: &Fleet, tenant: &str) -> usize {
    manifests(fleet).iter().filter(|(_, manifest)| manifest["tenant"] == tenant).count()
}

/// What others gave it goes after the archive is whole, and nothing is archived for a removal that is blocked by it.
#[test]
fn what_others_gave_it_blocks_before_the_archive_or_goes_after_it() {
    for version in BOTH {
        let fleet = project_of_weak_admin(version, "gv_admin");
        fleet.declare("gv-one = {}\ngv-stays = {}");
        fleet.applies_and_settles();
        let mut other = fleet.log_in("gv-stays");
        other.batch_execute("CREATE TABLE mine (); GRANT SELECT ON mine TO gv_one_user, gv_one_owner").unwrap();
        fleet.execute("CREATE TABLE public.gv_prices (); GRANT SELECT ON public.gv_prices TO gv_one_user");
        fleet.declare("gv-stays = {}");
        fleet.run(&REMOVE).ends(1).says("gv_prices, given by postgres, is not ours to take away");
        assert!(manifests(&fleet).is_empty());
        fleet.execute("DROP TABLE public.gv_prices");
        fleet.run(&REMOVE).ends(0).says("Archived: gv-one in ");
        fleet.settled();
        assert_eq!(manifests(&fleet).len(), 1);
        assert_eq!(fleet.ask("SELECT rolname FROM pg_roles WHERE rolname ~ '^gv_one'"), "");
    }
}
