//! What tenantry did.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp, Unit};

use super::error::Error;
use super::looked::Looked;
use crate::core::model::{AuditLine, TenantKey};
use crate::core::render::list::ListRow;
use crate::engine::registry::{Wanted, last_migrations, trail};

/// Lines of the audit log, the newest first.
#[derive(Clone, Debug)]
pub struct Trail {
    pub lines: Vec<AuditLine>,
    /// There are more than were asked for.
    pub more: bool,
}

impl Looked {
    /// What was done to this tenant (none: to each, and to what they share), of the last `since`, so many lines at most. Also of
    /// tenants that are long gone.
    ///
    /// # Errors
    /// What PostgreSQL answered; or that the targets leave this tenant out.
    pub fn audit(&mut self, tenant: Option<&str>, since: Option<Duration>, limit: usize) -> Result<Trail, Error> {
        let ground = &self.session.ground;
        if let Some(key) = tenant.and_then(|tenant| TenantKey::new(tenant).ok()) {
            ground.filter.must_select(&key)?;
        }
        if self.observed.registry.is_none() {
            return Ok(Trail { lines: Vec::new(), more: false });
        }
        let all = ground.options.targets.is_empty();
        let since = since.map(|since| {
            let age = SignedDuration::try_from(since).unwrap_or(SignedDuration::MAX);
            Timestamp::now().checked_sub(age).unwrap_or(Timestamp::MIN)
        });
        let selects = |key: &str| all || TenantKey::new(key).is_ok_and(|key| ground.filter.selects(&key));
        let wanted = Wanted { tenant, since, selects: &selects, limit };
        let (lines, more) = trail(&mut self.session.client, &wanted)?;
        Ok(Trail { lines, more })
    }

    /// When tenantry last ran a migration in each of these. Reads the whole audit log, which may take seconds.
    ///
    /// # Errors
    /// What PostgreSQL answered.
    pub fn date_migrations(&mut self, rows: &mut [ListRow]) -> Result<(), Error> {
        if self.observed.registry.is_none() {
            return Ok(());
        }
        let found = last_migrations(&mut self.session.client)?;
        for row in rows {
            let at = found.get(&row.tenant).map(|at| at.round(Unit::Second).unwrap_or(*at).to_string());
            row.last_migration = at;
        }
        Ok(())
    }

    /// Whether the tenant is declared, or the registry has a row of it.
    #[must_use]
    pub fn knows(&self, tenant: &str) -> bool {
        let registered = self.observed.registry.iter().flat_map(|registry| registry.tenants.keys());
        self.session.ground.project.desired.tenants.keys().chain(registered).any(|key| key.as_str() == tenant)
    }
}
