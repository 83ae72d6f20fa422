//! Text files that people write, read as far as such a file may go.

use std::io::{ErrorKind, Read};
use std::path::Path;

/// More than any team writes, and few enough bytes that a wrong file is refused and not read for minutes.
pub(super) const MAX_CONFIG_BYTES: u64 = 64 * 1024 * 1024;

/// Why a file is not text of ours.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    #[error("there is no such file")]
    NotFound,
    #[error("is {0}, not a file")]
    NotAFile(&'static str),
    #[error("is larger than {0} MB, the most that is read")]
    TooLarge(u64),
    #[error("line {0} is not UTF-8")]
    NotUtf8(usize),
    #[error("cannot be read: {0}")]
    Io(std::io::Error),
}

impl ReadError {
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NotAFile(_) => Some("save the text in a file; relative paths in it are looked up next to it"),
            Self::NotUtf8(_) => Some("save the file as UTF-8"),
            _ => None,
        }
    }
}

impl From<std::io::Error> for ReadError {
    fn from(error: std::io::Error) -> Self {
        if error.kind() == ErrorKind::NotFound { Self::NotFound } else { Self::Io(error) }
    }
}

/// A regular file's text of at most so many bytes.
///
/// # Errors
/// When it is something else: a FIFO would be waited for, and /dev/zero has no end.
pub(super) fn read(path: &Path, max_bytes: u64) -> Result<String, ReadError> {
    let found = std::fs::metadata(path)?;
    if !found.is_file() {
        return Err(ReadError::NotAFile(if found.is_dir() { "a directory" } else { "a device, a pipe or a socket" }));
    }
    if found.len() > max_bytes {
        return Err(ReadError::TooLarge(max_bytes / 1024 / 1024));
    }
    let mut bytes = Vec::new();
    // It may grow between the look and the reading.
    crate::engine::private::open_regular(path)?.take(max_bytes + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max_bytes {
        return Err(ReadError::TooLarge(max_bytes / 1024 / 1024));
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        ReadError::NotUtf8(1 + valid.iter().filter(|byte| **byte == b'\n').count())
    })
}
