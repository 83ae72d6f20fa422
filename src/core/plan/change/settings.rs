//! `ALTER ROLE … SET`: the declared settings and the tool's search_path, and nothing else.

use std::collections::BTreeSet;

use crate::core::model::Role;
use crate::core::plan::action::{SetSetting, Value, items};
use crate::core::plan::facts::{Facts, Findings};
use crate::core::plan::identifiers::split_identifiers;

/// Parameters that PostgreSQL stores as a list of quoted names (GUC_LIST_QUOTE).
const LISTS: [&str; 3] = ["temp_tablespaces", "local_preload_libraries", "session_preload_libraries"];

pub(in crate::core::plan) fn diff(facts: &Facts<'_>, findings: &mut Findings) {
    let absent = Role::default();
    of_role(facts, findings, &facts.tenant.username, facts.current.role.unwrap_or(&absent));
}

/// Settings are those of the role that logs in (manual, "ALTER ROLE"); and it acts as the username from the beginning.
pub(super) fn of_login(facts: &Facts<'_>, findings: &mut Findings, user: &str, role: &Role) {
    of_role(facts, findings, user, role);
}

fn of_role(facts: &Facts<'_>, findings: &mut Findings, name: &str, role: &Role) {
    let tenant = facts.tenant;
    let is_login = name != tenant.username;
    let set = |parameter: &str, from: Option<&String>, to: Option<Value>| SetSetting {
        role: name.to_owned(),
        of_login: is_login,
        database: None,
        parameter: parameter.to_owned(),
        from: from.cloned(),
        to,
    };
    let path: Vec<String> =
        std::iter::once(&tenant.schema).chain(&facts.fleet.desired.shared_schemas).cloned().collect();
    let have = role.settings.get("search_path");
    if have.map(|text| split_identifiers(text)).as_ref() != Some(&path) {
        findings.change(set("search_path", have, Some(Value::Names(path))));
    }
    let have = role.settings.get("role");
    if is_login && have != Some(&tenant.username) {
        findings.change(set("role", have, Some(Value::Text(tenant.username.clone()))));
    }
    for (parameter, value) in &tenant.settings {
        let have = role.settings.get(parameter);
        let is_list = LISTS.contains(&parameter.as_str());
        let same = match have {
            Some(have) if is_list => items(have) == items(value),
            have => have == Some(value),
        };
        if !same {
            let value = if is_list { Value::List(value.clone()) } else { Value::Text(value.clone()) };
            findings.change(set(parameter, have, Some(value)));
        }
    }
    let of_ours = if is_login { ["search_path", "role"].as_slice() } else { &["search_path"] };
    let wanted: BTreeSet<&str> = tenant.settings.keys().map(String::as_str).chain(of_ours.iter().copied()).collect();
    let is_wanted = |parameter: &String| wanted.contains(parameter.as_str());
    let database = &facts.fleet.observed.database.name;
    let here = |parameter: &String, value: &String| SetSetting {
        database: Some(database.clone()),
        ..set(parameter, Some(value), None)
    };
    // A setting for the role in this database goes before the role's own: it would hide what is declared.
    for (parameter, value) in role.database_settings.iter().filter(|(name, _)| is_wanted(name)) {
        findings.change(here(parameter, value));
    }
    for (parameter, value) in role.settings.iter().filter(|(name, _)| !is_wanted(name)) {
        findings.take(facts, set(parameter, Some(value), None));
    }
    for (parameter, value) in role.database_settings.iter().filter(|(name, _)| !is_wanted(name)) {
        findings.take(facts, here(parameter, value));
    }
}
