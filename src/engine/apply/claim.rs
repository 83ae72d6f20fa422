//! Secrets that stay as they are, and are marked as this database's.

use postgres::Client;

use super::context::Apply;
use crate::core::model::secret::Mark;
use crate::core::plan::{Claim, DatabaseChange, Plan, Stage};
use crate::engine::error::{Context, Error};
use crate::engine::registry;
use crate::engine::secrets::SecretError;
use crate::engine::workers::each;

/// What it is called for whoever interrupts it.
const WHAT: &str = "whose the secrets are";

/// What is left of it after an interrupt the next apply does.
pub(super) fn run(client: &mut Client, apply: &Apply<'_>, plan: &Plan) -> Result<(), Error> {
    let Some(mark) = apply.mark.get() else { return Ok(()) };
    for change in plan.database_changes.iter().filter(|change| change.stage == Stage::Secrets) {
        apply.underway.begins(WHAT, &change.detail);
        let result = noted(client, apply, change).and_then(|()| all(apply, mark, change.claims()));
        apply.underway.ends(WHAT);
        result?;
        fail_point!("after_claims");
    }
    Ok(())
}

fn noted(client: &mut Client, apply: &Apply<'_>, change: &DatabaseChange) -> Result<(), Error> {
    let doing = "writing the audit log";
    let mut transaction = client.transaction().doing(doing)?;
    transaction.batch_execute(&registry::guard::check()).doing(doing)?;
    transaction.batch_execute(&apply.lock.check().unwrap_or_default()).doing(doing)?;
    let detail = serde_json::json!([{ "kind": change.action, "what": change.detail }]);
    registry::append_audit(&mut transaction, "", "database", &detail).doing(doing)?;
    transaction.commit().doing(doing)
}

/// A few at a time; stops at the first that fails.
fn all(apply: &Apply<'_>, mark: &Mark, claims: &[Claim]) -> Result<(), Error> {
    let one = |claim: &Claim| {
        fail_point!("before_claim");
        match apply.store.mark(&claim.path, mark, &claim.version) {
            // Somebody wrote it since: the next plan looks at it anew.
            Ok(()) | Err(SecretError::CheckAndSet { .. }) => Ok(()),
            Err(error) => Err(error).doing(format!("marking the secret of {}", claim.tenant)),
        }
    };
    each(claims, apply.parallelism, Some(apply.stop), one).map(drop)
}
