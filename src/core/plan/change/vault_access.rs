//! Who may read the tenant's secret in Vault: its policy, and the role that its programs log in with.
//!
//! What was made is named by the registry, from before it is made. That alone is not enough to change or delete it: under the same
//! name there may be somebody else's by now. So a policy says whose it is in its first line, and a role is known by its policies.

use crate::core::model::{Readable, Registered, SecretState, Tenant, TenantKey, VaultContents, VaultObject, VaultSeen};
use crate::core::plan::action::{DeleteVault, SetVault};
use crate::core::plan::facts::{Facts, Findings};
use crate::core::plan::fleet::Fleet;
use crate::core::plan::hazard::HazardKind;
use crate::core::plan::phases::AfterCommit;
use crate::core::plan::tenant_plan::Blocked;

/// # Errors
/// When a policy or a role of the tenant's name is somebody else's.
pub(in crate::core::plan) fn diff(facts: &Facts<'_>, findings: &mut Findings) -> Result<(), Blocked> {
    let fleet = facts.fleet;
    let Some(seen) = &fleet.observed.vault else { return Ok(()) };
    let access = Access { fleet, seen, key: &facts.tenant.key };
    let wanted = wanted(fleet, seen, facts.tenant);
    for (object, after) in &wanted {
        let before = seen.objects.get(object);
        let is_registered = access.has_registered(object);
        match before {
            Some(before) if before == after && is_registered => continue,
            Some(before) if before != after && !(is_registered && access.is_its(before)) => {
                return Err(anothers(object));
            }
            _ => {}
        }
        let (object, before, after) = (object.clone(), before.cloned(), after.clone());
        findings.after.push(AfterCommit::SetVault(SetVault { object, before, after }));
    }
    let deletions = access.deletions(&wanted);
    let ended: Vec<String> =
        deletions.iter().filter(|delete| delete.before.is_some()).map(|delete| delete.object.to_string()).collect();
    if !ended.is_empty() {
        let detail = format!("programs that read the secret by {} are refused from then on", ended.join(" and "));
        findings.hazard(HazardKind::ChangesCredentials, detail);
    }
    findings.after.extend(deletions.into_iter().map(AfterCommit::DeleteVault));
    Ok(())
}

/// What a tenant that goes leaves in Vault. That of another database's, by the mark of its secret, is left alone.
pub(in crate::core::plan) fn removal(fleet: &Fleet<'_>, key: &TenantKey, row: &Registered) -> Vec<AfterCommit> {
    let is_anothers = match fleet.observed.secrets.get(&row.secret.path) {
        Some(SecretState::Ours { belongs, .. }) => !fleet.may_take(belongs, true),
        Some(SecretState::Foreign(_) | SecretState::Unseen) | None => false,
    };
    let Some(seen) = fleet.observed.vault.as_ref().filter(|_| !is_anothers) else { return Vec::new() };
    Access { fleet, seen, key }.deletions(&[]).into_iter().map(AfterCommit::DeleteVault).collect()
}

/// What there is of one tenant.
struct Access<'a> {
    fleet: &'a Fleet<'a>,
    seen: &'a VaultSeen,
    key: &'a TenantKey,
}

impl Access<'_> {
    fn has_registered(&self, object: &VaultObject) -> bool {
        self.fleet.vault_objects(self.key).any(|registered| registered == object)
    }

    /// Of a registered one, whether it still is what was made for the tenant. A role that gives no policy any more is in nobody's use.
    fn is_its(&self, found: &VaultContents) -> bool {
        let VaultContents::Role(role) = found else {
            return found.is_marked(self.key, &self.fleet.observed.database.name);
        };
        let mut policies = self.fleet.vault_objects(self.key).filter(|object| object.is_policy());
        role.policies.is_empty() || policies.any(|policy| role.policies.contains(policy.name()))
    }

    /// The roles first: a role without its policy opens nothing, but says nothing either.
    fn deletions(&self, wanted: &[(VaultObject, VaultContents)]) -> Vec<DeleteVault> {
        let is_wanted = |object: &VaultObject| wanted.iter().any(|(wanted, _)| wanted == object);
        let gone = self.fleet.vault_objects(self.key).filter(|object| !is_wanted(object));
        let found = |object: &VaultObject| self.seen.objects.get(object).filter(|found| self.is_its(found)).cloned();
        let mut deletions: Vec<DeleteVault> =
            gone.map(|object| DeleteVault { object: object.clone(), before: found(object) }).collect();
        deletions.sort_by_key(|delete| delete.object.is_policy());
        deletions
    }
}

fn wanted(fleet: &Fleet<'_>, seen: &VaultSeen, tenant: &Tenant) -> Vec<(VaultObject, VaultContents)> {
    let Some(access) = fleet.desired.secrets.access() else { return Vec::new() };
    let path = format!("{}/{}", seen.secrets_at, tenant.secret_path);
    access.of(Readable { tenant: &tenant.key, database: &fleet.observed.database.name, path: &path })
}

fn anothers(object: &VaultObject) -> Blocked {
    let key = if object.is_policy() { "policy" } else { object.kind() };
    Blocked::new(
        format!("{object} is there already, and was not made by tenantry for this tenant"),
        format!(
            "look at it: bao read {0} (or vault read); if it may go: bao delete {0}   or set another [vault.access] {key}",
            object.path()
        ),
    )
}
