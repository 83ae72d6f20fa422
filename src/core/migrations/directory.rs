//! What all the paths together say: an order that is not that of the versions, and a format that does not fit.

use std::collections::BTreeMap;

use super::format::Format;
use super::format::parts::{DOWN, Role, is_sql};
use super::lint::MigrationFault;

/// The faults that no file has by itself. `settings`: those that were read, path → text.
#[must_use]
pub fn faults_of_directory(format: Format, paths: &[&str], settings: &BTreeMap<String, String>) -> Vec<MigrationFault> {
    let mut faults: Vec<MigrationFault> = out_of_order(format, paths).into_iter().collect();
    faults.extend(misfit(format, paths));
    faults.extend(format.check(paths, settings));
    faults
}

/// Two migrations that the tool orders by their names as text, and their versions the other way round. All that follow may be
/// too; one is enough to see what is wrong.
fn out_of_order(format: Format, paths: &[&str]) -> Option<MigrationFault> {
    let migration = |path: &&str| match format.role(path) {
        Role::Migration(named) => Some((format.text_order(path)?, named.version, (*path).to_owned())),
        _ => None,
    };
    let mut migrations: Vec<(String, i64, String)> = paths.iter().filter_map(migration).collect();
    migrations.sort();
    let pair = migrations.windows(2).find(|pair| pair[0].1 > pair[1].1)?;
    let [(_, _, before), (_, _, after)] = pair else { return None };
    Some(MigrationFault {
        file: after.clone(),
        line: None,
        message: format!(
            "comes after {before} in {}, which goes by the text, and before it by its number",
            format.as_str()
        ),
        hint: Some("write all versions with the same number of digits".into()),
    })
}

/// Where no file fits, or the files fit another format and not this one.
fn misfit(format: Format, paths: &[&str]) -> Option<MigrationFault> {
    let sql: Vec<&str> = paths.iter().copied().filter(|path| is_sql(path)).collect();
    let is_migration = |path: &&str| matches!(format.role(path), Role::Migration(_));
    let known =
        |format: Format, path: &str| matches!(format.role(path), Role::Migration(_)) || format.role(path) == DOWN;
    let fits = |format: Format| sql.iter().filter(|path| known(format, path)).count();
    if sql.is_empty() || sql.iter().any(is_migration) {
        return None;
    }
    // The most particular first: what is named for golang-migrate is named for sqlx too.
    let others = [
        Format::Refinery,
        Format::GolangMigrate,
        Format::Prisma,
        Format::Diesel,
        Format::Flyway,
        Format::Sqlx,
        Format::Dbmate,
    ];
    let likely = others.into_iter().filter(|other| *other != format && fits(*other) > 0);
    let likely = likely.rev().max_by_key(|other| fits(*other));
    if likely.is_none() && format == Format::Refinery {
        // Its names are each refused with what is wrong with them.
        return None;
    }
    Some(MigrationFault {
        file: "[migrations] format".into(),
        line: None,
        message: format!("= {:?} fits none of these files", format.as_str()),
        hint: Some(match likely {
            Some(other) => format!("if they are named as for {0}, set format = {0:?}", other.as_str()),
            None => "set format to the tool that the files were written for, or look at [migrations] dir".into(),
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hint(format: Format, paths: &[&str]) -> String {
        misfit(format, paths).map(|fault| fault.hint.unwrap_or_default()).unwrap_or_default()
    }

    #[test]
    fn an_order_of_texts_that_is_not_that_of_the_numbers_is_a_fault() {
        let said = |format, paths: &[&str]| out_of_order(format, paths).map(|fault| fault.to_string());
        let dbmate = said(Format::Dbmate, &["10_b.sql", "9_a.sql"]).unwrap();
        assert!(dbmate.starts_with("9_a.sql comes after 10_b.sql in dbmate"), "{dbmate}");
        assert!(said(Format::Prisma, &["0_init/migration.sql", "20240101_a/migration.sql"]).is_none());
        assert!(said(Format::Prisma, &["2_a/migration.sql", "10_b/migration.sql"]).is_some());
        let diesel = ["30_a/up.sql", "2024-01-01-120000_b/up.sql"];
        assert!(said(Format::Diesel, &diesel).is_some(), "30 is a smaller number and a larger text");
        assert!(
            said(Format::Diesel, &["2024-01-01-120000_a/up.sql", "20240101110000_b/up.sql"]).is_none(),
            "without dashes"
        );
        assert!(said(Format::Sqlx, &["2_a.sql", "10_b.sql"]).is_none(), "sqlx goes by the number");
    }

    #[test]
    fn files_of_another_tool_say_whose_they_look_like() {
        let of = |paths: &[&str]| hint(Format::Sqlx, paths);
        assert!(of(&["V1__a.sql", "V2__b.sql"]).contains("\"refinery\""));
        assert!(of(&["V1.1__a.sql", "V2__b.sql"]).contains("\"flyway\""));
        assert!(of(&["20240101120000_a/migration.sql", "migration_lock.toml"]).contains("\"prisma\""));
        assert!(of(&["2024-01-01-120000_a/up.sql", "2024-01-01-120000_a/down.sql"]).contains("\"diesel\""));
        assert!(hint(Format::Refinery, &["1_a.up.sql", "1_a.down.sql"]).contains("\"golang-migrate\""));
        assert!(hint(Format::Flyway, &["1_a.sql"]).contains("\"sqlx\""));
        assert!(of(&["x.sql"]).contains("look at [migrations] dir"));
        assert_eq!(of(&["1_a.sql", "V1__b.sql"]), "", "one fits: the other has a fault of its own");
        assert_eq!(of(&[]), "");
    }
}
