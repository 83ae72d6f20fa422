//! What of a tenant comes from a key that others have too, before and after.

use crate::core::model::{OnRemove, PasswordSource, Registered, StoreKind, Tenant, VaultObject};
use crate::core::plan::action::Change;
use crate::core::plan::fleet::Fleet;
use crate::core::plan::fleet_change::FleetKey;
use crate::core::plan::identifiers::split_identifiers;
use crate::core::plan::tenant_plan::TenantPlan;

/// The key, and its value before and after.
type Difference = (FleetKey, String, String);

fn differs(key: FleetKey, before: impl Into<String>, after: impl Into<String>) -> Option<Difference> {
    let (before, after) = (before.into(), after.into());
    (before != after).then_some((key, before, after))
}

fn renamed_history(plan: &TenantPlan) -> Option<Difference> {
    plan.phases.transaction.iter().find_map(|change| match change {
        Change::RenameHistory(rename) if !rename.was_renamed_by_hand => {
            differs(FleetKey::HistoryTable, rename.from.as_str(), rename.to.as_str())
        }
        _ => None,
    })
}

/// With "{tenant}" where the key stands, as a word of its own: many a key is a part of another word.
fn templated(text: &str, key: &str) -> String {
    let ends = |c: Option<char>| !c.is_some_and(char::is_alphanumeric);
    let mut template = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(key) {
        let (before, after) = (&rest[..at], &rest[at + key.len()..]);
        let is_word = ends(before.chars().next_back().or(template.chars().next_back())) && ends(after.chars().next());
        template.push_str(before);
        template.push_str(if is_word { "{tenant}" } else { key });
        rest = after;
    }
    template + rest
}

/// A tenant as the registry remembers it, and as it is declared; and what is planned of it, if anything is.
pub(super) struct One<'a> {
    pub fleet: &'a Fleet<'a>,
    pub tenant: &'a Tenant,
    pub row: &'a Registered,
    pub plan: Option<&'a TenantPlan>,
}

impl One<'_> {
    pub fn differences(&self) -> Vec<Difference> {
        let mut differences: Vec<Difference> = self.shared_schemas().into_iter().collect();
        if let Some(plan) = self.plan {
            differences.extend(self.names());
            differences.extend(self.secret());
            differences.extend(self.policy());
            differences.extend(renamed_history(plan));
            differences.extend(self.vault_access(plan));
        }
        differences
    }

    /// The name as a template would give it.
    fn template(&self, name: &str) -> String {
        templated(name, &self.tenant.key.fill("{tenant}"))
    }

    fn names(&self) -> Vec<Difference> {
        let (row, tenant) = (self.row, self.tenant);
        let pairs =
            [(FleetKey::Schema, &row.schema, &tenant.schema), (FleetKey::Username, &row.username, &tenant.username)];
        let owner = (row.access == tenant.access).then_some((FleetKey::Owner, row.owner.as_str(), tenant.owner()));
        let owner = owner.filter(|_| tenant.owner() != tenant.username);
        let pairs = pairs.into_iter().map(|(key, before, after)| (key, before.as_str(), after.as_str())).chain(owner);
        let changed = pairs.filter(|(_, before, after)| before != after);
        changed.filter_map(|(key, before, after)| differs(key, self.template(before), self.template(after))).collect()
    }

    fn secret(&self) -> Option<Difference> {
        let (policy, secret) = (&self.fleet.desired.secrets, &self.row.secret);
        secret.version.as_ref()?;
        let path = |path: &str| templated(path, self.tenant.key.as_str());
        if secret.store != policy.store.as_str() {
            return differs(FleetKey::Store, secret.store.as_str(), policy.store.as_str());
        }
        if let Some(place) = secret.place.as_ref().filter(|place| **place != policy.place()) {
            let key = if policy.store == StoreKind::File { FleetKey::SecretDir } else { FleetKey::VaultMount };
            return differs(key, place.as_str(), policy.place());
        }
        if secret.path != self.tenant.secret_path {
            return differs(FleetKey::SecretPath, path(&secret.path), path(&self.tenant.secret_path));
        }
        self.advertised()
    }

    /// Where clients are sent. One who says that the database has moved has said that too.
    fn advertised(&self) -> Option<Difference> {
        let observed = self.fleet.observed;
        if observed.moved || observed.registry.as_ref().is_some_and(|registry| registry.came_from.is_some()) {
            return None;
        }
        let before = &self.row.secret.fields;
        let after =
            self.fleet.desired.secret_fields(self.tenant, &observed.server, &observed.database.name, Some(before));
        let place = |host: &str, port: u16| format!("{host}:{port}");
        differs(FleetKey::Advertise, place(&before.host, before.port), place(&after.host, after.port))
    }

    /// What programs read their secrets by goes. To give them something is no danger.
    fn vault_access(&self, plan: &TenantPlan) -> Option<Difference> {
        plan.phases.deletes_vault().find(|delete| delete.before.is_some())?;
        let key = self.tenant.key.as_str();
        let names = |objects: Vec<&VaultObject>| {
            let names: Vec<String> = objects.iter().map(|object| templated(&object.path(), key)).collect();
            if names.is_empty() { "none".to_owned() } else { names.join(", ") }
        };
        let goes = plan.phases.deletes_vault().map(|delete| &delete.object).collect();
        let new = plan.phases.sets_vault().filter(|set| set.before.is_none());
        let comes = new.map(|set| &set.object).collect();
        differs(FleetKey::VaultAccess, names(goes), names(comes))
    }

    /// Who is looked after better than before is in no danger.
    fn policy(&self) -> Vec<Difference> {
        let (row, tenant) = (self.row, self.tenant);
        let is_kept = row.password_source == PasswordSource::Kept && tenant.password.is_none();
        let wanted = if is_kept { row.password_source } else { tenant.password_source() };
        let given = (row.password_source.as_str(), wanted.as_str());
        let drops = tenant.on_remove == OnRemove::Drop;
        let all = [
            differs(FleetKey::Access, row.access.as_str(), tenant.access.as_str()),
            differs(FleetKey::OnRemove, row.on_remove.as_str(), tenant.on_remove.as_str()).filter(|_| drops),
            differs(FleetKey::Protected, row.protected.to_string(), tenant.protected.to_string())
                .filter(|_| row.protected),
            differs(FleetKey::Suspended, row.suspended.to_string(), tenant.suspended.to_string())
                .filter(|_| tenant.suspended),
            differs(FleetKey::PasswordFrom, given.0, given.1),
        ];
        all.into_iter().flatten().collect()
    }

    /// By the search_path that its role has. A schema that is shared no more is taken from every tenant, planned or not.
    fn shared_schemas(&self) -> Option<Difference> {
        let role = self.fleet.observed.roles.get(&self.row.username)?;
        let path = split_identifiers(role.settings.get("search_path")?);
        let (own, before) = path.split_first()?;
        let after = &self.fleet.desired.shared_schemas;
        let loses = before.iter().any(|schema| !after.contains(schema));
        if *own != self.row.schema || !(self.plan.is_some() || loses) {
            return None;
        }
        let list = |names: &[String]| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        differs(FleetKey::SharedSchemas, list(before), list(after))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_a_placeholder_where_it_is_a_word() {
        assert_eq!(templated("tenant_a", "a"), "tenant_{tenant}");
        assert_eq!(templated("tenants/a-b/db", "a-b"), "tenants/{tenant}/db");
        assert_eq!(templated("acme2", "acme"), "acme2");
    }
}
