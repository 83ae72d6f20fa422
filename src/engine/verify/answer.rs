//! What a try comes to, and which answers are right.
//!
//! A statement may be refused for other reasons than a missing privilege: a trigger of the application's, a policy, an event
//! trigger of a DBA's, a standby. Such a refusal says nothing about privileges, so the catalogs are asked for a second opinion.

use postgres::error::DbError;

use crate::core::verdict::{Answer, Ruling};
use crate::engine::database::DatabaseError;

/// The answer that a probe wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Allowed,
    Refused,
}

/// An answer, with the error it was read from.
pub(super) struct Tried {
    pub answer: Answer,
    pub sqlstate: Option<String>,
    /// In one line: the message, the SQLSTATE, and what the error is about.
    pub error: String,
}

impl Tried {
    pub fn allowed() -> Self {
        Self { answer: Answer::Allowed, sqlstate: None, error: String::new() }
    }

    /// # Errors
    /// When the server did not answer: the session is over.
    pub fn refused(error: postgres::Error) -> Result<Self, DatabaseError> {
        let Some(said) = error.as_db_error() else { return Err(error.into()) };
        let (answer, sqlstate, object) = (answer(said), said.code().code().to_owned(), object(said));
        let error = DatabaseError::from(error);
        if error.is_closed() {
            return Err(error);
        }
        Ok(Self { answer, sqlstate: Some(sqlstate), error: format!("{error}{object}") })
    }
}

/// 42501 is what PostgreSQL's own checks say, and what any trigger may say too. Those have a context, since something called
/// them; the routine that raised it is named by a field, which no setting translates.
fn answer(error: &DbError) -> Answer {
    let code = error.code().code();
    match code {
        "42501" if error.where_().is_none() && error.routine() != Some("exec_stmt_raise") => Answer::NoPrivilege,
        // query_canceled, lock_not_available, deadlock_detected, serialization_failure.
        "57014" | "55P03" | "40P01" | "40001" => Answer::NotTried,
        // Insufficient resources, the server going down, its system failing.
        _ if ["53", "57", "58"].iter().any(|class| code.starts_with(class)) => Answer::NotTried,
        _ => Answer::RefusedOtherwise,
    }
}

/// The object that an error is about, and the code that raised it, as far as its fields say.
fn object(error: &DbError) -> String {
    let mut about = String::new();
    for (what, name) in [
        ("table", error.table()),
        ("column", error.column()),
        ("type", error.datatype()),
        ("constraint", error.constraint()),
    ] {
        about.extend(name.map(|name| format!(", {what} {name}")));
    }
    // What of a publication keeps it from being changed.
    let code = error.code().code();
    about.extend(error.detail().filter(|_| ["42P10", "55000"].contains(&code)).map(|detail| format!(", {detail}")));
    // The innermost of the code that was running; the lines below are what called it.
    about.extend(error.where_().and_then(|context| context.lines().next()).map(|line| format!(", {line}")));
    about
}

/// What a probe's answer comes to. `privilege`: what the catalogs say; `rewritten`: a rule may have taken the statement's place.
pub(super) fn rule(
    wanted: Wanted,
    tried: &Tried,
    privilege: Option<bool>,
    rewritten: bool,
) -> (Ruling, Option<String>) {
    let error = &tried.error;
    let (ruling, detail) = match (wanted, tried.answer, privilege) {
        (Wanted::Allowed, Answer::Allowed, _) | (Wanted::Refused, Answer::NoPrivilege, _) => {
            return (Ruling::Right, None);
        }
        (Wanted::Allowed, Answer::NoPrivilege, _) => (Ruling::Wrong, error.clone()),
        (Wanted::Allowed, _, Some(false)) => (Ruling::Wrong, format!("it lacks the privilege: {error}")),
        (Wanted::Allowed, Answer::RefusedOtherwise, _) => {
            (Ruling::Said, format!("it has the privilege, but something else refused it: {error}"))
        }
        (Wanted::Allowed, Answer::NotTried, _) => {
            (Ruling::Said, format!("it has the privilege, but it could not be tried: {error}"))
        }
        (Wanted::Refused, Answer::Allowed, Some(false)) if rewritten => {
            (Ruling::Right, "a rule replaced it; it lacks the privilege".into())
        }
        (Wanted::Refused, Answer::Allowed, _) => (Ruling::Wrong, "it was not refused".into()),
        (Wanted::Refused, Answer::RefusedOtherwise, Some(true)) => {
            (Ruling::Wrong, format!("it passed the privilege check: {error}"))
        }
        (Wanted::Refused, Answer::NotTried, Some(true)) => {
            (Ruling::Wrong, format!("it has the privilege; it could not be tried: {error}"))
        }
        (Wanted::Refused, Answer::RefusedOtherwise, Some(false)) => {
            (Ruling::Right, format!("it lacks the privilege; something else refused it first: {error}"))
        }
        (Wanted::Refused, Answer::NotTried, Some(false)) => {
            (Ruling::Right, format!("it lacks the privilege; it could not be tried: {error}"))
        }
        (Wanted::Refused, Answer::RefusedOtherwise | Answer::NotTried, None) => {
            (Ruling::Said, format!("it is no longer there: {error}"))
        }
    };
    (ruling, Some(detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_privilege_that_is_there_makes_a_leak_of_another_refusal() {
        let tried = |answer| Tried { answer, sqlstate: None, error: "append-only (SQLSTATE P0001)".into() };
        let ruling = |wanted, answer, privilege| rule(wanted, &tried(answer), privilege, false).0;
        for answer in [Answer::RefusedOtherwise, Answer::NotTried] {
            assert_eq!(ruling(Wanted::Refused, answer, Some(true)), Ruling::Wrong);
            assert_eq!(ruling(Wanted::Refused, answer, Some(false)), Ruling::Right);
            assert_eq!(ruling(Wanted::Refused, answer, None), Ruling::Said);
            assert_eq!(ruling(Wanted::Allowed, answer, Some(true)), Ruling::Said);
            assert_eq!(ruling(Wanted::Allowed, answer, Some(false)), Ruling::Wrong);
        }
        assert_eq!(ruling(Wanted::Refused, Answer::NoPrivilege, None), Ruling::Right);
        assert_eq!(ruling(Wanted::Allowed, Answer::NoPrivilege, Some(true)), Ruling::Wrong);
    }

    #[test]
    fn what_is_not_refused_is_a_leak_unless_a_rule_took_its_place_and_the_privilege_is_not_there() {
        let ruling = |privilege, rewritten| rule(Wanted::Refused, &Tried::allowed(), privilege, rewritten).0;
        assert_eq!(ruling(Some(false), true), Ruling::Right);
        for (privilege, rewritten) in [(Some(false), false), (Some(true), true), (None, true)] {
            assert_eq!(ruling(privilege, rewritten), Ruling::Wrong);
        }
    }
}
