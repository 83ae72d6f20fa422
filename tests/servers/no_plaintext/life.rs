//! What happens to the tenants, and where it is looked for.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use serde_json::Value;

use super::watch::{Seen, Watch};
use crate::fleet::{Fleet, MIGRATIONS, Run};
use crate::openbao::OpenBao;
use crate::postgres_server::{Version, binaries, database_on, pg_dump_dir};
use tenantry::sandbox::Server;

/// Everything that makes the server talk.
fn talkative(version: Version) -> Arc<Server> {
    let server = Server::builder()
        .binaries(binaries(version))
        .setting("log_statement", "all")
        .setting("log_min_messages", "debug5")
        .setting("log_min_error_statement", "debug5")
        .setting("log_min_duration_statement", "0")
        .setting("log_duration", "on")
        .setting("log_parameter_max_length", "-1")
        .setting("log_parameter_max_length_on_error", "-1")
        .setting("log_connections", "on")
        .setting("shared_preload_libraries", "pg_stat_statements")
        .start()
        .unwrap();
    Arc::new(server)
}

/// A fleet of no tenants yet on such a server.
pub fn fleet(version: Version, name: &str) -> Fleet {
    let mut fleet = Fleet::on(database_on(talkative(version), name));
    fleet.head.clear();
    fleet.execute("CREATE SCHEMA stats; CREATE EXTENSION pg_stat_statements SCHEMA stats");
    fleet
}

const GIVEN: [&str; 2] = ["Given-pass'word \"one\" 4711", "given\\\\word-two-$$-0815"];
const REMOVE: [&str; 5] = ["apply", "-y", "-vv", "--allow-removals", "9"];

pub struct Life {
    pub fleet: Fleet,
    pub bao: Option<OpenBao>,
    /// What must be nowhere: passwords, verifiers, tokens, as they come up.
    pub hidden: BTreeSet<String>,
    /// The admin may not reach pg_authid.
    pub weak: bool,
    version: Version,
    /// What was written somewhere: the place, the text.
    written: Vec<(String, String)>,
    watch: Option<Watch>,
    log_begins: usize,
}

impl Life {
    pub fn of(mut fleet: Fleet, version: Version) -> Self {
        fleet.env.insert("TENANTRY_PG_BINDIR".into(), pg_dump_dir(version));
        fleet.env.insert("TENANTRY_LOG".into(), "trace,tokio_postgres=trace,tokio_postgres::simple_query=trace".into());
        fleet.env.insert("GIVEN".into(), GIVEN[0].into());
        let watch = Some(Watch::begin(fleet.path("")));
        let hidden = GIVEN.map(str::to_owned).into();
        Self { fleet, bao: None, hidden, weak: false, version, written: Vec::new(), watch, log_begins: 0 }
    }

    /// What the server has logged and counted until now is not looked at.
    pub fn begin_anew(&mut self) {
        self.log_begins = self.fleet.database.server.log().len();
        self.fleet.ask("SELECT stats.pg_stat_statements_reset()");
    }

    /// One run; what it prints is kept, and the secrets there are now are known from here on.
    pub fn tenantry(&mut self, args: &[&str]) -> Run {
        let run = self.fleet.run(args);
        self.written.push((format!("stdout of {args:?}"), run.stdout.clone()));
        self.written.push((format!("stderr of {args:?}"), run.stderr.clone()));
        self.know();
        run
    }

    fn know(&mut self) {
        for secret in self.secrets() {
            let password = secret["password"].as_str().unwrap().to_owned();
            // As the url spells it, and as JSON does.
            let encoded = secret["url"].as_str().unwrap().split([':', '@']).nth(2).unwrap().to_owned();
            self.hidden.extend([
                serde_json::to_string(&password).unwrap().trim_matches('"').to_owned(),
                encoded,
                password,
            ]);
        }
        let verifiers =
            self.fleet.ask("SELECT rolpassword FROM pg_authid WHERE rolpassword IS NOT NULL AND NOT rolsuper");
        self.hidden.extend(verifiers.split("; ").filter(|verifier| !verifier.is_empty()).map(str::to_owned));
    }

    fn secrets(&self) -> Vec<Value> {
        let Some(bao) = &self.bao else {
            let dir = self.fleet.path(".tenantry/secrets/tenants");
            return files(&dir).iter().map(|path| serde_json::from_slice(&fs::read(path).unwrap()).unwrap()).collect();
        };
        let Some((200, listed)) = bao.try_api("LIST", "secret/metadata/tenants", &Value::Null) else {
            return Vec::new();
        };
        let names = listed["data"]["keys"].as_array().unwrap().clone();
        let read =
            |name: &Value| bao.try_api("GET", &format!("secret/data/tenants/{}", name.as_str().unwrap()), &Value::Null);
        names.iter().filter_map(read).map(|(_, body)| body["data"]["data"].clone()).filter(Value::is_object).collect()
    }

    /// Made, changed, at fault, drifted, archived and brought back.
    pub fn run(&mut self) {
        MIGRATIONS.iter().for_each(|(file, sql)| self.fleet.migration(file, sql));
        let tenants = "np-a = {}\nnp-b = { password_from = \"${GIVEN}\" }\nnp-c = { access = \"owner\" }";
        self.fleet.declare(tenants);
        self.tenantry(&["validate", "-vv"]).ends(0);
        self.tenantry(&["plan", "-vv", "--out", "first.plan"]).ends(0);
        self.tenantry(&["plan", "--format", "json"]).ends(0);
        self.tenantry(&["apply", "first.plan", "-y", "-vv", "--log-format", "json"]).ends(0);
        self.tenantry(&["verify", "-vv"]).ends(0);

        // Renamed, given and generated passwords exchanged, a setting PostgreSQL refuses, a migration that fails.
        self.fleet.env.insert("GIVEN".into(), GIVEN[1].into());
        let changed = "np-a = { password_from = \"${GIVEN}\" }\nnp-b = { username = \"np renamed\", schema = \"np-renamed\" }\nnp-c = {}";
        self.fleet.declare(&format!("{changed}\nnp-d = {{ settings = {{ work_mem = \"lots\" }} }}"));
        self.tenantry(&["plan", "-vv", "--out", "second.plan", "--format", "json"]).ends(0);
        self.tenantry(&["apply", "-y", "-vv"]).ends(1).says("22023");
        self.fleet.migration("V3__bad.sql", "CREATE TABLE more ();\nSELECT 1 / (SELECT count(*) FROM users);");
        self.fleet.declare(&format!("{changed}\nnp-e = {{}}"));
        self.tenantry(&["apply", "-y", "-vv", "--format", "json"]).ends(1).says("22012");
        fs::remove_file(self.fleet.path("migrations/V3__bad.sql")).unwrap();
        self.tenantry(&["apply", "-y", "--format", "json"]).ends(0);

        // Changed behind our back.
        self.fleet.execute("ALTER ROLE np_a_user CONNECTION LIMIT 7; ALTER ROLE np_c_user NOLOGIN");
        self.tenantry(&[
            "drift",
            "--deep",
            "-vv",
            "--format",
            "json",
            "--metrics",
            "metrics",
            "--report",
            "report.html",
        ])
        .ends(2);
        self.tenantry(&["apply", "-y", "-vv"]).ends(0);
        self.tenantry(&["list", "-vv", "--format", "json"]).ends(0);
        self.tenantry(&["show", "np-b", "-vv"]).ends(0);
        self.tenantry(&["plan", "--format", "markdown"]).ends(0);

        // A new password, from below what RUST_LOG could show to what a machine reads.
        self.tenantry(&["rotate", "-y", "--all", "-vv"]).ends(0);
        self.tenantry(&["rotate", "-y", "np-c", "--format", "json", "--log-format", "json", "-vv"]).ends(0);

        // There and back.
        self.fleet.declare("np-b = { username = \"np renamed\", schema = \"np-renamed\" }\nnp-c = {}\nnp-e = {}");
        self.tenantry(&REMOVE).ends(0);
        self.fleet
            .declare("np-a = {}\nnp-b = { username = \"np renamed\", schema = \"np-renamed\" }\nnp-c = {}\nnp-e = {}");
        let manifest =
            files(&self.fleet.path("archives")).into_iter().find(|path| path.extension() == Some("json".as_ref()));
        self.tenantry(&["restore", "-y", manifest.unwrap().to_str().unwrap(), "-vv"]).ends(0);
        self.tenantry(&["archive", "np-c", "-vv"]).ends(0);
        self.tenantry(&["verify", "--format", "json"]).ends(0);
        self.tenantry(&["plan", "--detailed-exitcode"]).ends(0);
    }

    /// Wherever something was written, nothing is that must be hidden; and what looks is able to find.
    pub fn nothing_leaked(mut self) {
        let seen = self.watch.take().unwrap().end();
        for file in self.files_of_the_project() {
            self.written
                .push((file.display().to_string(), String::from_utf8_lossy(&fs::read(&file).unwrap()).into_owned()));
        }
        self.written.push(("tenantry's own tables".into(), self.registry()));
        let statements = self.fleet.ask("SELECT string_agg(query, E'\\n') FROM stats.pg_stat_statements");
        self.written.push(("pg_stat_statements".into(), statements));
        let log = self.fleet.database.server.log()[self.log_begins..].to_owned();
        assert!(log.contains("CREATE SCHEMA"), "the server logs statements");
        self.written.push(("the server's log".into(), log));
        self.see(&seen);
        for (place, text) in &self.written {
            self.holds_none(place, text);
        }
        self.finds();
    }

    #[track_caller]
    fn holds_none(&self, place: &str, text: &str) {
        for hidden in &self.hidden {
            let line = text.lines().find(|line| line.contains(hidden));
            assert!(line.is_none(), "{place} holds {hidden:?}: {}", line.unwrap_or_default());
        }
        // Also those of roles that came and went, such as pg_dump's.
        let line = text.lines().find(|line| line.contains("SCRAM-SHA-256$4096:"));
        assert!(line.is_none(), "{place} holds a verifier: {}", line.unwrap_or_default());
    }

    /// What was given to us in the environment is in ours, and in no other program's.
    fn see(&mut self, seen: &Seen) {
        assert!(seen.keys().any(|what| what == "tenantry cmdline"), "{:?}", seen.keys());
        for (what, texts) in seen.iter().filter(|(what, _)| *what != "tenantry environ") {
            self.written.extend(texts.iter().map(|text| (format!("/proc: {what}"), text.clone())));
        }
        let admin = self.fleet.database.server.password().to_owned();
        for (what, texts) in seen.iter().filter(|(what, _)| what.starts_with("pg_")) {
            assert!(texts.iter().all(|text| !text.contains(&admin)), "{what} holds the administrator's password");
        }
    }

    /// pg_dump's own view of the registry, the audit log in it.
    fn registry(&self) -> String {
        let dump = Path::new(&pg_dump_dir(self.version)).join("pg_dump");
        let output =
            Command::new(dump).args(["--schema=tenantry", "--dbname", &self.fleet.database.url]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("np-a"), "{text}");
        text
    }

    /// But the secrets themselves.
    fn files_of_the_project(&self) -> Vec<PathBuf> {
        let mut found = files(&self.fleet.path(""));
        found.extend(files(&self.fleet.path("archives")));
        found
    }

    /// A verifier that is not kept out is found by all this.
    fn finds(&self) {
        let canary = "SCRAM-SHA-256$4096:Y2FuYXJ5Y2FuYXJ5";
        self.fleet.execute(&format!(
            "DO $$ BEGIN PERFORM '{canary}'; END $$; CREATE ROLE np_canary PASSWORD '{canary}'; DROP ROLE np_canary"
        ));
        assert!(self.fleet.database.server.log().contains(canary));
        let statements = self.fleet.ask("SELECT string_agg(query, E'\\n') FROM stats.pg_stat_statements");
        assert!(statements.contains(canary) || self.version == Version::V18, "{statements}");
    }
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect();
    files.sort();
    files
}
