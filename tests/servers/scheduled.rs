//! tenantry on a schedule: `drift` and its metrics, and what examples/deploy says, run and checked with the tools of those
//! who would copy it.
mod deploy;
mod prometheus;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use crate::fleet::{BOTH, Fleet};
use crate::postgres_server::Version;

/// The samples of a metrics file: `tenantry_tenants{verb="create"}` → 1.
fn samples(fleet: &Fleet, file: &str) -> BTreeMap<String, f64> {
    let text = fs::read_to_string(fleet.path(file)).unwrap();
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    samples
        .map(|line| line.rsplit_once(' ').unwrap())
        .map(|(name, value)| (name.into(), value.parse().unwrap()))
        .collect()
}

#[test]
fn drift_tells_sync_from_drift_from_errors_by_its_exit_code() {
    for version in BOTH {
        let mut fleet = Fleet::usual(version, "codes");
        fleet.declare("dc-one = {}\ndc-two = {}");
        fleet.run(&["drift"]).ends(2).says("2 to create");
        fleet.apply();
        fleet.run(&["drift"]).ends(0).says("No changes");
        let drift = |fleet: &Fleet, sql: &str, words: &str| {
            fleet.execute(sql);
            fleet.run(&["drift"]).ends(2).says(words);
            fleet.run(&["drift", "--target", "dc-two"]).ends(0);
            fleet.applies_and_settles();
            fleet.run(&["drift"]).ends(0);
        };
        drift(&fleet, "GRANT USAGE ON SCHEMA tenant_dc_one TO PUBLIC", "PUBLIC: USAGE → none");
        drift(&fleet, "ALTER ROLE dc_one_user SUPERUSER", "role dc_one_user");
        drift(&fleet, "ALTER ROLE dc_one_user SET work_mem = '1GB'", "work_mem");
        // A tenant that only a person can help is drift too.
        fleet.execute("CREATE SCHEMA tenant_dc_bad");
        fleet.declare("dc-one = {}\ndc-two = {}\ndc-bad = {}");
        fleet.run(&["drift"]).ends(2).says("blocked");
        for wrong in [&["drift", "--metrics"][..], &["drift", "--no-such"], &["drift", "something"]] {
            fleet.run(wrong).ends(64);
        }
        fleet.run(&["drift", "--target", "none-*"]).ends(1).says("matches no tenant");
        fleet.run(&["drift", "-c", "none.toml"]).ends(1).says("there is no such file");
        fleet.url = "postgresql://postgres@127.0.0.1:1/none".into();
        fleet.run(&["drift"]).ends(1).says("cannot connect");
        fleet.declare("dc-one = { acces = 1 }");
        fleet.run(&["drift"]).ends(1).says("acces");
    }
}

#[test]
fn every_metric_says_what_is_there() {
    let fleet = Fleet::usual(Version::V18, "metrics");
    fleet.declare("me-same = {}\nme-other = {}\nme-gone = {}\nme-behind = {}");
    fleet.apply();
    fleet.run(&["drift", "--metrics", "out.prom"]).ends(0);
    let found = samples(&fleet, "out.prom");
    let names: Vec<_> = found.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "tenantry_drift",
            "tenantry_last_run_timestamp_seconds",
            "tenantry_oldest_password_age_seconds",
            "tenantry_passwords_due",
            "tenantry_pending_migrations",
            "tenantry_run_duration_seconds",
            "tenantry_tenants{verb=\"blocked\"}",
            "tenantry_tenants{verb=\"create\"}",
            "tenantry_tenants{verb=\"remove\"}",
            "tenantry_tenants{verb=\"unchanged\"}",
            "tenantry_tenants{verb=\"update\"}",
        ]
    );
    assert_eq!((found["tenantry_drift"], found["tenantry_tenants{verb=\"unchanged\"}"]), (0.0, 4.0));
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
    assert!((now - found["tenantry_last_run_timestamp_seconds"]).abs() < 60.0, "{found:?}");
    assert!((0.0..60.0).contains(&found["tenantry_run_duration_seconds"]), "{found:?}");

    fleet.execute(
        "UPDATE tenantry.tenants SET password_changed_at = now() - interval '100 days' WHERE tenant = 'me-same'",
    );
    fleet
        .execute("CREATE SCHEMA tenant_me_bad; DELETE FROM tenant_me_behind.refinery_schema_history WHERE version = 2");
    fleet.declare("me-same = {}\nme-other = { connection_limit = 1 }\nme-behind = {}\nme-new = {}\nme-bad = {}");
    fleet.run(&["drift", "--metrics", "out.prom"]).ends(2);
    let found = samples(&fleet, "out.prom");
    for verb in ["create", "remove", "unchanged", "blocked"] {
        assert_eq!(found[&format!("tenantry_tenants{{verb=\"{verb}\"}}")], 1.0, "{verb}: {found:?}");
    }
    assert_eq!(found["tenantry_tenants{verb=\"update\"}"], 2.0);
    assert_eq!(found["tenantry_drift"], 1.0);
    // Two of the tenant that is new, one of the one that is behind.
    assert_eq!(found["tenantry_pending_migrations"], 3.0);
    assert!((found["tenantry_oldest_password_age_seconds"] - 8_640_000.0).abs() < 600.0, "{found:?}");
    fleet.run(&["drift", "--metrics", "out.prom", "--target", "me-other"]).ends(2);
    assert!(samples(&fleet, "out.prom")["tenantry_oldest_password_age_seconds"] < 600.0, "of the tenants looked at");
}

/// Alerts on the age of the last run rest on this: a run that fails leaves what the last one said.
#[test]
fn the_files_are_replaced_whole_and_only_by_runs_that_finish() {
    let mut fleet = Fleet::usual(Version::V18, "whole");
    fleet.declare("wo-one = {}");
    fs::write(fleet.path("out.prom"), "from an earlier run\n").unwrap();
    fs::set_permissions(fleet.path("out.prom"), fs::Permissions::from_mode(0o600)).unwrap();
    let before = fs::metadata(fleet.path("out.prom")).unwrap().ino();
    let reader = fs::File::open(fleet.path("out.prom")).unwrap();
    let script = "umask 077 && exec \"$0\" drift --metrics out.prom --report page.html";
    let output = fleet.program("sh").args(["-c", script, env!("CARGO_BIN_EXE_tenantry")]).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert_eq!(std::io::read_to_string(reader).unwrap(), "from an earlier run\n");
    assert_ne!(fs::metadata(fleet.path("out.prom")).unwrap().ino(), before);
    for file in ["out.prom", "page.html"] {
        assert_eq!(fs::metadata(fleet.path(file)).unwrap().permissions().mode() & 0o7777, 0o644, "{file}");
    }
    let left: Vec<_> = fs::read_dir(fleet.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with(".tenantry-")), "{left:?}");

    let said = fs::read_to_string(fleet.path("out.prom")).unwrap();
    fleet.run(&["drift", "--metrics", "/dev/null"]).ends(1).says("not a regular file");
    fleet.run(&["drift", "--metrics", "nowhere/out.prom"]).ends(1).says("writing nowhere/out.prom");
    fleet.url = "postgresql://postgres@127.0.0.1:1/none".into();
    fleet.run(&["drift", "--metrics", "out.prom"]).ends(1);
    assert_eq!(fs::read_to_string(fleet.path("out.prom")).unwrap(), said);
}
