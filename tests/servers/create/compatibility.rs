//! docs/compatibility.md says what a migration may hold; here every row of its table is tried.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use postgres::error::SqlState;
use tenantry::migrations::MigrationFile;

use crate::fleet::{BOTH, Fleet, ask};

const NO_TRANSACTION: &str = "-- tenantry: no-transaction\n";

/// Refused although PostgreSQL would take them: a tenant's owner owns its schema, and may rebuild other tables' indexes.
const TAKEN_BY_POSTGRESQL: [&str; 2] = ["DROP SCHEMA", "ALTER SCHEMA"];

struct Row {
    sql: String,
    verdict: String,
    since: u32,
}

fn rows() -> Vec<Row> {
    let doc = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/compatibility.md")).unwrap();
    let rows: Vec<_> = doc
        .lines()
        .skip_while(|line| *line != "| statement | in a migration | why |")
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            let (sql, rest) = line.strip_prefix("| `").unwrap().split_once("` | ").unwrap();
            let (verdict, why) = rest.split_once(" | ").unwrap_or_else(|| panic!("{line}"));
            let since = why.strip_prefix("from ").map_or(0, |rest| rest.split(' ').next().unwrap().parse().unwrap());
            Row { sql: sql.to_owned(), verdict: verdict.trim().to_owned(), since }
        })
        .collect();
    assert!(rows.len() > 100, "{}", rows.len());
    rows
}

fn those<'a>(rows: &'a [Row], verdict: &'a str, major: u32) -> impl Iterator<Item = &'a str> {
    let rows = rows.iter().filter(move |row| row.verdict == verdict && row.since <= major);
    rows.map(|row| row.sql.as_str())
}

fn file<'a>(statements: impl Iterator<Item = &'a str>) -> String {
    statements.map(|sql| format!("{sql};\n")).collect()
}

#[test]
fn what_the_table_says_runs_does_and_in_the_file_it_says() {
    let rows = rows();
    for row in &rows {
        assert!(
            ["yes", "no-transaction file", "refused"].contains(&row.verdict.as_str()),
            "{}: {}",
            row.sql,
            row.verdict
        );
    }
    for version in BOTH {
        let fleet = Fleet::new(version, "compatible");
        fleet.migration("V1__all.sql", &file(those(&rows, "yes", version.major())));
        fleet.migration(
            "V2__outside.sql",
            &(NO_TRANSACTION.to_owned() + &file(those(&rows, "no-transaction file", version.major()))),
        );
        fleet.migration(
            "V3__either.sql",
            &format!("{NO_TRANSACTION}REINDEX TABLE events;\nCLUSTER people USING people_pkey;\nANALYZE people;\n"),
        );
        fleet.declare("co-one = {}\nco-two = { access = \"owner\" }");
        // What was granted goes again.
        fleet.apply();
        fleet.applies_and_settles();
        assert_eq!(ask(&mut fleet.log_in("co-one"), "SELECT count(*) FROM people"), "2");
        assert_eq!(
            fleet.ask("SELECT count(*) FROM pg_inherits WHERE inhparent = 'tenant_co_two.events'::regclass"),
            "0",
            "both partitions are detached"
        );
    }
}

#[test]
fn what_belongs_into_a_file_without_a_transaction_is_refused_in_another_and_the_other_way_round() {
    let rows = rows();
    let fleet = Fleet::new(BOTH[0], "misplaced");
    fleet.declare("mp-one = {}");
    let outside: Vec<_> = those(&rows, "no-transaction file", u32::MAX).collect();
    fleet.migration("V1__all.sql", &file(outside.iter().copied()));
    let run = fleet.run(&["validate"]).ends(1);
    for line in 1..=outside.len() {
        assert!(run.stderr.contains(&format!("V1__all.sql:{line} ")), "{}: {}", outside[line - 1], run.stderr);
    }
    assert_eq!(run.stderr.matches("cannot run inside the tenant's transaction").count(), outside.len());
    let inside = those(&rows, "yes", u32::MAX)
        .filter(|sql| !["ANALYZE", "CLUSTER", "REINDEX"].iter().any(|word| sql.starts_with(word)));
    let inside: Vec<_> = inside.collect();
    fleet.migration("V1__all.sql", &(NO_TRANSACTION.to_owned() + &file(inside.iter().copied())));
    let run = fleet.run(&["validate"]).ends(1);
    assert_eq!(
        run.stderr.matches("may hold only what cannot run in a transaction").count(),
        inside.len(),
        "{}",
        run.stderr
    );
}

#[test]
fn what_the_table_says_is_refused_is_refused_offline_with_its_line() {
    for sql in those(&rows(), "refused", u32::MAX) {
        for (line, head) in [(3, ""), (4, NO_TRANSACTION)] {
            let text = format!("{head}\n/* a\ncomment */ {sql};\n");
            let faults = match MigrationFile::parse("V2__next.sql", &text) {
                Ok(file) => file.misplaced_extensions(&BTreeSet::new()),
                Err(faults) => faults,
            };
            assert_eq!(faults.len(), 1, "{sql}: {faults:#?}");
            assert!(faults[0].line == Some(line) && faults[0].hint.is_some(), "{sql}: {faults:#?}");
        }
    }
}

#[test]
fn what_the_table_says_is_refused_is_refused_by_postgresql_too() {
    let rows = rows();
    for version in BOTH {
        let fleet = Fleet::new(version, "refused");
        // The table names a schema and roles of the other test's; roles are the cluster's.
        let refused = those(&rows, "refused", version.major()).map(|sql| sql.replace("co_one", "cr_one"));
        let refused: Vec<_> = refused.collect();
        fleet.migration("V1__all.sql", &file(those(&rows, "yes", version.major())));
        fleet.declare("cr-one = {}");
        fleet.apply();
        // As a migration would run.
        fleet.execute(
            "CREATE FUNCTION tenant_cr_one.run(text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER \
             SET search_path = tenant_cr_one, pg_temp AS 'BEGIN EXECUTE $1; END'; ALTER FUNCTION tenant_cr_one.run OWNER TO cr_one_owner",
        );
        fleet.execute("CREATE SUBSCRIPTION s CONNECTION '' PUBLICATION p WITH (connect = false, slot_name = NONE)");
        let mut client = fleet.database.client();
        let mut taken = Vec::new();
        for sql in refused.iter().filter(|sql| !TAKEN_BY_POSTGRESQL.iter().any(|words| sql.starts_with(words))) {
            // Feature not supported, insufficient privilege, active transaction.
            match client.execute("SELECT tenant_cr_one.run($1)", &[sql]).err().and_then(|error| error.code().cloned()) {
                Some(code) if ["0A000", "42501", "25001"].contains(&code.code()) => {}
                other => taken.push(format!("{sql}: {other:?}")),
            }
        }
        assert!(taken.is_empty(), "{}", taken.join("\n"));
        let label = "ALTER TYPE mood ADD VALUE 'late'; SELECT 'late'::mood";
        let error = client.execute("SELECT tenant_cr_one.run($1)", &[&label]).unwrap_err();
        assert_eq!(error.code().map(SqlState::code), Some("55P04"), "{error:?}");
    }
}
