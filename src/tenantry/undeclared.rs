//! Schemas that nobody declared, as tenants.toml would declare them.

use globset::Glob;
use postgres::Client;

use super::error::{Error, Guard, Refusal};
use super::session::Ground;
use crate::core::model::Observed;
use crate::core::undeclared::{Declaration, created};
use crate::engine::inspect;

pub(super) fn declared(
    ground: &Ground,
    client: &mut Client,
    observed: &Observed,
    glob: &str,
) -> Result<Vec<Declaration>, Error> {
    let matcher = Glob::new(glob).map_err(|error| {
        let why = error.kind().to_string();
        let message = format!("{glob:?} is not a valid glob: {why}");
        Refusal::new(Guard::Glob { glob: glob.to_owned(), why }, message, "write it as 'tenant_*'")
    })?;
    let matcher = matcher.compile_matcher();
    let desired = &ground.project.desired;
    let undeclared = inspect::undeclared(client, desired, observed)?;
    let is_meant = |schema: &str| matcher.is_match(schema);
    Ok([created(desired, observed, &is_meant), undeclared.declare(desired, observed, &is_meant)].concat())
}
