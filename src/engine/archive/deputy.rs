//! Who logs in for the tenant while it is dumped or restored, and for its migrations that no function can hold.
//!
//! Reading and filling a tenant's tables meets the tenant's code: a CHECK, an index expression, a table that became a view
//! between two statements of pg_dump (CVE-2024-7348). So does DDL with the tenant's schema in the search_path: a literal's
//! type, an operator in an administrator's event trigger. Whoever is logged in is who that code can become, whatever SET
//! ROLE says. So it is a role with the tenant's rights and no others.

use postgres::{Client, GenericClient, Transaction};
use rand::distr::{Alphanumeric, SampleString};
use secrecy::SecretString;

use crate::core::digest::digest;
use crate::core::model::{Server, TenantKey, ident, literal};
use crate::engine::database::{Ask, ConnectError, Target, end_sessions, execute_unlogged, session};
use crate::engine::error::{Context, Error, error_chain};
use crate::engine::password::verifier_literal;
use crate::engine::registry;

/// Long enough to log in, short enough to be of no use to whoever finds the role after a crash.
const LOGIN_WITHIN: &str = "10 minutes";

/// What to do where the server lets the tenants in, and not it.
pub(super) const LET_IT_IN: &str = "it is a member of the tenants' group role and has a password: pg_hba.conf must let it in from here, as it does the tenants";

/// A role that is there for one errand. The registry remembers it, so that a crash leaves none for good.
pub(crate) struct Deputy {
    pub name: String,
    /// The place we are connected to, logged in as the deputy.
    pub login: Target,
    /// What its transactions begin with.
    preamble: String,
}

/// What a deputy is made for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Errand {
    Dump,
    Restore,
    /// Migrations outside a transaction.
    Migrate,
}

impl Errand {
    /// What logs in, in words.
    fn who(self) -> &'static str {
        match self {
            Self::Dump | Self::Restore => "pg_dump and pg_restore",
            Self::Migrate => "migrations outside a transaction",
        }
    }
}

/// Roles are the cluster's, so the name says which database it serves; it does not grow with the tenant's key.
fn name(database: &str, tenant: &TenantKey) -> String {
    format!("tenantry_deputy_{}", &digest(&format!("{database}/{tenant}"))[..24])
}

impl Deputy {
    /// Makes the role, committed, with the rights of `roles`. The tenant's row must be in the registry. `preamble`: what a
    /// transaction of ours begins with, so that whoever lost the lock of apply takes nobody else's deputy away.
    ///
    /// # Errors
    /// What PostgreSQL answered.
    pub fn appoint(
        client: &mut Client,
        target: &Target,
        server: &Server,
        tenant: &TenantKey,
        roles: &[String],
        errand: Errand,
        preamble: &str,
    ) -> Result<Self, Error> {
        let doing = match errand {
            Errand::Dump | Errand::Restore => "creating the role that pg_dump or pg_restore logs in as",
            Errand::Migrate => "creating the role that migrations outside a transaction log in as",
        };
        let database = target.database();
        let password = SecretString::from(Alphanumeric.sample_string(&mut rand::rng(), 32));
        let name = name(database, tenant);
        let login = target.with_credentials(&name, password.clone());
        let mut deputy = Self { login, name, preamble: preamble.to_owned() };
        deputy.dismiss(client, server, tenant)?;
        let role = ident(&deputy.name);
        let mut transaction = client.transaction().doing(doing)?;
        transaction.batch_execute(preamble).doing(doing)?;
        let until = until(&mut transaction).doing(doing)?;
        // Rows that policies keep from a table's owner are the tenant's data too. Only a superuser may say so up to 15. Not
        // for a restore: it runs the tenant's code, which would read past the policies of shared tables.
        let bypass = if server.admin.superuser && errand == Errand::Dump { " BYPASSRLS" } else { "" };
        let create = zeroize::Zeroizing::new(format!(
            "CREATE ROLE {role} LOGIN{bypass} CONNECTION LIMIT 2 VALID UNTIL {} PASSWORD {}",
            literal(&until),
            verifier_literal(&password).as_str()
        ));
        execute_unlogged(&mut transaction, &create, server.admin.superuser).doing(doing)?;
        transaction.batch_execute(&session::for_programs(&role)).doing(doing)?;
        // A tenant's owner is in the group role by itself, and whoever is not a superuser may lack ADMIN on that.
        let group = (errand != Errand::Migrate).then(|| crate::core::plan::group_role(database));
        for granted in roles.iter().chain(&group) {
            transaction.batch_execute(&format!("GRANT {} TO {role}", ident(granted))).doing(doing)?;
        }
        transaction.batch_execute(&rights_of(server, &deputy.name)).doing(doing)?;
        registry::set_deputy(&mut transaction, tenant, Some(&deputy.name)).doing(doing)?;
        transaction.commit().doing(doing)?;
        fail_point!("after_deputy_is_made");
        match deputy.try_to_log_in(errand) {
            Ok(()) => Ok(deputy),
            Err(error) => {
                deputy.dismiss(client, server, tenant)?;
                Err(error)
            }
        }
    }

    /// Before anything waits for it: a refusal is told with what to do about it.
    fn try_to_log_in(&mut self, errand: Errand) -> Result<(), Error> {
        let refused = match self.login.connect_to() {
            // pg_dump knows nothing of target_session_attrs: it goes where this session went.
            Ok((_, endpoint)) => {
                self.login = self.login.at(&endpoint);
                return Ok(());
            }
            Err(error) => error,
        };
        match self.login.by_loopback().filter(|login| login.connect().is_ok()) {
            Some(login) => {
                self.login = login;
                Ok(())
            }
            None => Err(Error::Refused {
                message: format!("the role created for {} cannot log in: {}", errand.who(), error_chain(&refused)),
                hint: hint(&refused),
            }),
        }
    }

    /// From its next login on names without a schema are looked for there, as they are for the tenant.
    ///
    /// # Errors
    /// What PostgreSQL answered.
    pub fn looks_in(&self, client: &mut impl GenericClient, search_path: &str) -> Result<(), Error> {
        let sql = format!("ALTER ROLE {} SET search_path = {search_path}", ident(&self.name));
        client.batch_execute(&sql).doing("giving the role that restores the tenant's search_path")
    }

    /// It may log in for as long again: what it did so far may have taken longer than the first time lasts.
    ///
    /// # Errors
    /// What PostgreSQL answered.
    pub fn renew(&self, client: &mut Client) -> Result<(), Error> {
        let doing = "renewing the login of the role that logs in for the tenant";
        let until = until(client).doing(doing)?;
        client.batch_execute(&format!("ALTER ROLE {} VALID UNTIL {}", ident(&self.name), literal(&until))).doing(doing)
    }

    /// Ends its sessions and drops the role.
    ///
    /// # Errors
    /// What PostgreSQL answered.
    pub fn dismiss(&self, client: &mut Client, server: &Server, tenant: &TenantKey) -> Result<(), Error> {
        dismiss(client, server, tenant, &self.name, &self.preamble)
    }

    /// Drops the role in the open transaction.
    ///
    /// # Errors
    /// What PostgreSQL answered.
    pub fn drop_in(&self, transaction: &mut Transaction<'_>) -> Result<(), postgres::Error> {
        drop_role(transaction, &self.name)
    }
}

fn until(client: &mut impl GenericClient) -> Result<String, postgres::Error> {
    Ok(client.ask_one(&format!("SELECT (pg_catalog.now() + '{LOGIN_WITHIN}')::text"), &[])?.get(0))
}

/// An admin who is not a superuser ends the deputy's sessions, and drops what it owns, as a member of it.
fn rights_of(server: &Server, deputy: &str) -> String {
    if server.admin.superuser {
        return String::new();
    }
    let with = if server.major() >= 16 { " WITH INHERIT TRUE, SET TRUE" } else { "" };
    format!("GRANT {} TO {}{with}", ident(deputy), ident(&server.admin.name))
}

/// Of a refusal of the login itself the connection's own hint would speak of a password that nobody gave.
fn hint(refused: &ConnectError) -> Option<String> {
    if refused.sqlstate().is_some_and(|sqlstate| sqlstate.starts_with("28")) {
        return Some(LET_IT_IN.into());
    }
    refused.hint().map(str::to_owned)
}

fn drop_role(transaction: &mut Transaction<'_>, name: &str) -> Result<(), postgres::Error> {
    let role = ident(name);
    transaction.batch_execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}"))
}

/// Ends the sessions of a deputy that may still be there, and drops it; an orphaned pg_dump may still be running as it.
///
/// # Errors
/// What PostgreSQL answered.
pub(crate) fn dismiss(
    client: &mut Client,
    server: &Server,
    tenant: &TenantKey,
    name: &str,
    preamble: &str,
) -> Result<(), Error> {
    let doing = "dropping the role that logged in for the tenant";
    let exists = "SELECT FROM pg_catalog.pg_roles WHERE rolname = $1::text::name";
    if client.ask_opt(exists, &[&name]).doing(doing)?.is_some() {
        // Committed by itself, so that it does not log in again once its sessions are ended.
        let mut transaction = client.transaction().doing(doing)?;
        transaction.batch_execute(preamble).doing(doing)?;
        transaction.batch_execute(&format!("ALTER ROLE {} NOLOGIN", ident(name))).doing(doing)?;
        transaction.commit().doing(doing)?;
        // Made by another admin, say: then its rights are not ours yet.
        let mut transaction = client.transaction().doing(doing)?;
        transaction.batch_execute(preamble).doing(doing)?;
        transaction.batch_execute(&rights_of(server, name)).doing(doing)?;
        end_sessions(&mut transaction, name).doing(doing)?;
        drop_role(&mut transaction, name).doing(doing)?;
        registry::set_deputy(&mut transaction, tenant, None).doing(doing)?;
        transaction.commit().doing(doing)?;
    }
    Ok(())
}
