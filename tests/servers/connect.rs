//! Connecting to real servers in every way that libpq's users know.
mod silent;
mod tls;

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use crate::postgres_server;
use crate::postgres_server::{Version, database, server};
use secrecy::SecretString;
use tempfile::TempDir;
use tenantry::database::{ConnectError, Target};
use tenantry::sandbox::Server;

/// A home directory, and the variables that a shell would have set.
struct User {
    home: TempDir,
    env: BTreeMap<String, String>,
}

impl User {
    fn new(env: &[(&str, &str)]) -> Self {
        let env = env.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        Self { home: tempfile::tempdir().unwrap(), env }
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.home.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        path.display().to_string()
    }

    fn find(&self, url: Option<&str>) -> Target {
        Target::find(url, None, &|name| self.env.get(name).cloned(), Some(self.home.path())).unwrap()
    }

    fn connect(&self, url: &str) -> Result<String, ConnectError> {
        self.find(Some(url)).connect().map(|mut client| ask(&mut client, "SELECT current_user"))
    }
}

fn nobody() -> User {
    User::new(&[])
}

fn ask(client: &mut postgres::Client, sql: &str) -> String {
    client.query_one(sql, &[]).unwrap().get(0)
}

/// Display, its cause and the hint, as the command line prints them.
fn told(error: &ConnectError) -> String {
    let cause = error.source().map(|source| source.to_string()).unwrap_or_default();
    format!("{error}: {cause}\n{}", error.hint().unwrap_or_default())
}

fn plain() -> Arc<Server> {
    server(Version::Installed)
}

#[test]
fn a_url_with_a_scram_password_logs_in() {
    let database = database("scram");
    assert_eq!(nobody().connect(&database.url).unwrap(), "postgres");
    let target = database.target();
    assert_eq!((target.host(), target.port(), target.database()), ("127.0.0.1", plain().port(), &*database.name));
    let (_, endpoint) = target.connect_to().unwrap();
    assert_eq!((endpoint.host.as_str(), endpoint.port), ("127.0.0.1", plain().port()));
}

#[test]
fn a_password_with_every_awkward_character_logs_in_by_url_and_by_conninfo() {
    let database = database("awkward");
    let password = r#"a@b:c/d?e#f%g'h"i\j k&l=m+n"#;
    database.execute(&format!("CREATE ROLE awkward LOGIN PASSWORD '{}'", password.replace('\'', "''")));
    assert_eq!(nobody().connect(&database.url_as("awkward", password)).unwrap(), "awkward");
    let quoted = password.replace('\\', r"\\").replace('\'', r"\'");
    let conninfo =
        format!("host=127.0.0.1 port={} user=awkward dbname={} password='{quoted}'", plain().port(), database.name);
    assert_eq!(nobody().connect(&conninfo).unwrap(), "awkward");
}

#[test]
fn a_wrong_password_says_whose_it_is_and_where_it_came_from_but_not_what_it_is() {
    let url = plain().url("postgres", "postgres", "hush-hush");
    let error = nobody().connect(&url).unwrap_err();
    let expected = format!(
        "cannot connect to postgresql://postgres@127.0.0.1:{}/postgres: \
         password authentication failed for user \"postgres\" (SQLSTATE 28P01)\n\
         check the user postgres and its password, which came from --database-url",
        plain().port()
    );
    assert_eq!(told(&error), expected);
    assert!(!format!("{error:?}").contains("hush-hush"));
}

#[test]
fn a_missing_password_says_where_to_put_one() {
    let url = format!("postgresql://postgres@127.0.0.1:{}/postgres", plain().port());
    let user = nobody();
    assert!(told(&user.connect(&url).unwrap_err()).contains("~/.pgpass"));
    let path = user.file(".pgpass", "*:*:*:*:x\n");
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    assert!(told(&user.connect(&url).unwrap_err()).contains("chmod 0600"));
}

#[test]
fn the_password_file_is_read_at_home_and_where_pgpassfile_says() {
    let line = format!("127.0.0.1:{}:*:postgres:{}\n", plain().port(), plain().password());
    let url = format!("postgresql://postgres@127.0.0.1:{}/postgres", plain().port());
    let user = nobody();
    user.file(".pgpass", &format!("# ours\nother:*:*:*:wrong\n{line}"));
    assert_eq!(user.connect(&url).unwrap(), "postgres");
    let mut user = nobody();
    let path = user.file("elsewhere", &line);
    user.env.insert("PGPASSFILE".into(), path);
    assert_eq!(user.connect(&url).unwrap(), "postgres");
}

#[test]
fn a_service_names_everything() {
    let user = User::new(&[("PGSERVICE", "prod"), ("PGPORT", "1")]);
    let server = plain();
    let (port, password) = (server.port(), server.password());
    let text = format!("[prod]\nhost=127.0.0.1\nport={port}\nuser=postgres\npassword={password}\ndbname=postgres\n");
    user.file(".pg_service.conf", &text);
    assert_eq!(ask(&mut user.find(None).connect().unwrap(), "SELECT current_user"), "postgres");
    assert_eq!(
        ask(&mut user.find(Some("service=prod dbname=template1")).connect().unwrap(), "SELECT current_database()"),
        "template1"
    );
}

#[test]
fn libpqs_variables_alone_are_enough() {
    let port = plain().port().to_string();
    let user = User::new(&[
        ("PGHOST", "127.0.0.1"),
        ("PGPORT", &port),
        ("PGUSER", "postgres"),
        ("PGPASSWORD", plain().password()),
        ("PGDATABASE", "template1"),
        ("PGAPPNAME", "ours"),
        ("PGOPTIONS", "-c work_mem=7MB"),
        ("PGCONNECT_TIMEOUT", "5"),
    ]);
    let mut client = user.find(None).connect().unwrap();
    assert_eq!(
        ask(&mut client, "SELECT current_database() || ' ' || current_setting('application_name')"),
        "template1 ours"
    );
    assert_eq!(ask(&mut client, "SHOW work_mem"), "7MB");
}

#[test]
fn a_unix_socket_is_reached_by_directory_in_a_url_and_in_pghost() {
    let server = plain();
    let (port, password) = (server.port(), server.password());
    let directory = plain().socket_dir().display().to_string();
    let host = directory.replace('/', "%2F");
    // TLS has no meaning on a socket; libpq ignores the mode there too.
    let url = format!("postgresql://postgres:{password}@{host}:{port}/postgres?sslmode=require");
    assert_eq!(nobody().connect(&url).unwrap(), "postgres");
    let user = User::new(&[("PGHOST", &directory), ("PGPASSWORD", password)]);
    let url = format!("postgresql:///postgres?user=postgres&port={port}");
    assert_eq!(user.connect(&url).unwrap(), "postgres");
    let error = user.connect("postgresql:///postgres?user=postgres&port=1").unwrap_err();
    assert!(told(&error).contains(".s.PGSQL.1: specify one with --database-url"), "{}", told(&error));
}

#[test]
fn ipv6_and_hostaddr_reach_the_server() {
    let server = plain();
    let (port, password) = (server.port(), server.password());
    assert_eq!(
        nobody().connect(&format!("postgresql://postgres:{password}@[::1]:{port}/postgres")).unwrap(),
        "postgres"
    );
    let conninfo = format!("host=no.such.name hostaddr=127.0.0.1 port={port} user=postgres password={password}");
    assert_eq!(nobody().connect(&conninfo).unwrap(), "postgres");
}

#[test]
fn the_next_host_is_tried_when_one_is_down() {
    let server = plain();
    let (port, password) = (server.port(), server.password());
    let url = format!(
        "postgresql://postgres:{password}@127.0.0.1:1,127.0.0.1:{port}/postgres?target_session_attrs=read-write"
    );
    let (_, endpoint) = nobody().find(Some(&url)).connect_to().unwrap();
    assert_eq!(endpoint.port, port);
    let error = nobody().connect(&url.replace("read-write", "standby")).unwrap_err();
    assert!(told(&error).contains("is a standby"), "{}", told(&error));
}

#[test]
fn failures_say_what_to_do() {
    let server = plain();
    let (port, password) = (server.port(), server.password());
    let told_of = |url: &str| told(&nobody().connect(url).unwrap_err());
    let refused = told_of("postgresql://a@127.0.0.1:1/b");
    assert!(refused.contains("Connection refused") && refused.contains("pg_isready -h 127.0.0.1 -p 1"), "{refused}");
    let missing = told_of(&format!("postgresql://postgres:{password}@127.0.0.1:{port}/nowhere"));
    assert!(missing.contains("database \"nowhere\" does not exist (SQLSTATE 3D000)"), "{missing}");
    assert!(missing.contains("createdb nowhere"), "{missing}");
    let name = told_of("postgresql://a@no-such-host.invalid/b");
    assert!(name.contains("the host name no-such-host.invalid cannot be resolved"), "{name}");
}

#[test]
fn our_sessions_are_the_same_whatever_the_role_says_and_a_tenants_is_its_own() {
    let database = database("session");
    database.execute(
        "CREATE ROLE own LOGIN SUPERUSER PASSWORD 'p'; ALTER ROLE own SET search_path = mine;
         ALTER ROLE own SET statement_timeout = '1h'; ALTER ROLE own SET DateStyle = 'German';
         ALTER ROLE own SET idle_session_timeout = '1h'",
    );
    let sql = "SELECT concat_ws(' ', current_setting('search_path'), current_setting('statement_timeout'),
               current_setting('DateStyle'), current_setting('idle_session_timeout'), current_setting('application_name'))";
    let target = postgres_server::target(&database.url_as("own", "p"));
    assert_eq!(ask(&mut target.connect_admin().unwrap(), sql), "pg_catalog, pg_temp 0 ISO, MDY 0 tenantry");
    assert_eq!(ask(&mut target.connect().unwrap(), sql), "mine 1h German, DMY 1h tenantry");
    let other = database.target().with_credentials("own", SecretString::from("p")).with_database("postgres");
    assert_eq!(ask(&mut other.connect().unwrap(), "SELECT current_user || ' ' || current_database()"), "own postgres");
}

#[test]
fn the_newest_postgresql_takes_us_as_well() {
    let database = postgres_server::database_of(Version::V18, "newest");
    assert_eq!(database.server.binaries().major(), Version::V18.major());
    // A name that only 17 and later know.
    let sql = "SELECT coalesce(current_setting('transaction_timeout', true), 'unknown')";
    assert_eq!(ask(&mut database.client(), sql) == "0", Version::V18.major() >= 17);
}
