//! What apply would refuse, as far as a look tells: a plan says it too, so that nobody learns it in the middle of the night.

use super::args::Format;
use super::failure::Failure;
use super::output::Output;
use crate::core::model::{Desired, Observed};
use crate::core::plan::{Plan, unreachable_extension};
use crate::engine::apply::{check_admin, check_registry};

/// What is known without asking anybody again.
pub fn known(desired: &Desired, observed: &Observed, plan: &Plan) -> Result<(), Failure> {
    check_registry(observed, plan)?;
    if let Some((message, hint)) = unreachable_extension(desired, observed, plan) {
        return Err(Failure::refused(message, hint));
    }
    check_admin(observed, plan)?;
    Ok(())
}

/// Says the first of them beneath a plan. A role that only looks applies nothing.
pub fn foretell(desired: &Desired, observed: &Observed, plan: &Plan, out: &mut Output) {
    if plan.is_empty() || observed.server.reader.is_some() || out.format == Format::Json {
        return;
    }
    if let Err(failure) = known(desired, observed, plan) {
        out.finding(&format!("apply would refuse this: {failure}"));
        if let Some(hint) = failure.hint() {
            out.finding(&format!(" hint: {hint}"));
        }
    }
}
