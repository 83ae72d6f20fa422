//! A project as a user has it: a directory with tenants.toml and migrations, a database, and the tenantry command.
#![allow(dead_code)] // Each test binary uses a part.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::postgres_server::{TestDatabase, Version, database_of};

/// The versions that a test runs on; see [`Version::all`].
pub const BOTH: Versions = Versions;

pub struct Versions;

impl IntoIterator for Versions {
    type Item = Version;
    type IntoIter = std::iter::Copied<std::slice::Iter<'static, Version>>;

    fn into_iter(self) -> Self::IntoIter {
        Version::all().iter().copied()
    }
}

impl std::ops::Index<usize> for Versions {
    type Output = Version;

    /// 0 for the first, 1 for the last, which are one where there is one.
    fn index(&self, n: usize) -> &Version {
        let all = Version::all();
        &all[if n == 0 { 0 } else { all.len() - 1 }]
    }
}

/// A bit of everything that a migration makes: a table, an identity, a serial, a type, a view, a function, a sequence.
pub const MIGRATIONS: [(&str, &str); 2] = [
    (
        "V1__create_users.sql",
        "CREATE TABLE users (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email text NOT NULL UNIQUE);\n",
    ),
    (
        "V2__create_projects.sql",
        "CREATE TYPE mood AS ENUM ('calm', 'busy');\nCREATE SEQUENCE tickets;\n\
         CREATE TABLE projects (id serial PRIMARY KEY, owner bigint REFERENCES users, mood mood NOT NULL DEFAULT 'calm');\n\
         CREATE VIEW busy AS SELECT * FROM projects WHERE mood = 'busy';\n\
         CREATE FUNCTION user_count() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM users';\n",
    ),
];

pub struct Fleet {
    dir: TempDir,
    pub database: TestDatabase,
    /// What --database-url says.
    pub url: String,
    /// What stands in tenants.toml before `[tenants]`.
    pub head: String,
    pub env: BTreeMap<String, String>,
}

/// Who tenantry connects as.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Admin {
    Superuser,
    /// LOGIN, CREATEROLE and CREATE on the database, nothing else.
    Createrole,
}

/// How a run of the command ended.
#[derive(Debug)]
pub struct Run {
    args: Vec<String>,
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    #[track_caller]
    pub fn ends(self, code: i32) -> Self {
        let (stdout, stderr) = (end(&self.stdout), end(&self.stderr));
        assert_eq!(self.code, code, "tenantry {}\n{stdout}\n{stderr}", self.args.join(" "));
        self
    }

    /// On stdout or stderr.
    #[track_caller]
    pub fn says(self, words: &str) -> Self {
        let heard = self.stdout.contains(words) || self.stderr.contains(words);
        assert!(heard, "{words:?} is not in:\n{}\n{}", end(&self.stdout), end(&self.stderr));
        self
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}\n{}", self.stdout, self.stderr))
    }
}

impl Fleet {
    /// Roles are the cluster's and a server serves a whole module of tests: each test names its tenants as no other in it does.
    #[track_caller]
    pub fn new(version: Version, name: &str) -> Self {
        Self::on(database_of(version, name))
    }

    pub fn on(database: TestDatabase) -> Self {
        let fleet = Self {
            dir: tempfile::tempdir().unwrap(),
            url: database.url.clone(),
            database,
            head: "[defaults]\non_remove = \"drop\"\n".into(),
            env: BTreeMap::new(),
        };
        fs::create_dir(fleet.path("migrations")).unwrap();
        fleet
    }

    /// With the usual migrations.
    #[track_caller]
    pub fn usual(version: Version, name: &str) -> Self {
        let fleet = Self::new(version, name);
        MIGRATIONS.iter().for_each(|(file, sql)| fleet.migration(file, sql));
        fleet
    }

    /// With the usual migrations, under an admin of this kind. Who may not close schema public says that it stays open.
    #[track_caller]
    pub fn under(admin: Admin, version: Version, name: &str) -> Self {
        Self::usual_on(admin, database_of(version, name))
    }

    pub fn usual_on(admin: Admin, database: TestDatabase) -> Self {
        let mut fleet = Self::on(database);
        MIGRATIONS.iter().for_each(|(file, sql)| fleet.migration(file, sql));
        fleet.head.insert_str(0, "[database]\npublic_schema = \"keep\"\n");
        fleet.url = fleet.admin_of(admin);
        fleet
    }

    /// The URL of such an admin of the fleet's database, who is made.
    fn admin_of(&self, admin: Admin) -> String {
        if admin == Admin::Superuser {
            return self.database.url.clone();
        }
        let (database, name) = (&self.database.name, self.admin_name(admin));
        self.execute(&format!(
            "CREATE ROLE {name} LOGIN CREATEROLE PASSWORD 'a'; GRANT CREATE ON DATABASE {database} TO {name}"
        ));
        self.database.url_as(&name, "a")
    }

    pub fn admin_name(&self, admin: Admin) -> String {
        match admin {
            Admin::Superuser => "postgres".to_owned(),
            Admin::Createrole => format!("{}_admin", self.database.name),
        }
    }

    /// What the admin is a member of; see [`Self::held`].
    pub fn memberships(&self, admin: Admin) -> String {
        self.held(&self.admin_name(admin))
    }

    /// The roles whose rights this one has without asking for them. From 16 on the maker of a role is its member with ADMIN
    /// alone: such are left out.
    pub fn held(&self, role: &str) -> String {
        self.ask(&format!(
            "SELECT roleid::regrole FROM pg_auth_members m WHERE member = '{role}'::regrole \
             AND (coalesce((to_jsonb(m) ->> 'set_option')::bool, true) \
                  OR coalesce((to_jsonb(m) ->> 'inherit_option')::bool, true)) ORDER BY 1"
        ))
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes tenants.toml: the head, and these lines of `[tenants]`.
    pub fn declare(&self, tenants: &str) {
        fs::write(self.path("tenants.toml"), format!("{}\n[tenants]\n{tenants}\n", self.head)).unwrap();
    }

    pub fn migration(&self, file: &str, sql: &str) {
        fs::write(self.path("migrations").join(file), sql).unwrap();
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = self.program(env!("CARGO_BIN_EXE_tenantry"));
        command.args(args);
        command
    }

    /// Another program in the place of tenantry, such as a shell that runs it.
    pub fn program(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.dir.path()).stdin(Stdio::null());
        // Nothing of the developer's own: no PG*, no VAULT_*, no ~/.pgpass.
        command.env_clear().env("HOME", self.path("home")).env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("TENANTRY_DATABASE_URL", &self.url).envs(&self.env);
        command
    }

    pub fn run(&self, args: &[&str]) -> Run {
        let output = self.command(args).output().unwrap();
        Run {
            args: args.iter().map(ToString::to_string).collect(),
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    pub fn try_apply(&self) -> Run {
        self.run(&["apply", "-y", "-v"])
    }

    #[track_caller]
    pub fn apply(&self) -> Run {
        self.try_apply().ends(0)
    }

    /// Nothing is left to do, and every tenant works and reaches no other.
    #[track_caller]
    pub fn settled(&self) {
        self.run(&["plan", "--detailed-exitcode", "-v"]).ends(0);
        self.run(&["verify"]).ends(0);
    }

    #[track_caller]
    pub fn applies_and_settles(&self) {
        self.apply();
        self.settled();
    }

    /// Nothing of what was to be made is there: role, schema, secret, row.
    #[track_caller]
    pub fn assert_no_trace_of(&self, tenant: &str) {
        let sql = format!(
            "SELECT rolname::text FROM pg_roles WHERE rolname IN ('{tenant}_user', '{tenant}_owner') \
             UNION ALL SELECT nspname::text FROM pg_namespace WHERE nspname = 'tenant_{tenant}'"
        );
        assert_eq!(self.ask(&sql), "", "of {tenant}");
        if self.ask("SELECT to_regclass('tenantry.tenants')::text") != "-" {
            let rows = format!(
                "SELECT tenant FROM tenantry.tenants WHERE tenant = '{tenant}' \
                 UNION ALL SELECT tenant FROM tenantry.audit_log WHERE tenant = '{tenant}'"
            );
            assert_eq!(self.ask(&rows), "", "of {tenant}");
        }
        assert!(!self.secret_file(tenant).exists(), "a secret of {tenant}");
    }

    pub fn secret_file(&self, tenant: &str) -> PathBuf {
        self.path(&format!(".tenantry/secrets/tenants/{tenant}.json"))
    }

    #[track_caller]
    pub fn secret(&self, tenant: &str) -> Value {
        serde_json::from_slice(&fs::read(self.secret_file(tenant)).unwrap()).unwrap()
    }

    /// As a version left it that knew of no fleets: a registry without one, and these tenants' secrets without a mark.
    pub fn unmark(&self, tenants: &[&str]) {
        self.execute(
            "ALTER TABLE tenantry.identity DROP COLUMN fleet, DROP COLUMN former_fleets, DROP COLUMN reached, DROP COLUMN server_started;
             DROP TABLE tenantry.runs, tenantry.vault_access; ALTER TABLE tenantry.tenants DROP COLUMN history_table, DROP COLUMN rotation, DROP COLUMN suspended, DROP COLUMN declared_by; DELETE FROM tenantry.refinery_schema_history WHERE version >= 10",
        );
        for tenant in tenants {
            let mut secret = self.secret(tenant);
            let document = secret.as_object_mut().unwrap();
            ["fleet", "fleet_cluster", "fleet_run"].iter().for_each(|key| drop(document.remove(*key).unwrap()));
            fs::write(self.secret_file(tenant), secret.to_string()).unwrap();
        }
    }

    /// A session as the tenant's own program has it: the secret's url and nothing else.
    #[track_caller]
    pub fn log_in(&self, tenant: &str) -> postgres::Client {
        log_in(&self.secret(tenant))
    }

    pub fn execute(&self, sql: &str) {
        self.database.execute(sql);
    }

    /// The superuser's answer: rows by "; ", columns by ", ", NULL as "-".
    #[track_caller]
    pub fn ask(&self, sql: &str) -> String {
        ask(&mut self.database.client(), sql)
    }
}

impl Fleet {
    /// The command runs while an application's transaction, which has locked one table, comes to lock another: whoever reads
    /// with the second one locked and waits for the first, in a statement that begins so, makes a circle of it, and the
    /// application must not pay for that.
    #[track_caller]
    pub fn costs_no_application_its_transaction(&self, args: &[&str], statement: &str, [has, wants]: [&str; 2]) -> Run {
        let mut application = self.database.client();
        application.batch_execute(&format!("SET lock_timeout = '30s'; BEGIN; {has}")).unwrap();
        let mut command = self.command(args);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let waits = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database() \
             AND query LIKE '{statement}%'"
        );
        let (begun, mut watcher) = (Instant::now(), self.database.client());
        while ask(&mut watcher, &waits) == "0" {
            assert!(begun.elapsed() < Duration::from_secs(60), "it waits for nothing");
        }
        // Longer than deadlock_timeout: a session that has waited so long looks for no deadlock any more, and the other one does.
        std::thread::sleep(Duration::from_millis(1500));
        application.batch_execute(&format!("{wants}; COMMIT")).unwrap();
        let output = child.wait_with_output().unwrap();
        Run {
            args: args.iter().map(ToString::to_string).collect(),
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// Enough to see why.
fn end(text: &str) -> &str {
    let from = text.char_indices().rev().nth(2500).map_or(0, |(at, _)| at);
    &text[from..]
}

#[track_caller]
pub fn log_in(secret: &Value) -> postgres::Client {
    postgres::Client::connect(secret["url"].as_str().unwrap(), postgres::NoTls).unwrap()
}

#[track_caller]
pub fn ask(client: &mut postgres::Client, sql: &str) -> String {
    let messages = client.simple_query(sql).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    let rows = messages.iter().filter_map(|message| match message {
        postgres::SimpleQueryMessage::Row(row) => {
            Some((0..row.len()).map(|n| row.get(n).unwrap_or("-")).collect::<Vec<_>>().join(", "))
        }
        _ => None,
    });
    rows.collect::<Vec<_>>().join("; ")
}

/// The SQLSTATE of what is refused.
#[track_caller]
pub fn refused(client: &mut postgres::Client, sql: &str) -> String {
    let error = client.batch_execute(sql).expect_err(sql);
    error.code().unwrap_or_else(|| panic!("{sql}: {error:?}")).code().to_owned()
}
