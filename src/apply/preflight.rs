//! What the admin must be able to do, asked before anything is changed; what is missing is printed as SQL.

use std::path::Path;

use crate::archive::{Programs, check_dir};
use crate::error::Error;
use crate::model::{Observed, ident};
use crate::plan::{DatabaseAction, Kind, Plan};

/// # Errors
/// The first right that is missing, with the statement that grants it.
pub fn check_admin(observed: &Observed, plan: &Plan) -> Result<(), Error> {
    let admin = &observed.server.admin;
    if admin.superuser {
        return Ok(());
    }
    let name = ident(&admin.name);
    let database = ident(&observed.database.name);
    let does = |kinds: &[Kind]| plan.tenants.iter().flat_map(|t| &t.changes).any(|change| kinds.contains(&change.kind));
    let shares =
        |actions: &[DatabaseAction]| plan.database_changes.iter().any(|change| actions.contains(&change.action));
    let makes_roles = does(&[Kind::CreateRole, Kind::CreateOwner, Kind::DropRole, Kind::DropOwner, Kind::AlterRole])
        || shares(&[DatabaseAction::CreateGroup, DatabaseAction::CreateSharedOwner]);
    if makes_roles && !admin.createrole {
        return Err(missing(&admin.name, "CREATEROLE", format!("ALTER ROLE {name} CREATEROLE")));
    }
    let makes_schemas = does(&[Kind::CreateSchema, Kind::RenameSchema])
        || shares(&[DatabaseAction::CreateRegistry, DatabaseAction::CreateSharedSchema]);
    if makes_schemas && !admin.can_create_schema {
        return Err(missing(
            &admin.name,
            "CREATE on the database",
            format!("GRANT CREATE ON DATABASE {database} TO {name}"),
        ));
    }
    if shares(&[DatabaseAction::GrantConnect]) && !admin.owns_database {
        let group = ident(&crate::plan::group_role(&observed.database.name));
        return Err(missing(&admin.name, "the database", format!("GRANT CONNECT ON DATABASE {database} TO {group}")));
    }
    Ok(())
}

/// Without an archive nothing is dropped, so what it takes is looked for before anything is changed.
///
/// # Errors
/// When no pg_dump is there that is new enough, or nothing can be written where archives go.
pub fn check_archives(observed: &Observed, plan: &Plan, dir: &Path) -> Result<(), Error> {
    if plan.tenants.iter().flat_map(|tenant| &tenant.changes).any(|change| change.kind == Kind::Archive) {
        Programs::find(observed.server.major().unsigned_abs())?;
        check_dir(dir)?;
    }
    Ok(())
}

fn missing(admin: &str, right: &str, sql: String) -> Error {
    Error::refused(
        format!("{admin} is not a superuser and lacks {right}; nothing was changed"),
        format!("as a superuser, or the owner of the database: {sql};"),
    )
}
