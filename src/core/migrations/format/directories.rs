//! A directory for each migration: diesel and Prisma.

use std::collections::BTreeMap;

use super::parts::{Named, Role, number};
use crate::core::migrations::lint::MigrationFault;
use crate::core::migrations::names::Misnamed;

/// The migration of `DIRECTORY/file`, whose version the directory's name begins with.
/// `version`: its part before the first underscore, as the tool reads it.
pub(super) fn named(directory: &str, version: &str, example: &str) -> Result<Named, Misnamed> {
    if version.is_empty() || !version.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Misnamed {
            message: "is in a directory whose name does not begin with a number and an underscore".into(),
            hint: format!("name the directory as in {example}"),
        });
    }
    let name = directory.split_once('_').map(|(_, name)| name).filter(|name| !name.is_empty());
    Ok(Named {
        version: number(version)?,
        name: name.unwrap_or(directory).to_owned(),
        may_come_late: true,
        settings: None,
    })
}

pub(super) fn role_of(named: Result<Named, Misnamed>) -> Role {
    named.map_or_else(Role::Fault, Role::Migration)
}

/// The directories that have no such file: an error of the tool's.
pub(super) fn without(paths: &[&str], file: &str, tool: &str) -> Vec<MigrationFault> {
    let mut directories: BTreeMap<&str, bool> = BTreeMap::new();
    for (directory, rest) in paths.iter().filter_map(|path| path.split_once('/')) {
        *directories.entry(directory).or_default() |= rest == file;
    }
    let lacking = directories.into_iter().filter(|(_, has)| !has);
    let fault = |(directory, _): (&str, bool)| MigrationFault {
        file: directory.to_owned(),
        line: None,
        message: format!("is a directory without {file}, which {tool} takes for an error"),
        hint: Some(format!("write {directory}/{file}, or remove the directory")),
    };
    lacking.map(fault).collect()
}
