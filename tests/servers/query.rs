//! One query in every tenant, logged in as that tenant.

use std::time::{Duration, Instant};

use crate::fleet::{Admin, BOTH, Fleet};
use serde_json::json;

#[test]
fn every_tenant_is_asked_as_itself_and_all_rows_are_one_table() {
    for version in BOTH {
        for (admin, prefix) in [(Admin::Superuser, "qs"), (Admin::Createrole, "qc")] {
            let fleet = Fleet::under(admin, version, prefix);
            let [one, two, full] = ["one", "two", "full"].map(|name| format!("{prefix}-{name}"));
            fleet.declare(&format!(
                "{two} = {{ access = \"owner\" }}\n{one} = {{ access = \"readonly\" }}\n{full} = {{}}"
            ));
            fleet.apply();
            fleet.declare(&format!(
                "{two} = {{}}\n{one} = {{ access = \"readonly\" }}\n{full} = {{}}\n{prefix}-new = {{}}"
            ));
            for (tenant, users) in [(&one, 1), (&two, 3)] {
                let schema = format!("tenant_{}", tenant.replace('-', "_"));
                fleet.execute(&format!(
                    "INSERT INTO {schema}.users (email) SELECT 'u' || n FROM generate_series(1, {users}) n"
                ));
            }
            let sql = "SELECT session_user = current_user AS own, current_schema AS schema, count(*) AS users, sum(id) / 2 AS half, \
                       jsonb_build_object('a', max(id)) AS j, NULL AS nothing FROM users -- all of them";
            let run = fleet.run(&["query", sql, "--format", "json"]).ends(0);
            assert_eq!(
                run.json(),
                json!([
                    {"tenant": full, "own": true, "schema": format!("tenant_{prefix}_full"), "users": 0, "half": null, "j": {"a": null}, "nothing": null},
                    {"tenant": one, "own": true, "schema": format!("tenant_{prefix}_one"), "users": 1, "half": 0.5, "j": {"a": 1}, "nothing": null},
                    {"tenant": two, "own": true, "schema": format!("tenant_{prefix}_two"), "users": 3, "half": 3.0, "j": {"a": 3}, "nothing": null},
                ])
            );
            run.says(&format!("not asked: {prefix}-new: not applied yet"));
            let csv = fleet.run(&[
                "query",
                "SELECT email, '' AS empty, NULL AS nothing FROM users ORDER BY id DESC;",
                "--format",
                "csv",
            ]);
            let line = |tenant: &str, n: u32| format!("{tenant},u{n},\"\",\n");
            let lines = [line(&one, 1), line(&two, 3), line(&two, 2), line(&two, 1)].concat();
            assert_eq!(csv.ends(0).stdout, format!("tenant,email,empty,nothing\n{lines}"));
            let text = fleet.run(&["query", "--target", "*-two", "TABLE users"]).ends(0).stdout;
            assert!(text.contains("tenant  id  email\n") || text.contains("  id  email\n"), "{text}");
            let shown = fleet.run(&["query", "show search_path", "--format", "json"]).ends(0).json();
            assert_eq!(shown[1]["search_path"], format!("tenant_{prefix}_one"));
            fleet.run(&["query", "EXPLAIN SELECT * FROM users"]).ends(0).says("Seq Scan on users");
            let sum = ["query", "SELECT id, email FROM users", "--format", "json", "--aggregate"];
            let sum = [&sum[..], &["SELECT email, count(*) AS n, group_concat(tenant, ' ') AS who FROM tenants GROUP BY email HAVING n > 1"]].concat();
            assert_eq!(fleet.run(&sum).ends(0).json(), json!([{"email": "u1", "n": 2, "who": format!("{one} {two}")}]));
        }
    }
}

#[test]
fn one_that_fails_is_told_and_the_rows_of_the_others_are_printed() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "query_fails");
        fleet.declare("qf-a = {}\nqf-b = {}\nqf-c = {}\nqf-d = {}");
        fleet.apply();
        fleet.execute("ALTER TABLE tenant_qf_a.users ADD COLUMN extra int DEFAULT 7; INSERT INTO tenant_qf_a.users (email) VALUES ('x')");
        fleet.execute("ALTER ROLE qf_c_user PASSWORD 'another'; ALTER ROLE qf_d_user NOLOGIN");
        let run = fleet.run(&["query", "SELECT\n  extra FROM users"]).ends(1);
        assert!(run.stdout.contains("qf-a        7"), "{}", run.stdout);
        let run = run.says("error: qf-b: line 2, column 3: column \"extra\" does not exist (SQLSTATE 42703)");
        run.says("error: qf-c: ").says("28P01").says("not asked: qf-d: suspended: role qf_d_user may not log in");
        let run = fleet.run(&["query", "SELECT extra FROM users", "--format", "json"]).ends(1);
        assert_eq!(run.json(), json!([{"tenant": "qf-a", "extra": 7}]));
        let first: serde_json::Value = serde_json::from_str(run.stderr.lines().next().unwrap()).unwrap();
        assert_eq!((&first["tenant"], &first["error"]["sqlstate"]), (&json!("qf-b"), &json!("42703")));
        // Columns that not all of them have.
        fleet
            .run(&["query", "SELECT * FROM users", "--target", "qf-[ab]", "--format", "csv"])
            .ends(0)
            .says("tenant,id,email,extra\nqf-a,1,x,7\n");
    }
}

#[test]
fn nothing_is_written_whatever_the_query_says() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "query_writes");
        fleet.declare("qw-a = { access = \"owner\" }");
        fleet.apply();
        fleet.execute(
            "CREATE FUNCTION tenant_qw_a.sneak() RETURNS int LANGUAGE plpgsql AS \
             'BEGIN PERFORM set_config(''transaction_read_only'', ''off'', true); INSERT INTO tenant_qw_a.users (email) VALUES (''x''); RETURN 1; END'",
        );
        for sql in [
            "SELECT sneak()",
            "SELECT nextval('tickets')",
            "SELECT set_config('transaction_read_only', 'off', true), nextval('tickets')",
            "WITH x AS (INSERT INTO users (email) VALUES ('x') RETURNING 1) SELECT * FROM x",
            "EXPLAIN ANALYZE INSERT INTO users (email) VALUES ('x')",
        ] {
            let run = fleet.run(&["query", sql]).ends(1);
            let refused = ["25006", "25001"].iter().any(|state| run.stderr.contains(state));
            assert!(refused, "{sql}: {}", run.stderr);
        }
        // What the lexer is led to believe is one statement is several to nobody else.
        for sql in [
            "SELECT 1) TO STDOUT; DROP TABLE users; --",
            "SELECT E'\\'; COMMIT; DROP TABLE users; --'; DROP TABLE users",
            "SELECT 1 \\; DROP TABLE users",
        ] {
            fleet.run(&["query", sql]).ends(1);
        }
        for sql in
            ["DROP TABLE users", "SELECT 1; DROP TABLE users", "COMMIT", "DO 'BEGIN END'", "COPY users TO STDOUT"]
        {
            fleet.run(&["query", sql]).ends(1).says("error: the query: ");
        }
        assert_eq!(fleet.ask("SELECT count(*) FROM tenant_qw_a.users"), "0");
    }
}

#[test]
fn a_hostile_tenant_harms_itself_alone() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "query_hostile");
        fleet.declare("qh-bad = {}\nqh-good = {}");
        fleet.apply();
        fleet.log_in("qh-bad").batch_execute(
            "CREATE FUNCTION count(bigint) RETURNS bigint LANGUAGE plpgsql AS 'BEGIN RETURN (SELECT rolname::text::bigint FROM pg_authid LIMIT 1); END';
             CREATE FUNCTION forever() RETURNS int LANGUAGE plpgsql AS $$ BEGIN
               SET statement_timeout = 0;
               LOOP BEGIN PERFORM pg_sleep(100); EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; END $$;
             CREATE FUNCTION who() RETURNS text LANGUAGE sql AS 'SELECT session_user || '' '' || current_user || chr(27) || ''[2J''';
             CREATE VIEW everything AS SELECT forever()",
        ).unwrap();
        fleet.log_in("qh-good").batch_execute("CREATE VIEW everything AS SELECT 1 AS forever; CREATE FUNCTION who() RETURNS text LANGUAGE sql AS 'SELECT ''me'''").unwrap();
        let begun = Instant::now();
        let run = fleet.run(&["query", "SELECT * FROM everything", "--timeout", "1s", "--format", "csv"]).ends(1);
        assert_eq!(run.stdout, "tenant,forever\nqh-good,1\n");
        run.says("error: qh-bad: it did not end").says("pg_terminate_backend");
        assert!(begun.elapsed() < Duration::from_secs(40), "{:?}", begun.elapsed());
        let run = fleet.run(&["query", "SELECT who()"]).ends(0).says("qh_bad_user qh_bad_user\\u{1b}[2J");
        assert!(!run.stdout.contains('\x1b'));
        fleet.run(&["query", "SELECT * FROM tenant_qh_good.users"]).ends(1).says("error: qh-bad: ").says("42501");
        fleet.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'qh_bad_user'");
    }
}

#[test]
fn what_is_too_much_is_cut_off_and_said_to_be() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "query_cut");
        fleet.declare("qx-a = {}\nqx-b = {}");
        fleet.apply();
        let begun = Instant::now();
        // In the FROM list the server would count to the end first.
        let many = "SELECT generate_series(1, 100000000) AS n";
        let run = fleet.run(&["query", many, "--max-rows", "3", "--format", "csv"]).ends(0);
        assert_eq!(run.stdout, "tenant,n\nqx-a,1\nqx-a,2\nqx-a,3\nqx-b,1\nqx-b,2\nqx-b,3\n");
        run.says("warning: qx-a, qx-b: only the first 3 rows (--max-rows)");
        let big = "SELECT repeat('x', 20000000) FROM generate_series(1, 100000)";
        let run = fleet.run(&["query", big, "--target", "qx-a", "--format", "csv"]).ends(0).says("cut off at 64 MB");
        assert_eq!(run.stdout.lines().count(), 4);
        assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
        let slow = fleet.run(&["query", "SELECT pg_sleep(60)", "--timeout", "500ms"]).ends(1);
        slow.says("57014").says("--timeout 5m");
    }
}
