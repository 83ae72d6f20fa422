//! What the registry and the audit log remember of a tenant's transaction, in that transaction.

use postgres::Transaction;

use super::failure::database_error;
use super::job::Job;
use super::progress::Progress;
use super::secret;
use crate::core::migrations::Version;
use crate::core::model::{
    Access, Applied, PasswordSource, RegisteredSecret, Rotation, State, StoreKind, Tenant, set_digest,
};
use crate::core::plan::{EndState, Kind, PasswordOrigin};
use crate::core::report::TenantError;
use crate::engine::{inspect, registry};

impl Job<'_> {
    /// The tenant's row, and the audit log's; with a version, the row gets that and nothing else.
    pub fn register(&self, transaction: &mut Transaction<'_>, version: Option<&str>) -> Result<(), postgres::Error> {
        if let Some(version) = version {
            return registry::set_secret_version(transaction, &self.plan.tenant, version);
        }
        match &self.plan.target {
            EndState::None => Ok(()),
            EndState::Declared { tenant, password, secret_version, fields } => {
                let secret = secret::registered(self.apply, tenant, fields, secret_version.clone());
                // One that is only returned nobody keeps but whom it was returned to.
                let is_returned = self.apply.desired.secrets.store == StoreKind::Returned;
                let is_kept = is_returned || *password == PasswordOrigin::Kept;
                let source = if is_kept { PasswordSource::Kept } else { tenant.password_source() };
                self.note_access(transaction)?;
                self.register_declared(transaction, tenant, (&secret, source))
            }
            // Not before the secret is switched.
            EndState::Rotated { .. } if self.plan.phases.switch.is_some() => Ok(()),
            EndState::Rotated { tenant, fields } => {
                registry::rotate(transaction, &tenant.key, &secret::registered(self.apply, tenant, fields, None))
            }
            EndState::Removed { .. } => registry::set_state(transaction, &self.plan.tenant, State::Removed),
            EndState::Retained { .. } => registry::set_state(transaction, &self.plan.tenant, State::Retained),
        }?;
        let changes = serde_json::json!(
            self.plan
                .shown_changes()
                .iter()
                .map(|c| {
                    let archive = if c.kind == Kind::Archive { self.archive_name() } else { None };
                    let after = archive.or_else(|| c.after.clone());
                    serde_json::json!({ "kind": c.kind, "what": c.what, "before": c.before, "after": after })
                })
                .collect::<Vec<_>>()
        );
        let verb = if self.plan.phases.has(&[Kind::Adopt]) { "adopt" } else { self.plan.verb.as_str() };
        registry::append_audit(transaction, self.plan.tenant.as_str(), verb, &changes)
    }

    /// Of the archive that this run made; the directory is not the audit log's business.
    fn archive_name(&self) -> Option<String> {
        let manifest = self.archived.borrow();
        manifest.as_ref()?.file_name().map(|name| name.to_string_lossy().into_owned())
    }

    fn register_declared(
        &self,
        transaction: &mut Transaction<'_>,
        tenant: &Tenant,
        (secret, password_source): (&RegisteredSecret, PasswordSource),
    ) -> Result<(), postgres::Error> {
        for former in secret::to_delete(self.apply, self.plan) {
            registry::leave_secret(transaction, &tenant.key, &former)?;
        }
        let phases = &self.plan.phases;
        // What the two users are called is known as long as they may be there.
        let drops_users = phases.switch.as_ref().is_some_and(|switch| switch.drops_users());
        registry::upsert(
            transaction,
            &registry::Row {
                tenant: &tenant.key,
                schema: &tenant.schema,
                username: &tenant.username,
                owner: tenant.owner(),
                access: tenant.access,
                state: State::Active,
                on_remove: tenant.on_remove,
                protected: tenant.protected,
                suspended: tenant.suspended,
                password_source,
                declared_by: tenant.origin,
                rotation: if drops_users { Rotation::TwoUser } else { tenant.rotation },
                secret,
                password_changed: phases.switch.is_none() && phases.has(&[Kind::CreateRole, Kind::SetPassword]),
                history_table: &self.apply.desired.migrations.table,
            },
        )
    }

    /// A tenant that goes is held by its row until COMMIT: what the registry says of it now is what the plan saw.
    pub fn is_still_to_go(
        &self,
        transaction: &mut Transaction<'_>,
        progress: &Progress,
    ) -> Result<(), postgres::Error> {
        let (EndState::Removed { state, .. } | EndState::Retained { state, .. }) = &self.plan.target else {
            return Ok(());
        };
        let state = if progress.begun { State::Removing } else { *state };
        registry::hold_to_remove(transaction, &self.plan.tenant, state)
    }

    /// Right after a new tenant's migrations, in its transaction.
    pub fn record_what_was_made(
        &self,
        transaction: &mut Transaction<'_>,
        versions: &[Version],
    ) -> Result<(), TenantError> {
        let is_new = self.plan.phases.has(&[Kind::CreateSchema]);
        let EndState::Declared { tenant, .. } = &self.plan.target else { return Ok(()) };
        // With access "owner" the role that owns is the tenant's own. A scratch run has no lock, and remembers nothing.
        if !is_new || tenant.access == Access::Owner || self.apply.lock.check().is_none() {
            return Ok(());
        }
        let set = &self.apply.desired.migrations;
        let applied: Vec<Applied> = versions.iter().filter_map(|version| set.get(*version)).map(Applied::of).collect();
        let digest = set_digest(&applied);
        if !self.apply.recorded.is_new(&digest) {
            return Ok(());
        }
        let made = inspect::made(transaction, &tenant.schema, tenant.owner(), &set.table);
        let made = made.map_err(|error| self.told("recording what the migrations created", &error))?;
        registry::record_set(transaction, &digest, &made)
            .map_err(|error| database_error("recording what the migrations created", &error.into()))
    }
}
