//! Tenants that are named one by one.

use super::error::{Guard, Refusal};
use super::filter::Filter;
use crate::core::model::{Desired, TenantKey};

/// A key with a typing error must not pass for a tenant that is done. `file`: where they are declared.
pub(super) fn must_be_declared(
    desired: &Desired,
    filter: &Filter,
    named: &[String],
    file: &str,
) -> Result<(), Refusal> {
    let declared = &desired.tenants;
    let unknown = named.iter().find(|name| !declared.keys().any(|key| key.as_str() == *name));
    if let Some(unknown) = unknown {
        return Err(Refusal::new(
            Guard::Declared { tenant: unknown.clone() },
            format!("tenant {unknown:?} is not in {file}"),
            "the keys are those under [tenants]; tenantry list shows them",
        ));
    }
    declared.keys().filter(|key| names(named, key)).try_for_each(|key| filter.must_select(key))
}

pub(super) fn names(named: &[String], key: &TenantKey) -> bool {
    named.iter().any(|name| name == key.as_str())
}

/// None names all.
pub(super) fn names_or_all(named: &[String], key: &TenantKey) -> bool {
    named.is_empty() || names(named, key)
}
