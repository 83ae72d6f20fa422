//! `init`: a commented tenants.toml and a first migration.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use super::args::{Global, InitArgs};
use super::exit::Exit;
use super::failure::Context;
use super::failure::Failure;
use super::output::Output;

const TENANTS: &str = include_str!("templates/tenants.toml");
const MIGRATION: &str = include_str!("templates/V1__create_users.sql");
const IGNORE: &str = "# The file secret store: passwords. Never commit it.\n/secrets/\n";

pub fn run(global: &Global, args: &InitArgs, out: &mut Output) -> Result<Exit, Failure> {
    let root = &args.directory;
    let config = root.join(&global.config);
    let migrations = root.join("migrations");
    if config.exists() {
        return Err(Failure::refused(
            format!("{} already exists; nothing was written", config.display()),
            "edit it, or specify another directory: tenantry init DIRECTORY",
        ));
    }
    fs::create_dir_all(&migrations).doing(format!("creating {}", migrations.display()))?;
    write_new(&config, TENANTS)?;
    out.print(&format!("wrote {}\n", config.display()))?;
    // A team that has migrations needs no first one.
    let has_sql = fs::read_dir(&migrations)
        .doing(format!("reading {}", migrations.display()))?
        .filter_map(Result::ok)
        .any(|entry| entry.path().extension().is_some_and(|extension| extension == "sql"));
    if !has_sql {
        let first = migrations.join("V1__create_users.sql");
        write_new(&first, MIGRATION)?;
        out.print(&format!("wrote {}\n", first.display()))?;
    }
    let ignore = root.join(".tenantry");
    fs::create_dir_all(&ignore).doing(format!("creating {}", ignore.display()))?;
    let ignore = ignore.join(".gitignore");
    if !ignore.exists() {
        write_new(&ignore, IGNORE)?;
        out.print(&format!("wrote {}\n", ignore.display()))?;
    }
    out.note("next: edit it, then tenantry validate, then tenantry plan");
    Ok(Exit::Ok)
}

/// Never over a file that is there, not even one that appeared a moment ago.
fn write_new(path: &Path, text: &str) -> Result<(), Failure> {
    let doing = || format!("writing {}", path.display());
    let mut file = OpenOptions::new().write(true).create_new(true).open(path).doing(doing())?;
    file.write_all(text.as_bytes()).doing(doing())?;
    Ok(())
}
