//! A tenant written into a file, or taken out of it: everything else in it stays as somebody wrote it.

use similar::{ChangeTag, TextDiff};
use toml_edit::{DocumentMut, InlineTable, Item, Key, Table, Value};

/// Why a file cannot be edited.
pub(super) type Refused = String;

/// The text with one more tenant. `set`: its keys, as in tenants.toml; a value that is no TOML is a string.
///
/// # Errors
/// What of it makes no sense. That the keys are known and their values right is not looked at.
pub fn with_tenant(source: &str, key: &str, set: &[(String, String)]) -> Result<String, Refused> {
    let mut document = parsed(source)?;
    let mut tenant = InlineTable::new();
    for (path, value) in set {
        let keys = Key::parse(path).map_err(|_| format!("{path:?} is no key of a tenant"))?;
        let value = value.parse().unwrap_or_else(|_| Value::from(value.as_str()));
        insert(&mut tenant, &keys, value).ok_or_else(|| format!("{path:?} is set twice"))?;
    }
    let tenants = document.entry("tenants").or_insert(Item::Table(Table::new()));
    // Only [tenants.KEY] so far: where a plain key would stand, there is no heading.
    let headed = tenants.as_table().is_some_and(|table| table.is_implicit() && !table.is_dotted());
    let tenants = tenants.as_table_like_mut().ok_or("tenants is not a table")?;
    let item = if headed { Item::Table(tenant.into_table()) } else { Item::Value(Value::InlineTable(tenant)) };
    tenants.insert(key, item);
    Ok(like(source, document.to_string()))
}

fn insert(table: &mut InlineTable, keys: &[Key], value: Value) -> Option<()> {
    let (first, rest) = keys.split_first()?;
    if rest.is_empty() {
        return table.insert(first.get(), value).is_none().then_some(());
    }
    let inner = table.entry(first.get()).or_insert_with(|| Value::InlineTable(InlineTable::new()));
    insert(inner.as_inline_table_mut()?, rest, value)
}

/// The text without the tenant; `None` when it does not declare it. A comment on a tenant's own line goes with it; those above it
/// stay.
///
/// # Errors
/// When the text does not parse.
pub fn without_tenant(source: &str, key: &str) -> Result<Option<String>, Refused> {
    let mut document = parsed(source)?;
    let tenants = document.get_mut("tenants").and_then(Item::as_table_like_mut);
    let Some(tenants) = tenants.filter(|tenants| tenants.contains_key(key)) else { return Ok(None) };
    // Without it the section is still there, and says that it is empty.
    let is_last = tenants.len() == 1;
    tenants.remove(key);
    if is_last && let Some(table) = document.get_mut("tenants").and_then(Item::as_table_mut) {
        table.set_implicit(false);
    }
    Ok(Some(like(source, with_comments(source, &document.to_string()))))
}

/// What is gone, but for the comments before each piece of it: they may be about more than the tenant.
fn with_comments(source: &str, without: &str) -> String {
    let unix = source.replace("\r\n", "\n");
    let diff = TextDiff::from_lines(unix.as_str(), without);
    let mut text = String::with_capacity(unix.len());
    let mut is_before = true;
    for change in diff.iter_all_changes() {
        let line = change.value();
        let is_comment = line.trim_start().starts_with('#') || line.trim().is_empty();
        match change.tag() {
            ChangeTag::Delete if is_before && is_comment => text.push_str(line),
            ChangeTag::Delete => is_before = false,
            ChangeTag::Equal | ChangeTag::Insert => {
                is_before = true;
                text.push_str(line);
            }
        }
    }
    text
}

fn parsed(source: &str) -> Result<DocumentMut, Refused> {
    let source = source.strip_prefix('\u{feff}').unwrap_or(source);
    source.parse().map_err(|_| "the file does not parse".to_owned())
}

/// With the line ends of the source, and what it begins with.
fn like(source: &str, text: String) -> String {
    let text = if source.contains("\r\n") { text.replace("\r\n", "\n").replace('\n', "\r\n") } else { text };
    if source.starts_with('\u{feff}') { format!("\u{feff}{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(source: &str, set: &[(&str, &str)]) -> String {
        let set: Vec<_> = set.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        with_tenant(source, "new", &set).unwrap()
    }

    #[test]
    fn a_tenant_is_written_as_the_file_writes_its_tenants() {
        assert_eq!(add("", &[]), "[tenants]\nnew = {}\n");
        assert_eq!(
            add(
                "# top\n[tenants]\n# first\nb = {} # b\na  =  { schema = 'x' }\n\n# last\n[archive]\ndir = \"x\" # y\n",
                &[
                    ("class", "pro"),
                    ("connection_limit", "5"),
                    ("settings.work_mem", "16MB"),
                    ("settings.jit", "false"),
                ]
            ),
            "# top\n[tenants]\n# first\nb = {} # b\na  =  { schema = 'x' }\nnew = { class = \"pro\", connection_limit = 5, settings = { work_mem = \"16MB\", jit = false } }\n\n# last\n[archive]\ndir = \"x\" # y\n"
        );
        assert_eq!(
            add("[tenants.a]\nschema = \"x\"\n", &[("class", "pro")]),
            "[tenants.a]\nschema = \"x\"\n\n[tenants.new]\nclass = \"pro\"\n"
        );
        assert_eq!(add("tenants = { a = {} }\n", &[]), "tenants = { a = {} , new = {} }\n");
        assert_eq!(add("[tenants]\r\na = {}\r\n", &[]), "[tenants]\r\na = {}\r\nnew = {}\r\n");
        assert_eq!(add("\u{feff}[tenants]\n", &[]), "\u{feff}[tenants]\nnew = {}\n");
        assert!(with_tenant("", "new", &[("a b".into(), "1".into())]).is_err());
        let twice = [("schema".to_owned(), "1".to_owned()), ("schema".to_owned(), "2".to_owned())];
        assert!(with_tenant("", "new", &twice).is_err());
    }

    #[test]
    fn a_tenant_is_taken_out_with_all_that_is_its_own_and_nothing_else() {
        let without = |source: &str| without_tenant(source, "a").unwrap().unwrap();
        assert_eq!(
            without("# top\n[tenants]\n# the first\na = {} # a\n# the second\nb = {}\n"),
            "# top\n[tenants]\n# the first\n# the second\nb = {}\n"
        );
        assert_eq!(
            without(
                "[tenants.b]\n\n# about a\n[tenants.a]\n# in a\nschema = \"x\"\n[tenants.a.settings]\njit = true\n\n# end\n[tenants.c]\n"
            ),
            "[tenants.b]\n\n# about a\n# end\n[tenants.c]\n"
        );
        assert_eq!(without("[tenants]\na.schema = \"x\"\nb = {}\na.class = \"y\"\n"), "[tenants]\nb = {}\n");
        assert_eq!(without("[tenants]\r\n# x\r\na = {}\r\n"), "[tenants]\r\n# x\r\n");
        assert_eq!(without("[tenants.a]\nschema = \"x\"\n"), "[tenants]\n");
        assert_eq!(without("[tenants]\na = {}\n# the end\n"), "[tenants]\n# the end\n");
        assert_eq!(without_tenant("[tenants]\nb = {}\n", "a"), Ok(None));
        assert!(without_tenant("[tenants\n", "a").is_err());
    }
}
