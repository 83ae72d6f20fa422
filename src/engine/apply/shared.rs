//! What tenants share: serially, each statement retried when somebody else changed the same row.

use postgres::{Client, Transaction};

use super::context::Apply;
use super::session::MY_BACKEND;
use super::watch;
use crate::core::plan::{About, DatabaseAction, DatabaseChange, Plan, Stage, group_role};
use crate::engine::database::{Ask, DatabaseError};
use crate::engine::error::{Context, Error};
use crate::engine::registry;
use crate::engine::retry::retry;

/// What it is called for whoever interrupts it.
const WHAT: &str = "what tenants share";

/// What comes before any tenant: what tenants share, the lock as the registry has it, and that the registry is this database's.
/// `writes`: a plan without work, of a fleet without tenants say, makes no registry.
///
/// # Errors
/// What PostgreSQL answered; then no tenant was touched.
pub(super) fn before(client: &mut Client, apply: &Apply<'_>, plan: &Plan, writes: bool) -> Result<(), Error> {
    run(client, apply, plan, Stage::Before)?;
    apply.lock.settle(client)?;
    if writes {
        apply.bind_to_this_database(client, plan)?;
        fail_point!("after_registry_settled");
    }
    Ok(())
}

pub(super) fn run(client: &mut Client, apply: &Apply<'_>, plan: &Plan, stage: Stage) -> Result<(), Error> {
    let result = watch::elsewhere(apply, || each(client, apply, plan, stage));
    let met = apply.underway.ends_with(WHAT);
    result.map_err(|error| watch::with_whom_it_met(apply, error, &met))?;
    if stage == Stage::Before {
        // Committed before the tenants that leave them are: a run that is interrupted in between leaves no role for good.
        let late = plan.database_changes.iter().filter_map(|change| match &change.about {
            About::Dropped(role) => Some(role.as_str()),
            _ => None,
        });
        registry::leave_owners(client, &late.collect::<Vec<_>>())?;
    }
    Ok(())
}

fn each(client: &mut Client, apply: &Apply<'_>, plan: &Plan, stage: Stage) -> Result<(), Error> {
    let changes: Vec<&DatabaseChange> = plan.database_changes.iter().filter(|change| change.stage == stage).collect();
    // What closes the registry is one transaction: the audit log is written to only when nothing of others is left there.
    let closes = |change: &DatabaseChange| change.action == DatabaseAction::CloseRegistry;
    for changes in changes.chunk_by(|a, b| closes(a) && closes(b)) {
        let doing = changes.first().map_or("", |change| change.detail.as_str());
        if apply.underway.is_cancelled() {
            return Err(Error::Refused { message: format!("interrupted before: {doing}"), hint: None });
        }
        apply.underway.begins(WHAT, doing);
        apply.underway.session(WHAT, client, apply.target);
        let number = client.ask_one(MY_BACKEND, &[]).doing(doing)?.get(0);
        apply.underway.backend(WHAT, number);
        let again = |error: &Error| matches!(error, Error::Database { source, .. } if source.is_retryable());
        retry(|| together(client, apply, changes), again)?;
    }
    Ok(())
}

fn together(client: &mut Client, apply: &Apply<'_>, changes: &[&DatabaseChange]) -> Result<(), Error> {
    let mut transaction = client.transaction().doing("starting a transaction")?;
    transaction.batch_execute(&apply.desired.limits_waits()).doing("setting lock_timeout")?;
    let closes = changes.iter().any(|change| change.action == DatabaseAction::CloseRegistry);
    let is_made = changes.iter().any(|change| change.action == DatabaseAction::CreateRegistry);
    if !closes && !is_made {
        is_safe(&mut transaction)?;
    }
    for change in changes {
        one(&mut transaction, apply, change)?;
    }
    if closes || is_made {
        is_safe(&mut transaction)?;
    }
    let detail = changes.iter().map(|change| serde_json::json!({ "kind": change.action, "what": change.detail }));
    // The registry's own making comes first, so there is always somewhere to write.
    let detail = serde_json::Value::Array(detail.collect());
    registry::append_audit(&mut transaction, "", "database", &detail).doing("writing the audit log")?;
    fail_point!("before_shared_commit");
    transaction.commit().doing(changes.iter().map(|change| change.detail.as_str()).collect::<Vec<_>>().join("; "))?;
    fail_point!("after_shared_commit");
    Ok(())
}

fn one(transaction: &mut Transaction<'_>, apply: &Apply<'_>, change: &DatabaseChange) -> Result<(), Error> {
    match change.action {
        DatabaseAction::CreateRegistry | DatabaseAction::UpgradeRegistry => {
            registry::migrate(transaction, &group_role(apply.target.database()))
        }
        _ => change.sql.iter().try_for_each(|sql| {
            transaction.batch_execute(sql.shown()).map_err(|error| Error::Database {
                doing: format!("{}: {}", change.detail, sql.shown()),
                source: DatabaseError::from(error),
            })
        }),
    }
}

fn is_safe(transaction: &mut Transaction<'_>) -> Result<(), Error> {
    transaction.batch_execute(&registry::guard::check()).doing("checking tenantry's own tables again")
}
