//! `archive TENANT`: a dump and its manifest, of a tenant in use.

use std::sync::{Mutex, PoisonError};

use tenantry::archive::{Archive, Proved};
use tenantry::render::escape::visible;
use tenantry::render::json::pretty;
use tenantry::words::{count, size};
use tenantry::{Events, Options};

use super::args::{ArchiveArgs, Format, Global};
use super::exit::Exit;
use super::failure::Failure;
use super::output::Output;
use super::{interrupt, progress, project};

pub fn run(global: &Global, args: &ArchiveArgs, out: &mut Output) -> Result<Exit, Failure> {
    interrupt::watch();
    interrupt::or_interrupted(archive(global, args, out), global)
}

fn archive(global: &Global, args: &ArchiveArgs, out: &mut Output) -> Result<Exit, Failure> {
    let lock_timeout = args.lock.lock_timeout.unwrap_or_default();
    let tenantry = project::open(global, Options { lock_timeout, ..project::options(global) })?;
    let quiet = out.quiet;
    let notes = Notes(Mutex::new(out), quiet);
    let archived = tenantry.archive(&args.tenant, args.out.as_deref(), &notes)?;
    out.talks_to(&archived.place);
    out.print(&match out.format {
        Format::Json => json(&archived.archive),
        Format::Text | Format::Markdown => text(&archived.archive),
    })?;
    Ok(Exit::Ok)
}

/// Of what is told while it runs, what there is to note.
struct Notes<'o>(Mutex<&'o mut Output>, bool);

impl Events for Notes<'_> {
    fn says(&self, tenant: &str, words: &str) {
        progress::aside("archive", self.1)(tenant, words);
    }

    fn note(&self, words: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).note(words);
    }
}

fn text(archive: &Archive) -> String {
    let manifest = &archive.manifest;
    let size = size(i64::try_from(manifest.dump.size).unwrap_or(i64::MAX));
    let mut text = format!(
        "Archive: {} in {}\n  {} of schema {}, {}, {size}\n  sha256 {}\n",
        manifest.tenant,
        visible(&archive.dump_path.display().to_string()),
        count(manifest.tables.len(), "table"),
        visible(&manifest.schema),
        count(usize::try_from(manifest.rows()).unwrap_or(usize::MAX), "row"),
        manifest.dump.sha256,
    );
    if let Some(large) = &manifest.large_objects {
        text.push_str(&format!("  {} in {}\n", count(large.count, "large object"), large.digest.file));
    }
    if manifest.large_objects_left_out > 0 {
        text.push_str(&format!(
            "  {} of {} left out: other tenants share that role, so there is no telling whose they are\n",
            count(manifest.large_objects_left_out, "large object"),
            visible(&manifest.owner),
        ));
    }
    text.push_str(&match (manifest.proved, &manifest.proved_no_more_because) {
        (Proved::Rows, _) => "  tested: restored with all rows, then rolled back\n".to_owned(),
        (Proved::Structure, because) => {
            format!(
                "  tested: restored without rows, then rolled back: {}\n",
                visible(because.as_deref().unwrap_or_default())
            )
        }
        (Proved::Contents, because) => {
            format!("  read back, but not tested further: {}\n", visible(because.as_deref().unwrap_or_default()))
        }
    });
    text
}

fn json(archive: &Archive) -> String {
    pretty(&serde_json::json!({
        "format_version": "1",
        "tenant": archive.manifest.tenant,
        "dump": archive.dump_path,
        "manifest": archive.manifest_path,
        "size": archive.manifest.dump.size,
        "sha256": archive.manifest.dump.sha256,
        "tables": archive.manifest.tables,
        "proved": archive.manifest.proved,
        "proved_no_more_because": archive.manifest.proved_no_more_because,
        "large_objects_left_out": archive.manifest.large_objects_left_out,
    }))
}
