//! `{tenant}` is all that is filled in: anything else in braces would be taken as it is, in every tenant's name.

use super::fault::Faults;
use super::places::Places;
use super::raw::{RawConfig, RawTenant};

/// A tenant's own names may hold whatever PostgreSQL can quote; a template is for many.
pub(super) fn check(raw: &RawConfig, places: &Places<'_>, faults: &mut Faults) {
    one(&["secrets", "path"], &raw.secrets.path, places, faults);
    of_tenants(&["defaults"], &raw.defaults, places, faults);
    for (name, class) in &raw.classes {
        of_tenants(&["classes", name], class, places, faults);
    }
}

fn of_tenants(section: &[&str], raw: &RawTenant, places: &Places<'_>, faults: &mut Faults) {
    for (key, template) in [("schema", &raw.schema), ("username", &raw.username), ("owner", &raw.owner)] {
        if let Some(template) = template {
            one(&[section, &[key]].concat(), template, places, faults);
        }
    }
}

fn one(path: &[&str], template: &str, places: &Places<'_>, faults: &mut Faults) {
    for unknown in in_braces(template).filter(|name| *name != "tenant") {
        let hint = "write {tenant}, which stands for the tenant's key, or leave out the braces";
        faults.push(places.value(path), format!("{{{unknown}}} stands for nothing"), Some(hint.into()));
    }
}

fn in_braces(template: &str) -> impl Iterator<Item = &str> {
    template.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name)
}

#[cfg(test)]
mod tests {
    use crate::core::config::fault::tests_support::messages as faults;

    #[test]
    fn nothing_but_the_tenant_stands_for_something() {
        let path = |path: &str| faults(&format!("[secrets]\npath = \"{path}\"\n[tenants]\na = {{}}\n"));
        assert_eq!(path("apps/{tenant}"), [""; 0]);
        assert_eq!(path("{env}/{tenant}"), ["{env} stands for nothing"]);
        assert_eq!(path("{tenant}/{Tenant}/{}"), ["{Tenant} stands for nothing", "{} stands for nothing"]);
        let names =
            "[defaults]\nschema = \"{tenent}_x\"\n[classes.pro]\nowner = \"{tenant}_{class}\"\n[tenants]\na = {}\n";
        assert_eq!(faults(names), ["{tenent} stands for nothing", "{class} stands for nothing"]);
        assert_eq!(faults("[tenants]\na = { schema = \"odd {name}\" }\n"), [""; 0]);
    }
}
