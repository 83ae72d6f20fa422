//! docs/compatibility.md says what a migration may hold; here every row of its table is looked at offline. PostgreSQL is asked in
//! tests/servers/create/compatibility.rs.

use std::collections::BTreeSet;

use tenantry::migrations::{MigrationFault, MigrationFile};

use crate::compatibility_table::{NO_TRANSACTION, rows, those};

/// What `validate` says to a file that begins so, and holds nothing else.
fn faults(head: &str, sql: &str) -> Vec<MigrationFault> {
    let text = format!("{head}\n/* a\ncomment */ {sql};\n");
    match MigrationFile::parse("V2__next.sql", &text) {
        Ok(file) => file.misplaced_extensions(&["plpgsql".to_owned()].into()),
        Err(faults) => faults,
    }
}

#[test]
fn what_runs_in_a_transaction_is_taken_there_and_nowhere_else() {
    let in_both = ["ANALYZE people", "CLUSTER people USING people_pkey", "REINDEX TABLE people"];
    for sql in those(&rows(), "yes", u32::MAX) {
        assert_eq!(faults("", sql), [], "{sql}");
        let outside = faults(NO_TRANSACTION, sql);
        if in_both.contains(&sql) {
            assert_eq!(outside, [], "{sql}");
        } else {
            assert_eq!(outside.len(), 1, "{sql}: {outside:#?}");
            assert_eq!(outside[0].line, Some(4), "{sql}");
            assert!(outside[0].message.starts_with("a no-transaction file may hold only"), "{sql}: {outside:#?}");
        }
    }
}

#[test]
fn what_runs_outside_a_transaction_is_taken_there_and_nowhere_else() {
    for sql in those(&rows(), "no-transaction file", u32::MAX) {
        assert_eq!(faults(NO_TRANSACTION, sql), [], "{sql}");
        let inside = faults("", sql);
        assert_eq!(inside.len(), 1, "{sql}: {inside:#?}");
        assert_eq!(inside[0].line, Some(3), "{sql}");
        assert!(inside[0].message.ends_with("cannot run inside the tenant's transaction"), "{sql}: {inside:#?}");
    }
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
