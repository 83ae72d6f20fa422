//! Declarations as tenants.toml has them: tables, which can stand at the end of a file that has others.

use std::fmt::Write as _;

use super::found::Declaration;

/// Parsed together with the file they are derived from, they are valid.
#[must_use]
pub fn text(declarations: &[Declaration]) -> String {
    let mut text = String::new();
    for declaration in declarations {
        if !text.is_empty() {
            text.push('\n');
        }
        one(&mut text, declaration);
    }
    text
}

fn one(text: &mut String, declaration: &Declaration) {
    let Declaration { key, schema, username, owner, access, connection_limit, settings, remarks, .. } = declaration;
    for remark in remarks {
        line(text, format_args!("# {remark}"));
    }
    line(text, format_args!("[tenants.{key}]"));
    let names = [("schema", schema), ("username", username), ("owner", owner)];
    for (name, value) in names.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?))) {
        line(text, format_args!("{name} = {}", string(value)));
    }
    if let Some(access) = access {
        line(text, format_args!("access = {}", string(access.as_str())));
    }
    if let Some(limit) = connection_limit {
        line(text, format_args!("connection_limit = {limit}"));
    }
    if !settings.is_empty() {
        let settings = settings.iter().map(|(name, value)| format!("{} = {}", string(name), string(value)));
        line(text, format_args!("settings = {{ {} }}", settings.collect::<Vec<_>>().join(", ")));
    }
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{line}");
}

/// Quoted; what would be a variable of the environment is none.
fn string(text: &str) -> String {
    toml::Value::String(text.replace("${", "$${")).to_string()
}
