//! The examples do what they say.

#[allow(dead_code)]
#[path = "../../examples/per-tenant-credentials/main.rs"]
mod per_tenant_credentials;
#[allow(dead_code)]
#[path = "../../examples/plan.rs"]
mod plan;

use crate::postgres_server;
use crate::snapshot;
use std::fs;

#[test]
fn the_library_plans_and_applies() {
    let dir = tempfile::tempdir().unwrap();
    let file = snapshot::copy("tenants.toml", dir.path());
    snapshot::copy("migrations", dir.path());
    let database = postgres_server::database("example");
    let planned = plan::run(&file, Some(&database.url), false).unwrap();
    assert!(planned.contains("Plan: 5 to create"), "{planned}");
    let applied = plan::run(&file, Some(&database.url), true).unwrap();
    assert!(applied.contains("Apply: 5 applied, 0 unchanged, 0 failed"), "{applied}");
    let again = plan::run(&file, Some(&database.url), false).unwrap();
    assert!(again.starts_with("No changes."), "{again}");
}

#[test]
fn neither_tenant_sees_the_other() {
    let readme = fs::read_to_string(snapshot::root().join("examples/per-tenant-credentials/README.md")).unwrap();
    let said = per_tenant_credentials::run(None).unwrap();
    assert!(readme.contains(&said), "the README says otherwise:\n{said}");
}
