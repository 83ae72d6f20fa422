//! Migrations that cannot run in a transaction (`-- tenantry: no-transaction`): after COMMIT, recorded when they succeeded.

use postgres::Client;

use super::migrate::{self, Batch, Mode};
use super::outcome::TenantError;
use super::tenant::{Job, database_error};
use crate::database::Ask;
use crate::migrations::{MigrationFile, MigrationSet};
use crate::model::{ident, qualified};
use crate::plan::Step;

/// The versions that run in the tenant's transaction, and those from the first that cannot on.
pub(super) fn split(set: &MigrationSet, versions: &[i32]) -> (Vec<i32>, Vec<i32>) {
    let first = versions.iter().position(|version| is_late(set, *version)).unwrap_or(versions.len());
    (versions[..first].to_vec(), versions[first..].to_vec())
}

fn is_late(set: &MigrationSet, version: i32) -> bool {
    set.get(version).is_some_and(|file| file.no_transaction)
}

/// Runs these in order: each file without a transaction on its own, those between them in transactions of theirs.
pub(super) fn run(job: &Job<'_>, client: &mut Client, versions: &[i32]) -> Result<(), TenantError> {
    let step = job.plan.changes.iter().find_map(|change| match &change.step {
        Step::Migrate { schema, owner, .. } => Some((schema.as_str(), owner.as_str())),
        _ => None,
    });
    let (Some((schema, owner)), false) = (step, versions.is_empty()) else { return Ok(()) };
    let set = &job.apply.desired.migrations;
    for run in versions.chunk_by(|a, b| !is_late(set, *a) && !is_late(set, *b)) {
        let late = set.get(run[0]).filter(|file| file.no_transaction);
        if let Some(file) = late {
            job.apply.underway.doing(job.plan.tenant.as_str(), &file.file)?;
            outside(client, job, schema, owner, file)?;
        }
        fail_point!("before_late_migration_is_recorded");
        let failed = |error: postgres::Error| database_error("recording the migrations", &error.into());
        let mode = if late.is_some() { Mode::Record } else { Mode::Run };
        let mut transaction = client.transaction().map_err(failed)?;
        transaction.batch_execute(&job.preamble).map_err(failed)?;
        // An admin who is no superuser took the owner's rights for the first transaction only.
        let (take, give) = job.borrowed();
        transaction.batch_execute(&take).map_err(failed)?;
        migrate::run(job, &mut transaction, &Batch { schema, owner, versions: run, history_sql: &[], mode })?;
        super::fence::nothing_is_deferred(&mut transaction)?;
        transaction.batch_execute(&give).map_err(failed)?;
        transaction.commit().map_err(failed)?;
    }
    Ok(())
}

/// Under SET ROLE, which code of the tenant's could undo: so none may run but where PostgreSQL confines it. Building an
/// index evaluates expressions as the table's owner in a security-restricted operation, since the releases that mend
/// CVE-2022-1552. Parsing evaluates only what a type reads from a literal: see `migrations::lint`.
fn outside(
    client: &mut Client,
    job: &Job<'_>,
    schema: &str,
    owner: &str,
    file: &MigrationFile,
) -> Result<(), TenantError> {
    let failed = |error: postgres::Error| database_error(&file.file, &error.into());
    if is_unmended(job.apply.server.version_num) {
        let message = format!("{}: this PostgreSQL lets index expressions act as tenantry (CVE-2022-1552)", file.file);
        return Err(TenantError::new(message).hint("update the server to its newest minor release, and apply again"));
    }
    // Settings, temporary tables, cursors: nothing of what a migration left in the session is to meet these statements.
    super::tenant::clean(client).map_err(|error| database_error(&file.file, &error))?;
    client.batch_execute(&job.session_preamble()).map_err(failed)?;
    let (take, give) = job.borrowed();
    let path = migrate::search_path(job, schema);
    client.batch_execute(&take).map_err(failed)?;
    drop_invalid(client, schema, file).map_err(failed)?;
    client.batch_execute(&format!("SET ROLE {}; SET search_path = {path}", ident(owner))).map_err(failed)?;
    let result = file.statements.iter().try_for_each(|statement| {
        client.batch_execute(&statement.sql).map_err(|error| {
            let mut failure = database_error(&format!("{}:{}", file.file, statement.line), &error.into());
            failure
                .hint
                .get_or_insert_with(|| "the tenant is applied up to this migration; apply again tries it again".into());
            failure
        })
    });
    client.batch_execute("RESET ROLE; RESET ALL").map_err(failed)?;
    crate::database::session::prepare(client).map_err(|error| database_error(&file.file, &error))?;
    client.batch_execute(&give).map_err(failed)?;
    result
}

/// 13.7 and 14.3 mend it, and whatever came later; older versions are not served.
fn is_unmended(version_num: i32) -> bool {
    version_num < 130_007 || (140_000..140_003).contains(&version_num)
}

/// An index that a failed try left invalid would make IF NOT EXISTS skip it for ever; REINDEX leaves one under a name of its
/// own for each try (manual, "Rebuilding Indexes Concurrently").
fn drop_invalid(client: &mut Client, schema: &str, file: &MigrationFile) -> Result<(), postgres::Error> {
    let rows = client.ask(
        "SELECT c.relname::text, t.relname::text FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid \
         JOIN pg_catalog.pg_class t ON t.oid = i.indrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = $1::text::name AND NOT i.indisvalid ORDER BY c.relname",
        &[&schema],
    )?;
    for row in &rows {
        let (name, table): (String, String) = (row.get(0), row.get(1));
        let of_a_reindex = reindexed(&name).is_some_and(|index| {
            mentions(&file.sql, "REINDEX") && (mentions(&file.sql, index) || mentions(&file.sql, &table))
        });
        if of_a_reindex || mentions(&file.sql, &name) {
            client.batch_execute(&format!("DROP INDEX CONCURRENTLY IF EXISTS {}", qualified(schema, &name)))?;
        }
    }
    Ok(())
}

/// The index that REINDEX CONCURRENTLY was to rebuild under this name.
fn reindexed(name: &str) -> Option<&str> {
    let name = name.trim_end_matches(|c: char| c.is_ascii_digit());
    name.strip_suffix("_ccnew").or_else(|| name.strip_suffix("_ccold"))
}

/// The name as a word of its own: `users_email` is not `users_email_lower`.
fn mentions(sql: &str, name: &str) -> bool {
    sql.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$')).any(|word| word.eq_ignore_ascii_case(name))
        || sql.contains(&ident(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_late_file_ends_the_transaction_of_the_others() {
        let file = |name: &str, sql: &str| MigrationFile::parse(name, sql).unwrap();
        let late = "-- tenantry: no-transaction\nCREATE INDEX CONCURRENTLY i ON t (a);";
        let set = MigrationSet::new("h", vec![file("V1__a.sql", ""), file("V2__b.sql", late), file("V3__c.sql", "")]);
        assert_eq!(split(&set.unwrap(), &[1, 2, 3]), (vec![1], vec![2, 3]));
    }

    #[test]
    fn servers_that_do_not_confine_index_expressions_are_known() {
        assert!([130_006, 140_002].into_iter().all(is_unmended));
        assert!(![130_007, 140_003, 150_000, 180_000].into_iter().any(is_unmended));
    }

    #[test]
    fn an_index_is_known_by_its_whole_name() {
        assert!(mentions("CREATE INDEX CONCURRENTLY Users_Email ON t (e)", "users_email"));
        assert!(!mentions("CREATE INDEX CONCURRENTLY users_email_lower ON t (e)", "users_email"));
    }

    #[test]
    fn what_a_reindex_leaves_is_known_by_its_ending() {
        assert_eq!(
            ["i_ccnew", "i_ccnew12", "i_ccold", "i_new", "i2"].map(reindexed),
            [Some("i"), Some("i"), Some("i"), None, None]
        );
    }
}
