//! How it went: per tenant, and in sum.

use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use crate::core::model::TenantKey;
use crate::core::plan::{TenantPlan, Verb};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    Applied,
    /// Rolled back; nothing of the plan took effect, except what the error says was committed: what comes after a COMMIT
    /// failed, or the rest of a removal in pieces.
    Failed,
    /// Not started: blocked, interrupted, apply lost its lock, or too many others failed with the same error.
    Skipped,
    /// The answer to COMMIT was lost, and the server could not be asked again.
    Unknown,
}

/// What a person needs to know about a failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TenantError {
    pub message: String,
    pub sqlstate: Option<String>,
    pub hint: Option<String>,
}

impl std::fmt::Display for TenantError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)?;
        self.sqlstate.as_ref().map_or(Ok(()), |code| write!(f, " (SQLSTATE {code})"))?;
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, "; hint: {hint}"))
    }
}

impl TenantError {
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), sqlstate: None, hint: None }
    }

    /// With what to type next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct TenantOutcome {
    pub tenant: TenantKey,
    pub verb: Verb,
    pub outcome: Outcome,
    pub error: Option<TenantError>,
    /// The manifest of the archive that was written before the tenant was dropped, or that a removal that failed left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archive: Option<PathBuf>,
    /// It failed, and a part of it is committed: there is no way back.
    #[serde(skip)]
    pub in_part: bool,
    /// Sessions of tenants that kept this one from a lock, and were ended.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ended_sessions: Vec<String>,
    #[serde(serialize_with = "milliseconds", rename = "duration_ms")]
    #[schemars(with = "u64")]
    pub duration: Duration,
}

fn milliseconds<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

/// What to report about a tenant that is committed.
#[derive(Clone, Default)]
pub struct Done {
    /// The manifest of the archive that was made.
    pub archive: Option<PathBuf>,
    /// What is not done, though a part is committed: there is no way back.
    pub left: Option<TenantError>,
}

/// What to report about a tenant that is not committed, as far as is known.
#[derive(Clone)]
pub struct Failed {
    pub outcome: Outcome,
    pub error: TenantError,
    /// The manifest of the archive that was made before it failed, and is there still.
    pub archive: Option<PathBuf>,
}

impl TenantOutcome {
    /// A tenant that was begun.
    #[must_use]
    pub fn new(plan: &TenantPlan, result: Result<Done, Failed>, duration: Duration) -> Self {
        let in_part = matches!(&result, Ok(Done { left: Some(_), .. }));
        let (outcome, error, archive) = match result {
            Ok(Done { archive, left: None }) => (Outcome::Applied, None, archive),
            Ok(Done { archive, left: Some(error) }) => (Outcome::Failed, Some(error), archive),
            Err(Failed { outcome, error, archive }) => (outcome, Some(error), archive),
        };
        let (tenant, verb) = (plan.tenant.clone(), plan.verb);
        Self { tenant, verb, outcome, error, archive, in_part, ended_sessions: Vec::new(), duration }
    }

    /// A tenant whose plan says that a person must act first.
    #[must_use]
    pub fn blocked(plan: &TenantPlan) -> Self {
        let mut error = TenantError::new(plan.reason.clone().unwrap_or_default());
        error.hint.clone_from(&plan.hint);
        Self {
            tenant: plan.tenant.clone(),
            verb: plan.verb,
            outcome: Outcome::Skipped,
            error: Some(error),
            archive: None,
            in_part: false,
            ended_sessions: Vec::new(),
            duration: Duration::ZERO,
        }
    }

    /// A tenant that was not begun.
    #[must_use]
    pub fn skipped(plan: &TenantPlan, why: &str) -> Self {
        Self {
            tenant: plan.tenant.clone(),
            verb: plan.verb,
            outcome: Outcome::Skipped,
            error: Some(TenantError::new(why)),
            archive: None,
            in_part: false,
            ended_sessions: Vec::new(),
            duration: Duration::ZERO,
        }
    }
}

/// One apply, in sum.
#[derive(Clone, Debug)]
pub struct Report {
    pub unchanged: usize,
    pub database_changes: usize,
    /// What failed in what the tenants share, after the tenants were done.
    pub shared_error: Option<TenantError>,
    /// Every tenant that had work or was blocked, by key.
    pub outcomes: Vec<TenantOutcome>,
    pub interrupted: bool,
}

impl Report {
    #[must_use]
    pub fn count(&self, outcome: Outcome) -> usize {
        self.outcomes.iter().filter(|tenant| tenant.outcome == outcome).count()
    }

    /// Every tenant is as declared now.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.shared_error.is_none() && self.outcomes.iter().all(|tenant| tenant.outcome == Outcome::Applied)
    }
}
