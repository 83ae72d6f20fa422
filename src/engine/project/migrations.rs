//! The migrations directory: every file of it is a migration, or belongs to one, or is named as not run, or is a fault.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::text;
use crate::core::config::Configuration;
use crate::core::migrations::{Format, MigrationFault, MigrationFile, MigrationSet, Role, faults_of_directory};
use crate::engine::error::{Context, Error};

/// The parser's tree takes some hundred times a file's size.
const MAX_MIGRATION_BYTES: u64 = 32 * 1024 * 1024;

/// What the directory holds.
pub(super) struct Found {
    pub set: MigrationSet,
    /// What lies there and is not run, with the reason where there is one.
    pub not_run: Vec<String>,
    /// The files that say how others are run, with their texts.
    pub settings: BTreeMap<String, String>,
}

/// What is read so far.
struct Reader<'a> {
    dir: &'a Path,
    format: Format,
    /// Of migrations, with the file that may say how it is run.
    migrations: Vec<(String, Option<String>)>,
    settings: BTreeMap<String, String>,
    not_run: Vec<String>,
    faults: Vec<MigrationFault>,
}

/// Every file of the directory and below, hidden directories excepted, for what the format makes of it.
pub(super) fn read(dir: &Path, configuration: &Configuration) -> Result<Found, Error> {
    let format = configuration.migrations_format;
    if !dir.exists() {
        return Err(Error::refused(
            format!("the migrations directory {} does not exist", dir.display()),
            format!("mkdir {}   (it may be empty), or set [migrations] dir", dir.display()),
        ));
    }
    let mut paths = Vec::new();
    find_files(dir, &mut paths)?;
    paths.sort();
    let (migrations, settings, not_run, faults) = Default::default();
    let mut reader = Reader { dir, format, migrations, settings, not_run, faults };
    let mut shown = Vec::new();
    for path in &paths {
        let below = path.strip_prefix(dir).unwrap_or(path);
        shown.push(below.to_string_lossy().into_owned());
        reader.sort(below, path);
    }
    let shown: Vec<&str> = shown.iter().map(String::as_str).collect();
    let mut files = Vec::new();
    let migrations = std::mem::take(&mut reader.migrations);
    reader.without_migration(&migrations);
    for (path, settings) in migrations {
        let Some(sql) = reader.text(&path) else { continue };
        let settings = settings.and_then(|settings| reader.settings.get(&settings)).map(String::as_str);
        match MigrationFile::read(format, &path, &sql, settings) {
            Ok(file) => {
                reader.faults.extend(file.misplaced_extensions(&configuration.extensions));
                files.push(file);
            }
            Err(found) => reader.faults.extend(found),
        }
    }
    reader.faults.extend(faults_of_directory(format, &shown, &reader.settings));
    let Reader { settings, not_run, mut faults, .. } = reader;
    match MigrationSet::of(format, &configuration.migrations_table, files).map_err(|found| faults.extend(found)) {
        Ok(set) if faults.is_empty() => Ok(Found { set, not_run, settings }),
        _ => Err(Error::Migrations(faults)),
    }
}

impl Reader<'_> {
    fn sort(&mut self, below: &Path, path: &Path) {
        let shown = below.to_string_lossy().into_owned();
        let fault = |message: String, hint: Option<&str>| MigrationFault {
            file: shown.clone(),
            line: None,
            message,
            hint: hint.map(str::to_owned),
        };
        let role = self.format.role(&shown);
        if matches!(role, Role::Migration(_) | Role::Settings | Role::Fault(_)) && below.to_str().is_none() {
            return self.faults.push(fault("has a name that is not UTF-8".into(), Some("rename the file")));
        }
        match role {
            Role::Migration(named) => self.migrations.push((shown, named.settings)),
            Role::Settings => {
                if let Some(text) = self.text(&shown) {
                    self.settings.insert(shown, text);
                }
            }
            Role::Fault(misnamed) => self.faults.push(fault(misnamed.message, Some(&misnamed.hint))),
            // The walk below follows no link to a directory, and neither does refinery's.
            Role::NotRun(_) if path.is_dir() && self.format.is_of_directories() => {
                let message = "is a link to a directory, which may be a migration, and is not followed".into();
                self.faults.push(fault(message, Some("put the directory itself there")));
            }
            Role::NotRun(_) if path.is_dir() => self.not_run.push(format!("{shown} (a link to a directory)")),
            Role::NotRun(Some(why)) => self.not_run.push(format!("{shown} ({why})")),
            Role::NotRun(None) => self.not_run.push(shown),
            Role::Hidden => {}
        }
    }

    /// Settings of nothing that runs.
    fn without_migration(&mut self, migrations: &[(String, Option<String>)]) {
        let used: BTreeSet<&str> = migrations.iter().filter_map(|(_, settings)| settings.as_deref()).collect();
        let lone = self.settings.keys().filter(|path| !used.contains(path.as_str()));
        let lone = lone.filter(|path| !self.format.is_of_all(path));
        self.not_run.extend(lone.map(|path| format!("{path} (of no migration)")));
    }

    /// Of a file that is to be read; a fault where it cannot be.
    fn text(&mut self, shown: &str) -> Option<String> {
        text::read(&self.dir.join(shown), MAX_MIGRATION_BYTES)
            .map_err(|error| {
                let hint = error.hint().map(str::to_owned);
                self.faults.push(MigrationFault {
                    file: shown.to_owned(),
                    line: None,
                    message: error.to_string(),
                    hint,
                });
            })
            .ok()
    }
}

fn find_files(dir: &Path, paths: &mut Vec<PathBuf>) -> Result<(), Error> {
    for entry in std::fs::read_dir(dir).doing(format!("reading {}", dir.display()))? {
        let entry = entry.doing(format!("reading {}", dir.display()))?;
        let path = entry.path();
        let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        if entry.file_type().doing(format!("reading {}", path.display()))?.is_dir() {
            // A mounted ConfigMap has its files twice: as links, and in a hidden directory with a date for a name.
            if !hidden {
                find_files(&path, paths)?;
            }
        } else {
            paths.push(path);
        }
    }
    Ok(())
}
