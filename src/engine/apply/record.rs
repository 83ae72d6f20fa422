//! What the registry and the audit log remember of a tenant's transaction, in that transaction.

use postgres::Transaction;

use super::secret;
use super::tenant::{Job, Progress};
use crate::core::model::{State, Tenant, literal};
use crate::core::plan::{Kind, Target};
use crate::engine::registry;

impl Job<'_> {
    /// The tenant's row, and the audit log's; with a version, the row gets that and nothing else.
    pub fn register(&self, transaction: &mut Transaction<'_>, version: Option<&str>) -> Result<(), postgres::Error> {
        if let Some(version) = version {
            return transaction
                .execute(
                    "UPDATE tenantry.tenants SET secret_version = $2 WHERE tenant = $1",
                    &[&self.plan.tenant.as_str(), &version],
                )
                .map(drop);
        }
        match &self.plan.target {
            Target::None => Ok(()),
            Target::Declared { tenant, secret_version, .. } => {
                self.register_declared(transaction, tenant, secret_version.clone())
            }
            Target::Rotated { tenant } => {
                registry::rotate(transaction, &tenant.key, &secret::registered(self.apply, tenant, None))
            }
            Target::Removed { .. } => self.register_gone(transaction, State::Removed),
            Target::Retained { .. } => self.register_gone(transaction, State::Retained),
        }?;
        let changes = serde_json::json!(
            self.plan
                .changes
                .iter()
                .map(|c| {
                    let archive = if c.kind == Kind::Archive { self.archive_name() } else { None };
                    let after = archive.or_else(|| c.after.clone());
                    serde_json::json!({ "kind": c.kind, "what": c.what, "before": c.before, "after": after })
                })
                .collect::<Vec<_>>()
        );
        registry::append_audit(transaction, self.plan.tenant.as_str(), self.plan.verb.as_str(), &changes)
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
        secret_version: Option<String>,
    ) -> Result<(), postgres::Error> {
        let secret = secret::registered(self.apply, tenant, secret_version);
        for former in secret::to_delete(self.apply, self.plan) {
            registry::leave_secret(transaction, &tenant.key, &former)?;
        }
        let changes = &self.plan.changes;
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
                password_source: tenant.password_source(),
                secret: &secret,
                password_changed: changes.iter().any(|c| matches!(c.kind, Kind::CreateRole | Kind::SetPassword)),
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
        let (Target::Removed { state, .. } | Target::Retained { state, .. }) = &self.plan.target else { return Ok(()) };
        let state = if progress.begun { State::Removing } else { *state };
        let tenant = literal(self.plan.tenant.as_str());
        transaction.batch_execute(&format!(
            "DO $$DECLARE s text; p bool; BEGIN \
             SELECT t.state, t.protected INTO s, p FROM tenantry.tenants t WHERE t.tenant = {tenant} FOR UPDATE; \
             IF s IS DISTINCT FROM {state} OR p AND s = 'active' THEN RAISE EXCEPTION USING ERRCODE = '55000', \
             MESSAGE = pg_catalog.format('the registry disagrees with the plan: the tenant is %s%s', coalesce(s, 'not there'), \
             CASE WHEN p THEN ', and protected' END), HINT = 'it was changed in the meantime; plan again'; END IF; END$$",
            state = literal(state.as_str())
        ))
    }

    pub fn register_gone(&self, transaction: &mut Transaction<'_>, state: State) -> Result<(), postgres::Error> {
        transaction
            .execute(
                "UPDATE tenantry.tenants SET state = $2, deputy = NULL, updated_at = pg_catalog.now() WHERE tenant = $1",
                &[&self.plan.tenant.as_str(), &state.as_str()],
            )
            .map(drop)
    }
}
