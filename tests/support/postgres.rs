//! Real PostgreSQL servers for tests: one per module of a test binary and version, a fresh database per test.
//!
//! Use it as `#[path = "../support/postgres.rs"] mod postgres_server;`. These servers are never dropped: each server's guard
//! process stops it and deletes its files when the test binary ends. A server that a test starts for itself ends with it.
#![allow(dead_code)] // Each test binary uses a part.

use std::collections::BTreeMap;
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tenantry::database::Target;
use tenantry::sandbox::{Binaries, Server};

/// Which PostgreSQL a test wants.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Version {
    /// What is installed: Debian's 15, say. TENANTRY_PG_BINDIR chooses another.
    Installed,
    /// This major version, from scripts/postgres_version.sh.
    Major(u32),
}

impl Version {
    /// The newest.
    pub const V18: Self = Self::Major(18);

    /// 15 for 15.18.
    pub fn major(self) -> u32 {
        match self.wanted() {
            Self::Major(major) => major,
            installed @ Self::Installed => installed.binaries().major(),
        }
    }

    /// Those that tests run on: the installed one and the newest, or those that TENANTRY_TEST_POSTGRES lists, as in
    /// `14,16,17`. Then "installed" is the first of them, and "newest" the last.
    pub fn all() -> &'static [Self] {
        static ALL: OnceLock<Vec<Version>> = OnceLock::new();
        ALL.get_or_init(|| {
            let listed = std::env::var("TENANTRY_TEST_POSTGRES").unwrap_or_default();
            let major = |text: &str| {
                Self::Major(text.parse().unwrap_or_else(|_| panic!("TENANTRY_TEST_POSTGRES={listed}: {text:?}")))
            };
            if listed.is_empty() { vec![Self::Installed, Self::V18] } else { listed.split(',').map(major).collect() }
        })
    }

    fn wanted(self) -> Self {
        let all = Self::all();
        match self {
            listed if all.contains(&listed) => listed,
            Self::Installed => all[0],
            Self::Major(_) => all[all.len() - 1],
        }
    }

    fn binaries(self) -> Binaries {
        match self {
            Self::Installed => Binaries::find().or_else(|_| Binaries::at(&script("postgres.sh", &[]))).unwrap(),
            Self::Major(major) => Binaries::at(&script("postgres_version.sh", &[&major.to_string()])).unwrap(),
        }
    }
}

/// The distribution's, whichever versions are tested: a server and programs that are all built with TLS.
pub fn of_the_distribution() -> Binaries {
    Binaries::at(&script("postgres.sh", &[])).unwrap()
}

/// A database of its own on a shared server, with the server's superuser. It is dropped with the value: five hundred would
/// fill a disk.
pub struct TestDatabase {
    pub name: String,
    /// For the superuser postgres.
    pub url: String,
    pub server: Arc<Server>,
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        // Who started the server for itself has stopped it, perhaps; and its files go with it.
        if let Some(mut client) =
            is_shared(&self.server).then(|| target(&self.server.admin_url()).connect_admin().ok()).flatten()
        {
            let _ = client.batch_execute(&format!("DROP DATABASE IF EXISTS \"{}\" WITH (FORCE)", self.name));
        }
    }
}

impl TestDatabase {
    pub fn target(&self) -> Target {
        target(&self.url)
    }

    /// A session of the superuser's, as the tool's own are.
    pub fn client(&self) -> postgres::Client {
        self.target().connect_admin().unwrap()
    }

    pub fn url_as(&self, user: &str, password: &str) -> String {
        self.server.url(&self.name, user, password)
    }

    /// Runs SQL as the superuser.
    pub fn execute(&self, sql: &str) {
        self.client().batch_execute(sql).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }
}

/// A target for the URL and nothing else: no environment, no home directory.
pub fn target(url: &str) -> Target {
    Target::find(Some(url), None, &|_| None, None).unwrap()
}

/// A fresh database on the installed version; its name is `name` and a number.
#[track_caller]
pub fn database(name: &str) -> TestDatabase {
    database_on(server(Version::Installed), name)
}

#[track_caller]
pub fn database_of(version: Version, name: &str) -> TestDatabase {
    database_on(server(version), name)
}

pub fn database_on(server: impl Into<Arc<Server>>, name: &str) -> TestDatabase {
    let server = server.into();
    static NUMBER: AtomicU32 = AtomicU32::new(1);
    let name = format!("{name}_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    let mut client = target(&server.admin_url()).connect_admin().unwrap();
    // From template0: a copy of template1 fails while anybody is connected to it.
    client.batch_execute(&format!("CREATE DATABASE \"{name}\" TEMPLATE template0")).unwrap();
    TestDatabase { url: server.url(&name, "postgres", server.password()), name, server }
}

type Servers = BTreeMap<(Version, String), Arc<Server>>;

static SERVERS: Mutex<Servers> = Mutex::new(Servers::new());

/// The server of that version, of the module of tests that asks for it. Roles are the cluster's: no two modules need to know of
/// each other's names.
#[track_caller]
pub fn server(version: Version) -> Arc<Server> {
    let version = version.wanted();
    // Others may go on after a test in which a server did not start.
    let mut servers = SERVERS.lock().unwrap_or_else(PoisonError::into_inner);
    let server = servers.entry((version, module_of(Location::caller()))).or_insert_with(|| {
        let builder = Server::builder().binaries(version.binaries()).setting("max_connections", "200");
        Arc::new(builder.start().unwrap())
    });
    Arc::clone(server)
}

fn is_shared(server: &Arc<Server>) -> bool {
    let servers = SERVERS.lock().unwrap_or_else(PoisonError::into_inner);
    servers.values().any(|shared| Arc::ptr_eq(shared, server))
}

/// "create" for tests/servers/create.rs and for what is in tests/servers/create/.
fn module_of(caller: &Location<'_>) -> String {
    let file = Path::new(caller.file());
    let within = file.strip_prefix("tests").unwrap_or(file).iter().nth(1).unwrap_or_default();
    Path::new(within).file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// The programs of that very version; installs them where they are wanted and missing.
pub fn binaries(version: Version) -> Binaries {
    version.binaries()
}

/// psql, pg_dump and the like of the newest version, which serve older servers too: not every version here has its own.
pub fn client_program(name: &str) -> PathBuf {
    binaries(Version::V18).program(name)
}

/// Where a pg_dump for this version is. The servers of some come without one; the newest serves them too.
pub fn pg_dump_dir(version: Version) -> String {
    let own = binaries(version).program("pg_dump");
    let pg_dump = if own.is_file() { own } else { client_program("pg_dump") };
    pg_dump.parent().unwrap().to_string_lossy().into_owned()
}

fn script(name: &str, args: &[&str]) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts").join(name);
    let output = Command::new(&path).args(args).stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "{} failed", path.display());
    PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
}
