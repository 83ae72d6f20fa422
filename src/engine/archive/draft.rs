//! The files of an archive while it is being made: under names that say so, until all of it is on the disk.
//!
//! The manifest gets its own name last, and from then on there is an archive. Until then it stands beside the others as a
//! draft: files that already have their names are known by it to be ours, and to be of an archive that never was.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::files::{check_dir, digest, open};
use super::manifest::Manifest;
use crate::core::plan::DatabaseIdentity;
use crate::engine::error::{Context, Error};
use crate::engine::private;

const PARTIAL: &str = ".partial-";

pub(super) const DUMP: &str = "dump";
pub(super) const LARGE: &str = "large-objects.tar";
const MANIFEST: &str = "json";

/// An archive being written. Dropped, it leaves nothing; killed, what it leaves is deleted by [`sweep`].
pub(super) struct Draft {
    dir: PathBuf,
    /// `acme-20261121T150405Z`; the manifest says when it was made.
    stem: String,
    prefix: String,
}

impl Draft {
    /// # Errors
    /// When the directory cannot be made or written to.
    pub fn new(dir: &Path, database: &DatabaseIdentity, tenant: &str, now: jiff::Timestamp) -> Result<Self, Error> {
        check_dir(dir)?;
        sweep(dir, database, tenant)?;
        let taken = |stem: &String| [MANIFEST, DUMP, LARGE].iter().any(|is| dir.join(format!("{stem}.{is}")).exists());
        // Of several within a second each has the next one's name, so that their names sort as they were made, in any locale.
        let seconds = (0..).map_while(|n| now.checked_add(jiff::SignedDuration::from_secs(n)).ok());
        let stem =
            seconds.map(|time| format!("{tenant}-{}", time.strftime("%Y%m%dT%H%M%SZ"))).find(|stem| !taken(stem));
        Ok(Self { dir: dir.to_owned(), stem: stem.unwrap_or_default(), prefix: prefix(database, tenant) })
    }

    /// An empty file of mode 0600.
    pub fn file(&self) -> Result<NamedTempFile, Error> {
        self.file_with("")
    }

    fn file_with(&self, suffix: &str) -> Result<NamedTempFile, Error> {
        let doing = format!("writing in {}", self.dir.display());
        tempfile::Builder::new().prefix(&self.prefix).suffix(suffix).tempfile_in(&self.dir).doing(doing)
    }

    pub fn name(&self, extension: &str) -> String {
        format!("{}.{extension}", self.stem)
    }

    /// Gives the files their names, once all that the manifest says of them is so. Returns the manifest's path and the dump's.
    ///
    /// # Errors
    /// What the file system answered, or that it does not read back what was written; then no file is left.
    pub fn publish(
        &self,
        manifest: &Manifest,
        dump: NamedTempFile,
        large: Option<NamedTempFile>,
    ) -> Result<(PathBuf, PathBuf), Error> {
        let doing = || format!("writing in {}", self.dir.display());
        let mut text = serde_json::to_string_pretty(manifest).unwrap_or_default();
        text.push('\n');
        // Outlives what follows: as long as one of the others has its name and is no archive's, this says so.
        let mut draft = self.file_with(&format!(".{MANIFEST}"))?;
        draft.write_all(text.as_bytes()).doing(doing())?;
        draft.as_file().sync_all().doing(doing())?;
        private::sync_dir(&self.dir).doing(doing())?;
        fail_point!("before_dump_is_renamed");
        let mut named = Named(Vec::new());
        let dump_path = self.rename(dump, DUMP)?;
        named.0.push(dump_path.clone());
        fail_point!("after_dump_is_renamed");
        if let Some(large) = large {
            named.0.push(self.rename(large, LARGE)?);
        }
        fail_point!("before_manifest_is_renamed");
        // Read back under their own names, as whoever restores it will.
        if open(draft.path())?.manifest != *manifest {
            let message = format!("{} does not read back as it was written", dump_path.display());
            return Err(Error::refused(message, "check the disk it is on"));
        }
        let manifest_path = self.rename(draft, MANIFEST)?;
        named.0.clear();
        fail_point!("after_archive_is_whole");
        Ok((manifest_path, dump_path))
    }

    /// Gives a finished file its name, which nobody must have.
    fn rename(&self, file: NamedTempFile, extension: &str) -> Result<PathBuf, Error> {
        let path = self.dir.join(self.name(extension));
        private::publish_new(file, &path).doing(format!("writing {}", path.display()))?;
        Ok(path)
    }
}

/// Files that have their names before their manifest has; dropped, they go.
struct Named(Vec<PathBuf>);

impl Drop for Named {
    fn drop(&mut self) {
        for path in &self.0 {
            // What cannot be deleted now, the next of this tenant tries again: the error that is told is the first.
            let _ = fs::remove_file(path);
        }
    }
}

/// Whose it was, so that only what this very tenant left is deleted; a key could begin as another's does.
fn prefix(database: &DatabaseIdentity, tenant: &str) -> String {
    let whose = crate::core::digest::digest(&format!("{}/{}/{tenant}", database.system_identifier, database.name));
    format!("{PARTIAL}{}-", &whose[..16])
}

/// Deletes a whole archive of this run's, now that there is another of the same tenant. Cut off here, it is a draft again, and the next
/// [`sweep`] goes on.
///
/// # Errors
/// What the file system answered.
pub(crate) fn supersede(manifest: &Path, database: &DatabaseIdentity, tenant: &str) -> Result<(), Error> {
    let dir = manifest.parent().unwrap_or(Path::new(""));
    let draft = dir.join(format!("{}superseded.{MANIFEST}", prefix(database, tenant)));
    fs::rename(manifest, &draft).doing(format!("deleting {}", manifest.display()))?;
    private::sync_dir(dir).doing(format!("writing in {}", dir.display()))?;
    fail_point!("after_archive_is_superseded");
    sweep(dir, database, tenant)
}

/// Deletes what a run that was killed left of an archive of this tenant. One that was complete stays.
///
/// # Errors
/// What the file system answered.
pub(crate) fn sweep(dir: &Path, database: &DatabaseIdentity, tenant: &str) -> Result<(), Error> {
    let prefix = prefix(database, tenant);
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries.doing(format!("reading {}", dir.display()))?,
    };
    let mut left: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    left.retain(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&prefix)));
    left.sort();
    for path in left {
        if path.extension().is_some_and(|extension| extension == MANIFEST) {
            sweep_named(&path)?;
        }
        delete(&path)?;
    }
    Ok(())
}

/// Deletes the files that already have the names that stand in this manifest, which never got its own.
fn sweep_named(draft: &Path) -> Result<(), Error> {
    let text = crate::engine::private::read(draft).doing(format!("reading {}", draft.display()))?;
    // Killed while it was written: then no file has its name yet.
    let Ok(manifest) = serde_json::from_slice::<Manifest>(&text) else { return Ok(()) };
    let whole = draft.with_file_name(&manifest.dump.file).with_extension(MANIFEST);
    // Where a rename is two steps (link, unlink), both names may be there.
    if whole.exists() {
        return Ok(());
    }
    let large = manifest.large_objects.as_ref().map(|large| &large.digest);
    for expected in std::iter::once(&manifest.dump).chain(large) {
        let path = draft.with_file_name(&expected.file);
        // Only what is byte for byte what the draft says, and beside it.
        if path.parent() == draft.parent() && path.is_file() && digest(&path)? == *expected {
            delete(&path)?;
        }
    }
    Ok(())
}

fn delete(path: &Path) -> Result<(), Error> {
    fs::remove_file(path).doing(format!("deleting {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database() -> DatabaseIdentity {
        DatabaseIdentity { host: "db".into(), port: 5432, name: "app".into(), system_identifier: "7".into() }
    }

    fn draft(dir: &Path) -> Draft {
        Draft::new(dir, &database(), "acme", jiff::Timestamp::UNIX_EPOCH).unwrap()
    }

    /// Of a dump that holds these bytes.
    fn manifest(draft: &Draft, dump: &Path) -> Manifest {
        let mut manifest: Manifest = serde_json::from_value(serde_json::json!({
            "format_version": "1", "tenant": "acme", "schema": "s", "username": "u", "owner": "o", "access": "full",
            "connection_limit": -1, "settings": {}, "database": database(), "made_at": "1970-01-01T00:00:00Z",
            "tenantry_version": "0", "server_version": "15", "pg_dump_version": "15", "large_objects": null,
            "dump": { "file": "", "size": 0, "sha256": "" }, "tables": [], "migrations": null, "grants": [],
        }))
        .unwrap();
        manifest.dump =
            crate::engine::archive::manifest::FileDigest { file: draft.name(DUMP), ..digest(dump).unwrap() };
        manifest
    }

    fn written(draft: &Draft, bytes: &str) -> NamedTempFile {
        let mut file = draft.file().unwrap();
        file.write_all(bytes.as_bytes()).unwrap();
        file
    }

    /// As a run leaves it that is killed before the manifest has its name.
    fn cut_off(draft: &Draft, bytes: &str) {
        let dump = written(draft, bytes);
        let manifest = manifest(draft, dump.path());
        let left = draft.file_with(".json").unwrap();
        fs::write(left.path(), serde_json::to_string(&manifest).unwrap()).unwrap();
        left.keep().unwrap();
        draft.rename(dump, DUMP).unwrap();
    }

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_does_not_read_back_leaves_no_file() {
        let dir = tempfile::tempdir().unwrap();
        let draft = draft(dir.path());
        let dump = written(&draft, "rows");
        let mut manifest = manifest(&draft, dump.path());
        manifest.dump.size += 1;
        assert!(draft.publish(&manifest, dump, None).is_err());
        assert_eq!(names(dir.path()), [""; 0]);
    }

    #[test]
    fn what_was_cut_off_goes_and_what_is_whole_stays() {
        let dir = tempfile::tempdir().unwrap();
        let whole = draft(dir.path());
        let dump = written(&whole, "rows");
        whole.publish(&manifest(&whole, dump.path()), dump, None).unwrap();
        let before = names(dir.path());
        assert_eq!(before, ["acme-19700101T000000Z.dump", "acme-19700101T000000Z.json"]);
        cut_off(&draft(dir.path()), "more rows");
        assert_eq!(names(dir.path()).len(), 4);
        sweep(dir.path(), &database(), "acm").unwrap();
        assert_eq!(names(dir.path()).len(), 4, "another tenant's are not touched");
        sweep(dir.path(), &database(), "acme").unwrap();
        assert_eq!(names(dir.path()), before);
    }

    #[test]
    fn an_archive_that_another_took_the_place_of_is_deleted() {
        let dir = tempfile::tempdir().unwrap();
        let published = || {
            let draft = draft(dir.path());
            let dump = written(&draft, "rows");
            draft.publish(&manifest(&draft, dump.path()), dump, None).unwrap().0
        };
        let (first, second) = (published(), published());
        supersede(&first, &database(), "acme").unwrap();
        let stem = second.file_stem().unwrap().to_str().unwrap();
        assert_eq!(names(dir.path()), [format!("{stem}.dump"), format!("{stem}.json")]);
    }

    #[test]
    fn a_file_that_is_not_what_the_draft_says_is_not_deleted() {
        let dir = tempfile::tempdir().unwrap();
        let draft = draft(dir.path());
        cut_off(&draft, "rows");
        fs::write(dir.path().join(draft.name(DUMP)), "somebody's").unwrap();
        sweep(dir.path(), &database(), "acme").unwrap();
        assert_eq!(names(dir.path()), ["acme-19700101T000000Z.dump"]);
    }

    #[test]
    fn archives_of_one_second_have_names_that_sort_as_they_were_made() {
        let dir = tempfile::tempdir().unwrap();
        let now = "2026-11-21T15:04:59Z".parse().unwrap();
        let identity = DatabaseIdentity::default();
        let mut names: Vec<String> = Vec::new();
        for _ in 0..12 {
            let draft = Draft::new(dir.path(), &identity, "acme", now).unwrap();
            fs::write(dir.path().join(draft.name(MANIFEST)), "").unwrap();
            names.push(draft.name(MANIFEST));
        }
        assert_eq!(names[..2], ["acme-20261121T150459Z.json", "acme-20261121T150500Z.json"]);
        assert!(names.is_sorted(), "{names:?}");
    }
}
