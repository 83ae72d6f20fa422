//! Names that PostgreSQL can take, and that are no other tenant's.

use std::collections::BTreeMap;

use super::classes::Classes;
use super::fault::Faults;
use super::places::Places;
use super::raw::RawTenant;
use crate::core::model::{Access, NameError, Tenant, TenantKey};

/// A fault at `path` where `value` is no such name.
pub(super) fn check(
    path: &[&str],
    value: &str,
    what: &str,
    rule: fn(&str) -> Result<(), NameError>,
    places: &Places<'_>,
    faults: &mut Faults,
) {
    if let Err(error) = rule(value) {
        faults.push(places.value(path), format!("{what} {value:?} {error}"), None);
    }
}

/// Two tenants on one schema or one role would be one tenant.
pub(super) fn collisions(
    tenants: &BTreeMap<TenantKey, Tenant>,
    raw: &BTreeMap<String, RawTenant>,
    classes: &Classes<'_>,
    shared: &[String],
    places: &Places<'_>,
    faults: &mut Faults,
) {
    let mut schemas: BTreeMap<&str, &TenantKey> = BTreeMap::new();
    let mut roles: BTreeMap<String, (&TenantKey, &str, bool)> = BTreeMap::new();
    for (key, tenant) in tenants {
        let own = raw.get(key.as_str());
        let at = |field: &str| places.value(&["tenants", key.as_str(), field]);
        if shared.contains(&tenant.schema) {
            faults.push(at("schema"), format!("schema {:?} is one of shared_schemas", tenant.schema), None);
        }
        if let Some(other) = schemas.insert(&tenant.schema, key) {
            faults.push(
                at("schema"),
                format!("tenants {other} and {key} have the same schema, {:?}", tenant.schema),
                Some("set schema = … for one of them".into()),
            );
            // Their roles collide too, for the same reason; one message is enough.
            continue;
        }
        // One fixed name shares the owner among tenants; a template that folds two keys into one name does not.
        let template = own.and_then(|own| own.owner.as_ref().or(classes.defaults_of(own).owner.as_ref()));
        let fixed = template.is_some_and(|owner| !owner.contains("{tenant}"));
        let mut claim = |role: String, field: &'static str, shareable: bool| match roles.get(&role) {
            Some((_, _, true)) if shareable => {}
            Some((other, of, _)) => faults.push(
                at(field),
                format!("{field} {role:?} of tenant {key} is also the {of} of tenant {other}"),
                Some(format!("set {field} = … for one of them")),
            ),
            None => drop(roles.insert(role, (key, field, shareable))),
        };
        claim(tenant.username.clone(), "username", false);
        if tenant.access != Access::Owner && tenant.owner_role != tenant.username {
            claim(tenant.owner_role.clone(), "owner", fixed);
        }
        for user in tenant.login_users() {
            claim(user, "username", false);
        }
    }
}
