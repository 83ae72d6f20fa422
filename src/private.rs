//! Files and directories that are nobody else's to read: Unix modes, and nothing where there are none.

use std::fs::{DirBuilder, File};
use std::io;
use std::path::Path;

#[cfg(unix)]
pub(crate) fn make_dir(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

#[cfg(not(unix))]
pub(crate) fn make_dir(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).create(dir)
}

#[cfg(unix)]
pub(crate) fn warn_if_readable_by_others(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let mode = path.metadata().map_or(0, |at| at.permissions().mode() & 0o777);
    if mode & 0o077 != 0 {
        tracing::warn!("others can read {} (mode {mode:04o}); type: chmod go= {0}", path.display());
    }
}

#[cfg(not(unix))]
pub(crate) fn warn_if_readable_by_others(_: &Path) {}

/// A rename survives a power cut only once the directory is on the disk.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(dir)?.sync_all() } else { Ok(()) }
}
