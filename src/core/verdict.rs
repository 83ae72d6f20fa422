//! What verifying a tenant came to.

use serde::Serialize;

use crate::core::model::TenantKey;

/// What came of trying.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    Allowed,
    /// By PostgreSQL's own permission check.
    NoPrivilege,
    /// By something else: a trigger, a rule, a policy, a setting, the state of the server.
    RefusedOtherwise,
    /// Neither allowed nor refused: a lock, a time limit, no connection.
    NotTried,
}

/// How an answer is to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ruling {
    Right,
    /// Neither a leak nor a fault, and something a person may want to know.
    Said,
    /// A leak, or a tenant that cannot work.
    Wrong,
    /// Not known: the tenant could not be tried.
    Open,
}

/// One thing asked or tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    pub what: String,
    pub ok: bool,
    pub ruling: Ruling,
    /// What came of trying; none where the catalogs were asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answer>,
    /// What it was tried on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sqlstate: Option<String>,
    /// What happened, when that is not what should have, or not for the reason that it should have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl Check {
    /// One that was tried.
    #[must_use]
    pub fn new(what: impl Into<String>, ruling: Ruling, detail: Option<String>) -> Self {
        let ok = matches!(ruling, Ruling::Right | Ruling::Said);
        Self { what: what.into(), ok, ruling, answer: None, object: None, sqlstate: None, detail }
    }

    /// Asked of the catalogs: `Err` says what is wrong.
    #[must_use]
    pub fn asked(what: impl Into<String>, result: Result<(), String>) -> Self {
        let ruling = if result.is_ok() { Ruling::Right } else { Ruling::Wrong };
        Self::new(what, ruling, result.err())
    }
}

/// What the probes of one tenant came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    pub tenant: TenantKey,
    /// Everything was tried, and nothing is a leak or a fault.
    pub ok: bool,
    /// False when the surroundings refused the login, or ended the session.
    #[serde(skip_serializing_if = "Clone::clone")]
    pub tried: bool,
    pub checks: Vec<Check>,
    /// Databases, other than its own, that it may connect to.
    pub other_databases: Vec<String>,
}

impl Verdict {
    /// A leak, or a tenant that cannot work.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.checks.iter().any(|check| check.ruling == Ruling::Wrong)
    }
}
