//! Secrets as files of mode 0600, one JSON document each.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use jiff::Timestamp;
use serde_json::Value;
use tempfile::NamedTempFile;
use zeroize::Zeroizing;

use super::document;
use super::error::SecretError;
use super::store::{Found, SecretStore, WritableStore, components};
use crate::core::model::secret::{Mark, Secret, SecretHead};
use crate::engine::private;

/// What a file is called until it is whole. No tenant's secret begins with a dot.
const TEMPORARY: &str = ".tenantry-";

const LINK: &str = "goes through a symbolic link";

/// More than any secret takes, with what others add to it.
const MOST_BYTES: u64 = 4 * 1024 * 1024;

/// A directory of secrets. `tenants/acme` is `DIR/tenants/acme.json`.
pub struct FileStore {
    dir: PathBuf,
    /// That others can read a file is said of one.
    warned: AtomicBool,
}

impl FileStore {
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), warned: AtomicBool::new(false) }
    }

    fn file(&self, path: &str) -> Result<PathBuf, SecretError> {
        let parts = components(path)?;
        let mut file = self.dir.clone();
        for (at, part) in parts.iter().enumerate() {
            if at + 1 < parts.len() {
                file.push(part)
            } else {
                file.push(format!("{part}.json"))
            }
            // Below the directory everything is ours; a link there was planted, and would lead our writes elsewhere.
            if file.symlink_metadata().is_ok_and(|at| at.is_symlink()) {
                return Err(SecretError::BadPath { path: path.to_owned(), reason: LINK });
            }
        }
        Ok(file)
    }

    fn load(&self, path: &str) -> Result<Option<(SecretHead, Value)>, SecretError> {
        let file = match self.file(path) {
            // Somebody else's: it is its tenant's plan that stops.
            Err(SecretError::BadPath { reason: LINK, .. }) => return Ok(Some(foreign())),
            file => file?,
        };
        let opened = private::open_at_once(&file).and_then(|opened| Ok((opened.metadata()?, opened)));
        let (metadata, opened) = match opened {
            Ok((metadata, opened)) if metadata.is_file() => (metadata, opened),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) if !fs::symlink_metadata(&file).is_ok_and(|at| !at.is_file()) => {
                return Err(failed("read", &file)(error));
            }
            // A pipe, a socket, a directory: somebody else's, and nothing to wait for.
            _ => return Ok(Some(foreign())),
        };
        let mut text = Zeroizing::new(Vec::new());
        opened.take(MOST_BYTES).read_to_end(&mut text).map_err(failed("read", &file))?;
        if private::is_open_to_others(&file) && !self.warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                target: private::EXPOSED,
                "other users can read {} and perhaps more; fix it with: chmod -R go= {}",
                file.display(),
                self.dir.display()
            );
        }
        // What is no JSON is not ours to judge, only to leave alone: a null has none of our keys.
        let value = serde_json::from_slice(&text).unwrap_or(Value::Null);
        let mut head = document::head(&value);
        head.created = metadata.modified().ok().and_then(|time| Timestamp::try_from(time).ok());
        Ok(Some((head, value)))
    }

    /// Held from the comparison to the rename, so that of two writers only one finds what it expects.
    /// Per open file, hence between threads as well as between processes.
    fn lock(&self) -> Result<File, SecretError> {
        private::make_dir(&self.dir).map_err(failed("make", &self.dir))?;
        let path = self.dir.join(".lock");
        let lock = private::open_lock(&path).map_err(failed("open", &path))?;
        lock.lock().map_err(failed("lock", &path))?;
        Ok(lock)
    }

    /// The whole file, or as it was; under the lock. `written`: when what it holds was written, if not now.
    fn replace(&self, file: &Path, value: &Value, written: Option<SystemTime>) -> Result<(), SecretError> {
        let dir = file.parent().unwrap_or(&self.dir);
        private::make_dir(dir).map_err(failed("make", dir))?;
        let write = || -> io::Result<()> {
            // In the same directory, because a rename is atomic only within one file system. Made with mode 0600, so
            // that a file which others could read is one no longer.
            let mut temporary = tempfile::Builder::new().prefix(TEMPORARY).tempfile_in(dir)?;
            let mut text = Zeroizing::new(serde_json::to_vec_pretty(value)?);
            text.push(b'\n');
            temporary.write_all(&text)?;
            written.map_or(Ok(()), |written| temporary.as_file().set_modified(written))?;
            fail_point!("before_secret_file_is_renamed");
            private::publish(temporary, file)?;
            fail_point!("after_secret_file_is_renamed");
            Ok(())
        };
        write().map_err(failed("write", file))
    }

    fn check(&self, path: &str, expected: Option<&str>) -> Result<u64, SecretError> {
        let found = self.load(path)?;
        let live = found.as_ref().map(|(head, _)| head.version.as_str());
        if live != expected {
            return Err(SecretError::CheckAndSet {
                path: path.to_owned(),
                expected: expected.map(str::to_owned),
                found: live.map(str::to_owned),
            });
        }
        Ok(found.map_or(0, |(_, value)| document::version(&value)))
    }
}

impl SecretStore for FileStore {
    fn preflight(&self) -> Result<(), SecretError> {
        // A plan changes nothing, so a directory that is not there yet is not made here.
        let made = self.dir.ancestors().find(|dir| dir.symlink_metadata().is_ok());
        let made = made.filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if !made.is_dir() {
            return Err(failed("use as a directory", made)(io::ErrorKind::NotADirectory.into()));
        }
        if made == self.dir {
            NamedTempFile::new_in(made).map_err(failed("write in", made))?;
            private::warn_if_readable_by_others(made);
            if let Some((parent, chmod)) = private::parent_open_to_others(made) {
                tracing::warn!(
                    target: private::EXPOSED,
                    "other users can replace {} with another directory; fix it with: chmod {chmod} {}",
                    made.display(),
                    parent.display()
                );
            }
        }
        Ok(())
    }

    fn heads(&self, paths: &[String]) -> Result<BTreeMap<String, SecretHead>, SecretError> {
        let mut heads = BTreeMap::new();
        for path in paths {
            if let Some((head, _)) = self.load(path)? {
                heads.insert(path.clone(), head);
            }
        }
        Ok(heads)
    }

    fn reads_whole(&self) -> Result<bool, SecretError> {
        Ok(true)
    }

    fn read(&self, path: &str) -> Result<Found, SecretError> {
        Ok(match self.load(path)? {
            None => Found::Absent,
            Some((head, Value::Null)) => {
                let reason = match self.file(path) {
                    Err(SecretError::BadPath { reason: LINK, .. }) => "it goes through a symbolic link",
                    Ok(file) if file.is_file() => "it is not a JSON document",
                    _ => "it is not a regular file",
                };
                Found::Foreign { head, reason: reason.to_owned() }
            }
            Some((head, value)) => document::found(head, &value),
        })
    }

    fn locate(&self, path: &str) -> String {
        format!("file {}", self.dir.join(format!("{path}.json")).display())
    }
}

impl WritableStore for FileStore {
    fn tidy(&self) -> Result<(), SecretError> {
        if !self.dir.exists() {
            return Ok(());
        }
        // Nobody is at a write now.
        let _lock = self.lock()?;
        sweep(&self.dir).map_err(failed("clean up", &self.dir))
    }

    fn write(&self, path: &str, secret: &Secret, expected: Option<&str>) -> Result<SecretHead, SecretError> {
        let file = self.file(path)?;
        let _lock = self.lock()?;
        let version = self.check(path, expected)? + 1;
        let value = Value::Object(document::counted(secret, version));
        self.replace(&file, &value, None)?;
        Ok(SecretHead { created: Some(Timestamp::now()), ..document::head(&value) })
    }

    fn mark(&self, path: &str, mark: &Mark, expected: &str) -> Result<(), SecretError> {
        let file = self.file(path)?;
        let _lock = self.lock()?;
        self.check(path, Some(expected))?;
        if let Some((_, Value::Object(mut document))) = self.load(path)? {
            document::mark(&mut document, mark);
            let written = file.metadata().and_then(|metadata| metadata.modified()).ok();
            self.replace(&file, &Value::Object(document), written)?;
        }
        Ok(())
    }

    fn delete(&self, path: &str, expected: Option<&str>) -> Result<(), SecretError> {
        let file = self.file(path)?;
        if !file.exists() {
            return Ok(());
        }
        let _lock = self.lock()?;
        if let (Some(_), Some(_)) = (expected, self.load(path)?) {
            self.check(path, expected)?;
        }
        match fs::remove_file(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("remove", &file)(error)),
            _ => {
                let dir = file.parent().unwrap_or(&self.dir);
                private::sync_dir(dir).map_err(failed("sync", dir))
            }
        }
    }
}

/// Nothing of ours is in it.
fn foreign() -> (SecretHead, Value) {
    (document::head(&Value::Null), Value::Null)
}

fn sweep(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sweep(&entry.path())?;
        } else if entry.file_name().as_encoded_bytes().starts_with(TEMPORARY.as_bytes()) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> SecretError {
    let path = path.display().to_string();
    move |source| SecretError::Io { action, path, source }
}

#[cfg(all(test, unix))]
#[path = "file_tests.rs"]
mod tests;
