//! `add` and `forget`: tenants.toml is edited as a careful person would.

use std::fs;
#[cfg(unix)]
use std::os::unix::fs::{PermissionsExt, symlink};

use crate::fleet::{BOTH, Fleet};

const FILE: &str = "# The fleet.\ninclude = [\"more.toml\"]\n[database]\nurl = \"postgresql://admin:hunter2secret@nowhere/app\"\n\
                    [classes.pro]\nconnection_limit = 9\n[tenants]\n# the first\nle-one = {} # pays\nle-kept = { protected = true }\n\n# The end.\n";

fn fleet(name: &str) -> Fleet {
    let fleet = Fleet::usual(BOTH[0], name);
    fs::write(fleet.path("tenants.toml"), FILE).unwrap();
    fs::write(fleet.path("more.toml"), "[tenants]\r\nle-more = { on_remove = \"retain\" }\r\nle-other = {}\r\n")
        .unwrap();
    fleet
}

fn read(fleet: &Fleet, file: &str) -> String {
    fs::read_to_string(fleet.path(file)).unwrap()
}

#[test]
fn a_tenant_comes_and_goes_and_nothing_else_of_the_file_changes() {
    let fleet = fleet("life_edit");
    fs::set_permissions(fleet.path("tenants.toml"), fs::Permissions::from_mode(0o640)).unwrap();
    fs::rename(fleet.path("tenants.toml"), fleet.path("real.toml")).unwrap();
    symlink("real.toml", fleet.path("tenants.toml")).unwrap();
    let added =
        fleet.run(&["add", "le-new", "--class", "pro", "--set", "access=readonly", "--set", "settings.work_mem=16MB"]);
    let added = added.ends(0).says("+le-new").says("next: tenantry plan --target le-new");
    assert!(!added.stdout.contains("hunter2secret"), "{}", added.stdout);
    let line = "le-new = { class = \"pro\", access = \"readonly\", settings = { work_mem = \"16MB\" } }\n";
    let with = FILE.replace("true }\n", &format!("true }}\n{line}"));
    assert_eq!(read(&fleet, "tenants.toml"), with);
    assert!(fleet.path("tenants.toml").is_symlink());
    assert_eq!(fs::metadata(fleet.path("real.toml")).unwrap().permissions().mode() & 0o7777, 0o640);
    let forgotten = fleet.run(&["forget", "le-new"]).ends(0);
    assert!(forgotten.stdout.contains("-le-new"), "{}", forgotten.stdout);
    assert_eq!(read(&fleet, "tenants.toml"), FILE);

    fleet.run(&["forget", "le-more"]).ends(0).says("its schema stays");
    assert_eq!(read(&fleet, "more.toml"), "[tenants]\r\nle-other = {}\r\n");
    fleet.run(&["forget", "le-one"]).ends(0).says("archive its data");
    assert_eq!(read(&fleet, "tenants.toml"), FILE.replace("le-one = {} # pays\n", ""));
    let json = fleet.run(&["add", "le-one", "--format", "json"]).ends(0).json();
    assert_eq!((&json["tenant"], &json["file"]), (&"le-one".into(), &"tenants.toml".into()));
}

#[test]
fn what_makes_no_sense_is_refused_and_nothing_is_written() {
    let fleet = fleet("life_refused");
    let (main, more) = (read(&fleet, "tenants.toml"), read(&fleet, "more.toml"));
    for (args, says) in [
        (["add", "le-one"].as_slice(), "tenant le-one already exists: tenants.toml, line 9"),
        (&["add", "le-more"], "tenant le-more already exists: more.toml, line 2"),
        (&["add", "Not A Key"], "\"Not A Key\""),
        (&["add", "le-new", "--class", "pr0"], "did you mean \"pro\"?"),
        (&["add", "le-new", "--set", "acces=full"], "unknown key \"acces\""),
        (&["add", "le-new", "--set", "schema=tenant_le_one"], "tenants.toml (not written)"),
        (&["add", "le-new", "--set", "connection_limit=many"], "not written"),
        (
            &["add", "le-new", "--set", "password_from=hunter2 hunter2 hunter2"],
            "a password was given on the command line",
        ),
        (&["forget", "le-none"], "tenant \"le-none\" is not in tenants.toml, more.toml"),
        (&["forget", "le-kept"], "tenant le-kept is protected: tenants.toml, line 10"),
    ] {
        fleet.run(args).ends(1).says(says);
        assert_eq!((read(&fleet, "tenants.toml"), read(&fleet, "more.toml")), (main.clone(), more.clone()), "{args:?}");
    }
    fleet.run(&["add", "le-new", "--set", "connection_limit"]).ends(64);
}
