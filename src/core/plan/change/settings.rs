//! `ALTER ROLE … SET`: the declared settings and the tool's search_path, and nothing else.

use std::collections::BTreeSet;

use crate::core::model::{ident, literal};
use crate::core::plan::tenant::Draft;
use crate::core::plan::{Change, Kind};

/// Parameters that PostgreSQL stores as a list of quoted names (GUC_LIST_QUOTE): one string would be one name.
const LISTS: [&str; 3] = ["temp_tablespaces", "local_preload_libraries", "session_preload_libraries"];

pub(in crate::core::plan) fn diff(draft: &mut Draft<'_>) {
    let tenant = draft.tenant;
    let role = draft.current.role.clone().unwrap_or_default();
    let user = ident(&tenant.username);
    let path: Vec<String> =
        std::iter::once(&tenant.schema).chain(&draft.look.desired.shared_schemas).cloned().collect();
    let database = &draft.look.observed.database.name;
    let mut changes = Vec::new();
    let mut push = |parameter: &str, before: Option<&String>, after: Option<String>, sql: String| {
        let mut change = Change::sql(Kind::SetSettings, format!("setting {parameter}"), vec![sql]);
        change.before = before.cloned();
        change.after = after;
        changes.push(change);
    };
    let have = role.settings.get("search_path");
    if have.map(|text| split_identifiers(text)) != Some(path.clone()) {
        let list = path.iter().map(|name| ident(name)).collect::<Vec<_>>().join(", ");
        push("search_path", have, Some(list.clone()), format!("ALTER ROLE {user} SET search_path = {list}"));
    }
    for (parameter, value) in &tenant.settings {
        let have = role.settings.get(parameter);
        let is_list = LISTS.contains(&parameter.as_str());
        let same = match have {
            Some(have) if is_list => items(have) == items(value),
            have => have == Some(value),
        };
        if !same {
            let literals = match items(value) {
                items if is_list && !items.is_empty() => {
                    items.iter().map(|item| literal(item)).collect::<Vec<_>>().join(", ")
                }
                _ => literal(value),
            };
            let sql = format!("ALTER ROLE {user} SET {} = {literals}", parameter_name(parameter));
            push(parameter, have, Some(value.clone()), sql);
        }
    }
    let wanted: BTreeSet<&str> = tenant.settings.keys().map(String::as_str).chain(["search_path"]).collect();
    // A setting for the role in this database goes before the role's own: it would hide what is declared.
    let (hiding, more): (Vec<_>, Vec<_>) =
        role.database_settings.iter().partition(|(name, _)| wanted.contains(name.as_str()));
    for (parameter, value) in hiding {
        push(&in_this_database(parameter), Some(value), None, reset_in_database(&user, database, parameter));
    }
    draft.changes.append(&mut changes);
    let mut extra = |what: String, value: &str, sql: String| {
        draft.take(Change::sql(Kind::SetSettings, format!("setting {what}"), vec![sql]).before(value));
    };
    for (parameter, value) in role.settings.iter().filter(|(name, _)| !wanted.contains(name.as_str())) {
        extra(parameter.clone(), value, format!("ALTER ROLE {user} RESET {}", parameter_name(parameter)));
    }
    for (parameter, value) in more {
        extra(in_this_database(parameter), value, reset_in_database(&user, database, parameter));
    }
}

/// The empty list is stored as one empty name.
fn items(list: &str) -> Vec<String> {
    split_identifiers(list).into_iter().filter(|item| !item.is_empty()).collect()
}

fn in_this_database(parameter: &str) -> String {
    format!("{parameter} in this database")
}

fn reset_in_database(user: &str, database: &str, parameter: &str) -> String {
    format!("ALTER ROLE {user} IN DATABASE {} RESET {}", ident(database), parameter_name(parameter))
}

/// `a.b` is two identifiers to the grammar.
fn parameter_name(name: &str) -> String {
    name.split('.').map(ident).collect::<Vec<_>>().join(".")
}

/// The names in a search_path as PostgreSQL stores it: quoted where they must be, unquoted folded to lower case.
pub(crate) fn split_identifiers(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut chars = text.chars().peekable();
    loop {
        while chars.next_if(|c| c.is_whitespace() || *c == ',').is_some() {}
        let mut name = String::new();
        match chars.peek() {
            None => return names,
            Some('"') => {
                chars.next();
                while let Some(c) = chars.next() {
                    if c == '"' && chars.next_if_eq(&'"').is_none() {
                        break;
                    }
                    name.push(c);
                }
            }
            Some(_) => {
                while let Some(c) = chars.next_if(|c| *c != ',' && !c.is_whitespace()) {
                    name.extend(c.to_lowercase());
                }
            }
        }
        names.push(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_search_path_is_read_back_into_its_names() {
        assert_eq!(split_identifiers(r#"tenant_a, "we""ird, one",  public"#), ["tenant_a", "we\"ird, one", "public"]);
        assert_eq!(split_identifiers(r#""""#), [""]);
        assert!(split_identifiers("").is_empty());
        assert_eq!(items(r#""""#), items(""));
        assert_eq!(parameter_name("pg_trgm.limit"), "\"pg_trgm\".\"limit\"");
    }
}
