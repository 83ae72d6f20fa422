//! `[classes]`: named sets of a tenant's keys, between its own and `[defaults]`.

use std::collections::{BTreeMap, BTreeSet};

use super::fault::Faults;
use super::places::Places;
use super::raw::{RawConfig, RawTenant};
use super::read::did_you_mean;

/// What stands in for the keys that a tenant does not say itself.
pub(super) struct Classes<'r> {
    defaults: &'r RawTenant,
    classes: BTreeMap<&'r str, Class>,
}

struct Class {
    /// Its keys, and those of [defaults] that it does not have.
    defaults: RawTenant,
    keys: BTreeSet<String>,
    settings: BTreeSet<String>,
}

impl<'r> Classes<'r> {
    pub fn new(raw: &'r RawConfig, places: &Places<'_>, faults: &mut Faults) -> Self {
        let mut classes = BTreeMap::new();
        for (name, class) in &raw.classes {
            let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
            if !is_name || name.is_empty() || name.len() > 63 {
                let hint = "letters, digits, \"_\" and \"-\", 63 characters at most".to_owned();
                faults.push(places.key(&["classes", name]), "this is no name for a class", Some(hint));
            }
            if class.class.is_some() {
                let at = places.value(&["classes", name, "class"]);
                let hint = "write its keys in both, or in [defaults]".to_owned();
                faults.push(at, "a class is of no other class", Some(hint));
            }
            let keys = places.keys(&["classes", name]).into_iter().collect();
            let settings = class.settings.keys().cloned().collect();
            classes.insert(name.as_str(), Class { defaults: over(class, &raw.defaults), keys, settings });
        }
        let classes = Self { defaults: &raw.defaults, classes };
        let of_defaults = raw.defaults.class.as_deref().map(|class| (vec!["defaults", "class"], class));
        let of_tenants = raw.tenants.iter();
        let of_tenants =
            of_tenants.filter_map(|(key, tenant)| Some((vec!["tenants", key, "class"], tenant.class.as_deref()?)));
        for (path, class) in of_defaults.into_iter().chain(of_tenants) {
            classes.must_be_there(&path, class, places, faults);
        }
        classes
    }

    fn must_be_there(&self, path: &[&str], class: &str, places: &Places<'_>, faults: &mut Faults) {
        if self.classes.contains_key(class) {
            return;
        }
        let known: Vec<&str> = self.classes.keys().copied().collect();
        let hint =
            if known.is_empty() { format!("declare it: [classes.{class}]") } else { did_you_mean(class, &known) };
        faults.push(places.value(path), format!("there is no class {class:?}"), Some(hint));
    }

    /// The tenant's class: its own word, or that of [defaults].
    pub fn of<'t>(&'t self, tenant: &'t RawTenant) -> Option<&'t str> {
        tenant.class.as_deref().or(self.defaults.class.as_deref())
    }

    /// What the tenant takes over.
    pub fn defaults_of(&self, tenant: &RawTenant) -> &RawTenant {
        self.class_of(tenant).map_or(self.defaults, |class| &class.defaults)
    }

    /// Where a key is written that the tenant takes over.
    pub fn path<'p>(&'p self, tenant: &'p RawTenant, field: &'p str) -> Vec<&'p str> {
        match (self.of(tenant), self.class_of(tenant)) {
            (Some(name), Some(class)) if class.keys.contains(field) => vec!["classes", name, field],
            _ => vec!["defaults", field],
        }
    }

    /// The same of one of its settings.
    pub fn path_of_setting<'p>(&'p self, tenant: &'p RawTenant, parameter: &'p str) -> Vec<&'p str> {
        match (self.of(tenant), self.class_of(tenant)) {
            (Some(name), Some(class)) if class.settings.contains(parameter) => {
                vec!["classes", name, "settings", parameter]
            }
            _ => vec!["defaults", "settings", parameter],
        }
    }

    fn class_of(&self, tenant: &RawTenant) -> Option<&Class> {
        self.classes.get(self.of(tenant)?)
    }
}

/// The one set of keys, and what it does not say from the other. Every key is named, so that a new one is not forgotten.
fn over(own: &RawTenant, defaults: &RawTenant) -> RawTenant {
    let text = |own: &Option<String>, other: &Option<String>| own.clone().or_else(|| other.clone());
    let mut settings = defaults.settings.clone();
    // The same parameter, however it is spelled.
    settings.retain(|parameter, _| !own.settings.keys().any(|own| own.eq_ignore_ascii_case(parameter)));
    settings.extend(own.settings.clone());
    RawTenant {
        origin: own.origin,
        schema: text(&own.schema, &defaults.schema),
        class: None,
        username: text(&own.username, &defaults.username),
        owner: text(&own.owner, &defaults.owner),
        access: own.access.or(defaults.access),
        connection_limit: own.connection_limit.or(defaults.connection_limit),
        settings,
        mode: own.mode.or(defaults.mode),
        on_remove: own.on_remove.or(defaults.on_remove),
        password_from: text(&own.password_from, &defaults.password_from),
        protected: own.protected.or(defaults.protected),
        suspended: own.suspended.or(defaults.suspended),
        template: text(&own.template, &defaults.template),
        template_data: own.template_data.or(defaults.template_data),
        rotation: own.rotation.or(defaults.rotation),
        rotate_after: text(&own.rotate_after, &defaults.rotate_after),
        strict_shape: own.strict_shape.or(defaults.strict_shape),
    }
}

#[cfg(test)]
mod tests {
    use crate::core::config::parse;
    use crate::core::model::{Access, TenantKey};

    #[test]
    fn a_tenants_own_keys_win_over_its_class_and_that_over_the_defaults() {
        let source = r#"
[defaults]
class = "free"
access = "readonly"
settings = { work_mem = "1MB", lock_timeout = "1s" }
[classes.free]
connection_limit = 1
[classes.pro]
connection_limit = 100
access = "readwrite"
schema = "pro_{tenant}"
settings = { Work_Mem = "2MB", jit = false }
[tenants]
a = {}
b = { class = "pro" }
c = { class = "pro", access = "full", settings = { jit = true } }
"#;
        let found = parse("t.toml", source, &|_| None).unwrap();
        let of = |key: &str| found.tenants[&TenantKey::new(key).unwrap()].clone();
        let (a, b, c) = (of("a"), of("b"), of("c"));
        assert_eq!((a.class.as_deref(), a.connection_limit, a.access), (Some("free"), 1, Access::Readonly));
        assert_eq!((b.class.as_deref(), b.connection_limit, b.access), (Some("pro"), 100, Access::Readwrite));
        assert_eq!((b.schema.as_str(), c.access), ("pro_b", Access::Full));
        let settings = |tenant: &crate::core::model::Tenant| format!("{:?}", tenant.settings);
        assert_eq!(settings(&b), r#"{"jit": "off", "lock_timeout": "1s", "work_mem": "2MB"}"#);
        assert_eq!(settings(&c), r#"{"jit": "on", "lock_timeout": "1s", "work_mem": "2MB"}"#);
    }

    #[test]
    fn faults_of_a_class_are_told_where_they_are_and_an_unknown_class_with_the_nearest() {
        let source = r#"[classes.pro]
connection_limit = -2
class = "free"
settings = { search_path = "x" }
rotation = "two-user"
rotate_after = "soon"
password_from = "a password that is given"
[classes.free]
acces = "full"
[tenants]
a = { class = "pro" }
b = { class = "pr0" }
"#;
        let error = parse("t.toml", source, &|_| None).unwrap_err();
        let found: Vec<_> = error
            .faults
            .iter()
            .map(|f| {
                let (line, column) = f.span.as_ref().map_or((0, 0), |s| error.line_column(s.start));
                format!("{line}:{column} {}", f.message)
            })
            .collect();
        assert_eq!(
            found,
            [
                "2:20 connection_limit -2 is not between -1 (none) and 2147483647",
                "3:9 a class is of no other class",
                "4:28 search_path is set by tenantry itself",
                "6:16 \"soon\" is not a duration",
                "7:17 password_from gives tenant a one password, but rotation = \"two-user\" takes two in turn",
                "9:1 unknown key \"acces\"",
                "12:15 there is no class \"pr0\"",
            ]
        );
        assert_eq!(error.faults[6].hint.as_deref(), Some("did you mean \"pro\"?"));
    }

    #[test]
    fn faults_of_the_defaults_are_told_there_though_a_class_has_keys_of_that_kind() {
        let source = r#"[defaults]
settings = { search_path = "x" }
connection_limit = -2
[classes.pro]
settings = { jit = true }
access = "full"
[tenants]
a = { class = "pro" }
"#;
        let error = parse("t.toml", source, &|_| None).unwrap_err();
        let places = error.faults.iter().map(|fault| fault.span.clone().map(|span| error.line_column(span.start)));
        assert_eq!(places.collect::<Vec<_>>(), [Some((2, 28)), Some((3, 20))], "{error}");
    }
}
