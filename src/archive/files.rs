//! The files of an archive: written under a name that says so, synced, read back, and only then given their own.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use super::manifest::{FORMAT, FileDigest, Manifest};
use crate::error::{Doing, Error};
use crate::plan::DatabaseIdentity;
use crate::private;

const PARTIAL: &str = ".partial-";

/// An archive being written. Dropped, it leaves nothing; killed, what it leaves is deleted by the next of this tenant.
pub(super) struct Draft {
    dir: PathBuf,
    /// `acme-20261121T150405Z`.
    stem: String,
    prefix: String,
}

impl Draft {
    /// # Errors
    /// When the directory cannot be made or written to.
    pub fn new(dir: &Path, database: &DatabaseIdentity, tenant: &str, now: jiff::Timestamp) -> Result<Self, Error> {
        check_dir(dir)?;
        // Whose it was, so that only what this very tenant left is deleted; a key could begin as another's does.
        let whose = crate::plan::digest(&format!("{}/{}/{tenant}", database.system_identifier, database.name));
        let prefix = format!("{PARTIAL}{}-", &whose[..16]);
        for entry in fs::read_dir(dir).doing(format!("reading {}", dir.display()))?.flatten() {
            if entry.file_name().to_string_lossy().starts_with(&prefix) {
                fs::remove_file(entry.path()).doing(format!("deleting {}", entry.path().display()))?;
            }
        }
        let time = now.strftime("%Y%m%dT%H%M%SZ");
        let more = (2..).map(|n| format!("{tenant}-{time}-{n}"));
        let taken =
            |stem: &String| dir.join(format!("{stem}.json")).exists() || dir.join(format!("{stem}.dump")).exists();
        let stem = std::iter::once(format!("{tenant}-{time}")).chain(more).find(|stem| !taken(stem));
        Ok(Self { dir: dir.to_owned(), stem: stem.unwrap_or_default(), prefix })
    }

    /// An empty file of mode 0600.
    pub fn file(&self) -> Result<NamedTempFile, Error> {
        let doing = format!("writing in {}", self.dir.display());
        tempfile::Builder::new().prefix(&self.prefix).tempfile_in(&self.dir).doing(doing)
    }

    pub fn name(&self, extension: &str) -> String {
        format!("{}.{extension}", self.stem)
    }

    /// Gives a finished file its name, which nobody must have.
    pub fn keep(&self, file: NamedTempFile, extension: &str) -> Result<PathBuf, Error> {
        let path = self.dir.join(self.name(extension));
        let doing = || format!("writing {}", path.display());
        file.as_file().sync_all().doing(doing())?;
        file.persist_noclobber(&path).map_err(|error| error.error).doing(doing())?;
        private::sync_dir(&self.dir).doing(doing())?;
        Ok(path)
    }
}

/// Whether archives can be written there; makes the directory, mode 0700, where there is none.
///
/// # Errors
/// What the file system answered.
pub(crate) fn check_dir(dir: &Path) -> Result<(), Error> {
    private::make_dir(dir).doing(format!("making the archive directory {}", dir.display()))?;
    NamedTempFile::new_in(dir).doing(format!("writing in the archive directory {}", dir.display()))?;
    private::warn_if_readable_by_others(dir);
    Ok(())
}

/// Bytes that are free for archives: on the file system of the directory, or of the nearest one above that exists.
#[must_use]
pub fn free_space(dir: &Path) -> Option<u64> {
    let dir = if dir.is_absolute() { dir.to_owned() } else { Path::new(".").join(dir) };
    let there = dir.ancestors().find(|dir| dir.exists())?;
    let stat = rustix::fs::statvfs(there).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Size and SHA-256 of the file as it is on the disk, as far as the system can be asked to forget what it has in memory.
pub(super) fn digest(path: &Path) -> Result<FileDigest, Error> {
    let doing = || format!("reading {}", path.display());
    let mut file = File::open(path).doing(doing())?;
    #[cfg(target_os = "linux")]
    let _ = rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed);
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    let mut size = 0;
    loop {
        let n = file.read(&mut buffer).doing(doing())?;
        if n == 0 {
            break;
        }
        hash.update(&buffer[..n]);
        size += n as u64;
    }
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let sha256 = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(FileDigest { file: name, size, sha256 })
}

/// An archive that was found whole.
#[derive(Debug)]
pub struct Opened {
    pub manifest: Manifest,
    pub dump: PathBuf,
    pub(super) large_objects: Option<PathBuf>,
}

/// Takes the manifest, or the dump it stands beside; every file must be what the manifest says.
///
/// # Errors
/// What is missing, changed, or not of our form.
pub fn open(path: &Path) -> Result<Opened, Error> {
    let manifest_path = path.with_extension("json");
    let refused = |what: String, hint: &str| Error::refused(format!("{}: {what}", path.display()), hint);
    let text = match fs::read_to_string(&manifest_path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let hint = "name the .json file of the archive, or the .dump file beside it";
            return Err(refused(format!("there is no manifest {}", manifest_path.display()), hint));
        }
        text => text.doing(format!("reading {}", manifest_path.display()))?,
    };
    let hint = "pg_restore reads the .dump file by itself; tenantry needs the manifest as it was written";
    let manifest: Manifest = serde_json::from_str(&text)
        .map_err(|error| refused(format!("the manifest is not of tenantry's form: {error}"), hint))?;
    if manifest.format_version != FORMAT {
        return Err(refused(
            format!("the manifest is of format version {:?}", manifest.format_version),
            "use the version of tenantry that wrote it, or a newer one",
        ));
    }
    let dir = path.parent().unwrap_or(Path::new(""));
    let whole = |expected: &FileDigest| {
        let named = Path::new(&expected.file);
        if named.file_name() != Some(named.as_os_str()) {
            return Err(refused(format!("the manifest names {:?}, which is not beside it", expected.file), hint));
        }
        let file = dir.join(named);
        let found = digest(&file)?;
        if found == *expected {
            return Ok(file);
        }
        Err(refused(
            format!(
                "{} is not what the manifest says: {} bytes, SHA-256 {}, and not {} bytes, {}",
                expected.file, found.size, found.sha256, expected.size, expected.sha256
            ),
            "it was changed or damaged since it was written: take another copy of the archive",
        ))
    };
    let dump = whole(&manifest.dump)?;
    let large_objects = manifest.large_objects.as_ref().map(|large| whole(&large.digest)).transpose()?;
    Ok(Opened { manifest, dump, large_objects })
}
