//! Several processes, and one that is killed.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::*;

/// What the process below is to do: the url, the migrations, the schema.
const ASKED: &str = "TENANTRY_TEST_CREATE";

/// Run by the tests below, in a process of its own.
#[test]
#[ignore = "no test by itself"]
fn creates_what_it_is_asked_for() {
    let asked = std::env::var(ASKED).unwrap();
    let [url, migrations, schema] = asked.split('\n').collect::<Vec<_>>().try_into().unwrap();
    let admin = DatabaseAdmin::new(url).unwrap().with_migrations(migrations);
    let made = admin.create_tenant(config(schema, &format!("{schema}_user")));
    println!(
        "{}",
        made.map_or_else(|error| error.sqlstate().unwrap_or("none").to_owned(), |made| made.connection_string)
    );
}

fn begins(fleet: &Fleet, schema: &str) -> Child {
    let asked = [&fleet.url, &*fleet.path("migrations").to_string_lossy(), schema].join("\n");
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "--ignored", "--nocapture", "imperative::processes::creates_what_it_is_asked_for"]);
    command.env(ASKED, asked).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
}

/// What opens the database, or the SQLSTATE of the error.
fn ends(child: Child) -> String {
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let answer = said.lines().find(|line| line.starts_with("postgresql://") || line.len() == 5);
    answer.unwrap_or_else(|| panic!("{said}")).to_owned()
}

#[test]
fn of_two_processes_that_create_one_tenant_one_does_and_of_two_tenants_both() {
    for version in BOTH {
        let (fleet, _) = fleet(Admin::Createrole, version, "imp_two");
        let tag = version.major();
        let (one, two) = (format!("pr_{tag}_one"), format!("pr_{tag}_two"));
        let children = [&one, &one, &two].map(|schema| begins(&fleet, schema));
        let mut answers = children.map(ends);
        answers.sort();
        assert_eq!(answers[0], "42P06", "{answers:?}");
        let schema = |string: &str| {
            ask(&mut postgres::Client::connect(string, postgres::NoTls).unwrap(), "SELECT current_schema")
        };
        assert_eq!([schema(&answers[1]), schema(&answers[2])], [one, two]);
    }
}

#[test]
fn a_process_that_is_killed_in_the_middle_leaves_nothing_and_the_next_one_creates_it() {
    for version in BOTH {
        let (fleet, admin) = fleet(Admin::Superuser, version, "imp_killed");
        let schema = format!("ki_{}", version.major());
        fleet.migration("V3__slow.sql", "CREATE TABLE late (n int); SELECT pg_sleep(3);");
        let mut child = begins(&fleet, &schema);
        let (sleeps, begun) = ("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'", Instant::now());
        while fleet.ask(sleeps) == "0" {
            assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", child.try_wait());
            std::thread::sleep(Duration::from_millis(20));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // What it had begun is waited for, and rolled back.
        let made = admin.create_tenant(config(&schema, &format!("{schema}_user"))).unwrap();
        assert_eq!(ask(&mut connect(&made), "SELECT count(*) FROM late"), "0");
        assert_eq!(fleet.ask(&format!("SELECT count(*) FROM tenantry.audit_log WHERE tenant = '{schema}'")), "1");
        admin.remove_tenant(&schema, &format!("{schema}_user")).unwrap();
    }
}
