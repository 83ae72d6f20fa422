//! The servers, the proxies before them, and the directory of the project.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use postgres::error::SqlState;
use serde_json::Value;
use tenantry::sandbox::Server;

use crate::fleet::Fleet;
use crate::fleet_support::ask;
use crate::openbao::OpenBao;
use crate::postgres_server::{Version, binaries, target};
use crate::proxy::Proxy;
use crate::tenant::Tenant;

pub const DATABASE: &str = "chaos";
/// Logins and requests at once.
const WORKERS: usize = 4;
/// Longer than any wait of the tool's own.
const PATIENCE: Duration = Duration::from_secs(180);

pub struct World {
    pub server: Server,
    pub bao: OpenBao,
    /// The tool's way to PostgreSQL, and to OpenBao. Tenants take neither.
    pub line: Proxy,
    pub store: Proxy,
    dir: tempfile::TempDir,
}

/// A run of the tool that has ended.
pub struct Ended {
    /// None: by a signal.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// Secrets by path.
pub type Secrets = BTreeMap<String, Value>;

impl World {
    pub fn start(version: Version) -> Self {
        let server = Server::builder().binaries(binaries(version)).durable().start().unwrap();
        let bao = OpenBao::durable(None);
        let port = bao.address.rsplit(':').next().unwrap().parse().unwrap();
        let (line, store) = (Proxy::before(server.port()), Proxy::before(port));
        let mut admin = target(&server.admin_url()).connect_admin().unwrap();
        admin.batch_execute(&format!("CREATE DATABASE {DATABASE} TEMPLATE template0")).unwrap();
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("migrations")).unwrap();
        Self { server, bao, line, store, dir }
    }

    pub fn declare(&self, fleet: &Fleet) {
        // Secrets name the server itself: tenants have nothing to do with the tool's bad line.
        let head = format!(
            "[database]\nadvertise = {{ host = \"127.0.0.1\", port = {} }}\n[vault]\naddress = \"http://127.0.0.1:{}\"",
            self.server.port(),
            self.store.port
        );
        fs::write(self.dir.path().join("tenants.toml"), fleet.toml(&head)).unwrap();
        for (file, sql) in &fleet.migrations {
            fs::write(self.dir.path().join("migrations").join(file), sql).unwrap();
        }
    }

    /// The tool, as a user starts it.
    pub fn command(&self, fleet: &Fleet, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tenantry"));
        let url = self.server.url(DATABASE, "postgres", self.server.password());
        let url = url.replace(&format!(":{}/", self.server.port()), &format!(":{}/", self.line.port));
        command.args(args).current_dir(self.dir.path()).stdin(Stdio::null());
        command.env_clear().env("HOME", self.dir.path()).env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.envs(std::env::var_os("TENANTRY_PG_BINDIR").map(|dir| ("TENANTRY_PG_BINDIR", dir)));
        command.env("TENANTRY_DATABASE_URL", url).env("VAULT_TOKEN", &self.bao.token).envs(fleet.passwords());
        command
    }

    /// Starts it with its output going to files, which no pipe can fill.
    pub fn spawn(&self, fleet: &Fleet, args: &[&str]) -> Running {
        let file = |name: &str| fs::File::create(self.dir.path().join(name)).unwrap();
        let child = self.command(fleet, args).stdout(file("stdout")).stderr(file("stderr")).spawn().unwrap();
        Running { child, dir: self.dir.path().to_owned() }
    }

    pub fn run(&self, fleet: &Fleet, args: &[&str]) -> Result<Ended, String> {
        self.spawn(fleet, args).end()
    }

    pub fn admin(&self) -> postgres::Client {
        let url = self.server.url(DATABASE, "postgres", self.server.password());
        target(&url).connect_admin().unwrap()
    }

    pub fn archives(&self) -> PathBuf {
        self.dir.path().join("archives")
    }

    /// The tool's backends are gone, and with them its lock: a server may take a moment to see that its client is dead.
    pub fn wait_until_alone(&self) -> Result<(), String> {
        let mut admin = self.admin();
        let others = "SELECT pid, state, wait_event, query FROM pg_stat_activity \
                      WHERE application_name = 'tenantry' AND pid <> pg_backend_pid() ORDER BY pid";
        wait(|| ask(&mut admin, others), "a backend of the tool's is still there")
    }

    /// What is in the store under these paths.
    pub fn secrets(&self, paths: &[String]) -> Secrets {
        in_parallel(paths, |path| {
            let (status, answer) = self.bao.try_api("GET", &format!("secret/data/{path}"), &Value::Null).unwrap();
            (status == 200).then(|| (path.clone(), answer["data"]["data"].clone()))
        })
        .into_iter()
        .flatten()
        .collect()
    }

    /// Every path in the store that has a secret, or what is left of one, with its custom metadata.
    pub fn paths(&self) -> BTreeMap<String, Value> {
        let mut found = BTreeMap::new();
        let mut folders = vec![String::new()];
        while let Some(folder) = folders.pop() {
            let path = format!("secret/detailed-metadata/{folder}");
            let Some((200, answer)) = self.bao.try_api("LIST", &path, &Value::Null) else { continue };
            for name in answer["data"]["keys"].as_array().unwrap() {
                let name = name.as_str().unwrap();
                if name.ends_with('/') {
                    folders.push(format!("{folder}{name}"));
                } else {
                    let custom = answer["data"]["key_info"][name]["custom_metadata"].clone();
                    found.insert(format!("{folder}{name}"), custom);
                }
            }
        }
        found
    }

    /// Each of these logs in with the secret that was delivered, as its own program would; who is suspended may not. Says with
    /// whom it is otherwise.
    pub fn log_in(&self, tenants: &[(String, &Tenant, Value)]) -> Vec<String> {
        in_parallel(tenants, |(key, tenant, secret)| {
            let Some(url) = secret["url"].as_str() else { return Some(format!("{key} has no secret")) };
            let names = tenant.names(key);
            let mut client = match postgres::Client::connect(url, postgres::NoTls) {
                Ok(_) if tenant.suspended => return Some(format!("{key} is suspended, and can log in")),
                Ok(client) => client,
                Err(error) if tenant.suspended => {
                    let is_locked_out = error.code() == Some(&SqlState::INVALID_AUTHORIZATION_SPECIFICATION);
                    return (!is_locked_out).then(|| format!("{key} is suspended: {error:?}"));
                }
                Err(error) => return Some(format!("{key} cannot log in: {error:?}")),
            };
            let found = ask(&mut client, "SELECT current_user, current_schema(), (SELECT count(*) > -1 FROM users)");
            let wanted = format!("{}, {}, t", names.username, names.schema);
            (found != wanted).then(|| format!("{key} is {found}, and not {wanted}"))
        })
        .into_iter()
        .flatten()
        .collect()
    }

    /// Copies all there is to look at, with the servers stopped.
    pub fn leave(&mut self, to: &Path) {
        self.server.stop_immediate().unwrap();
        self.bao.kill();
        fs::create_dir_all(to).unwrap();
        for (name, from) in
            [("project", self.dir.path()), ("openbao", self.bao.dir()), ("postgresql", self.server.dir())]
        {
            let status = Command::new("cp").args(["-a", "--"]).arg(from).arg(to.join(name)).status().unwrap();
            assert!(status.success());
        }
    }
}

pub struct Running {
    child: std::process::Child,
    dir: PathBuf,
}

impl Running {
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    pub fn kill(&mut self) {
        let _ = self.child.kill();
    }

    pub fn interrupt(&self) {
        let kill =
            Command::new("sh").args(["-c", "kill -INT \"$1\" 2>&-", "sh", &self.child.id().to_string()]).status();
        kill.unwrap();
    }

    pub fn end(mut self) -> Result<Ended, String> {
        let begun = Instant::now();
        let status = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status,
                None if begun.elapsed() > PATIENCE => {
                    self.kill();
                    self.child.wait().unwrap();
                    return Err(format!("the tool does not end\n{}", self.said()));
                }
                None => sleep(Duration::from_millis(2)),
            }
        };
        let read = |name: &str| fs::read_to_string(self.dir.join(name)).unwrap();
        Ok(Ended { code: status.code(), stdout: read("stdout"), stderr: read("stderr") })
    }

    fn said(&self) -> String {
        let read = |name: &str| fs::read_to_string(self.dir.join(name)).unwrap_or_default();
        read("stdout") + &read("stderr")
    }
}

/// Until the answer is empty; otherwise the last one is told.
pub fn wait(mut ask: impl FnMut() -> String, otherwise: &str) -> Result<(), String> {
    let begun = Instant::now();
    loop {
        let left = ask();
        if left.is_empty() {
            return Ok(());
        }
        if begun.elapsed() > Duration::from_secs(60) {
            return Err(format!("{otherwise}: {left}"));
        }
        sleep(Duration::from_millis(5));
    }
}

fn in_parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let size = items.len().div_ceil(WORKERS).max(1);
    std::thread::scope(|scope| {
        let parts: Vec<_> =
            items.chunks(size).map(|part| scope.spawn(|| part.iter().map(&work).collect::<Vec<_>>())).collect();
        parts.into_iter().flat_map(|part| part.join().unwrap()).collect()
    })
}
