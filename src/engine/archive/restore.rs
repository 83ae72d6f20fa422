//! Filling a schema from an archive: logged in as a deputy, so that whatever the dump holds runs as no more than the tenant.

use postgres::Client;

use super::files::Opened;
use super::large_objects;
use super::programs::{Programs, Session, run_fed};
use super::{Deputy, Manifest, script};
use crate::core::model::{Server, Tenant, TenantKey};
use crate::engine::error::{Context, Error};
use crate::engine::private;

/// # Errors
/// What pg_restore or PostgreSQL answered. What was made until then is still there.
pub(crate) fn fill(
    deputy: &Deputy,
    (programs, server): (&Programs, &Server),
    opened: &Opened,
    tenant: &Tenant,
    session: Session<'_>,
) -> Result<(), Error> {
    let mut command = programs.command("pg_restore", Some(&deputy.login));
    command.arg("--no-password").args(script::wanted(&tenant.schema));
    let harmless = programs
        .says_too_much_to(server.major().unsigned_abs())
        .then_some("configuration parameter \"transaction_timeout\"");
    if harmless.is_none() {
        command.arg("--exit-on-error");
    }
    command.arg("--format=custom").arg(format!("--dbname={}", deputy.login.database()));
    let doing = format!("pg_restore of {}", opened.dump.display());
    let dump = private::open_regular(&opened.dump).doing(&doing)?;
    run_fed(&mut command, &doing, session, harmless, move |stdin| script::copy_keeping_path(dump, stdin))?;
    fail_point!("after_pg_restore");
    Ok(())
}

/// Asked before anything is made. `group`: the tenants' group role.
///
/// # Errors
/// That large objects may not be created; or which OIDs are taken, and by whom.
pub(crate) fn refuse_large_objects(client: &mut Client, opened: &Opened, group: &str) -> Result<(), Error> {
    let Some(file) = &opened.large_objects else { return Ok(()) };
    large_objects::refuse_without_lo_create(client, group)?;
    large_objects::refuse_taken(client, file)
}

/// # Errors
/// What PostgreSQL answered. What was made until then is still there.
pub(crate) fn fill_large_objects(
    deputy: &Deputy,
    server: &Server,
    opened: &Opened,
    tenant: &Tenant,
) -> Result<(), Error> {
    let Some(file) = &opened.large_objects else { return Ok(()) };
    let mut client = deputy.login.connect().map_err(Error::from)?;
    let at_once = server.locks_of_a_batch();
    large_objects::restore(&mut client, file, [&tenant.username, tenant.owner()], at_once)?;
    client.close().doing("ending the session that restored the large objects")
}

/// An archive goes back to the tenant it was made of, under the names that stand in it.
///
/// # Errors
/// Which names differ; or that the tenant is not declared, with the TOML that declares it.
pub fn refuse_other_names<'a>(manifest: &Manifest, declared: Option<&'a Tenant>) -> Result<&'a Tenant, Error> {
    let key: &TenantKey = &manifest.tenant;
    let Some(tenant) = declared else {
        return Err(Error::refused(
            format!("the archive is of tenant {key}, which is not declared in tenants.toml; nothing was changed"),
            format!("declare it, and restore again:\n\n{}", manifest.toml()),
        ));
    };
    let pairs = [
        ("schema", manifest.schema.as_str(), tenant.schema.as_str()),
        ("username", &manifest.username, &tenant.username),
        ("owner", &manifest.owner, tenant.owner()),
    ];
    match pairs.iter().find(|(_, archived, declared)| archived != declared) {
        None => Ok(tenant),
        Some((what, archived, declared)) => Err(Error::refused(
            format!(
                "the {what} of {key} is {archived:?} in the archive and {declared:?} in tenants.toml; nothing was changed"
            ),
            format!(
                "declare it as it was, restore, and change it then; apply renames in place:\n\n{}",
                manifest.toml()
            ),
        )),
    }
}
