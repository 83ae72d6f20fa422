//! What only a question to the server tells, asked before anything is changed: who we are in it, whether PL/pgSQL is ours
//! and the owners' to use, and whether a password may come as a verifier.

use postgres::Client;
use rand::random;

use crate::core::model::{Charset, Observed, PasswordPolicy, ident};
use crate::core::plan::{Change, ELIDED_VERIFIER, Plan, Sql, TenantPlan};
use crate::engine::database::{Ask, DatabaseError, execute_unlogged};
use crate::engine::error::{Context, Error};
use crate::engine::password;

/// Of a password that is set nowhere.
const PLAIN: PasswordPolicy = PasswordPolicy { length: 32, charset: Charset::Alphanumeric };

/// # Errors
/// What would fail after the first changes, with what to type.
pub fn check_server(client: &mut Client, observed: &Observed, plan: &Plan) -> Result<(), Error> {
    if plan.database_changes.is_empty() && !plan.tenants.iter().any(TenantPlan::has_work) {
        return Ok(());
    }
    is_who_logged_in(client, observed)?;
    let migrates = plan.tenants.iter().any(|tenant| tenant.phases.migrate().is_some());
    has_plpgsql(client, migrates)?;
    takes_verifiers(client, observed, plan)
}

/// `ALTER ROLE deploy SET role = ops` makes us a different role from the one that logged in; but which roles SET ROLE may reach goes
/// by the one that logged in, whatever the other may do (manual, "SET ROLE").
fn is_who_logged_in(client: &mut Client, observed: &Observed) -> Result<(), Error> {
    let query = "SELECT r.rolname::text AS name, r.rolsuper FROM pg_catalog.pg_roles r WHERE r.rolname = session_user";
    let login = client.ask_one(query, &[]).doing("checking which role we are logged in as")?;
    let (name, admin): (String, _) = (login.get("name"), &observed.server.admin);
    if !admin.superuser || login.get::<_, bool>("rolsuper") || name == admin.name {
        return Ok(());
    }
    let (from, to) = (ident(&name), ident(&admin.name));
    Err(Error::refused(
        format!(
            "{name}, who is not a superuser, acts as the superuser {} through its setting role: only a login that is itself a superuser may then \
             become the tenants' owner roles; nothing was changed",
            admin.name
        ),
        format!("connect as {to} itself, or: ALTER ROLE {from} SUPERUSER; ALTER ROLE {from} RESET role"),
    ))
}

/// Migrations run inside a function of the owner's, and what must hold at the end of each transaction is asked in a DO block.
/// A role that does not exist yet will have what PUBLIC has, and a plan takes from one that is there what it was granted.
pub(super) fn has_plpgsql(client: &mut Client, migrates: bool) -> Result<(), Error> {
    let query = "SELECT l.oid IS NOT NULL AS is_there, r.rolname::text AS of, \
         coalesce(pg_catalog.has_language_privilege(l.oid, 'USAGE'), false) AS ours, \
         coalesce(pg_catalog.has_language_privilege('public', l.oid, 'USAGE'), false) AS theirs \
         FROM (SELECT 'plpgsql'::name AS name) w LEFT JOIN pg_catalog.pg_language l ON l.lanname = w.name \
         LEFT JOIN pg_catalog.pg_roles r ON r.oid = l.lanowner";
    let row = client.ask_one(query, &[]).doing("checking who may use PL/pgSQL")?;
    if !row.get::<_, bool>("is_there") {
        return Err(Error::refused(
            "the database lacks the language plpgsql, which runs the migrations; nothing was changed",
            "CREATE EXTENSION plpgsql",
        ));
    }
    if row.get("ours") && (row.get("theirs") || !migrates) {
        return Ok(());
    }
    let who = if row.get("ours") { "the tenants' owner roles may" } else { "we may" };
    Err(Error::refused(
        format!("{who} not use the language plpgsql, which runs the migrations; nothing was changed"),
        format!(
            "as a superuser, or {}, who owns it: GRANT USAGE ON LANGUAGE plpgsql TO PUBLIC",
            row.get::<_, Option<&str>>("of").unwrap_or_default()
        ),
    ))
}

/// Whether these functions of PostgreSQL's are ours to call.
pub(super) fn may_call(client: &mut Client, functions: &[&str]) -> Result<(), Error> {
    let query = "SELECT f, current_user::text FROM pg_catalog.unnest($1::text[]) f \
                 WHERE NOT pg_catalog.has_function_privilege(f, 'EXECUTE') ORDER BY f";
    let rows = client.ask(query, &[&functions]).doing("checking which functions we may call")?;
    let Some(first) = rows.first() else { return Ok(()) };
    let (us, all): (&str, Vec<&str>) = (first.get(1), rows.iter().map(|row| row.get(0)).collect());
    let all = all.join(", ");
    Err(Error::refused(
        format!(
            "{us} may not call {all} in this database, which taking the lock needs (SQLSTATE 42501); nothing was changed"
        ),
        format!("as a superuser, in this database: GRANT EXECUTE ON FUNCTION {all} TO {}", ident(us)),
    ))
}

/// A module that looks at new passwords (`check_password_hook`: credcheck, say) may take none that it cannot read, which a
/// verifier is. Tried with the first statement that would send one, and rolled back.
fn takes_verifiers(client: &mut Client, observed: &Observed, plan: &Plan) -> Result<(), Error> {
    let tenants = plan.tenants.iter().filter(|tenant| tenant.reason.is_none());
    let stands_alone = |change: &&Change| match change {
        Change::CreateRole(create) => !observed.roles.contains_key(&create.role),
        Change::SetPassword(set) => observed.roles.contains_key(&set.role),
        _ => false,
    };
    let first = tenants.clone().flat_map(|tenant| &tenant.phases.transaction).find(stands_alone);
    let first = first.and_then(|change| change.view().sql().into_iter().find(Sql::needs_verifier));
    let logs_in = || tenants.clone().any(|tenant| tenant.phases.needs_a_deputy());
    // Who logs in for pg_dump, or for what runs outside a transaction, gets a password too.
    let deputy = || {
        let name = format!("tenantry_deputy_{:032x}", random::<u128>());
        Sql::with_verifier(format!("CREATE ROLE {name} LOGIN PASSWORD {ELIDED_VERIFIER}"))
    };
    let Some(sql) = first.or_else(|| logs_in().then(deputy)) else { return Ok(()) };
    let doing = "checking whether the server accepts password verifiers";
    let verifier = password::verifier_literal(&password::generate(PLAIN));
    let sent = zeroize::Zeroizing::new(sql.sent(&verifier));
    let mut transaction = client.transaction().doing(doing)?;
    let Err(error) = execute_unlogged(&mut transaction, &sent, observed.server.admin.superuser) else {
        return transaction.rollback().doing(doing);
    };
    transaction.rollback().doing(doing)?;
    let error = DatabaseError::from(error);
    // What PostgreSQL itself refuses is that tenant's: a name, a right, a lock, a want of something.
    let class = error.sqlstate().and_then(|state| state.get(..2)).unwrap_or_default();
    if ["", "08", "40", "42", "53", "54", "55", "57", "58", "XX"].contains(&class) {
        return Ok(());
    }
    Err(Error::refused(
        format!("{doing}: {error}; tenantry sends no password in plain text, and nothing was changed"),
        "a module in shared_preload_libraries rejects passwords that it cannot read: allow verifiers \
         (credcheck.encrypted_password_allowed = on), or disable it for the role that applies",
    ))
}
