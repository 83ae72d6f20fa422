//! `template = "demo"`: whom a new tenant begins as a copy of.

use std::collections::BTreeMap;

use super::fault::Faults;
use super::places::Places;
use super::raw::{RawConfig, RawTenant};
use crate::core::model::{Template, Tenant, TenantKey};

/// The template of [defaults] is none for itself. What is no key is at fault in [`check`].
pub(super) fn of(key: &TenantKey, own: &RawTenant, defaults: &RawTenant) -> Option<Template> {
    let of_all = defaults.template.as_deref().filter(|template| *template != key.as_str());
    let tenant = TenantKey::new(own.template.as_deref().or(of_all)?).ok()?;
    Some(Template { tenant, data: own.template_data.or(defaults.template_data).unwrap_or(false) })
}

/// A template is another tenant of the file.
pub(super) fn check(tenants: &BTreeMap<TenantKey, Tenant>, raw: &RawConfig, places: &Places<'_>, faults: &mut Faults) {
    let is_declared = |name: &str| tenants.keys().any(|key| key.as_str() == name);
    let of_defaults = raw.defaults.template.as_deref().map(|name| (vec!["defaults", "template"], None, name));
    let said = |section: &'static str, tenants| {
        let tenants: &BTreeMap<String, RawTenant> = tenants;
        let said = tenants.iter().filter_map(move |(key, tenant)| {
            let key = key.as_str();
            Some((vec![section, key, "template"], (section == "tenants").then_some(key), tenant.template.as_deref()?))
        });
        said.collect::<Vec<_>>()
    };
    let of_others = said("classes", &raw.classes).into_iter().chain(said("tenants", &raw.tenants));
    for (path, key, name) in of_defaults.into_iter().chain(of_others) {
        if key == Some(name) {
            faults.push(places.value(&path), format!("tenant {name} is its own template"), None);
        } else if !is_declared(name) {
            let message = format!("template {name:?} is not a tenant of this file");
            faults.push(places.value(&path), message, Some("declare it under [tenants]".into()));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::core::config::fault::tests_support::messages as faults;
    use crate::core::config::parse;

    #[test]
    fn a_template_is_another_tenant_of_the_file() {
        assert_eq!(faults("[tenants]\ndemo = {}\nacme = { template = \"demo\", template_data = true }\n"), [""; 0]);
        assert_eq!(faults("[tenants]\nacme = { template = \"acme\" }\n"), ["tenant acme is its own template"]);
        let unknown = ["template \"demo\" is not a tenant of this file"];
        assert_eq!(faults("[tenants]\nacme = { template = \"demo\" }\n"), unknown);
        assert_eq!(faults("[defaults]\ntemplate = \"demo\"\n[tenants]\nacme = {}\n"), unknown);
    }

    #[test]
    fn the_template_of_all_is_none_for_itself() {
        let source = "[defaults]\ntemplate = \"demo\"\ntemplate_data = true\n[tenants]\ndemo = {}\nacme = {}\n";
        let configuration = parse("t.toml", source, &|_| None).unwrap();
        let templates = configuration.tenants.values().map(|tenant| {
            let template = tenant.template.as_ref();
            template.map(|template| (template.tenant.to_string(), template.data))
        });
        assert_eq!(templates.collect::<Vec<_>>(), [Some(("demo".to_owned(), true)), None]);
    }
}
