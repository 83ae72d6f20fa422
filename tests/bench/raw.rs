//! The same work as scripts for psql: what a person would write who needs no plan, no second look and no store.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

/// Of a password that nobody needs.
const VERIFIER: &str = "'SCRAM-SHA-256$4096:c2FsdHNhbHRzYWx0c2FsdA==$tH5ya0yyyKIdZaBBYvCV4NHlmC0JyqOVHQfJFJpOzxE=:rJ4fOFzbDa1T9Qtt0oSjnK0I8zXqLjkc1xVdpGCJYJw='";

/// What the plan does to the database as a whole, but for the tool's own tables.
pub fn shared(plan: &Value) -> String {
    let changes = plan["database_changes"].as_array().unwrap().iter();
    let sql = changes.filter(|change| change["action"] != "create_registry").flat_map(|change| lines(&change["sql"]));
    sql.map(|sql| format!("{sql};\n")).collect()
}

/// The tenants, dealt out to so many scripts; each tenant a transaction.
pub fn tenants(plan: &Value, migrations: &Path, scripts: usize) -> Vec<String> {
    let mut dealt = vec![String::from("SET client_min_messages = warning;\n"); scripts];
    for (n, tenant) in plan["tenants"].as_array().unwrap().iter().enumerate() {
        let script = &mut dealt[n % scripts];
        script.push_str("BEGIN;\n");
        for change in tenant["changes"].as_array().unwrap() {
            if change["kind"] == "migrate" {
                migrate(script, tenant, change, migrations);
            } else {
                lines(&change["sql"]).for_each(|sql| script.push_str(&format!("{sql};\n")));
            }
        }
        script.push_str("COMMIT;\n");
    }
    dealt
}

/// As refinery would: its history table, each file, and its row.
fn migrate(script: &mut String, tenant: &Value, change: &Value, migrations: &Path) {
    let quoted = |name: &Value| format!("\"{}\"", name.as_str().unwrap().replace('"', "\"\""));
    let (schema, owner) = (quoted(&tenant["schema"]), quoted(&tenant["owner"]));
    let history = format!("{schema}.refinery_schema_history");
    script.push_str(&format!("SET LOCAL ROLE {owner};\nSET LOCAL search_path = {schema};\n"));
    script.push_str(&format!(
        "CREATE TABLE {history} (version int4 PRIMARY KEY, name varchar(255), applied_on varchar(255), checksum varchar(255));\n"
    ));
    for sql in lines(&change["sql"]) {
        let Some(file) = sql.strip_prefix("-- ") else {
            script.push_str(&format!("{sql};\n"));
            continue;
        };
        let text = std::fs::read_to_string(migrations.join(file)).unwrap();
        let (version, name) = file[1..].trim_end_matches(".sql").split_once("__").unwrap();
        script.push_str(&text);
        script.push_str(&format!("INSERT INTO {history} VALUES ({version}, '{name}', now()::text, '1');\n"));
    }
    script.push_str("RESET ROLE;\n");
}

fn lines(sql: &Value) -> impl Iterator<Item = String> + '_ {
    let sql = sql.as_array().unwrap().iter().map(|sql| sql.as_str().unwrap());
    sql.map(|sql| sql.replace(tenantry::plan::ELIDED_VERIFIER, VERIFIER))
}

/// The statements in a server's log with `log_statement = all` and the session's number before each line, as a script for
/// each session.
pub fn statements(log: &str) -> Vec<String> {
    let mut sessions: BTreeMap<&str, Session> = BTreeMap::new();
    let mut now = "";
    for line in log.lines() {
        // The lines of one message after its first begin with a tab, and nothing else does.
        if let Some(more) = line.strip_prefix('\t') {
            sessions.entry(now).or_default().more(more);
            continue;
        }
        let Some((session, message)) = line.split_once(' ') else { continue };
        now = session;
        let session = sessions.entry(session).or_default();
        let message = message.trim_start();
        if let Some(sql) = message.strip_prefix("LOG:  statement: ") {
            session.begin(sql);
        } else if let Some(sql) = message.strip_prefix("LOG:  execute ") {
            session.begin(sql.split_once(": ").map_or("", |(_, sql)| sql));
        } else if let Some((_, values)) =
            message.strip_prefix("DETAIL:  ").and_then(|detail| detail.split_once("arameters: "))
        {
            session.values(values);
        } else {
            session.end();
        }
    }
    sessions.into_values().map(Session::script).filter(|script| !script.is_empty()).collect()
}

/// One session's statements, as they are read line by line.
#[derive(Default)]
struct Session {
    done: String,
    count: usize,
    statement: String,
    values: Option<String>,
}

impl Session {
    fn begin(&mut self, sql: &str) {
        self.end();
        self.statement = sql.to_owned();
    }

    fn values(&mut self, values: &str) {
        self.values = Some(values.to_owned());
    }

    fn more(&mut self, line: &str) {
        let text = self.values.as_mut().unwrap_or(&mut self.statement);
        text.push('\n');
        text.push_str(line);
    }

    fn end(&mut self) {
        let statement = std::mem::take(&mut self.statement);
        let values = self.values.take();
        if statement.trim().is_empty() {
            return;
        }
        self.count += 1;
        let name = format!("replayed_{}", self.count);
        // A comment may end the statement, so that a semicolon after it would be part of it.
        self.done.push_str(&match values {
            None => format!("{statement}\n;\n"),
            Some(values) => format!("PREPARE {name} AS {statement}\n;\nEXECUTE {name} ({});\n", arguments(&values)),
        });
    }

    fn script(mut self) -> String {
        self.end();
        self.done
    }
}

/// `$1 = 'a', $2 = NULL` → `'a', NULL`.
fn arguments(values: &str) -> String {
    let (mut out, mut quoted) = (String::new(), false);
    let mut rest = values;
    while let Some(c) = rest.chars().next() {
        if c == '\'' {
            quoted = !quoted;
        }
        if c == '$' && !quoted {
            rest = rest.split_once("= ").map_or("", |(_, value)| value);
            continue;
        }
        out.push(c);
        rest = &rest[c.len_utf8()..];
    }
    out
}
