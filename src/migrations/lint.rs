//! What a migration may not do, and what it had better not do, found without a database.

use super::Statement;
use super::statements::after_concurrently;

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

pub(super) fn check(
    file: &str,
    sql: &str,
    statements: &[Statement],
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
    for statement in statements {
        let line = Some(statement.line);
        let concurrent = runs_concurrently(&statement.sql);
        if is_transaction_command(&statement.sql) {
            fault(
                line,
                "holds a transaction command; each tenant is one transaction, and it is tenantry's",
                "delete the command, or split the file where the transaction was meant to end",
            );
        } else if no_transaction && !concurrent {
            fault(
                line,
                "a no-transaction file may hold only CREATE, DROP or REINDEX … CONCURRENTLY",
                "put the other statements into a file of their own, without the comment",
            );
        } else if concurrent && !no_transaction {
            fault(
                line,
                "CONCURRENTLY cannot run inside the tenant's transaction",
                "put it into a file of its own that begins with the line: -- tenantry: no-transaction",
            );
        }
        let unnamed = || after_concurrently(&statement.sql).is_some_and(|(_, next)| next.eq_ignore_ascii_case("ON"));
        if no_transaction && unnamed() {
            fault(
                line,
                "CREATE INDEX CONCURRENTLY without a name makes one more index each time a run is cut off",
                "give the index a name",
            );
        }
        if let Some(message) = escapes(statement) {
            warnings.push(MigrationWarning { file: file.into(), line: statement.line, message: message.into() });
        }
    }
    (faults, warnings)
}

/// A statement that would begin, end or divide the transaction it runs in.
fn is_transaction_command(sql: &str) -> bool {
    let mut words = sql.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| !word.is_empty());
    let first = words.next().map(str::to_ascii_uppercase);
    let second = words.next().map(str::to_ascii_uppercase);
    match first.as_deref() {
        Some("BEGIN" | "COMMIT" | "END" | "ROLLBACK" | "ABORT" | "SAVEPOINT" | "RELEASE") => true,
        Some("START" | "PREPARE") => second.as_deref() == Some("TRANSACTION"),
        _ => false,
    }
}

/// `CREATE [UNIQUE] INDEX CONCURRENTLY`, `DROP INDEX CONCURRENTLY`, `REINDEX … CONCURRENTLY`.
fn runs_concurrently(sql: &str) -> bool {
    let words: Vec<String> = sql.split_whitespace().take(5).map(str::to_ascii_uppercase).collect();
    matches!(words.first().map(String::as_str), Some("CREATE" | "DROP" | "REINDEX"))
        && words.iter().any(|word| word == "CONCURRENTLY")
}

/// Why a statement may leave the tenant's schema, if it looks as if it did.
fn escapes(statement: &Statement) -> Option<&'static str> {
    let upper = statement.sql.to_ascii_uppercase();
    let words: Vec<&str> = upper.split_whitespace().take(4).collect();
    match words.as_slice() {
        ["SET", rest @ ..] | ["RESET", rest @ ..] if rest.iter().any(|w| w.starts_with("ROLE")) => {
            Some("SET ROLE is refused by PostgreSQL when the migration runs for a tenant")
        }
        ["GRANT" | "REVOKE", ..] | ["ALTER", "DEFAULT", "PRIVILEGES", ..] => {
            Some("changes privileges: those are as access says, and the next apply makes them so again")
        }
        ["SET", rest @ ..] if rest.iter().any(|w| w.starts_with("SEARCH_PATH")) => {
            Some("sets search_path: what follows may land outside the tenant's schema")
        }
        _ if statement.sql.contains("public.") => Some("names \"public.\": that is shared by all tenants"),
        _ => None,
    }
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
                found.len() == 1 && found[0].starts_with("V1__x.sql:2 holds a transaction"),
                "{command}: {found:?}"
            );
        }
        assert!(faults("DO $$ BEGIN PERFORM 1; END $$;").is_empty());
        assert!(faults("SELECT 'COMMIT;'").is_empty());
    }

    #[test]
    fn concurrently_wants_a_file_of_its_own() {
        let index = "CREATE UNIQUE INDEX CONCURRENTLY i ON t (a);";
        assert!(faults(index)[0].contains("CONCURRENTLY cannot"));
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
