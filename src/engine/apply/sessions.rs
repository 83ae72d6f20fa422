//! Ending a role's sessions.

use std::collections::BTreeSet;

use postgres::Client;

use super::job::Job;
use crate::core::model::ident;
use crate::core::plan::action::EndSessions;
use crate::core::report::TenantError;
use crate::engine::database::{Ask, DatabaseError, end_sessions};
use crate::engine::registry;

/// Roles that were locked out; who may log in again when what follows comes to nothing.
#[derive(Clone)]
pub(super) struct DisabledLogin<'a> {
    username: &'a str,
    /// Those that could log in, and the one that the secret names.
    roles: BTreeSet<&'a str>,
    /// The one that the secret names; a run that was interrupted, or a person, had disabled it before.
    was_before: Option<&'a str>,
}

/// From here on nobody logs in as the tenant, and nobody is: committed at once, because a client that reconnects in a loop
/// would otherwise be back, with its locks, before the transaction that follows is through. `None`: the plan locks nobody out, or
/// there is no such role.
///
/// A process that dies in between leaves the roles disabled; the next apply resumes what this one was about, or enables the one that
/// the secret names.
///
/// # Errors
/// What PostgreSQL answered.
pub(super) fn lock_out<'a>(client: &mut Client, job: &Job<'a>) -> Result<Option<DisabledLogin<'a>>, postgres::Error> {
    let Some(EndSessions { roles, username, login, .. }) = &job.plan.phases.lock_out else { return Ok(None) };
    let there = client.ask(
        "SELECT rolname::pg_catalog.text AS name, rolcanlogin FROM pg_catalog.pg_roles \
         WHERE rolname = ANY ($1::pg_catalog.text[]::pg_catalog.name[])",
        &[&roles],
    )?;
    if there.is_empty() {
        return Ok(None);
    }
    let found = |role: &&String| there.iter().find(|row| row.get::<_, &str>("name") == role.as_str());
    let can_login = |role: &&String| found(role).is_some_and(|row| row.get("rolcanlogin"));
    let open: BTreeSet<&str> = roles.iter().filter(can_login).map(String::as_str).collect();
    let was_before =
        Some(login.as_str()).filter(|login| !open.contains(login) && found(&&(*login).to_owned()).is_some());
    let disabled = DisabledLogin { username, roles: open.iter().copied().chain(was_before).collect(), was_before };
    if !open.is_empty() {
        match no_login(client, job, &open) {
            // One of its own transactions has changed the role: a password, say. It is to end anyway.
            Err(error) if error.code().is_some_and(|code| code.code() == "55P03") => {
                end_with_rights(client, roles, &job.borrowed().0)?;
                no_login(client, job, &open)?;
            }
            other => other?,
        }
    }
    fail_point!("after_locked_out");
    let ended = end_with_rights(client, roles, &job.borrowed().0);
    if ended.is_err() {
        // Best effort: the first error is the one to tell.
        drop(disabled.let_in(client, job));
    }
    ended.map(|()| Some(disabled))
}

fn no_login(client: &mut Client, job: &Job<'_>, roles: &BTreeSet<&str>) -> Result<(), postgres::Error> {
    let mut transaction = job.begin(client)?;
    for role in roles {
        transaction.batch_execute(&format!("ALTER ROLE {} NOLOGIN", ident(role)))?;
    }
    transaction.commit()
}

impl DisabledLogin<'_> {
    /// Says with the failure what became of the roles, if that is not as before.
    pub fn wake(&self, client: &mut Client, job: &Job<'_>, failure: &mut TenantError) {
        match (self.let_in(client, job), self.was_before) {
            (Ok(true), Some(role)) => {
                failure.message = format!("{}; role {role} could not log in before, and can again", failure.message);
            }
            (Ok(_), _) => {}
            (Err(error), _) => {
                let error = DatabaseError::from(error);
                failure.hint =
                    Some(format!("its role cannot log in for now ({error}); the next apply goes on from there"));
            }
        }
    }

    /// Only whom the registry calls active: another apply may have removed or retained the tenant, if ours lost its lock.
    fn let_in(&self, client: &mut Client, job: &Job<'_>) -> Result<bool, postgres::Error> {
        let mut transaction = client.transaction()?;
        transaction.batch_execute(&job.aside)?;
        let is_active = registry::hold_active(&mut transaction, &job.plan.tenant, self.username)?;
        for role in self.roles.iter().filter(|_| is_active) {
            transaction.batch_execute(&format!("ALTER ROLE {} LOGIN", ident(role)))?;
        }
        transaction.commit()?;
        Ok(is_active)
    }
}

/// Ending sessions takes the role's rights and changes nothing, so the rights go back with a ROLLBACK.
pub(super) fn end_with_rights(client: &mut Client, roles: &[String], take_rights: &str) -> Result<(), postgres::Error> {
    let mut transaction = client.transaction()?;
    transaction.batch_execute(take_rights)?;
    for role in roles {
        end_sessions(&mut transaction, role)?;
    }
    transaction.rollback()
}
