//! What a migration may not do, and what it had better not do, found without a database.

use super::look::{NAMES_PUBLIC, names_public};
use super::place::Place;
use super::psql::ForPsql;
use super::statements::Cut;

/// A migration file that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}{} {message}", .line.map(|l| format!(":{l}")).unwrap_or_default())]
pub struct MigrationFault {
    pub file: String,
    /// From 1.
    pub line: Option<usize>,
    /// A fragment that follows the place.
    pub message: String,
    pub hint: Option<String>,
}

/// Something in a migration that may reach outside the tenant's schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrationWarning {
    pub file: String,
    /// From 1.
    pub line: usize,
    pub message: String,
}

/// What a file without a transaction may hold.
const OUTSIDE: &str = "a no-transaction file may hold only what cannot run in a transaction: CREATE INDEX, DROP INDEX, REINDEX and \
                       DETACH PARTITION, each CONCURRENTLY, VACUUM, and REINDEX, CLUSTER or ANALYZE of a table";

pub(super) fn check(
    file: &str,
    sql: &str,
    cut: &Cut,
    for_psql: Vec<ForPsql>,
    no_transaction: bool,
) -> (Vec<MigrationFault>, Vec<MigrationWarning>) {
    let mut faults = Vec::new();
    let mut warnings = Vec::new();
    let mut fault = |line, message: &str, hint: &str| {
        faults.push(MigrationFault { file: file.into(), line, message: message.into(), hint: Some(hint.into()) });
    };
    if sql.contains('\0') {
        fault(None, "holds a NUL character", "save the file as UTF-8 text");
    }
    for psql in &for_psql {
        fault(Some(psql.line), &psql.message, psql.hint);
    }
    for look in &cut.looks {
        let line = Some(look.line);
        match &look.place {
            Place::Nowhere(message, hint) => fault(line, message, hint),
            Place::Inside if no_transaction => {
                fault(line, OUTSIDE, "put the other statements into a file of their own, without the comment");
            }
            Place::Outside(what) if !no_transaction => fault(
                line,
                &format!("{what} cannot run inside the tenant's transaction"),
                "put it into a file of its own that begins with the line: -- tenantry: no-transaction",
            ),
            Place::Inside | Place::Outside(_) | Place::Either => {}
        }
        if let Some(label) = &look.label {
            fault(
                line,
                &format!(
                    "uses '{label}', which this file adds to an enum: PostgreSQL accepts a new label only in a later transaction"
                ),
                "put what uses the label into the next migration",
            );
        }
        if let Some(message) = look.escapes {
            warnings.push(MigrationWarning { file: file.into(), line: look.line, message: message.into() });
        }
    }
    if let Some(line) = cut.unknown {
        // What it may be once the others are mended is seen then.
        let refused = cut.looks.iter().any(|look| matches!(look.place, Place::Nowhere(..)));
        if no_transaction && for_psql.is_empty() && !refused {
            let message = format!("is not SQL that tenantry recognizes; {OUTSIDE}");
            fault(Some(line), &message, "write the statement another way, or put it into a file without the comment");
        }
        let rest = sql.split_inclusive('\n').skip(line - 1);
        let public = rest.enumerate().find(|(_, text)| names_public(text));
        warnings.extend(public.map(|(n, _)| MigrationWarning {
            file: file.into(),
            line: line + n,
            message: NAMES_PUBLIC.into(),
        }));
    }
    faults.sort_by_key(|fault| fault.line);
    (faults, warnings)
}

#[cfg(test)]
mod tests {
    use super::super::MigrationFile;

    fn faults(sql: &str) -> Vec<String> {
        MigrationFile::parse("V1__x.sql", sql)
            .map(|_| Vec::new())
            .unwrap_or_else(|f| f.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn transaction_commands_are_refused_with_their_line() {
        for command in ["COMMIT", "BEGIN", "ROLLBACK", "START TRANSACTION", "END", "SAVEPOINT a"] {
            let found = faults(&format!("CREATE TABLE t ();\n{command};"));
            assert!(
                found.len() == 1 && found[0].starts_with("V1__x.sql:2 contains a transaction"),
                "{command}: {found:?}"
            );
        }
        assert!(faults("DO $$ BEGIN PERFORM 1; END $$;").is_empty());
        assert!(faults("SELECT 'COMMIT;'").is_empty());
    }

    #[test]
    fn concurrently_wants_a_file_of_its_own() {
        let index = "CREATE UNIQUE INDEX CONCURRENTLY i ON t (a);";
        assert!(faults(index)[0].contains("CREATE INDEX CONCURRENTLY cannot"));
        assert!(faults(&format!("-- tenantry: no-transaction\n{index}")).is_empty());
        assert!(faults(&format!("-- tenantry: no-transaction\n{index}\nSELECT 1;"))[0].contains("V1__x.sql:3"));
    }

    #[test]
    fn what_may_leave_the_schema_or_the_plan_is_a_warning() {
        let sql = "SET search_path = x;\nCREATE TABLE public.t ();\nGRANT SELECT ON t TO reporting;";
        let file = MigrationFile::parse("V1__x.sql", sql).unwrap();
        assert_eq!(file.warnings.iter().map(|w| w.line).collect::<Vec<_>>(), [1, 2, 3]);
    }

    #[test]
    fn a_name_refinery_would_skip_is_a_fault() {
        for name in ["V1_one_underscore.sql", "v1__lower.sql", "1__x.sql", "V99999999999__x.sql"] {
            assert!(MigrationFile::parse(name, "").is_err(), "{name}");
        }
    }
}
