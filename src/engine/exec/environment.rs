//! The environment of a tenant's program.

use std::ffi::{OsStr, OsString};
use std::process::Command;

use secrecy::ExposeSecret;

use crate::core::model::Tenant;
use crate::engine::login::Login;

/// The program, with the tenant's `PG*`, `DATABASE_URL`, `TENANTRY_TENANT` and `TENANTRY_SCHEMA`, and of the variables that were given
/// those that are nobody's credentials. Its arguments are the caller's.
#[must_use]
pub fn command(
    tenant: &Tenant,
    login: &Login,
    program: &OsStr,
    given: impl Iterator<Item = (String, OsString)>,
) -> Command {
    let mut command = Command::new(program);
    command.env_clear().envs(given.filter(|(name, _)| !is_of_the_admin(name)));
    command.envs(login.environment().iter().map(|(name, value)| (name, value.expose_secret())));
    command.env("TENANTRY_TENANT", tenant.key.as_str()).env("TENANTRY_SCHEMA", &tenant.schema);
    command
}

/// Whether the variable says where the administrator logs in, or with what: libpq's, and what is called like them; Vault's; ours.
fn is_of_the_admin(name: &str) -> bool {
    name == "DATABASE_URL" || ["PG", "VAULT_", "BAO_", "TENANTRY_"].iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_administrators_variables_are_known_by_their_names() {
        for name in [
            "PGPASSWORD",
            "PGSERVICEFILE",
            "PG_PASSWORD",
            "VAULT_TOKEN",
            "BAO_ADDR",
            "TENANTRY_DATABASE_URL",
            "DATABASE_URL",
        ] {
            assert!(is_of_the_admin(name), "{name}");
        }
        for name in ["PATH", "HOME", "LANG", "NODE_ENV", "MY_DATABASE_URL_NAME", "VAULTED"] {
            assert!(!is_of_the_admin(name), "{name}");
        }
    }
}
