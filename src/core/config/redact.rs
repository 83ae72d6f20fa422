//! What of a file may be shown. One rule: a value only under a known key that is known to be no secret, whatever the fault;
//! so a password under a misspelt key, in a comment or in a line that does not parse is never printed.

use std::ops::Range;

use regex::Regex;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// What stands at a place of the file.
#[derive(Clone, Copy)]
enum Form {
    /// Known to be no secret.
    Shown,
    /// A credential, or what may hold one.
    Secret,
    /// Shown unless it holds a user, as an address may.
    Address,
    /// These keys, each with what it holds; what is not among them may be anything.
    Table(&'static [(&'static str, Form)]),
    /// Whatever the keys, all values are of this form.
    Each(&'static Form),
}
use Form::{Address, Each, Secret, Shown, Table};

const FILE: Form = Table(&[
    (
        "database",
        Table(&[
            ("url", Secret),
            ("public_schema", Shown),
            ("shared_schemas", Shown),
            ("extensions", Shown),
            ("advertise", Table(&[("host", Address), ("port", Shown), ("sslmode", Shown)])),
        ]),
    ),
    (
        "migrations",
        Table(&[("dir", Shown), ("format", Shown), ("table", Shown), ("lock_timeout", Shown), ("end_blockers", Shown)]),
    ),
    ("secrets", Table(&[("store", Shown), ("path", Shown), ("dir", Shown), ("max_missing", Shown)])),
    (
        "vault",
        Table(&[
            ("address", Address),
            ("namespace", Shown),
            ("mount", Shown),
            ("ca_cert", Shown),
            (
                "auth",
                Table(&[
                    ("method", Shown),
                    ("mount", Shown),
                    ("token", Secret),
                    ("role_id", Secret),
                    ("secret_id", Secret),
                    ("role", Shown),
                    ("token_path", Shown),
                    ("jwt", Secret),
                    ("jwt_path", Shown),
                    ("username", Shown),
                    ("password", Secret),
                ]),
            ),
            ("access", ACCESS),
        ]),
    ),
    ("passwords", Table(&[("length", Shown), ("charset", Shown)])),
    ("defaults", TENANT),
    ("archive", Table(&[("dir", Shown)])),
    ("include", Shown),
    ("source", Table(&[("query", Shown)])),
    ("classes", Each(&TENANT)),
    ("tenants", Each(&TENANT)),
]);

const ACCESS: Form = Table(&[
    ("policy", Shown),
    ("approle", Shown),
    ("kubernetes", Table(&[("role", Shown), ("service_account", Shown), ("namespace", Shown)])),
    ("mount", Shown),
]);

const TENANT: Form = Table(&[
    ("schema", Shown),
    ("class", Shown),
    ("username", Shown),
    ("owner", Shown),
    ("access", Shown),
    ("connection_limit", Shown),
    // Their names are the tenant's own, and app.api_key is as good a name as work_mem.
    ("settings", Each(&Secret)),
    ("mode", Shown),
    ("on_remove", Shown),
    ("password_from", Secret),
    ("protected", Shown),
    ("suspended", Shown),
    ("rotation", Shown),
    ("rotate_after", Shown),
    ("strict_shape", Shown),
    ("template", Shown),
    ("template_data", Shown),
]);

/// The source with everything masked that is not known to be harmless, as long as before so that spans still fit.
/// `broken`: the lines that do not parse.
pub(super) fn redact(document: &Spanned<DeTable<'_>>, source: &str, broken: &[Range<usize>]) -> String {
    let mut shown = vec![false; source.len()];
    let mut set = |span: Range<usize>, to: bool| {
        if let Some(bytes) = shown.get_mut(span) {
            bytes.fill(to);
        }
    };
    // What a line is made of, without its words.
    for (at, c) in source.char_indices().filter(|(_, c)| c.is_whitespace() || "={}[],.\"'#".contains(*c)) {
        set(at..at + c.len_utf8(), true);
    }
    // What the parser gave up on has no spans: the keys and sections that are known are known there too.
    for span in known_words(source) {
        set(span, true);
    }
    let mut spans = Spans { broken, shown: Vec::new(), secret: Vec::new() };
    spans.table(document.get_ref(), &FILE, source);
    for span in spans.secret {
        // The quotes stay, and so does the number of lines.
        let text = &source[span.clone()];
        let inner = text.trim_matches(['"', '\'']);
        let start = span.start + (text.len() - text.trim_start_matches(['"', '\'']).len());
        for (at, c) in inner.char_indices().filter(|(_, c)| *c != '\n') {
            set(start + at..start + at + c.len_utf8(), false);
        }
    }
    for span in spans.shown {
        set(span, true);
    }
    source.char_indices().map(|(at, c)| if shown[at] { c } else { star(c) }).collect()
}

/// As many bytes as the character has, so that columns stay what they are.
fn star(c: char) -> char {
    match c.len_utf8() {
        1 => '*',
        2 => '×',
        3 => '※',
        _ => '𝄪',
    }
}

struct Spans<'s> {
    broken: &'s [Range<usize>],
    shown: Vec<Range<usize>>,
    secret: Vec<Range<usize>>,
}

impl Spans<'_> {
    fn table(&mut self, table: &DeTable<'_>, form: &Form, source: &str) {
        for (key, value) in table.iter() {
            let form = match form {
                Table(keys) => keys.iter().find(|(name, _)| name == key.get_ref()).map(|(_, form)| form),
                Each(form) => (!self.is_broken(&key.span())).then_some(*form),
                Shown | Secret | Address => None,
            };
            // A key that looks like an address was a value before somebody forgot a "=", and one in a line that does not
            // parse may be a piece of a value.
            if !key.get_ref().contains('@') && (form.is_some() || !self.is_broken(&key.span())) {
                self.shown.push(key.span());
            }
            self.value(value, form.unwrap_or(&Secret), source);
        }
    }

    fn is_broken(&self, span: &Range<usize>) -> bool {
        self.broken.iter().any(|line| line.start <= span.start && span.start <= line.end)
    }

    fn value(&mut self, value: &Spanned<DeValue<'_>>, form: &Form, source: &str) {
        let span = value.span();
        let Some(text) = source.get(span.clone()) else { return };
        match (value.get_ref(), form) {
            (DeValue::Table(table), Table(_) | Each(_)) => self.table(table, form, source),
            (DeValue::Array(array), Shown) => array.iter().for_each(|item| self.value(item, form, source)),
            (DeValue::Table(_) | DeValue::Array(_), _) => self.secret.push(span),
            _ if is_reference(text) => self.shown.push(span),
            (_, Address) if !text.contains(['@', '?', '#', '\n']) => self.shown.push(span),
            // A string that does not end where it should has swallowed the lines below it.
            (_, Shown) if !text.contains('\n') => self.shown.push(span),
            _ => self.secret.push(span),
        }
    }
}

/// `"${VAR}"` and nothing else: that shows no credential.
fn is_reference(value: &str) -> bool {
    let inner = value.trim().trim_matches(['"', '\'']);
    let name = inner.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    name.is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'))
}

/// Known keys before a "=", and the headers of known sections.
fn known_words(source: &str) -> Vec<Range<usize>> {
    let (mut keys, mut sections) = (Vec::new(), Vec::new());
    names(&FILE, &mut keys);
    if let Table(known) = FILE {
        sections.extend(known.iter().map(|(name, _)| *name));
    }
    let (keys, sections) = (keys.join("|"), sections.join("|"));
    let pattern = format!(r#"(?m)\b({keys})"?[ \t]*=|^[ \t]*\[[ \t]*((?:{sections})(?:\.[A-Za-z0-9_."-]+)?)[ \t]*\]"#);
    let Ok(pattern) = Regex::new(&pattern) else { return Vec::new() };
    let found = pattern.captures_iter(source).filter_map(|found| found.get(1).or_else(|| found.get(2)));
    found.map(|word| word.range()).collect()
}

fn names(form: &Form, into: &mut Vec<&'static str>) {
    match form {
        Table(keys) => {
            for (name, form) in *keys {
                into.push(name);
                names(form, into);
            }
        }
        Each(form) => names(form, into),
        Shown | Secret | Address => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn shown(source: &str) -> String {
        let (document, _) = DeTable::parse_recoverable(source);
        redact(&document, source, &[])
    }

    #[test]
    fn only_what_is_known_to_be_harmless_is_left() {
        assert_eq!(shown("[tenants]\nacme = { acces = \"full\" }\n"), "[tenants]\nacme = { acces = \"****\" }\n");
        assert_eq!(
            shown("[tenants]\nacme = { access = \"full\" } # hush"),
            "[tenants]\nacme = { access = \"full\" } # ****"
        );
        assert_eq!(shown("[vault]\nauth = \"hush\"\ntoken = \"hush\""), "[vault]\nauth = \"****\"\ntoken = \"****\"");
        assert_eq!(shown("[vault]\naddress = 'https://a:hush@v'"), "[vault]\naddress = '****************'");
        assert_eq!(shown("[vault]\naddress = 'https://v'"), "[vault]\naddress = 'https://v'");
        assert_eq!(shown("[tenants.acme]\npasswd = 'hüsh→'"), "[tenants.acme]\npasswd = '*×**※'");
        assert_eq!(shown("[defaults]\npasswd = '${HUSH}'"), "[defaults]\npasswd = '${HUSH}'");
    }

    #[test]
    fn what_does_not_parse_shows_its_known_keys_and_nothing_else() {
        assert_eq!(shown("[tenants\nacme == { schema hush }"), "********\nacme == { ****** **** }");
        assert_eq!(
            shown("[tenants]\nacme = { schema = hush, password_from = hu\"sh"),
            "[tenants]\nacme = { schema = hush, password_from = *****"
        );
        let unended = shown("[defaults]\nschema = \"\"\"x\npassword_from = \"hush\"\n");
        assert!(!unended.contains("hush"), "{unended}");
    }

    /// A new key of tenants.toml is masked until somebody says here that it is not a secret.
    #[test]
    fn every_key_of_the_file_is_known_here_and_no_other() {
        fn keys(schema: &Value, root: &Value, path: &str, into: &mut Vec<String>) {
            let schema = match schema["$ref"].as_str() {
                Some(reference) => root.pointer(reference.trim_start_matches('#')).unwrap(),
                None => schema,
            };
            for one in schema["anyOf"].as_array().into_iter().flatten() {
                keys(one, root, path, into);
            }
            for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
                into.push(format!("{path}{name}"));
                keys(inner, root, &format!("{path}{name}."), into);
            }
            if let Some(inner) = schema["additionalProperties"].as_object() {
                keys(&Value::Object(inner.clone()), root, &format!("{path}*."), into);
            }
        }
        fn forms(form: &Form, path: &str, into: &mut Vec<String>) {
            match form {
                Table(known) => known.iter().for_each(|(name, form)| {
                    into.push(format!("{path}{name}"));
                    forms(form, &format!("{path}{name}."), into);
                }),
                Each(form) => forms(form, &format!("{path}*."), into),
                Shown | Secret | Address => {}
            }
        }
        let (mut of_schema, mut of_forms) = (Vec::new(), Vec::new());
        let schema = crate::core::config::json_schema();
        keys(&schema, &schema, "", &mut of_schema);
        forms(&FILE, "", &mut of_forms);
        of_schema.sort();
        of_forms.sort();
        assert_eq!(of_forms, of_schema);
        let Table(tenant) = TENANT else { panic!("no table") };
        let mut of_tenant: Vec<_> = tenant.iter().map(|(name, _)| *name).collect();
        of_tenant.sort_unstable();
        let mut keys = crate::core::config::tenant_keys();
        keys.sort();
        assert_eq!(keys, of_tenant);
    }

    #[test]
    fn a_value_is_left_only_in_the_form_that_holds_no_secret() {
        for address in ["https://v?token=hush", "https://v#hush", "https://hush@v"] {
            let redacted = shown(&format!("[vault]\naddress = '{address}'\n"));
            assert_eq!(redacted, format!("[vault]\naddress = '{}'\n", "*".repeat(address.len())), "{address}");
        }
        assert_eq!(shown("[vault]\nnamespace = 'a@b'"), "[vault]\nnamespace = 'a@b'");
        assert_eq!(shown("[vault]\nnamespace = \"\"\"hu\nsh\"\"\""), "[vault]\nnamespace = \"\"\"**\n**\"\"\"");
        assert_eq!(shown("[vault]\nnamespace = ['a', 'b']"), "[vault]\nnamespace = ['a', 'b']");
        assert_eq!(shown("[vault]\nnamespace = { a = 'hush' }"), "[vault]\nnamespace = **************");
        assert_eq!(shown("[defaults]\npasswd = ['hush']"), "[defaults]\npasswd = ********");
        assert_eq!(shown("[vault]\nauth = { token = \"${TOKEN_1}\" }"), "[vault]\nauth = { token = \"${TOKEN_1}\" }");
        for no_reference in ["${HU-SH}", "${HUSH} hush", "$HUSH", "hush${A}", "${HUSH"] {
            let redacted = shown(&format!("[vault]\nauth = {{ token = \"{no_reference}\" }}"));
            assert!(!redacted.to_lowercase().contains("hu") && !redacted.contains('$'), "{redacted}");
        }
        assert_eq!(shown("[tenants.a]\npasswd = '\u{1d11e}é→'"), "[tenants.a]\npasswd = '\u{1d12a}×※'");
        assert_eq!(shown("[tenants]\n'hush@db' = {}"), "[tenants]\n'*******' = {}");
        assert_eq!(
            shown("[tenants.a]\nsettings = { 'app.key' = 'hush' }"),
            "[tenants.a]\nsettings = { 'app.key' = '****' }"
        );
    }

    /// What the parser made of such a line may be a piece of a password.
    #[test]
    fn of_a_line_that_does_not_parse_nothing_is_left() {
        let source = "[tenants]\nfirst = {}\nhush = { acces = 1 }\nlast = {}\n";
        let (document, _) = DeTable::parse_recoverable(source);
        let line = source.find("hush").unwrap()..source.find("\nlast").unwrap();
        let redacted = redact(&document, source, std::slice::from_ref(&line));
        assert_eq!(redacted, "[tenants]\nfirst = {}\n**** = *************\nlast = {}\n");
    }
}
