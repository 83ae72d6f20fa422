//! A case file: `== name` begins a section, which goes on to the next one.

use std::path::Path;

use tenantry::migrations::{Format, MigrationFile, MigrationSet};
use tenantry::model::{Desired, Server};

use crate::support_as_applied::server;

/// The sections in the order of the file.
pub struct Case(Vec<(String, String)>);

impl Case {
    pub fn read(path: &Path) -> Self {
        Self::parse(&std::fs::read_to_string(path).unwrap())
    }

    pub fn parse(text: &str) -> Self {
        let mut sections: Vec<(String, String)> = Vec::new();
        for line in text.lines() {
            if let Some(name) = line.strip_prefix("== ") {
                sections.push((name.trim().to_owned(), String::new()));
            } else if let Some((_, body)) = sections.last_mut() {
                body.push_str(line);
                body.push('\n');
            } else {
                // What stands before the first section is the case's reason, in prose.
                sections.push((String::new(), format!("{line}\n")));
            }
        }
        Self(sections)
    }

    pub fn section(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(found, _)| found == name).map(|(_, body)| body.as_str())
    }

    pub fn with_plan(&self, plan: &str) -> Self {
        let mut sections = self.0.clone();
        sections.retain(|(name, _)| name != "plan");
        sections.push(("plan".into(), plan.to_owned()));
        Self(sections)
    }

    pub fn write(&self, path: &Path) {
        let part =
            |(name, body): &(String, String)| if name.is_empty() { body.clone() } else { format!("== {name}\n{body}") };
        std::fs::write(path, self.0.iter().map(part).collect::<String>()).unwrap();
    }

    /// The desired state of one side. `== migrations` holds for both sides, `== migrations before` for one.
    pub fn desired(&self, toml: &str, migrations: &str) -> Desired {
        let source = self.section(toml).unwrap_or_else(|| panic!("the case has no section {toml}"));
        let configuration = tenantry::config::parse(toml, source, &|_| None).unwrap_or_else(|error| panic!("{error}"));
        let files = self.section(migrations).or_else(|| self.section("migrations")).unwrap_or_default();
        let format = configuration.migrations_format;
        let files = migration_files(format, files);
        let set = MigrationSet::of(format, configuration.migrations_table.clone(), files).unwrap();
        configuration.with_migrations(set)
    }

    /// PostgreSQL 15 and a superuser, unless `== by hand` says otherwise.
    pub fn server(&self) -> Server {
        let by_hand = self.section("by hand").unwrap_or_default();
        let version = by_hand.lines().find_map(|line| line.strip_prefix("server "));
        let version = version.map_or(150_018, |version| version.trim().parse().unwrap());
        server(version, !by_hand.lines().any(|line| line == "admin is not superuser"))
    }
}

/// `-- V1__name.sql` begins a file, which goes on to the next one.
fn migration_files(format: Format, text: &str) -> Vec<MigrationFile> {
    let mut files: Vec<(String, String)> = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        match line.strip_prefix("-- ").filter(|rest| rest.ends_with(".sql")) {
            Some(name) => files.push((name.to_owned(), String::new())),
            None => {
                let (_, sql) = files.last_mut().expect("a migration's SQL comes after its name");
                sql.push_str(line);
                sql.push('\n');
            }
        }
    }
    files.iter().map(|(name, sql)| MigrationFile::read(format, name, sql, None).unwrap()).collect()
}
