//! Programs that run as tenants.

use std::ffi::{OsStr, OsString};
use std::process::Command;

use super::error::{Error, Guard, Refusal};
use super::looked::Looked;
use super::session::Ground;
use crate::core::model::{Tenant, TenantKey};
use crate::engine::error::Error as RunError;
use crate::engine::exec::{Exec, Lines, Ran, command};
use crate::engine::login::{Closed, Logins};

/// How a program is run as many tenants.
pub struct Programs<'a> {
    pub program: &'a OsStr,
    pub arguments: &'a [OsString],
    /// Start no more once so many have ended alike, and not well; 0: go on whatever fails.
    pub max_failures: usize,
    /// How often somebody wanted it to end.
    pub pressed: &'a (dyn Fn() -> usize + Sync),
    /// Hears every line; from the tenant's own thread, as does `each`.
    pub line: Lines<'a>,
    /// Hears what became of each.
    pub each: &'a (dyn Fn(&Ran) + Sync),
}

impl Looked {
    /// The program as this tenant: with `PG*` and `DATABASE_URL` of its delivered secret, `TENANTRY_TENANT` and `TENANTRY_SCHEMA`, and
    /// without what is the administrator's: `PG*`, `VAULT_*`, `BAO_*`, `TENANTRY_*`, and what tenants.toml names as `${…}`. Its
    /// environment holds the password: do not print the command.
    ///
    /// # Errors
    /// When the tenant is not declared, not in use, or has no secret that serves.
    pub fn command(&self, tenant: &str, program: &OsStr) -> Result<Command, Error> {
        let named = [tenant.to_owned()];
        let found = self.to_verify(&named)?.into_iter().next();
        // It is declared, or it would have been an error.
        let entered = found.map(|tenant| (tenant, enter(&self.logins(), &self.session.ground, tenant, program)));
        match entered {
            Some((_, Ok(command))) => Ok(command),
            Some((tenant, Err(Closed::Out(why)))) => Err(Self::not_in_use(&tenant.key, &why).into()),
            Some((tenant, Err(Closed::Failed(fault)))) => {
                let message = format!("tenant {}: {}", tenant.key, fault.message);
                Err(RunError::Refused { message, hint: fault.hint }.into())
            }
            None => Err(RunError::Refused { message: format!("tenant {tenant:?} is not declared"), hint: None }.into()),
        }
    }

    /// Runs the program as each tenant that the targets take, several at once. What the program does to a tenant is not ours to judge:
    /// it has the tenant's rights and no others.
    ///
    /// # Errors
    /// None but what [`Self::verify`] says of targets. What becomes of a tenant is in the result.
    pub fn exec(&self, programs: &Programs<'_>) -> Result<Vec<Ran>, Error> {
        // Not the session, which no two threads may have.
        let (logins, ground) = (self.logins(), &self.session.ground);
        let exec = Exec {
            arguments: programs.arguments,
            command: &|tenant| enter(&logins, ground, tenant, programs.program),
            parallelism: ground.options.parallelism(),
            max_failures: programs.max_failures,
            pressed: programs.pressed,
            line: programs.line,
            each: programs.each,
        };
        Ok(exec.run(&self.to_verify(&[])?))
    }

    fn not_in_use(key: &TenantKey, why: &str) -> Refusal {
        let guard = Guard::Registered { tenant: key.to_string() };
        Refusal::new(
            guard,
            format!("tenant {key} is not in use: {why}"),
            "tenantry plan says what apply would do about it",
        )
    }
}

fn enter(logins: &Logins<'_>, ground: &Ground, tenant: &Tenant, program: &OsStr) -> Result<Command, Closed> {
    let login = logins.enter(tenant)?;
    let given = ground.environment.all().filter(|(name, _)| !ground.project.names_variable(name));
    Ok(command(tenant, &login, program, given))
}
