//! refinery's own files: `V1__create_users.sql`, `U2__add_index.sql`, in any directory.

use super::parts::{Named, Role, is_sql};
use crate::core::migrations::Version;
use crate::core::migrations::names::{self, Beside, Misnamed};

pub(super) fn role(path: &str) -> Role {
    let name = path.rsplit('/').next().unwrap_or(path);
    if !is_sql(name) {
        return match names::beside(name) {
            Beside::Fault(misnamed) => Role::Fault(misnamed),
            Beside::NotRun => Role::NotRun(None),
            Beside::Hidden => Role::Hidden,
        };
    }
    if let Err(misnamed) = names::check(name) {
        return Role::Fault(misnamed);
    }
    match refinery_core::Migration::unapplied(name, "") {
        Ok(migration) => Role::Migration(Named {
            version: Version::from(migration.version()),
            name: migration.name().to_owned(),
            may_come_late: migration.prefix().to_string() == "U",
            settings: None,
        }),
        Err(_) => Role::Fault(Misnamed {
            message: "has a version above 2147483647".into(),
            hint: "give it a smaller number".into(),
        }),
    }
}
