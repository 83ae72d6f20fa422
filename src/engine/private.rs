//! Files and directories that are nobody else's to read: Unix modes, and nothing where there are none.

use std::fs::{DirBuilder, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

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

/// The target of warnings that other users can get at secrets: `-q` does not silence these.
pub(crate) const EXPOSED: &str = "tenantry::exposed";

pub(crate) fn warn_if_readable_by_others(path: &Path) {
    if is_open_to_others(path) {
        tracing::warn!(target: EXPOSED, "other users can read {}; fix it with: chmod go= {0}", path.display());
    }
}

/// The directory above this one, or above that, that others can write, and the chmod that ends it: they could put another one
/// in the place of what is below. One like /tmp, where only owners may rename, is fine.
#[cfg(unix)]
pub(crate) fn parent_open_to_others(dir: &Path) -> Option<(PathBuf, &'static str)> {
    use std::os::unix::fs::MetadataExt;
    let own_group = rustix::process::getegid().as_raw();
    let whole = dir.canonicalize().ok()?;
    whole.ancestors().skip(1).find_map(|parent| {
        let metadata = parent.metadata().ok()?;
        Some((parent.to_owned(), writable_by_others(metadata.mode(), metadata.gid() == own_group)?))
    })
}

/// By chmod's words for taking it away. A user's own group is, by the usual umask 002, nobody else's.
#[cfg(unix)]
fn writable_by_others(mode: u32, own_group: bool) -> Option<&'static str> {
    let (sticky, group, other) = (mode & 0o1000 != 0, mode & 0o020 != 0 && !own_group, mode & 0o002 != 0);
    match (group, other) {
        _ if sticky => None,
        (true, true) => Some("go-w"),
        (true, false) => Some("g-w"),
        (false, true) => Some("o-w"),
        (false, false) => None,
    }
}

#[cfg(not(unix))]
pub(crate) fn parent_open_to_others(_: &Path) -> Option<(PathBuf, &'static str)> {
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

/// A regular file, over links too: a pipe that somebody named would be waited for, and /dev/zero has no end.
pub(crate) fn open_regular(file: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
    regular(options.open(file), file.metadata())
}

/// All of a regular file.
pub(crate) fn read(file: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open_regular(file)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// All of a regular file, as text.
pub(crate) fn read_to_string(file: &Path) -> io::Result<String> {
    io::read_to_string(open_regular(file)?)
}

/// A file to lock, made when it is not there; never over a link.
pub(crate) fn open_lock(file: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.create(true).truncate(false).write(true);
    #[cfg(unix)]
    {
        let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOFOLLOW;
        std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, flags.bits().cast_signed());
    }
    regular(options.open(file), file.symlink_metadata())
}

/// What was opened, or why not: of a pipe and a socket the system says only that there is no such device.
fn regular(opened: io::Result<File>, found: io::Result<std::fs::Metadata>) -> io::Result<File> {
    let is_regular = match &opened {
        Ok(opened) => opened.metadata()?.is_file(),
        Err(_) => found.map_or(true, |found| found.is_file()),
    };
    if is_regular { opened } else { Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file")) }
}

/// Gives a finished file a name that nothing has yet. Whoever looks finds all of it or nothing, after a power cut too.
///
/// # Errors
/// What the system answered; then nothing has the name, unless something had it before.
pub(crate) fn publish_new(file: NamedTempFile, path: &Path) -> io::Result<()> {
    file.as_file().sync_all()?;
    file.persist_noclobber(path)?;
    let synced = sync_dir_of(path);
    if synced.is_err() {
        // The error that is told is the first.
        let _ = std::fs::remove_file(path);
    }
    synced
}

/// Gives a finished file a name that another may have. Whoever looks finds all of the one or of the other, after a power cut too.
///
/// # Errors
/// What the system answered.
pub fn publish(file: NamedTempFile, path: &Path) -> io::Result<()> {
    file.as_file().sync_all()?;
    file.persist(path)?;
    sync_dir_of(path)
}

/// A rename survives a power cut only once the directory is on the disk.
fn sync_dir_of(path: &Path) -> io::Result<()> {
    sync_dir(path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new(".")))
}

/// What was made, renamed or deleted in it stays so.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(dir)?.sync_all() } else { Ok(()) }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_group_that_is_not_ones_own_can_put_another_directory_there() {
        for (mode, own_group, chmod) in [
            (0o755, false, None),
            (0o775, false, Some("g-w")),
            (0o775, true, None),
            (0o757, true, Some("o-w")),
            (0o777, true, Some("o-w")),
            (0o777, false, Some("go-w")),
            (0o1777, false, None),
        ] {
            assert_eq!(writable_by_others(mode, own_group), chmod, "{mode:o} {own_group}");
        }
    }

    #[test]
    fn what_is_no_regular_file_is_refused_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        assert!(std::process::Command::new("mkfifo").arg(at("pipe")).status().unwrap().success());
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        std::fs::create_dir(at("directory")).unwrap();
        std::os::unix::fs::symlink("pipe", at("link")).unwrap();
        for name in ["pipe", "socket", "directory", "link", "/dev/zero"] {
            for error in [read(&at(name)).unwrap_err(), open_lock(&at(name)).unwrap_err()] {
                assert_eq!(error.to_string(), "it is not a regular file", "{name}");
            }
        }
        std::fs::write(at("file"), "text").unwrap();
        std::os::unix::fs::symlink("file", at("good")).unwrap();
        assert_eq!(read_to_string(&at("good")).unwrap(), "text");
        assert_eq!(read(&at("gone")).unwrap_err().kind(), io::ErrorKind::NotFound);
        open_lock(&at("lock")).unwrap();
        open_lock(&at("lock")).unwrap();
    }

    #[test]
    fn a_file_gets_its_name_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let written = |text: &str| {
            let file = NamedTempFile::new_in(dir.path()).unwrap();
            std::fs::write(file.path(), text).unwrap();
            file
        };
        let path = dir.path().join("file");
        publish_new(written("first"), &path).unwrap();
        assert_eq!(mode(&path) & 0o777, 0o600);
        assert_eq!(publish_new(written("second"), &path).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(read_to_string(&path).unwrap(), "first");
        publish(written("third"), &path).unwrap();
        assert_eq!(read_to_string(&path).unwrap(), "third");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
