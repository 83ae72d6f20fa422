//! The password file: `~/.pgpass`, or what `passfile` and PGPASSFILE name.
//! <https://www.postgresql.org/docs/current/libpq-pgpass.html>

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use secrecy::SecretString;

/// A password file as found. Like libpq we continue without one that is missing, but say why one was ignored.
#[derive(Default)]
pub(super) struct PassFile {
    path: PathBuf,
    text: SecretString,
    /// Why the file was not used; for the hint when the server then wants a password.
    pub(super) passed_over: Option<String>,
}

/// What a line of the file must match.
pub(super) struct Wanted<'a> {
    pub(super) host: &'a str,
    pub(super) port: u16,
    pub(super) database: &'a str,
    pub(super) user: &'a str,
}

impl PassFile {
    pub(super) fn read(path: &Path) -> Self {
        let mut file = Self { path: path.to_owned(), ..Self::default() };
        let Ok(metadata) = fs::metadata(path) else { return file };
        if !metadata.is_file() {
            file.passed_over = Some(format!("password file {} was ignored: it is not a plain file", path.display()));
        } else if metadata.permissions().mode() & 0o077 != 0 {
            let path = path.display();
            file.passed_over =
                Some(format!("password file {path} was ignored: other users may read it; chmod 0600 {path}"));
        } else {
            match crate::engine::private::read_to_string(path) {
                Ok(text) => file.text = SecretString::from(text),
                Err(error) => {
                    file.passed_over = Some(format!("password file {} was ignored: {error}", path.display()));
                }
            }
        }
        file
    }

    /// The first line that matches, and where it stood.
    pub(super) fn password(&self, wanted: &Wanted) -> Option<(SecretString, String)> {
        use secrecy::ExposeSecret;
        let (line, password) = find(self.text.expose_secret(), wanted)?;
        Some((SecretString::from(password), format!("{}, line {line}", self.path.display())))
    }
}

fn find(text: &str, wanted: &Wanted) -> Option<(usize, String)> {
    let port = wanted.port.to_string();
    let want = [wanted.host, port.as_str(), wanted.database, wanted.user];
    for (number, line) in text.lines().enumerate() {
        if line.starts_with('#') || line.trim().is_empty() {
            continue;
        }
        let (fields, password) = fields(line);
        let matches =
            fields.iter().zip(want).all(|(field, want)| *field == Field::Any || *field == Field::Is(want.to_owned()));
        if matches && let Some(password) = password {
            return Some((number + 1, password));
        }
    }
    None
}

#[derive(PartialEq)]
enum Field {
    Any,
    Is(String),
}

/// The four fields that are matched, and the password. `\` takes the next character as it is; a lone `*` matches all.
fn fields(line: &str) -> (Vec<Field>, Option<String>) {
    let (mut fields, mut field, mut escaped) = (Vec::new(), String::new(), false);
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                field.extend(chars.next());
                escaped = true;
            }
            ':' if fields.len() < 4 => {
                let text = std::mem::take(&mut field);
                fields.push(if text == "*" && !escaped { Field::Any } else { Field::Is(text) });
                escaped = false;
            }
            c => field.push(c),
        }
    }
    let complete = fields.len() == 4;
    (fields, complete.then_some(field))
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    const WANTED: Wanted = Wanted { host: "db", port: 5432, database: "app", user: "admin" };

    #[test]
    fn the_first_matching_line_wins() {
        let text = "# a comment\n\nother:*:*:*:no\ndb:5433:*:*:no\ndb:5432:*:admin:first\n*:*:*:*:second\n";
        assert_eq!(find(text, &WANTED), Some((5, "first".into())));
    }

    #[test]
    fn a_backslash_escapes_colons_and_itself() {
        let wanted = Wanted { host: "::1", ..WANTED };
        assert_eq!(find(r"\:\:1:*:*:*:a\:b\\c", &wanted), Some((1, r"a:b\c".into())));
        assert_eq!(find("db:*:*:*:a:b", &WANTED), Some((1, "a:b".into())));
    }

    #[test]
    fn a_short_line_and_an_escaped_star_match_nothing() {
        assert_eq!(find("db:5432:app:admin", &WANTED), None);
        assert_eq!(find(r"\*:*:*:*:x", &WANTED), None);
    }

    #[test]
    fn a_file_that_others_may_read_is_passed_over_and_said_so() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pgpass");
        fs::write(&path, "*:*:*:*:x\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let file = PassFile::read(&path);
        assert!(file.password(&WANTED).is_none());
        assert!(file.passed_over.unwrap().contains("chmod 0600"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let (password, origin) = PassFile::read(&path).password(&WANTED).unwrap();
        assert_eq!((password.expose_secret(), origin.ends_with("pgpass, line 1")), ("x", true));
    }
}
