//! A migration: a name, then its text. The parts it is cut into are parts of it, in order, each with its line.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tenantry::migrations::{Format, MigrationFile, MigrationSet, NO_TRANSACTION};

fuzz_target!(|input: (&str, &str)| {
    let (name, sql) = input;
    for format in Format::ALL {
        let _ = MigrationFile::read(format, name, sql, None);
    }
    for sql in [sql.to_owned(), format!("{NO_TRANSACTION}\n{sql}")] {
        let Ok(file) = MigrationFile::parse("V1__fuzz.sql", &sql) else { continue };
        let lines = 1 + sql.matches('\n').count();
        let mut rest = sql.as_str();
        for statement in &file.statements {
            assert!((1..=lines).contains(&statement.line), "{statement:?}");
            // Outside a transaction a clause is added, and the statement is no longer a part of the file.
            if !file.no_transaction {
                let at = rest.find(&statement.sql).expect("a statement is a part of its file, after those before it");
                rest = &rest[at + statement.sql.len()..];
            }
        }
        let set = MigrationSet::new("h", vec![file]).expect("one file has one version");
        assert_eq!(set.for_scratch_run(&[1].into()).len(), 1);
    }
});
