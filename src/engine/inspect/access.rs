//! Who may read the secrets in Vault.

use std::collections::BTreeSet;

use crate::core::model::{Desired, Observed, Readable, VaultObject, VaultSeen};
use crate::engine::error::{Context, Error};
use crate::engine::inspect::secrets::unseen;
use crate::engine::secrets::{AccessStore, SecretError, SecretStore};

/// Asks nothing unless access is declared or registered. What may not be read is as the last apply left it, as far as a plan goes.
pub(super) fn read(store: &dyn SecretStore, desired: &Desired, observed: &mut Observed) -> Result<(), Error> {
    let objects = objects(desired, observed);
    let Some(access) = store.access().filter(|_| !objects.is_empty()) else { return Ok(()) };
    match look(access, &objects) {
        Ok(seen) => observed.vault = Some(seen),
        Err(error) if error.is_denied() => observed.unseen.push(unseen("the tenants' access to Vault", &error)),
        Err(error) => return Err(error).doing("looking at the tenants' access to Vault"),
    }
    Ok(())
}

fn look(access: &dyn AccessStore, objects: &[VaultObject]) -> Result<VaultSeen, SecretError> {
    Ok(VaultSeen { secrets_at: access.secrets_at()?, objects: access.objects(objects)? })
}

fn objects(desired: &Desired, observed: &Observed) -> Vec<VaultObject> {
    let mut objects = BTreeSet::new();
    if let Some(access) = desired.secrets.access() {
        for tenant in desired.tenants.values() {
            // What they are called does not depend on the rest.
            let secret = Readable { tenant: &tenant.key, database: &observed.database.name, path: "" };
            objects.extend(access.of(secret).into_iter().map(|(object, _)| object));
        }
    }
    let namespace = desired.secrets.vault_namespace();
    let registered = observed.registry.iter().flat_map(|registry| registry.vault_access.values()).flatten();
    objects.extend(registered.filter(|found| found.namespace == namespace).map(|found| found.object.clone()));
    objects.into_iter().collect()
}
