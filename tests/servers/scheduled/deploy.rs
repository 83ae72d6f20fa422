//! The commands of examples/deploy, taken out of their files and run.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Output;

use serde_json::Value;

use super::samples;
use crate::fleet::Fleet;
use crate::postgres_server::Version;

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/deploy").join(path)).unwrap()
}

/// A script as the file has it, by the shell the file names, with tenantry on the PATH.
fn run(fleet: &Fleet, shell: &[&str], script: &str, env: &[(&str, &str)]) -> Output {
    let bin = Path::new(env!("CARGO_BIN_EXE_tenantry")).parent().unwrap();
    let mut path = std::ffi::OsString::from(bin);
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap());
    fleet.program(shell[0]).args(&shell[1..]).arg(script).env("PATH", path).envs(env.iter().copied()).output().unwrap()
}

#[track_caller]
fn ends(output: &Output, code: i32) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{}\n{stderr}", String::from_utf8_lossy(&output.stdout));
}

/// As kubelet lays a ConfigMap out: links to files in a hidden directory.
fn mount_config_map(fleet: &Fleet, name: &str, files: &[(&str, &str)]) {
    let real = fleet.path(name).join("..2026_01_01_00_00_00.1234");
    fs::create_dir_all(&real).unwrap();
    symlink("..2026_01_01_00_00_00.1234", fleet.path(name).join("..data")).unwrap();
    for (file, text) in files {
        fs::write(real.join(file), text).unwrap();
        symlink(Path::new("..data").join(file), fleet.path(name).join(file)).unwrap();
    }
}

/// A Pushgateway for one request: answers 200 and returns the request line and the body.
fn gateway(listener: TcpListener) -> std::thread::JoinHandle<(String, String)> {
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(&stream);
        let mut request = String::new();
        reader.read_line(&mut request).unwrap();
        let mut length = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        (&stream).write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
        (request.trim().to_owned(), String::from_utf8(body).unwrap())
    })
}

#[test]
fn the_cron_jobs_container_pushes_what_it_found_and_nothing_after_an_error() {
    let fleet = Fleet::new(Version::V18, "cronjob");
    let documents: Vec<Value> = serde_saphyr::from_multiple(&read("kubernetes/drift.yaml")).unwrap();
    let kinds: Vec<_> = documents.iter().map(|document| document["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["ServiceAccount", "CronJob"]);
    let pod = &documents[1]["spec"]["jobTemplate"]["spec"]["template"]["spec"];
    assert_eq!(pod["serviceAccountName"], documents[0]["metadata"]["name"]);
    let container = &pod["containers"][0];
    let shell: Vec<_> = container["command"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    // The container's file system is the test's directory; its /tmp too.
    let script = container["args"][0].as_str().unwrap().replace("/tmp/", "");
    assert_eq!(container["workingDir"], "/tenantry");
    for (name, path) in [("config", "/tenantry/config"), ("migrations", "/tenantry/migrations")] {
        let mounts = container["volumeMounts"].as_array().unwrap();
        assert!(mounts.iter().any(|mount| mount["name"] == name && mount["mountPath"] == path), "{name}");
    }
    fs::remove_dir(fleet.path("migrations")).unwrap();
    mount_config_map(&fleet, "migrations", &crate::fleet::MIGRATIONS);
    let toml = "[migrations]\ndir = \"../migrations\"\n[tenants]\ncj-one = {}\n";
    mount_config_map(&fleet, "config", &[("tenants.toml", toml)]);
    fleet.run(&["-c", "config/tenants.toml", "apply", "-y"]).ends(0);

    for (sql, drift) in [("SELECT 1", "0"), ("ALTER ROLE cj_one_user CREATEDB", "1")] {
        fleet.execute(sql);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let pushed = gateway(listener);
        ends(&run(&fleet, &shell, &script, &[("PUSHGATEWAY", &address)]), 0);
        let (request, body) = pushed.join().unwrap();
        assert_eq!(request, "PUT /metrics/job/tenantry/database/app HTTP/1.1");
        assert_eq!(body, fs::read_to_string(fleet.path("tenantry.prom")).unwrap());
        assert!(body.contains(&format!("\ntenantry_drift {drift}\n")), "{body}");
    }
    let nobody =
        [("TENANTRY_DATABASE_URL", "postgresql://postgres@127.0.0.1:1/x"), ("PUSHGATEWAY", "http://127.0.0.1:1")];
    let output = run(&fleet, &shell, &script, &nobody);
    ends(&output, 1);
    assert!(!String::from_utf8_lossy(&output.stderr).contains("curl"), "nothing is pushed: {output:?}");
}

#[test]
fn the_tenants_of_the_cron_job_are_valid() {
    let text = read("kubernetes/tenants.toml");
    let parsed = tenantry::config::parse("tenants.toml", &text, &|_| None);
    assert!(parsed.is_ok(), "{:?}", parsed.err());
}

#[test]
fn the_service_runs_and_takes_drift_for_no_failure() {
    let fleet = Fleet::usual(Version::V18, "service");
    fleet.declare("sv-one = {}");
    let unit = read("systemd/tenantry-drift.service").replace("\\\n", " ");
    let value = |key: &str| unit.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_else(|| panic!("{key}"));
    assert_eq!(value("SuccessExitStatus="), "2");
    let start = value("ExecStart=").replace("/usr/local/bin/", "");
    let start = start.replace("/var/lib/prometheus/node-exporter/", "").replace("/var/lib/tenantry/", "");
    ends(&run(&fleet, &["sh", "-c"], &start, &[]), 2);
    assert_eq!(samples(&fleet, "tenantry.prom")["tenantry_drift"], 1.0);
    assert!(fs::read_to_string(fleet.path("drift.html")).unwrap().contains("sv-one"));
    // The password comes from the credential that the unit loads, and from no environment.
    assert!(value("Environment=").starts_with("PGPASSFILE=%d/pgpass"));
    let server = &fleet.database.server;
    let line = format!("127.0.0.1:{}:*:postgres:{}\n", server.port(), server.password());
    fs::write(fleet.path("pgpass"), line).unwrap();
    fs::set_permissions(fleet.path("pgpass"), std::os::unix::fs::PermissionsExt::from_mode(0o400)).unwrap();
    let url = format!("postgresql://postgres@127.0.0.1:{}/{}", server.port(), fleet.database.name);
    let pgpass = fleet.path("pgpass");
    let env = [("TENANTRY_DATABASE_URL", url.as_str()), ("PGPASSFILE", pgpass.to_str().unwrap())];
    ends(&run(&fleet, &["sh", "-c"], &start, &env[..1]), 1);
    ends(&run(&fleet, &["sh", "-c"], &start, &env), 2);
}

/// The steps that call tenantry; the shell is the one GitHub's runners use for `run`.
#[test]
fn the_workflow_comments_saves_applies_and_looks() {
    let workflow: Value = serde_saphyr::from_str(&read("github/tenantry.yml")).unwrap();
    let fleet = Fleet::usual(Version::V18, "workflow");
    let step = |job: &str, name: &str, env: &[(&str, &str)]| {
        let steps = workflow["jobs"][job]["steps"].as_array().unwrap();
        let step = steps.iter().find(|step| step["name"] == name).unwrap_or_else(|| panic!("{job}: {name}"));
        let shell = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c"];
        run(
            &fleet,
            &shell,
            step["run"].as_str().unwrap(),
            &[env, &[("GITHUB_STEP_SUMMARY", "summary.md"), ("GITHUB_OUTPUT", "output")]].concat(),
        )
    };
    let take = |file: &str| {
        let text = fs::read_to_string(fleet.path(file)).unwrap_or_default();
        let _ = fs::remove_file(fleet.path(file));
        text
    };
    fleet.declare("wf-one = {}\nwf-two = {}");
    ends(&step("comment", "Plan", &[]), 0);
    let comment = take("comment.md");
    let begins = format!("<!-- tenantry plan -->\n{} on ", fleet.database.name);
    assert!(comment.starts_with(&begins) && comment.contains("\n### Plan: 2 to create"), "{comment}");

    ends(&step("plan", "Plan", &[]), 0);
    assert_eq!(take("output"), "changes=true\n");
    assert!(take("summary.md").contains("2 to create"));
    ends(&step("apply", "Apply", &[("ALLOW_REMOVALS", "0")]), 0);
    fleet.settled();
    ends(&step("plan", "Plan", &[]), 0);
    assert_eq!(take("output"), "changes=false\n");

    fleet.declare("wf-one = {}");
    ends(&step("plan", "Plan", &[]), 0);
    ends(&step("apply", "Apply", &[("ALLOW_REMOVALS", "0")]), 1);
    ends(&step("apply", "Apply", &[("ALLOW_REMOVALS", "1")]), 0);
    fleet.settled();
    ends(&step("drift", "Drift", &[]), 0);
    fleet.execute("ALTER ROLE wf_one_user CREATEDB");
    ends(&step("drift", "Drift", &[]), 2);
    assert!(take("summary.md").contains("wf-one") && take("drift.html").contains("wf-one"));
    let nobody = [("TENANTRY_DATABASE_URL", "postgresql://postgres@127.0.0.1:1/x")];
    for (job, name) in [("comment", "Plan"), ("plan", "Plan"), ("drift", "Drift")] {
        ends(&step(job, name, &nobody), 1);
    }
    assert_eq!(workflow["permissions"], serde_json::json!({}), "each job asks for what it needs");
}
