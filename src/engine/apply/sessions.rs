//! Ending a role's sessions.

use postgres::Client;

use super::job::Job;
use crate::core::model::ident;
use crate::core::plan::action::EndSessions;
use crate::core::report::TenantError;
use crate::engine::database::{Ask, DatabaseError, end_sessions};
use crate::engine::registry;

/// A role that was locked out, to be let in again when what follows comes to nothing.
#[derive(Clone, Copy)]
pub(super) struct DisabledLogin<'a> {
    role: &'a str,
    /// A run that was interrupted, or a person, had done it before.
    was_before: bool,
}

/// From here on nobody logs in as the role, and nobody is: committed at once, because a client that reconnects in a loop
/// would otherwise be back, with its locks, before the transaction that follows is through. `None`: the plan locks nobody out, or
/// there is no such role.
///
/// A process that dies in between leaves the role disabled; the next apply resumes what this one was about, or enables it.
///
/// # Errors
/// What PostgreSQL answered.
pub(super) fn lock_out<'a>(client: &mut Client, job: &Job<'a>) -> Result<Option<DisabledLogin<'a>>, postgres::Error> {
    let Some(EndSessions { role, .. }) = &job.plan.phases.lock_out else { return Ok(None) };
    let row = client.ask_opt("SELECT rolcanlogin FROM pg_catalog.pg_roles WHERE rolname = $1::text::name", &[&role])?;
    let Some(row) = row else { return Ok(None) };
    let disabled = DisabledLogin { role, was_before: !row.get::<_, bool>(0) };
    if !disabled.was_before {
        match no_login(client, job, role) {
            // One of its own transactions has changed the role: a password, say. It is to end anyway.
            Err(error) if error.code().is_some_and(|code| code.code() == "55P03") => {
                end_with_rights(client, role, &job.borrowed().0)?;
                no_login(client, job, role)?;
            }
            other => other?,
        }
    }
    fail_point!("after_locked_out");
    let ended = end_with_rights(client, role, &job.borrowed().0);
    if ended.is_err() {
        // Best effort: the first error is the one to tell.
        drop(disabled.let_in(client, job));
    }
    ended.map(|()| Some(disabled))
}

fn no_login(client: &mut Client, job: &Job<'_>, role: &str) -> Result<(), postgres::Error> {
    let mut transaction = job.begin(client)?;
    transaction.batch_execute(&format!("ALTER ROLE {} NOLOGIN", ident(role)))?;
    transaction.commit()
}

impl DisabledLogin<'_> {
    /// Says with the failure what became of the role, if it is not as before.
    pub fn wake(self, client: &mut Client, job: &Job<'_>, failure: &mut TenantError) {
        let Self { role, was_before } = self;
        match self.let_in(client, job) {
            Ok(true) if was_before => {
                failure.message = format!("{}; role {role} could not log in before, and can again", failure.message);
            }
            Ok(_) => {}
            Err(error) => {
                let error = DatabaseError::from(error);
                failure.hint =
                    Some(format!("its role cannot log in for now ({error}); the next apply goes on from there"));
            }
        }
    }

    /// Only whom the registry calls active: another apply may have removed or retained the tenant, if ours lost its lock.
    fn let_in(self, client: &mut Client, job: &Job<'_>) -> Result<bool, postgres::Error> {
        let mut transaction = client.transaction()?;
        transaction.batch_execute(&job.aside)?;
        let is_active = registry::hold_active(&mut transaction, &job.plan.tenant, self.role)?;
        if is_active {
            transaction.batch_execute(&format!("ALTER ROLE {} LOGIN", ident(self.role)))?;
        }
        transaction.commit()?;
        Ok(is_active)
    }
}

/// Ending sessions takes the role's rights and changes nothing, so the rights go back with a ROLLBACK.
fn end_with_rights(client: &mut Client, role: &str, take_rights: &str) -> Result<(), postgres::Error> {
    let mut transaction = client.transaction()?;
    transaction.batch_execute(take_rights)?;
    end_sessions(&mut transaction, role)?;
    transaction.rollback()
}
