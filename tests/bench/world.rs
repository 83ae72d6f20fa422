//! A server, a project of so many tenants, and what is timed on them.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use tenantry::sandbox::Server;

use crate::postgres_server::{Version, binaries, client_program, target};
use crate::raw;

pub struct World {
    server: Server,
    project: TempDir,
    parallelism: usize,
}

impl World {
    /// A new server, whose catalogs hold nobody.
    pub fn start(version: Version, tenants: usize, parallelism: usize) -> Self {
        let builder = Server::builder().binaries(binaries(version)).setting("shared_buffers", "512MB");
        let project = tempfile::tempdir().unwrap();
        let keys: String = (1..=tenants).map(|n| format!("t{n:05} = {{}}\n")).collect();
        fs::write(project.path().join("tenants.toml"), format!("[tenants]\n{keys}")).unwrap();
        fs::create_dir(project.path().join("migrations")).unwrap();
        for file in fs::read_dir(Self::migrations()).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), project.path().join("migrations").join(file.file_name())).unwrap();
        }
        Self { server: builder.start().unwrap(), project, parallelism }
    }

    pub fn migrations() -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bench/migrations")
    }

    /// Creates all tenants.
    pub fn apply(&self) -> Duration {
        self.tenantry(&["apply", "--auto-approve", "--quiet", "--parallelism", &self.parallelism.to_string()]).0
    }

    /// Plans, and finds nothing to do.
    pub fn plan(&self) -> Duration {
        self.tenantry(&["plan", "--detailed-exitcode"]).0
    }

    /// The same tenants by psql, on as many connections.
    pub fn create_by_psql(&self) -> Duration {
        let plan: Value = serde_json::from_slice(&self.tenantry(&["plan", "--format", "json"]).1).unwrap();
        let shared = raw::shared(&plan);
        let scripts = raw::tenants(&plan, &Self::migrations(), self.parallelism);
        let begun = Instant::now();
        self.psql(&[shared]);
        self.psql(&scripts);
        begun.elapsed()
    }

    /// What a plan asks of the server, session by session.
    pub fn reads_of_a_plan(&self) -> Vec<String> {
        self.set("log_statement", "all");
        let before = self.server.log().len();
        self.plan();
        self.set("log_statement", "none");
        raw::statements(&self.server.log()[before..])
    }

    pub fn replay(&self, scripts: &[String]) -> Duration {
        let begun = Instant::now();
        self.psql(scripts);
        begun.elapsed()
    }

    fn set(&self, parameter: &str, value: &str) {
        let mut client = target(&self.server.admin_url()).connect_admin().unwrap();
        client.batch_execute("ALTER SYSTEM SET log_line_prefix = '%c '").unwrap();
        client.batch_execute(&format!("ALTER SYSTEM SET {parameter} = '{value}'")).unwrap();
        client.batch_execute("SELECT pg_catalog.pg_reload_conf()").unwrap();
        // The postmaster passes it on to sessions that begin after it has read it.
        std::thread::sleep(Duration::from_millis(500));
    }

    fn tenantry(&self, args: &[&str]) -> (Duration, Vec<u8>) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tenantry"));
        command.args(args).current_dir(self.project.path()).env("TENANTRY_DATABASE_URL", self.server.admin_url());
        let begun = Instant::now();
        let output = command.output().unwrap();
        let took = begun.elapsed();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        (took, output.stdout)
    }

    /// Each script on a connection of its own, all at once.
    fn psql(&self, scripts: &[String]) {
        let started: Vec<_> = scripts
            .iter()
            .map(|script| {
                let mut file = tempfile::NamedTempFile::new().unwrap();
                std::io::Write::write_all(&mut file, script.as_bytes()).unwrap();
                let mut psql = Command::new(client_program("psql"));
                psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-o", "/dev/null", "-f"]).arg(file.path());
                psql.args(["-d", &self.server.admin_url()]).stdout(Stdio::null());
                (psql.spawn().unwrap(), file)
            })
            .collect();
        for (mut psql, file) in started {
            assert!(psql.wait().unwrap().success(), "psql -f {}", file.path().display());
        }
    }
}
