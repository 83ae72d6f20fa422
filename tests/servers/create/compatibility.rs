//! docs/compatibility.md says what a migration may hold; here every row of its table is tried.

use postgres::error::SqlState;

use crate::compatibility_table::{NO_TRANSACTION, file, rows, those};
use crate::fleet::{BOTH, Fleet, ask};

/// Refused although PostgreSQL would take them: a tenant's owner owns its schema, and may rebuild other tables' indexes.
const TAKEN_BY_POSTGRESQL: [&str; 2] = ["DROP SCHEMA", "ALTER SCHEMA"];

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
