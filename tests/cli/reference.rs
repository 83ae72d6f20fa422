//! docs/commands.md and docs/*.schema.json are made from the code. `make snapshots` writes them anew.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use crate::snapshot::{assert_is, root};
use clap::{Arg, ArgAction, Command, CommandFactory};
use serde_json::Value;

const MARK: &str = "<!-- From here on made from the code by tests/cli/reference.rs: make snapshots -->\n";

#[test]
fn the_reference_says_what_help_says() {
    let path = "docs/commands.md";
    let written = fs::read_to_string(root().join(path)).unwrap();
    let by_hand = written.split(MARK).next().unwrap();
    let mut cli = crate::args::Cli::command();
    cli.build();
    let mut text = format!("{by_hand}{MARK}\n## Global options\n\n");
    options(&mut text, cli.get_arguments().filter(|arg| arg.is_global_set()));
    for command in cli.get_subcommands().filter(|command| command.get_name() != "help") {
        section(&mut text, command);
    }
    assert_is(&text, path);
}

fn section(text: &mut String, command: &Command) {
    let about = command.get_about().unwrap_or_default().to_string();
    let arguments: Vec<_> = command.get_positionals().collect();
    let own: Vec<_> = command
        .get_arguments()
        .filter(|arg| !arg.is_positional() && !arg.is_global_set() && arg.get_id() != "help")
        .collect();
    let mut usage = format!("tenantry {}", command.get_name());
    if !own.is_empty() {
        usage.push_str(" [OPTIONS]");
    }
    for arg in &arguments {
        let last = if arg.is_last_set() { "-- " } else { "" };
        let name = arg.get_value_names().map_or_else(|| arg.get_id().to_string(), |names| names.join(" "));
        let many = if matches!(arg.get_action(), ArgAction::Append) { "…" } else { "" };
        let _ = match arg.is_required_set() {
            true => write!(usage, " {last}<{name}>{many}"),
            false => write!(usage, " [{last}{name}{many}]"),
        };
    }
    let _ = write!(text, "\n## tenantry {}\n\n{about}.\n\n```\n{usage}\n```\n", command.get_name());
    if !arguments.is_empty() || !own.is_empty() {
        text.push('\n');
        options(text, arguments.into_iter().chain(own));
    }
}

fn options<'a>(text: &mut String, arguments: impl Iterator<Item = &'a Arg>) {
    text.push_str("| | |\n|---|---|\n");
    for arg in arguments {
        let _ = writeln!(text, "| {} | {} |", name(arg), help(arg));
    }
}

fn name(arg: &Arg) -> String {
    let value = match arg.get_action() {
        ArgAction::Set | ArgAction::Append => {
            arg.get_value_names().map(|names| format!(" {}", names.join(" "))).unwrap_or_default()
        }
        _ => String::new(),
    };
    if arg.is_positional() {
        return format!("`{}`", value.trim());
    }
    let long = arg.get_long().map(|long| format!("`--{long}{value}`"));
    let short = arg.get_short().map(|short| format!("`-{short}`"));
    short.into_iter().chain(long).collect::<Vec<_>>().join(", ")
}

fn help(arg: &Arg) -> String {
    let mut help = arg.get_help().unwrap_or_default().to_string();
    let takes_value = matches!(arg.get_action(), ArgAction::Set | ArgAction::Append);
    let values: Vec<_> = arg.get_possible_values().iter().map(|value| format!("`{}`", value.get_name())).collect();
    if takes_value && !values.is_empty() {
        let _ = write!(help, ": {}", values.join(", "));
    }
    let defaults: Vec<_> = arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    if takes_value && !defaults.is_empty() {
        let _ = write!(help, "; default `{}`", defaults.join(" "));
    }
    help.replace('|', "\\|")
}

/// A link that leads nowhere is found by whoever needs it, at night.
#[test]
fn links_of_the_documents_lead_somewhere() {
    let link = regex::Regex::new(r"\]\(([^)\s]+)\)").unwrap();
    let mut seen = 0;
    for file in documents() {
        let text = fs::read_to_string(&file).unwrap();
        for found in link.captures_iter(&prose(&text)) {
            let target = &found[1];
            if target.starts_with("http") {
                continue;
            }
            let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
            let to = if path.is_empty() { file.clone() } else { file.parent().unwrap().join(path) };
            assert!(to.exists(), "{}: {target}", file.display());
            if !anchor.is_empty() {
                let anchors = anchors(&fs::read_to_string(&to).unwrap());
                assert!(anchors.iter().any(|known| known == anchor), "{}: {target}: {anchors:?}", file.display());
            }
            seen += 1;
        }
    }
    assert!(seen > 100, "{seen}");
}

#[test]
fn the_readme_links_every_document() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    for file in documents() {
        let path = file.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
        assert!(path == "README.md" || readme.contains(&format!("({path})")), "README.md does not link {path}");
    }
}

#[test]
fn every_hazard_and_every_command_is_explained() {
    let hazards = anchors(&fs::read_to_string(root().join("docs/hazards.md")).unwrap());
    let schema = tenantry::render::schema::plan();
    let kinds = strings(&schema["$defs"]["HazardKind"]);
    assert!(kinds.len() > 15, "{kinds:?}");
    for kind in &kinds {
        assert!(hazards.contains(kind), "docs/hazards.md has no heading {kind}");
    }
    let exit_codes = fs::read_to_string(root().join("docs/exit-codes.md")).unwrap();
    for command in crate::args::Cli::command().get_subcommands() {
        let name = command.get_name();
        let known = exit_codes.contains(&format!("`{name}")) || ["help", "completions", "man"].contains(&name);
        assert!(known, "docs/exit-codes.md does not say how {name} ends");
    }
}

/// The Markdown files of people: those of the root, and of docs/.
fn documents() -> Vec<PathBuf> {
    let mut files: Vec<_> = ["", "docs", "docs/adr"]
        .iter()
        .flat_map(|dir| fs::read_dir(root().join(dir)).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect();
    files.sort();
    files
}

/// Without its code, in which brackets are no links.
fn prose(text: &str) -> String {
    let mut code = false;
    let lines = text.lines().filter(|line| {
        code ^= line.trim_start().starts_with("```");
        !code
    });
    let spans = regex::Regex::new("`[^`]*`").unwrap();
    spans.replace_all(&lines.collect::<Vec<_>>().join("\n"), "`code`").into_owned()
}

/// What GitHub makes of the headings.
fn anchors(text: &str) -> Vec<String> {
    let mut code = false;
    let headings = text.lines().filter_map(|line| {
        code ^= line.trim_start().starts_with("```");
        let title = line.trim_start_matches('#');
        (!code && title.starts_with(' ') && title.len() < line.len()).then(|| {
            let kept = title.trim().to_lowercase().replace(' ', "-");
            kept.chars().filter(|c| c.is_alphanumeric() || ['-', '_'].contains(c)).collect()
        })
    });
    headings.collect()
}

/// Every constant of an enum's schema, however schemars writes it.
fn strings(schema: &Value) -> Vec<String> {
    match schema {
        Value::Array(items) => items.iter().flat_map(strings).collect(),
        Value::Object(fields) => {
            let own = ["const", "enum"].iter().filter_map(|key| fields.get(*key));
            let values = own.flat_map(|value| match value {
                Value::Array(items) => items.clone(),
                one => vec![one.clone()],
            });
            let mut all: Vec<String> = values.filter_map(|value| value.as_str().map(str::to_owned)).collect();
            all.extend(fields.get("oneOf").map(strings).unwrap_or_default());
            all
        }
        _ => Vec::new(),
    }
}

#[test]
fn the_json_schemas_are_the_codes_own() {
    for (schema, path) in [
        (tenantry::config::json_schema(), "docs/tenants.schema.json"),
        (tenantry::render::schema::plan(), "docs/plan.schema.json"),
        (tenantry::render::schema::report(), "docs/report.schema.json"),
        (tenantry::render::schema::list(), "docs/list.schema.json"),
    ] {
        assert_is(&format!("{schema:#}\n"), path);
    }
}

/// Every tenants.toml of the repository, and every key there is, by the schema an editor would use.
#[test]
fn what_tenantry_takes_the_schema_takes_and_what_it_refuses_the_schema_refuses() {
    let mut files = vec!["tenants.toml", "src/cli/templates/tenants.toml", "tests/every_key.toml"];
    files.push("examples/per-tenant-credentials/tenants.toml");
    for file in files {
        let text = fs::read_to_string(root().join(file)).unwrap();
        let parsed = tenantry::config::parse(file, &text, &|name| Some(format!("value of {name}")));
        assert!(parsed.is_ok(), "{file}: {:?}", parsed.err());
        assert_eq!(faults(&text), None, "{file}");
    }
    for wrong in [
        "[tenants]\nacme = { acces = \"full\" }\n",
        "[database]\npublic_schema = \"revoked\"\n",
        "[passwords]\nlength = 8\n",
        "[tenant]\n",
        "[tenants]\nacme = 3\n",
    ] {
        assert!(tenantry::config::parse("t.toml", wrong, &|_| None).is_err(), "{wrong}");
        assert!(faults(wrong).is_some(), "{wrong}");
    }
}

/// What is commented out in the file of `tenantry init` must be right too, once it is not.
#[test]
fn the_commented_keys_of_the_template_are_valid() {
    let template = fs::read_to_string(root().join("src/cli/templates/tenants.toml")).unwrap();
    let key = regex::Regex::new(r"(?m)^# (\[\w+(?:\.\w+)?\]|\w+ = )").unwrap();
    let uncommented = key.replace_all(&template, "$1");
    assert!(!uncommented.contains("# length"), "{uncommented}");
    let parsed = tenantry::config::parse("t.toml", &uncommented, &|_| Some(String::new()));
    assert!(parsed.is_ok(), "{:?}", parsed.err());
    assert_eq!(faults(&uncommented), None);
}

fn faults(text: &str) -> Option<String> {
    let value: Value = toml::from_str(text).unwrap();
    let mut schemas = boon::Schemas::new();
    let mut compiler = boon::Compiler::new();
    compiler.add_resource("tenants.schema.json", tenantry::config::json_schema()).unwrap();
    let index = compiler.compile("tenants.schema.json", &mut schemas).unwrap();
    schemas.validate(&value, index).err().map(|error| error.to_string())
}

/// Every key of the interface must be in the example of every key, and in the documentation.
#[test]
fn every_key_of_the_schema_is_documented_and_tried() {
    let documentation = fs::read_to_string(root().join("docs/configuration.md")).unwrap();
    let every: Value = toml::from_str(&fs::read_to_string(root().join("tests/every_key.toml")).unwrap()).unwrap();
    let schema = tenantry::config::json_schema();
    let mut keys = Vec::new();
    for (section, value) in schema["properties"].as_object().unwrap() {
        let Some(definition) = value["$ref"].as_str().or(value["additionalProperties"]["$ref"].as_str()) else {
            // A key outside all sections.
            assert!(
                documentation.contains(&format!("{section} = ")),
                "docs/configuration.md does not mention {section}"
            );
            assert!(every.get(section).is_some(), "tests/every_key.toml lacks {section}");
            continue;
        };
        let definition = schema.pointer(definition.trim_start_matches('#')).unwrap();
        keys.extend(definition["properties"].as_object().unwrap().keys().map(|key| (section.as_str(), key.as_str())));
    }
    assert!(keys.len() > 30, "{keys:?}");
    for (section, key) in keys {
        assert!(
            documentation.contains(&format!("`{key}`")),
            "docs/configuration.md does not mention {key} of [{section}]"
        );
        let tried = match section {
            // Classes have a tenant's keys.
            "tenants" | "classes" => {
                every["tenants"].as_object().unwrap().values().any(|tenant| tenant.get(key).is_some())
            }
            section => every[section].get(key).is_some(),
        };
        assert!(tried, "tests/every_key.toml lacks {key} of [{section}]");
    }
}
