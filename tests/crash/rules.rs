//! How a run is cut off, and what must hold after one more.

use std::collections::BTreeSet;

use crate::fleet::Fleet;

pub const APPLY: [&str; 4] = ["apply", "-y", "--allow-removals", "9"];

/// Runs the command with the process ending at this point. Says whether it got there.
pub fn cut_off(fleet: &Fleet, args: &[&str], point: &'static str) -> bool {
    let mut command = fleet.command(args);
    command.env("FAILPOINTS", format!("{point}=return"));
    let output = command.output().unwrap();
    // A process that aborts has no exit code.
    let code = output.status.code();
    assert!(code.is_none_or(|code| code == 0), "{point}: {}", String::from_utf8_lossy(&output.stderr));
    code.is_none()
}

/// Nothing is left that no tenant has: roles, schemas, secrets, halves of them, rows, or the lock.
#[track_caller]
pub fn no_orphans(fleet: &Fleet, prefix: &str, secrets: &BTreeSet<String>, at: &str) {
    let orphans = fleet.ask(&format!(
        "SELECT 'role ' || rolname FROM pg_roles WHERE rolname LIKE '{prefix}%' AND rolname NOT IN (SELECT username FROM tenantry.tenants UNION SELECT owner FROM tenantry.tenants \
              UNION SELECT username || u FROM tenantry.tenants, unnest(ARRAY['_a', '_b']) u WHERE rotation = 'two-user') \
         UNION ALL SELECT 'schema ' || nspname FROM pg_namespace WHERE (nspname LIKE 'tenant\\_{prefix}%' OR nspname LIKE '{prefix}%') AND nspname NOT IN (SELECT schema_name FROM tenantry.tenants) \
         UNION ALL SELECT 'row ' || tenant FROM tenantry.tenants WHERE state = 'removed' \
         UNION ALL SELECT 'former secret ' || path FROM tenantry.former_secrets UNION ALL SELECT 'former owner ' || role FROM tenantry.former_owners \
         UNION ALL SELECT 'deputy ' || deputy FROM tenantry.tenants WHERE deputy IS NOT NULL \
         UNION ALL SELECT 'nologin ' || username FROM tenantry.tenants JOIN pg_roles ON rolname = secret_username WHERE state = 'active' AND NOT suspended AND NOT rolcanlogin \
         UNION ALL SELECT 'suspended ' || rolname FROM tenantry.tenants JOIN pg_roles ON rolname IN (username, username || '_a', username || '_b') WHERE suspended AND rolcanlogin \
         UNION ALL SELECT 'login ' || username FROM tenantry.tenants JOIN pg_roles ON rolname = username WHERE rotation = 'two-user' AND rolcanlogin \
         UNION ALL SELECT 'lock' FROM pg_locks l JOIN pg_database d ON d.oid = l.database WHERE locktype = 'advisory' AND d.datname = current_database()"
    ));
    assert_eq!(orphans, "", "{at}");
    let wanted = fleet.ask("SELECT secret_path FROM tenantry.tenants WHERE state = 'active' ORDER BY 1");
    let wanted: BTreeSet<String> = wanted.split("; ").filter(|path| !path.is_empty()).map(str::to_owned).collect();
    assert_eq!(*secrets, wanted, "{at}: secrets");
}

/// What is in the file store, by path; anything else there is a half of something.
pub fn secret_files(fleet: &Fleet) -> BTreeSet<String> {
    let root = fleet.path(".tenantry/secrets");
    let mut found = BTreeSet::new();
    let mut dirs = vec![root.clone()];
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(dir).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
            } else if path.file_name().is_some_and(|name| name != ".lock") {
                let name = path.strip_prefix(&root).unwrap().to_str().unwrap();
                found.insert(name.strip_suffix(".json").unwrap_or(name).to_owned());
            }
        }
    }
    found
}

pub fn one_more_apply_ends_in_sync(fleet: &Fleet, at: &str) {
    let run = fleet.run(&APPLY);
    assert_eq!(run.code, 0, "{at}: apply\n{}\n{}", run.stdout, run.stderr);
    let run = fleet.run(&["plan", "--deep", "--detailed-exitcode"]);
    assert_eq!(run.code, 0, "{at}: plan\n{}\n{}", run.stdout, run.stderr);
    let run = fleet.run(&["verify"]);
    assert_eq!(run.code, 0, "{at}: verify\n{}\n{}", run.stdout, run.stderr);
}
