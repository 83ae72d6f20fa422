//! The files of an archive, and whether they are what its manifest says.

use std::io::Read;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::manifest::{FORMAT, FileDigest, Manifest};
use crate::engine::error::{Context, Error};
use crate::engine::private;

/// Whether archives can be written there; makes the directory, mode 0700, where there is none.
///
/// # Errors
/// What the file system answered.
pub(crate) fn check_dir(dir: &Path) -> Result<(), Error> {
    private::make_dir(dir).doing(format!("creating the archive directory {}", dir.display()))?;
    // Without a name, so that nothing is left of it whatever happens.
    tempfile::tempfile_in(dir).doing(format!("writing in the archive directory {}", dir.display()))?;
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
    let mut file = private::open_regular(path).doing(doing())?;
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

impl Opened {
    #[must_use]
    pub fn has_large_objects(&self) -> bool {
        self.large_objects.is_some()
    }
}

/// Takes the manifest, or the dump it stands beside; every file must be what the manifest says.
///
/// # Errors
/// What is missing, changed, or not of our form.
pub fn open(path: &Path) -> Result<Opened, Error> {
    let manifest_path = path.with_extension("json");
    let refused = |what: String, hint: &str| Error::refused(format!("{}: {what}", path.display()), hint);
    let text = match private::read_to_string(&manifest_path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let hint = "name the .json file of the archive, or the .dump file beside it";
            return Err(refused(format!("there is no manifest {}", manifest_path.display()), hint));
        }
        text => text.doing(format!("reading {}", manifest_path.display()))?,
    };
    let hint = "pg_restore reads the .dump file by itself; tenantry needs the manifest as it was written";
    let manifest: Manifest = serde_json::from_str(&text)
        .map_err(|error| refused(format!("the manifest is not in tenantry's format: {error}"), hint))?;
    if manifest.format_version != FORMAT {
        return Err(refused(
            format!("the manifest has format version {:?}", manifest.format_version),
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
                "{} does not match the manifest: it has {} bytes, SHA-256 {}, not {} bytes, {}",
                expected.file, found.size, found.sha256, expected.size, expected.sha256
            ),
            "it has been changed or damaged since it was written: use another copy of the archive",
        ))
    };
    let dump = whole(&manifest.dump)?;
    let large_objects = manifest.large_objects.as_ref().map(|large| whole(&large.digest)).transpose()?;
    Ok(Opened { manifest, dump, large_objects })
}
