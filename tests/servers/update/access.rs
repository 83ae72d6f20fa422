//! From each access to each other.

use crate::fleet::{BOTH, Fleet, ask, refused};

const ALL: [&str; 4] = ["full", "owner", "readwrite", "readonly"];

fn pairs() -> impl Iterator<Item = (&'static str, &'static str)> {
    ALL.into_iter().flat_map(|from| ALL.into_iter().filter(move |to| *to != from).map(move |to| (from, to)))
}

/// What the username holds on the table: as PostgreSQL sees it, by grant or as owner.
fn privileges(fleet: &Fleet, user: &str, table: &str) -> String {
    let words = ["SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"];
    let asked = words
        .map(|word| format!("CASE WHEN has_table_privilege('{user}', '{table}', '{word}') THEN '{}' END", &word[..3]));
    fleet.ask(&format!("SELECT concat_ws(' ', {})", asked.join(", ")))
}

#[test]
fn every_access_becomes_every_other_and_may_do_what_it_says() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "directions");
        let declare = |of: fn((&'static str, &'static str)) -> &'static str| {
            let line = |pair: (&'static str, &'static str)| {
                format!("{}-{} = {{ access = \"{}\" }}\n", pair.0, pair.1, of(pair))
            };
            fleet.declare(&pairs().map(line).collect::<String>());
        };
        declare(|(from, _)| from);
        fleet.applies_and_settles();
        for (from, to) in pairs() {
            fleet.execute(&format!("INSERT INTO tenant_{from}_{to}.users (email) VALUES ('kept')"));
            if ["full", "owner"].contains(&from) {
                let own = "CREATE TABLE own (id int); INSERT INTO own VALUES (1); CREATE FUNCTION own_f() RETURNS int LANGUAGE sql AS 'SELECT 1'";
                fleet.log_in(&format!("{from}-{to}")).batch_execute(own).unwrap();
            }
        }
        declare(|(_, to)| to);
        fleet.applies_and_settles();
        fleet.migration("V3__more.sql", "CREATE TABLE more (id int);");
        fleet.applies_and_settles();
        for (from, to) in pairs() {
            let (user, schema) = (format!("{from}_{to}_user"), format!("tenant_{from}_{to}"));
            let expected = match to {
                "full" => "SEL INS UPD DEL TRU REF",
                "owner" => "SEL INS UPD DEL TRU REF TRI",
                "readwrite" => "SEL INS UPD DEL",
                _ => "SEL",
            };
            for table in ["users", "projects", "busy", "more"] {
                assert_eq!(
                    privileges(&fleet, &user, &format!("{schema}.{table}")),
                    expected,
                    "{from} to {to}: {table}"
                );
            }
            let history = if to == "owner" { expected } else { "SEL" };
            assert_eq!(
                privileges(&fleet, &user, &format!("{schema}.refinery_schema_history")),
                history,
                "{from} to {to}"
            );
            let mut client = fleet.log_in(&format!("{from}-{to}"));
            assert_eq!(ask(&mut client, "SELECT email, user_count() FROM users"), "kept, 1");
            if ["full", "owner"].contains(&from) {
                assert_eq!(ask(&mut client, "SELECT id, own_f() FROM own"), "1, 1", "{from} to {to}");
            }
            if !["full", "owner"].contains(&to) {
                assert_eq!(refused(&mut client, "CREATE TABLE t ()"), "42501");
            }
            if to != "owner" {
                assert_eq!(refused(&mut client, "ALTER TABLE users ADD COLUMN x int"), "42501");
            }
            let owner = if to == "owner" { user } else { format!("{from}_{to}_owner") };
            assert_eq!(
                fleet.ask(&format!("SELECT nspowner::regrole FROM pg_namespace WHERE nspname = '{schema}'")),
                owner
            );
        }
        // No role is left that has nothing to own.
        let owners =
            "SELECT count(*) FROM pg_roles WHERE rolname ~ '_owner_owner$|^(full|readwrite|readonly)_owner_owner$'";
        assert_eq!(fleet.ask(owners), "0");
        // And all the way back.
        declare(|(from, _)| from);
        fleet.applies_and_settles();
        fleet.declare("");
        fleet.run(&["apply", "-y", "--allow-removals", "12"]).ends(0);
        fleet.settled();
        assert_eq!(fleet.ask("SELECT count(*) FROM pg_roles WHERE rolname ~ '^(full|owner|readwrite|readonly)_'"), "0");
    }
}

#[test]
fn what_a_tenant_with_full_access_made_is_left_alone() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "own_tables");
        fleet.declare("ow-one = {}");
        fleet.applies_and_settles();
        let mut client = fleet.log_in("ow-one");
        client
            .batch_execute(
                "CREATE TABLE mine (id serial PRIMARY KEY, user_id bigint REFERENCES users); CREATE VIEW v AS SELECT * FROM mine;
                 CREATE TYPE t AS ENUM ('a'); CREATE FUNCTION lower(text) RETURNS text LANGUAGE sql AS 'SELECT $1';
                 GRANT SELECT ON mine TO PUBLIC; REVOKE ALL ON v FROM ow_one_user",
            )
            .unwrap();
        let look = "SELECT string_agg(concat_ws(' ', relname, relowner::regrole, relacl), '; ' ORDER BY relname) FROM pg_class \
                    WHERE relnamespace = 'tenant_ow_one'::regnamespace AND relname <> 'late' AND relkind <> 'i'";
        let before = fleet.ask(look);
        fleet.settled();
        fleet.migration("V3__late.sql", "CREATE TABLE late (id int);");
        fleet.declare("ow-one = { connection_limit = 9 }");
        fleet.applies_and_settles();
        assert_eq!(fleet.ask(look), before);
    }
}
