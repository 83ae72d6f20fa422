//! Making an archive: everything of one moment, on the disk, and read back, before anybody relies on it.

use std::fs::File;
use std::io::Seek;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use postgres::Transaction;
use tempfile::NamedTempFile;

use super::draft::{DUMP, Draft, LARGE};
use super::files::digest;
use super::manifest::Proved;
use super::manifest::{FORMAT, FileDigest, LargeObjects, Manifest};
use super::programs::{Session, is_for_a_lock, run_drained};
use super::proof::{self, Tried};
use super::source::Source;
use super::{contents, large_objects, relations, rows, toc};
use crate::core::model::ident;
use crate::engine::database::{Ask, giving_way};
use crate::engine::error::{Context, Error};

/// An archive that is complete.
#[derive(Debug)]
pub struct Archive {
    pub manifest: Manifest,
    pub manifest_path: PathBuf,
    pub dump_path: PathBuf,
}

/// Archives what the transaction sees.
///
/// # Errors
/// What PostgreSQL, pg_dump or the file system answered; then no file is left.
pub(crate) fn dump(transaction: &mut Transaction<'_>, source: &Source<'_>, dir: &Path) -> Result<Archive, Error> {
    let subject = source.subject;
    let now = jiff::Timestamp::now();
    let draft = Draft::new(dir, &source.database, subject.tenant.as_str(), now)?;
    let encoding = encoding(transaction)?;
    let contents = contents::read(transaction, subject, &source.desired.migrations.table, &encoding)?;
    // pg_dump sees what we see, and proves by it that it is connected to the same server and database.
    let snapshot: String =
        transaction.ask_one("SELECT pg_catalog.pg_export_snapshot()", &[]).doing("exporting a snapshot")?.get(0);
    let dump = draft.file()?;
    run_pg_dump(source, (&snapshot, &encoding), dump.as_file(), &mut || transaction.batch_execute(""))?;
    fail_point!("after_pg_dump");
    let (objects, left_out) = large_objects::list(transaction, subject, source.desired)?;
    let large = if objects.is_empty() {
        None
    } else {
        let file = draft.file()?;
        large_objects::write(transaction, &objects, subject, file.as_file())?;
        Some(file)
    };
    let synced = |file: &NamedTempFile, extension: &str| -> Result<FileDigest, Error> {
        let path = file.path();
        file.as_file().sync_all().doing(format!("syncing {}", path.display()))?;
        Ok(FileDigest { file: draft.name(extension), ..digest(path)? })
    };
    let data = rows::read(source.programs, dump.path(), proof::MOST)?;
    let tried = Tried { dump: dump.path(), data: &data, encoding: &encoding };
    let proof = proof::prove(source, &tried, &mut || transaction.batch_execute(""))?;
    fail_point!("after_dump_is_tried");
    if let (Proved::Contents, Some(because)) = (proof.proved, &proof.because) {
        tracing::warn!("the archive of {} was read back but not restored as a trial: {because}", subject.tenant);
    }
    let manifest = Manifest {
        format_version: FORMAT.into(),
        tenant: subject.tenant.clone(),
        schema: subject.schema.clone(),
        username: subject.username.clone(),
        owner: subject.owner.clone(),
        access: subject.access,
        connection_limit: contents.connection_limit,
        settings: contents.settings,
        database: source.database.clone(),
        made_at: now,
        tenantry_version: env!("CARGO_PKG_VERSION").into(),
        server_version: contents.server_version,
        pg_dump_version: source.programs.version.clone(),
        dump: synced(&dump, DUMP)?,
        large_objects: match &large {
            Some(file) => Some(LargeObjects { digest: synced(file, LARGE)?, count: objects.len() }),
            None => None,
        },
        large_objects_left_out: left_out,
        tables: data.tables,
        proved: proof.proved,
        proved_no_more_because: proof.because,
        migrations: contents.migrations,
        grants: contents.grants,
    };
    let (manifest_path, dump_path) = draft.publish(&manifest, dump, large)?;
    Ok(Archive { manifest, manifest_path, dump_path })
}

/// UTF-8 wherever PostgreSQL converts to it; the other two encodings it only passes on as they are, and bytes that are no
/// UTF-8 would be refused.
fn encoding(transaction: &mut Transaction<'_>) -> Result<String, Error> {
    let sql = format!("SELECT ({})::text", relations::ENCODING);
    Ok(transaction.ask_one(&sql, &[]).doing("reading the database's encoding")?.get(0))
}

fn run_pg_dump(
    source: &Source<'_>,
    (snapshot, encoding): (&str, &str),
    file: &File,
    session: Session<'_>,
) -> Result<(), Error> {
    let patience = source.desired.lock_timeout;
    let doing = format!("pg_dump of schema {}", source.subject.schema);
    let mut attempt = |wait: Duration| {
        let mut command = pg_dump(source, (snapshot, encoding), wait);
        let (mut empty, tenant) = (file.try_clone().doing(&doing)?, source.subject.tenant.clone());
        // What a try before it left there.
        empty.set_len(0).and_then(|()| empty.rewind()).doing(&doing)?;
        run_drained(&mut command, &doing, session, move |dump| {
            let known = toc::copy_without_the_database(dump, empty)?;
            if !known {
                tracing::warn!(
                    "the archive of {tenant} may hold settings of other roles: this pg_dump's format is not known"
                );
            }
            Ok(())
        })
    };
    let is_in_the_way = |dumped: &Result<(), Error>| dumped.as_ref().is_err_and(is_for_a_lock);
    let dumped = giving_way(patience, is_in_the_way, || attempt(patience.min(PG_DUMPS_WAIT)));
    // A server with many tables may need longer for its answer; and somebody who is in line gets a turn.
    if is_in_the_way(&dumped) { attempt(patience) } else { dumped }
}

/// pg_dump waits while it has other tables locked, so that it can be part of a deadlock: shorter than PostgreSQL's
/// `deadlock_timeout` of 1s, it is the one that gives up. `statement_timeout` of a statement that locks many tables.
const PG_DUMPS_WAIT: Duration = Duration::from_millis(250);

fn pg_dump(source: &Source<'_>, (snapshot, encoding): (&str, &str), wait: Duration) -> Command {
    let mut command = source.programs.command("pg_dump", Some(&source.deputy.login));
    command.env("PGCLIENTENCODING", encoding);
    command.args(["--format=custom", "--no-password", "--strict-names"]);
    // A pattern; within double quotes every character stands for itself (manual, "psql", Patterns).
    command.arg(format!("--schema={}", ident(&source.subject.schema)));
    command.arg(format!("--lock-wait-timeout={}ms", wait.as_millis().max(1)));
    command.arg(format!("--snapshot={snapshot}")).arg(format!("--encoding={encoding}"));
    command
}
