//! Files that others read: a plan, metrics, a report.

use std::io::Write;
use std::path::Path;

use tenantry::files::publish;

use super::failure::{Context, Failure};

/// Who may read a file, whatever the umask says and whatever stood there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readable {
    /// 0600.
    ByOwner,
    /// 0644: who scrapes metrics or serves a report is another user.
    ByAll,
}

/// Whoever reads the file meanwhile sees the old one or the new one, never half of one.
pub fn atomically(path: &Path, text: &str, readable: Readable) -> Result<(), Failure> {
    let doing = || format!("writing {}", path.display());
    replaceable(path)?;
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    dir.metadata().doing(doing())?;
    let made = tempfile::Builder::new().prefix(".tenantry-").tempfile_in(dir);
    // Its own error names a file that nobody asked for.
    let mut file = made.map_err(|error| std::io::Error::from(error.kind())).doing(doing())?;
    file.write_all(text.as_bytes()).doing(doing())?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = match readable {
            Readable::ByOwner => 0o600,
            Readable::ByAll => 0o644,
        };
        file.as_file().set_permissions(std::fs::Permissions::from_mode(mode)).doing(doing())?;
    }
    publish(file, path).doing(doing())
}

/// A rename puts a file in the place of whatever is there: of /dev/null too, for root.
fn replaceable(path: &Path) -> Result<(), Failure> {
    let Ok(there) = path.symlink_metadata() else { return Ok(()) };
    if there.is_file() {
        return Ok(());
    }
    let what = match () {
        () if there.is_dir() => "a directory",
        () if there.is_symlink() => "a symbolic link",
        () => "not a regular file",
    };
    let hint = match path.canonicalize() {
        Ok(real) if there.is_symlink() && real.is_file() => {
            format!("specify the file it points to: {}", real.display())
        }
        _ => "specify a file, or a path that does not exist yet".to_owned(),
    };
    Err(Failure::refused(format!("{} is {what}, and was left unchanged", path.display()), hint))
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use crate::cli::write::{Path, Readable, atomically};

    #[test]
    fn a_file_is_replaced_and_never_what_is_no_file() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::write(at("file"), "old").unwrap();
        fs::set_permissions(at("file"), fs::Permissions::from_mode(0o644)).unwrap();
        let reader = fs::File::open(at("file")).unwrap();
        atomically(&at("file"), "new", Readable::ByOwner).unwrap();
        assert_eq!(std::io::read_to_string(reader).unwrap(), "old");
        assert_eq!(fs::read_to_string(at("file")).unwrap(), "new");
        let mode = |name: &str| fs::metadata(at(name)).unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode("file"), 0o600);
        atomically(&at("file"), "all", Readable::ByAll).unwrap();
        assert_eq!(mode("file"), 0o644);

        symlink(at("file"), at("link")).unwrap();
        symlink(at("nothing"), at("dangling")).unwrap();
        for (name, words) in [("link", "a symbolic link"), ("dangling", "a symbolic link"), ("", "a directory")] {
            let error = atomically(&at(name), "x", Readable::ByAll).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
        assert!(atomically(Path::new("/dev/null"), "x", Readable::ByAll).is_err());
        let error = atomically(&at("nowhere/plan"), "x", Readable::ByAll).unwrap_err().to_string();
        let expected = format!("writing {}: No such file or directory", at("nowhere/plan").display());
        assert!(error.starts_with(&expected), "{error}");
        assert_eq!(fs::read_to_string(at("file")).unwrap(), "all");
        assert!(!at("nothing").exists() && at("link").is_symlink());
        let left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left.len(), 3, "{left:?}");
    }
}
