//! A role that may only look: what it sees, what it says it cannot see, and that it writes nothing.

use std::sync::Arc;

use crate::fleet::{BOTH, Fleet, MIGRATIONS};
use crate::openbao;
use crate::openbao::OpenBao;
use crate::postgres_server::{binaries, database_on};
use tenantry::sandbox::Server;

/// A fleet in sync, and from then on looked at by `reader`, which may do nothing yet but connect.
fn looked_at_by(fleet: &mut Fleet, reader: &str) {
    fleet.execute(&format!("CREATE ROLE {reader} LOGIN PASSWORD 'r'"));
    fleet.applies_and_settles();
    fleet.url = fleet.database.url_as(reader, "r");
}

#[test]
fn a_reader_is_told_what_it_lacks_and_sees_what_the_keeper_would_do() {
    for version in BOTH {
        for keeper in ["postgres", "rd_keeper"] {
            let mut fleet = Fleet::usual(version, "reader");
            let reader = format!("{keeper}_reader");
            if keeper != "postgres" {
                // Until 14 schema public is not the database owner's, and everybody may create in it.
                fleet.execute(&format!(
                    "CREATE ROLE {keeper} LOGIN CREATEROLE PASSWORD 'k'; ALTER DATABASE {0} OWNER TO {keeper}; \
                     ALTER SCHEMA public OWNER TO {keeper}",
                    fleet.database.name
                ));
                fleet.url = fleet.database.url_as(keeper, "k");
            }
            fleet
                .head
                .push_str(&format!("username = \"{keeper}_{{tenant}}_user\"\nowner = \"{keeper}_{{tenant}}_owner\"\n"));
            fleet.declare("rd-one = {}\nrd-two = {}");
            looked_at_by(&mut fleet, &reader);
            // The registry is what everything else goes by.
            for command in [["plan"].as_slice(), &["drift"], &["list"], &["show", "rd-one"]] {
                let grant = format!(
                    "GRANT USAGE ON SCHEMA tenantry TO \"{reader}\"; GRANT SELECT ON ALL TABLES IN SCHEMA tenantry TO \"{reader}\""
                );
                fleet.run(command).ends(1).says("may not read tenantry's own tables").says(&grant);
            }
            fleet.execute(&format!(
                "GRANT USAGE ON SCHEMA tenantry TO {reader}; GRANT SELECT ON ALL TABLES IN SCHEMA tenantry TO {reader}"
            ));
            let unseen = "could not see which migrations were applied: the history in schema tenant_rd_one and 1 more";
            fleet.run(&["drift"]).ends(0).says("No changes in what could be seen").says(unseen);
            fleet.run(&["drift", "--format", "markdown"]).ends(0).says("could not see");
            let document = fleet.run(&["drift", "--format", "json"]).ends(0).json();
            assert!(document["unseen"][0]["what"].as_str().unwrap().starts_with("which migrations"), "{document}");
            fleet.run(&["list"]).ends(0).says(unseen).says(&format!("GRANT pg_read_all_data TO \"{reader}\";"));
            fleet.run(&["show", "rd-one"]).ends(0).says(unseen);
            fleet.run(&["drift", "--report", "report.html"]).ends(0);
            let report = std::fs::read_to_string(fleet.path("report.html")).unwrap();
            assert!(report.contains("Could not see which migrations") && !report.contains("In sync"), "{report}");
            fleet.try_apply().ends(1).says(&format!("connect as {keeper}"));
            // Everything.
            fleet.execute(&format!("GRANT pg_read_all_data TO {reader}"));
            let drift = fleet.run(&["drift"]).ends(0);
            assert!(!drift.stdout.contains("could not") && drift.stdout.contains("2 unchanged"), "{}", drift.stdout);
            fleet.execute("GRANT USAGE ON SCHEMA tenant_rd_one TO PUBLIC; CREATE TABLE tenant_rd_two.by_hand ()");
            fleet.migration("V3__more.sql", "CREATE TABLE more (id int);");
            fleet.run(&["drift"]).ends(2).says("PUBLIC: USAGE → none").says("by_hand").says("V3__more");
            std::fs::remove_file(fleet.path("migrations/V3__more.sql")).unwrap();
            // The store, when it is denied.
            fleet.execute("REVOKE USAGE ON SCHEMA tenant_rd_one FROM PUBLIC; DROP TABLE tenant_rd_two.by_hand");
            fleet.run(&["drift"]).ends(0);
        }
    }
}

#[test]
fn a_store_that_denies_is_told_and_no_new_password_is_planned() {
    let server = OpenBao::dev();
    let mut fleet = Fleet::usual(BOTH[0], "denied");
    fleet.head.insert_str(0, &format!("[secrets]\nstore = \"vault\"\n[vault]\naddress = \"{}\"\n", server.address));
    fleet.declare("de-one = {}\nde-two = {}");
    fleet.env.insert("VAULT_TOKEN".into(), openbao::ROOT_TOKEN.into());
    fleet.applies_and_settles();
    let nothing =
        server.token_with("nothing", "path \"secret/none\" { capabilities = [\"read\"] }", serde_json::Value::Null);
    fleet.env.insert("VAULT_TOKEN".into(), nothing);
    fleet
        .run(&["drift"])
        .ends(0)
        .says("No changes in what could be seen")
        .says("could not see the secrets: ")
        .says("capabilities = [");
    fleet.run(&["list"]).ends(0).says("could not see the secrets");
    fleet.try_apply().ends(1).says("could not see the secrets").says("nothing was changed");
}

#[test]
fn to_look_opens_read_only_transactions_and_writes_nothing() {
    for version in BOTH {
        // A server of its own: that no transaction ID was used is said of the whole cluster.
        let builder = Server::builder().binaries(binaries(version)).setting("log_statement", "all");
        let server: Arc<Server> = Arc::new(builder.setting("autovacuum", "off").start().unwrap());
        let mut fleet = Fleet::on(database_on(server.clone(), "quiet"));
        MIGRATIONS.iter().for_each(|(file, sql)| fleet.migration(file, sql));
        fleet.declare("qu-one = {}\nqu-two = { access = \"owner\" }");
        looked_at_by(&mut fleet, "qu_reader");
        fleet.execute("GRANT pg_read_all_data TO qu_reader");
        let next_id = || fleet.ask("SELECT pg_snapshot_xmax(pg_current_snapshot())");
        for command in [["plan"].as_slice(), &["drift", "--report", "report.html"], &["list"], &["show", "qu-one"]] {
            let (before, logged) = (next_id(), server.log().len());
            fleet.run(command).ends(0);
            let log = server.log()[logged..].to_owned();
            assert_eq!(next_id(), before, "{command:?}");
            let statements: Vec<&str> = log
                .split("LOG:  ")
                .filter_map(|entry| entry.split_once(": "))
                .map(|(_, sql)| sql.trim_start())
                .collect();
            assert!(statements.len() > 20, "{log}");
            let begins: Vec<_> = statements.iter().filter(|sql| sql.starts_with("START TRANSACTION")).collect();
            assert!(!begins.is_empty() && begins.iter().all(|sql| sql.contains("READ ONLY")), "{begins:?}");
            let looks = [
                "START TRANSACTION",
                "SET ",
                "SELECT",
                "WITH",
                "--",
                "LOCK TABLE",
                "COPY",
                "COMMIT",
                "SET LOCAL lock_timeout",
                "SAVEPOINT settings",
                "RELEASE settings",
                "ROLLBACK TO settings",
            ];
            for sql in statements {
                assert!(looks.iter().any(|word| sql.starts_with(word)), "{command:?}: {sql}");
                assert!(!sql.starts_with("COPY") || sql.contains("TO STDOUT"), "{sql}");
                assert!(!sql.starts_with("LOCK") || sql.contains("IN ACCESS SHARE MODE"), "{sql}");
            }
        }
    }
}
