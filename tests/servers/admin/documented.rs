//! The SQL of docs/least-privilege.md, run as it stands there.

use crate::fleet::{BOTH, Fleet, ask};
use crate::postgres_server::{TestDatabase, database_of, server, target};

/// The page's statements, one a line; with names that no other test of the cluster has.
fn statements(block: usize) -> Vec<String> {
    let page = include_str!("../../../docs/least-privilege.md");
    let block = page.split("```sql\n").nth(block).unwrap().split("```").next().unwrap();
    let named = block.replace("tenantry_", "doc_").replace("'…'", "'a'").replace("DATABASE app", "DATABASE doc_app");
    named.lines().map(|line| line.split("--").next().unwrap().trim().to_owned()).collect()
}

#[test]
fn what_the_page_says_to_grant_is_all_that_an_admin_and_a_reader_need() {
    for version in BOTH {
        let documented = database_of(version, "documented");
        let mut superuser = documented.client();
        for sql in statements(1) {
            superuser.batch_execute(&sql).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        }
        let server = server(version);
        let url = |user: &str, password: &str| server.url("doc_app", user, password);
        let name = "doc_app".to_owned();
        let mut fleet =
            Fleet::on(TestDatabase { name, url: url("postgres", server.password()), server: server.clone() });
        fleet.migration("V1__users.sql", "CREATE TABLE users (id int);");
        fleet.migration("V2__scratch.sql", "CREATE TEMPORARY TABLE scratch AS SELECT id FROM users;");
        fleet.declare("doc-one = {}\ndoc-two = { access = \"readonly\" }");
        fleet.url = url("doc_admin", "a");
        fleet.apply();
        fleet.run(&["plan", "--detailed-exitcode"]).ends(0);
        // On 14 schema public is not the database owner's to close.
        if ask(&mut superuser, "SELECT current_setting('server_version_num')::int >= 150000") == "t" {
            fleet.settled();
            let owners = "SELECT pg_catalog.has_database_privilege('tenantry_doc_app_owners', 'doc_app', 'TEMPORARY') \
                          AND NOT pg_catalog.has_database_privilege('tenantry_doc_app_tenants', 'doc_app', 'TEMPORARY')";
            assert_eq!(fleet.ask(owners), "t");
        }
        for sql in statements(2) {
            target(&fleet.database.url).connect_admin().unwrap().batch_execute(&sql).unwrap();
        }
        fleet.url = url("doc_drift", "a");
        let looked = fleet.run(&["drift"]).ends(0);
        assert!(!looked.stdout.contains("could not see"), "{}", looked.stdout);
        fleet.run(&["apply", "-y"]).ends(1).says("it may plan but not apply");
        fleet.run(&["list"]).ends(0).says("doc-two");
    }
}
