//! The files that `include` names.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use globset::GlobBuilder;

use super::text::{self, MAX_CONFIG_BYTES, ReadError};
use crate::core::config::{Text, Unread};

/// More than any team keeps by hand.
const MAX_FILES: usize = 100_000;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Included {
    pub texts: Vec<Text>,
    pub unread: Vec<Unread>,
    /// Globs that match no file.
    pub idle: Vec<String>,
}

impl Included {
    /// Reads the files of these names and globs, those of each sorted, none twice. `main`: tenants.toml, which is none of them.
    pub fn read(main: &Path, root: &Path, names: &[String]) -> Self {
        let mut included = Self::default();
        let mut seen: BTreeSet<PathBuf> = main.canonicalize().into_iter().collect();
        let mut left = MAX_CONFIG_BYTES;
        for name in names {
            let paths = match files(root, name) {
                Ok(paths) => paths,
                Err(message) => {
                    included.unread.push(Unread { message, hint: Some("write it as \"tenants.d/*.toml\"".into()) });
                    continue;
                }
            };
            if paths.is_empty() {
                included.idle.push(name.clone());
            }
            for path in paths {
                // The same file by another name, say over a link, is the same file.
                let place = path.canonicalize().unwrap_or_else(|_| path.clone());
                if seen.insert(place) {
                    included.add(&path, &mut left);
                }
            }
        }
        included
    }

    fn add(&mut self, path: &Path, left: &mut u64) {
        let shown = path.display().to_string();
        match text::read(path, MAX_CONFIG_BYTES) {
            Ok(source) if source.len() as u64 <= *left => {
                *left -= source.len() as u64;
                self.texts.push(Text::file(shown, source));
            }
            Ok(_) => {
                let most = ReadError::TooLarge(MAX_CONFIG_BYTES / 1024 / 1024);
                self.unread.push(Unread { message: format!("{shown}: with the files before it, {most}"), hint: None });
            }
            Err(error) => {
                let hint = match error {
                    ReadError::NotFound => Some("create it, or write a glob, which may match nothing".to_owned()),
                    ref other => other.hint().map(str::to_owned),
                };
                self.unread.push(Unread { message: format!("the included file {shown}: {error}"), hint });
            }
        }
    }
}

/// The files that a name stands for: itself, or what its glob matches, sorted. A "*" matches no name that begins with a dot, and
/// no "/", as in a shell: a mounted ConfigMap has its files a second time in a hidden directory.
fn files(root: &Path, name: &str) -> Result<Vec<PathBuf>, String> {
    if name.is_empty() {
        return Err("an include is empty".into());
    }
    let whole = root.join(name);
    let is_glob = |text: &str| text.contains(['*', '?', '[', '{']);
    if !is_glob(name) {
        return Ok(vec![whole]);
    }
    let glob = GlobBuilder::new(name).literal_separator(true).backslash_escape(true).build();
    let matcher = glob.map_err(|error| format!("{name:?} is not a valid glob: {}", error.kind()))?.compile_matcher();
    // What stands before the first glob is one directory.
    let fixed: PathBuf = Path::new(name)
        .components()
        .take_while(|part| !matches!(part, Component::Normal(part) if is_glob(&part.to_string_lossy())))
        .collect();
    let depth = (!name.contains("**")).then(|| Path::new(name).components().count() - fixed.components().count());
    let mut found = Vec::new();
    walk(&root.join(&fixed), &fixed, depth.unwrap_or(64), &mut |below| {
        if matcher.is_match(below) {
            found.push(root.join(below));
        }
        found.len() < MAX_FILES
    });
    found.sort();
    Ok(found)
}

/// What lies in a directory and below; of one that cannot be read, nothing.
fn walk(dir: &Path, below: &Path, depth: usize, each: &mut dyn FnMut(&Path) -> bool) {
    if depth == 0 {
        return;
    }
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let name = entry.file_name();
        if name.as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let (path, below) = (entry.path(), below.join(&name));
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            walk(&path, &below, depth - 1, each);
        } else if path.is_file() && !each(&below) {
            return;
        }
    }
}
