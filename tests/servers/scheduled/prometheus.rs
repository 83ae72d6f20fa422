//! Prometheus' own promtool reads the metrics, the alerts and every query of the dashboard.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::fleet::Fleet;
use crate::postgres_server::Version;

fn deploy(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/deploy").join(path)
}

/// What promtool says, having been content.
#[track_caller]
fn promtool(args: &[&str], stdin: &str) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/promtool.sh");
    let found = Command::new(script).stderr(Stdio::inherit()).output().unwrap();
    assert!(found.status.success(), "scripts/promtool.sh failed");
    let program = String::from_utf8(found.stdout).unwrap();
    let mut command = Command::new(program.trim());
    let pipes = command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = pipes.spawn().unwrap();
    child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "promtool {}: {}: {said}", args.join(" "), output.status);
    said
}

fn metrics_of_a_real_run(tenant: &str) -> String {
    let fleet = Fleet::usual(Version::V18, "promtool");
    fleet.declare(&format!("{tenant} = {{}}"));
    fleet.apply();
    fleet.run(&["drift", "--metrics", "out.prom"]).ends(0);
    fs::read_to_string(fleet.path("out.prom")).unwrap()
}

/// `tenantry_…` in a query.
fn metric_names(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("tenantry_")).map(str::to_owned).collect()
}

fn expressions_of_the_dashboard() -> Vec<String> {
    let dashboard: Value = serde_json::from_slice(&fs::read(deploy("grafana/tenantry.json")).unwrap()).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().unwrap());
    targets.map(|target| target["expr"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_metrics_are_what_prometheus_reads() {
    let said = promtool(&["check", "metrics"], &metrics_of_a_real_run("pm-one"));
    assert_eq!(said, "", "promtool has nothing to remark");
}

#[test]
fn the_alerts_fire_when_they_should_and_only_then() {
    let rules = deploy("prometheus/tenantry.rules.yml");
    let said = promtool(&["check", "rules", rules.to_str().unwrap()], "");
    assert!(said.contains("6 rules found"), "{said}");
    let tests = deploy("prometheus/tenantry.rules.test.yml");
    promtool(&["test", "rules", tests.to_str().unwrap()], "");
    // Every alert has a test that it fires in.
    let (rules, tests) = (fs::read_to_string(rules).unwrap(), fs::read_to_string(tests).unwrap());
    let alerts: Vec<_> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert_eq!(alerts.len(), 6);
    for alert in alerts {
        assert!(tests.contains(&format!("alertname: {alert}\n        exp_alerts:\n")), "{alert} is never tried");
    }
}

#[test]
fn every_query_is_one_and_asks_for_metrics_there_are() {
    let there = metrics_of_a_real_run("pq-one");
    let expressions = expressions_of_the_dashboard();
    assert!(expressions.len() >= 10, "{expressions:?}");
    let rules: Vec<_> = expressions.iter().map(|expr| serde_json::json!({"record": "one", "expr": expr})).collect();
    let dir = tempfile::tempdir().unwrap();
    // JSON is YAML; the variables stand in strings, so that they need no filling in. A group may hold one twice.
    let groups: Vec<_> = rules
        .iter()
        .enumerate()
        .map(|(n, rule)| serde_json::json!({"name": format!("g{n}"), "rules": [rule]}))
        .collect();
    let file = dir.path().join("rules.yml");
    fs::write(&file, serde_json::json!({"groups": groups}).to_string()).unwrap();
    promtool(&["check", "rules", "--lint=none", file.to_str().unwrap()], "");
    let mut asked = metric_names(&expressions.join(" "));
    assert_eq!(asked.len(), 6, "the dashboard shows every metric: {asked:?}");
    let rules = fs::read_to_string(deploy("prometheus/tenantry.rules.yml")).unwrap();
    let queries = rules.lines().filter_map(|line| line.trim().strip_prefix("expr: "));
    asked.extend(queries.flat_map(metric_names));
    for name in asked {
        assert!(there.contains(&format!("# TYPE {name} gauge\n")), "{name} is no metric of drift's");
    }
}
