//! Messages about a line of a file.

/// What stands before a message about a line of a file, as [`place_of`] reads it.
#[must_use]
pub fn place(file: &str, line: usize) -> String {
    format!("{file}:{line} ")
}

/// A message that begins with the line of a file → file, line, the rest.
#[must_use]
pub fn place_of(message: &str) -> Option<(&str, usize, &str)> {
    // A directory's name may hold a colon; a file's ends in .sql.
    let (file, rest) = message.split_at(message.find(".sql:")? + ".sql".len());
    let (line, rest) = rest[1..].split_once(' ')?;
    Some((file, line.parse().ok()?, rest))
}
