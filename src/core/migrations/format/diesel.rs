//! diesel: a directory for each migration, with `up.sql`, perhaps `down.sql`, and perhaps a `metadata.toml` that takes it out of
//! its transaction. The version is the directory's name up to the first underscore, without dashes, and a text to diesel; what was
//! merged late is applied late. Files beside the directories are ignored (`diesel_migrations`, `migrations_internals`).

use serde::Deserialize;

use super::directories::{named, role_of};
use super::parts::{BELOW, Content, DOWN, Named, Outside, Role, is_sql};
use crate::core::migrations::lint::MigrationFault;

pub(super) fn role(path: &str) -> Role {
    let Some((directory, file)) = path.split_once('/') else {
        return Role::NotRun(is_sql(path).then_some("not in a directory of its own"));
    };
    match file {
        "up.sql" => {
            let named = named(directory, &version(directory), "2024-01-01-120000_create_users/up.sql");
            role_of(named.map(|named| Named { settings: Some(format!("{directory}/metadata.toml")), ..named }))
        }
        "down.sql" => DOWN,
        "metadata.toml" => Role::Settings,
        _ => Role::NotRun(is_sql(file).then_some(if file.contains('/') { BELOW } else { "not named up.sql" })),
    }
}

pub(super) fn version(directory: &str) -> String {
    directory.split('_').next().unwrap_or_default().replace('-', "")
}

/// diesel keeps other keys for whoever asks.
#[derive(Deserialize)]
struct Metadata {
    run_in_transaction: Option<bool>,
}

pub(super) fn content<'a>(
    path: &str,
    sql: &'a str,
    settings: Option<&str>,
) -> Result<Content<'a>, Vec<MigrationFault>> {
    let Some(settings) = settings else { return Ok(Content::whole(sql, Outside::Nothing)) };
    let file = path.replace("/up.sql", "/metadata.toml");
    let fault = |line, message: String| {
        let hint = Some("write run_in_transaction = true, or false".to_owned());
        vec![MigrationFault { file: file.clone(), line, message, hint }]
    };
    let metadata: Metadata = toml::from_str(settings).map_err(|error| {
        let line = error.span().map(|span| 1 + settings[..span.start].matches('\n').count());
        fault(line, format!("cannot be read: {}", error.message()))
    })?;
    // diesel takes a missing key for false, and a file that it cannot read for true: neither is what anybody meant.
    match metadata.run_in_transaction {
        Some(true) => Ok(Content::whole(sql, Outside::Nothing)),
        Some(false) => Ok(Content::whole(sql, Outside::Told)),
        None => Err(fault(None, "does not say run_in_transaction, which diesel takes for false".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests_support::{migration, refused};
    use super::*;
    use crate::core::migrations::{Format, MigrationFile};

    #[test]
    fn a_directory_is_a_migration() {
        let named = |path| migration(role(path));
        assert_eq!(named("2024-01-01-120000_create_users/up.sql"), (20_240_101_120_000, "create_users".into()));
        assert_eq!(named("00000000000000_diesel_initial_setup/up.sql"), (0, "diesel_initial_setup".into()));
        assert_eq!(role("2024-01-01-120000_a/down.sql"), DOWN);
        assert_eq!(role("2024-01-01-120000_a/metadata.toml"), Role::Settings);
        assert_eq!(role("seed.sql"), Role::NotRun(Some("not in a directory of its own")));
        assert!(refused(role("initial_setup/up.sql")).contains("does not begin with a number"));
        let faults = Format::Diesel.check(&["1_a/up.sql", "2_b/down.sql", "README.md"], &Default::default());
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert_eq!(faults[0].to_string(), "2_b is a directory without up.sql, which diesel takes for an error");
    }

    #[test]
    fn metadata_takes_a_migration_out_of_its_transaction() {
        let index = "CREATE INDEX CONCURRENTLY i ON t (a);";
        let read = |metadata| MigrationFile::read(Format::Diesel, "1_a/up.sql", index, metadata);
        assert!(read(Some("run_in_transaction = false")).unwrap().no_transaction);
        assert!(read(Some("run_in_transaction = true\nowner = 'me'")).is_err());
        assert!(read(None).is_err());
        let said = |metadata| read(Some(metadata)).unwrap_err()[0].to_string();
        assert!(said("owner = 1").starts_with("1_a/metadata.toml does not say run_in_transaction"));
        assert!(said("\nrun_in_transaction = 1").starts_with("1_a/metadata.toml:2 cannot be read"));
    }
}
