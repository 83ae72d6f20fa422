//! One tenant of `tenants.toml`: its own keys, then those of its class, then `[defaults]`.

use std::collections::BTreeMap;

use secrecy::SecretString;

use super::classes::Classes;
use super::defaults::{OWNER, SCHEMA, USERNAME};
use super::fault::Faults;
use super::places::Places;
use super::raw::RawTenant;
use super::{names, rotation, template};
use crate::core::model::secret::fault_of_password;
use crate::core::model::{Access, Tenant, TenantKey, check_role_name, check_schema_name};

/// Settings `ALTER ROLE … SET` must not carry: they are the tool's, or change who the session is.
const RESERVED_SETTINGS: [&str; 3] = ["search_path", "role", "session_authorization"];

/// One tenant, with what it takes over.
pub(super) fn resolve(
    key: &TenantKey,
    own: &RawTenant,
    classes: &Classes<'_>,
    secret_path: &str,
    places: &Places<'_>,
    faults: &mut Faults,
) -> Tenant {
    let k = key.as_str();
    let defaults = classes.defaults_of(own);
    // A key of [defaults] or of a class is at fault where it is written, not at each tenant that takes it over.
    let path = |set: bool, field: &'static str| if set { vec!["tenants", k, field] } else { classes.path(own, field) };
    let fill = |own: &Option<String>, default: &Option<String>, builtin: &str| {
        key.fill(own.as_deref().or(default.as_deref()).unwrap_or(builtin))
    };
    let schema = fill(&own.schema, &defaults.schema, SCHEMA);
    let username = fill(&own.username, &defaults.username, USERNAME);
    let owner_role = fill(&own.owner, &defaults.owner, OWNER);
    let access = own.access.or(defaults.access).unwrap_or_default();
    // A name too long for its key alone: the place is the tenant's key when nothing was written.
    for (set, field, what, value, check) in [
        (own.schema.is_some(), "schema", "schema", &schema, check_schema_name as fn(&str) -> _),
        (own.username.is_some(), "username", "username", &username, check_role_name),
        (own.owner.is_some(), "owner", "owner", &owner_role, check_role_name),
    ] {
        let path = if set || defaults_has(defaults, field) { path(set, field) } else { vec!["tenants", k] };
        names::check(&path, value, what, check, places, faults);
    }
    if access != Access::Owner && username == owner_role {
        faults.push(
            places.value(&["tenants", k]),
            format!("username and owner are both {username:?}"),
            Some("set access = \"owner\" if the username itself is to own the schema".into()),
        );
    }
    let connection_limit = connection_limit((own, defaults), &path, places, faults);
    let settings = settings(k, (own, defaults), classes, places, faults);
    let password = own.password_from.as_deref().or(defaults.password_from.as_deref());
    if let Some(problem) = password.and_then(fault_of_password) {
        let at = places.value(&path(own.password_from.is_some(), "password_from"));
        faults.push(at, format!("the password {problem}"), Some("omit password_from to have one generated".into()));
    }
    let (rotation, rotate_after) = rotation::resolve(key, &username, (own, defaults), &path, places, faults);
    let suspended = own.suspended.or(defaults.suspended).unwrap_or(false);
    Tenant {
        key: key.clone(),
        schema,
        username,
        owner_role,
        access,
        connection_limit,
        settings,
        mode: own.mode.or(defaults.mode).unwrap_or_default(),
        on_remove: own.on_remove.or(defaults.on_remove).unwrap_or_default(),
        protected: own.protected.or(defaults.protected).unwrap_or(false),
        password: password.map(SecretString::from),
        secret_path: secret_path.replace("{tenant}", key.as_str()),
        class: classes.of(own).map(str::to_owned),
        suspended,
        origin: own.origin,
        rotation,
        rotate_after,
        strict_shape: own.strict_shape.or(defaults.strict_shape).unwrap_or(false),
        template: template::of(key, own, defaults),
    }
}

fn connection_limit<'p>(
    (own, defaults): (&RawTenant, &RawTenant),
    path: &dyn Fn(bool, &'static str) -> Vec<&'p str>,
    places: &Places<'_>,
    faults: &mut Faults,
) -> i32 {
    let limit = own.connection_limit.or(defaults.connection_limit).unwrap_or(-1);
    i32::try_from(limit).ok().filter(|limit| *limit >= -1).unwrap_or_else(|| {
        let at = places.value(&path(own.connection_limit.is_some(), "connection_limit"));
        faults.push(at, format!("connection_limit {limit} is not between -1 (none) and 2147483647"), None);
        -1
    })
}

/// By lower-case name.
fn settings(
    key: &str,
    (own, defaults): (&RawTenant, &RawTenant),
    classes: &Classes<'_>,
    places: &Places<'_>,
    faults: &mut Faults,
) -> BTreeMap<String, String> {
    let mut settings = BTreeMap::new();
    for (set, from) in [(false, &defaults.settings), (true, &own.settings)] {
        for (parameter, value) in from {
            let (lower, value) = (parameter.to_ascii_lowercase(), value.text());
            let at = match set {
                true => vec!["tenants", key, "settings", parameter],
                false => classes.path_of_setting(own, parameter),
            };
            if let Some((message, hint)) = fault_of_setting(parameter, &lower, &value) {
                faults.push(places.value(&at), message, hint.map(str::to_owned));
            }
            settings.insert(lower, value);
        }
    }
    settings
}

fn fault_of_setting(parameter: &str, lower: &str, value: &str) -> Option<(String, Option<&'static str>)> {
    if RESERVED_SETTINGS.contains(&lower) {
        let hint = "shared schemas are named in [database] shared_schemas";
        return Some((format!("{parameter} is set by tenantry itself"), Some(hint)));
    }
    if !is_parameter(lower) {
        return Some((format!("{parameter:?} is not a valid parameter name"), None));
    }
    value.contains('\0').then(|| (format!("the value of {parameter} holds a NUL character"), None))
}

fn defaults_has(defaults: &RawTenant, field: &str) -> bool {
    match field {
        "schema" => defaults.schema.is_some(),
        "username" => defaults.username.is_some(),
        _ => defaults.owner.is_some(),
    }
}

fn is_parameter(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '$'))
}
