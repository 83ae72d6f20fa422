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
    named.iter().try_for_each(|name| key(desired, name, file).map(drop))?;
    desired.tenants.keys().filter(|key| names(named, key)).try_for_each(|key| filter.must_select(key))
}

/// Whatever the targets are.
pub(super) fn key<'a>(desired: &'a Desired, named: &str, file: &str) -> Result<&'a TenantKey, Refusal> {
    desired.tenants.keys().find(|key| key.as_str() == named).ok_or_else(|| {
        Refusal::new(
            Guard::Declared { tenant: named.to_owned() },
            format!("tenant {named:?} is not in {file}"),
            "the keys are those under [tenants]; tenantry list shows them",
        )
    })
}

pub(super) fn names(named: &[String], key: &TenantKey) -> bool {
    named.iter().any(|name| name == key.as_str())
}

/// None names all.
pub(super) fn names_or_all(named: &[String], key: &TenantKey) -> bool {
    named.is_empty() || names(named, key)
}
