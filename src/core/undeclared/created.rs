//! Tenants that a program created: of these the registry knows what tenants.toml would say.

use std::collections::BTreeMap;

use super::found::Declaration;
use crate::core::model::{Access, Desired, Observed, Origin, State};

/// Those whose schema is meant, by its name, and that no file declares.
#[must_use]
pub fn created(desired: &Desired, observed: &Observed, is_meant: &dyn Fn(&str) -> bool) -> Vec<Declaration> {
    let rows = observed.registry.iter().flat_map(|registry| &registry.tenants);
    let rows = rows.filter(|(key, row)| {
        let is_in_use = row.declared_by == Origin::Api && row.state == State::Active;
        is_in_use && !desired.tenants.contains_key(*key) && is_meant(&row.schema)
    });
    let defaults = &desired.defaults;
    let declared = rows.map(|(key, row)| {
        let unless = |name: &String, template: &str| (key.fill(template) != *name).then(|| name.clone());
        Declaration {
            schema: unless(&row.schema, &defaults.schema),
            username: unless(&row.username, &defaults.username),
            owner: unless(&row.owner, &defaults.owner).filter(|_| row.access != Access::Owner),
            access: Some(row.access).filter(|access| *access != defaults.access),
            connection_limit: None,
            settings: BTreeMap::new(),
            remarks: vec!["created by a program; once this is applied it is this file's".to_owned()],
            needs_a_baseline: false,
            is_registered: true,
            key: key.clone(),
        }
    });
    declared.collect()
}
