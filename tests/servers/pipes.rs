//! Pipes and links where files belong: nothing waits for the other end, and one tenant's is no other's trouble.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use crate::fleet::{BOTH, Fleet};
use crate::postgres_server::Version;

fn pipe(path: &Path) {
    let _ = fs::remove_file(path);
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

const REFUSED: &str = "it is not a regular file";

#[test]
fn a_pipe_that_somebody_named_is_refused_at_once() {
    let mut fleet = Fleet::usual(Version::Installed, "named");
    fleet.head = String::new();
    fleet.declare("pn-one = {}");
    fleet.apply();
    pipe(&fleet.path("pipe.json"));
    fleet.run(&["apply", "-y", "pipe.json"]).ends(1).says("reading pipe.json").says(REFUSED);
    fleet.run(&["restore", "-y", "pipe.json"]).ends(1).says("reading pipe.json").says(REFUSED);

    fleet.run(&["archive", "pn-one"]).ends(0);
    let archives = fs::read_dir(fleet.path("archives")).unwrap();
    let dump =
        archives.map(|entry| entry.unwrap().path()).find(|path| path.extension().is_some_and(|end| end == "dump"));
    let dump = dump.unwrap();
    pipe(&dump);
    fleet.run(&["restore", "-y", dump.with_extension("json").to_str().unwrap()]).ends(1).says(".dump").says(REFUSED);

    let pipe_file = fleet.path("pipe.json").display().to_string();
    let url = fleet.url.clone();
    fleet.url =
        format!("{url}{}sslmode=verify-full&sslrootcert={pipe_file}", if url.contains('?') { '&' } else { '?' });
    fleet.run(&["plan"]).ends(1).says(REFUSED);
    fleet.url = "service=app".into();
    fleet.env.insert("PGSERVICEFILE".into(), pipe_file);
    fleet.run(&["plan"]).ends(1).says(REFUSED);
    fleet.env.clear();
    fleet.url = url;
}

#[test]
fn a_lock_that_is_a_pipe_is_refused_and_nothing_is_changed() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "lock");
        fleet.declare("pl-one = {}");
        fs::create_dir_all(fleet.path(".tenantry/secrets")).unwrap();
        pipe(&fleet.path(".tenantry/secrets/.lock"));
        fleet.try_apply().ends(1).says(".lock").says(REFUSED);
        fs::remove_file(fleet.path(".tenantry/secrets/.lock")).unwrap();
        fleet.applies_and_settles();
    }
}

#[test]
fn a_secret_that_is_a_link_or_a_pipe_blocks_its_tenant_alone() {
    let fleet = Fleet::usual(Version::V18, "links");
    fleet.declare("pk-one = {}\npk-two = {}\npk-three = {}");
    fs::create_dir_all(fleet.path(".tenantry/secrets/tenants")).unwrap();
    fs::write(fleet.path("elsewhere"), "{}").unwrap();
    symlink(fleet.path("elsewhere"), fleet.secret_file("pk-one")).unwrap();
    pipe(&fleet.secret_file("pk-two"));
    fleet.run(&["plan"]).ends(0).says("it goes through a symbolic link").says(REFUSED).says("2 blocked");
    fleet.try_apply().ends(1);
    assert_eq!(fleet.ask("SELECT tenant FROM tenantry.tenants"), "pk-three");
    assert_eq!(fs::read_to_string(fleet.path("elsewhere")).unwrap(), "{}");
    for tenant in ["pk-one", "pk-two"] {
        fs::remove_file(fleet.secret_file(tenant)).unwrap();
    }
    fleet.applies_and_settles();
}

#[test]
fn that_others_can_read_secrets_is_said_quietly_too() {
    let fleet = Fleet::usual(Version::V18, "open");
    fleet.declare("po-one = {}");
    fleet.apply();
    let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    mode(&fleet.secret_file("po-one"), 0o644);
    fleet.run(&["plan", "-q"]).ends(0).says("other users can read");
    mode(&fleet.secret_file("po-one"), 0o600);
    mode(&fleet.path(".tenantry"), 0o757);
    fleet.run(&["plan", "-q"]).ends(0).says("other users can replace").says("chmod o-w");
    mode(&fleet.path(".tenantry"), 0o700);
    assert_eq!(fleet.run(&["plan", "-q"]).ends(0).stderr, "");
}
