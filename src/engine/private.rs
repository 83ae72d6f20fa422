//! Files and directories that are nobody else's to read: Unix modes, and nothing where there are none.

use std::fs::{DirBuilder, File};
use std::io;
use std::path::{Path, PathBuf};

#[cfg(unix)]
pub(crate) fn make_dir(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

#[cfg(not(unix))]
pub(crate) fn make_dir(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).create(dir)
}

/// Whether others can read what is there.
#[cfg(unix)]
pub(crate) fn is_open_to_others(path: &Path) -> bool {
    mode(path) & 0o077 != 0
}

#[cfg(not(unix))]
pub(crate) fn is_open_to_others(_: &Path) -> bool {
    false
}

pub(crate) fn warn_if_readable_by_others(path: &Path) {
    if is_open_to_others(path) {
        tracing::warn!("other users can read {}; fix it with: chmod go= {0}", path.display());
    }
}

/// The directory above this one, or above that, that anybody can write: they could put another one in the place of what is
/// below. One like /tmp, where only owners may rename, is fine.
#[cfg(unix)]
pub(crate) fn parent_open_to_others(dir: &Path) -> Option<PathBuf> {
    let whole = dir.canonicalize().ok()?;
    whole.ancestors().skip(1).find(|parent| mode(parent) & 0o1002 == 0o002).map(Path::to_owned)
}

#[cfg(not(unix))]
pub(crate) fn parent_open_to_others(_: &Path) -> Option<PathBuf> {
    None
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().map_or(0, |at| at.permissions().mode())
}

/// Opens for reading without waiting for the other end of a pipe, and never over a link.
#[cfg(unix)]
pub(crate) fn open_at_once(file: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOFOLLOW;
    File::options().read(true).custom_flags(flags.bits().cast_signed()).open(file)
}

#[cfg(not(unix))]
pub(crate) fn open_at_once(file: &Path) -> io::Result<File> {
    File::open(file)
}

/// A rename survives a power cut only once the directory is on the disk.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(dir)?.sync_all() } else { Ok(()) }
}
