//! What must hold: for whom nothing was changed, all the time; for everybody, after one more apply.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::{Value, json};

use crate::fleet::{Change, Fleet};
use crate::fleet_support::ask;
use crate::tenant::{Names, Tenant};
use crate::world::{DATABASE, World, wait};

/// Tenants that the round does not touch log in with what was delivered, whatever was cut off: at the old path or, while
/// the secrets move, at the new one, and with everything that is there.
pub fn the_untouched_work(world: &World, before: &Fleet, change: &Change) -> Result<(), String> {
    let after = &change.after;
    let untouched: Vec<_> = before.tenants.iter().filter(|(key, _)| !change.touched.contains(*key)).collect();
    let places: BTreeSet<String> =
        untouched.iter().flat_map(|(key, _)| [before.secret_path(key), after.secret_path(key)]).collect();
    let secrets = world.secrets(&places.into_iter().collect::<Vec<_>>());
    let mut tries = Vec::new();
    for (key, tenant) in untouched {
        let here: BTreeSet<_> = [before.secret_path(key), after.secret_path(key)].into();
        let found: Vec<_> = here.iter().filter_map(|path| secrets.get(path)).collect();
        if found.is_empty() {
            return Err(format!("{key} was not to be changed, and has no secret"));
        }
        tries.extend(found.into_iter().map(|secret| (key.clone(), tenant, secret.clone())));
    }
    all_well(world.log_in(&tries), "of those that were not to be changed")
}

/// After the one apply: everybody works, and nothing is there that is nobody's.
pub fn all_is_well(world: &World, before: &Fleet, fleet: &Fleet) -> Result<(), String> {
    let paths: Vec<_> = fleet.tenants.keys().map(|key| fleet.secret_path(key)).collect();
    let secrets = world.secrets(&paths);
    let tries: Vec<_> = fleet
        .tenants
        .iter()
        .map(|(key, tenant)| {
            (key.clone(), tenant, secrets.get(&fleet.secret_path(key)).cloned().unwrap_or(Value::Null))
        })
        .collect();
    all_well(world.log_in(&tries), "after the apply")?;
    for (key, tenant) in &fleet.tenants {
        let delivered = &secrets[&fleet.secret_path(key)]["password"];
        if tenant.password.as_ref().is_some_and(|given| *delivered != json!(given)) {
            return Err(format!("{key} has not the password it was given"));
        }
    }
    nothing_is_nobodys(world, fleet)?;
    the_store_holds_these(world, fleet)?;
    who_went_is_in_an_archive(world, before, fleet)?;
    the_data_is_there(world, before, fleet)
}

fn all_well(faults: Vec<String>, who: &str) -> Result<(), String> {
    if faults.is_empty() { Ok(()) } else { Err(format!("{who}: {}", faults.join("\n"))) }
}

/// Active and retained tenants, with their state.
fn everybody(fleet: &Fleet) -> impl Iterator<Item = (&String, Names, &'static str)> {
    with_states(fleet).map(|(key, tenant, state)| (key, tenant.names(key), state))
}

fn with_states(fleet: &Fleet) -> impl Iterator<Item = (&String, &Tenant, &'static str)> {
    let active = fleet.tenants.iter().map(|tenant| (tenant, "active"));
    let retained = fleet.retained.iter().map(|tenant| (tenant, "retained"));
    active.chain(retained).map(|((key, tenant), state)| (key, tenant, state))
}

fn nothing_is_nobodys(world: &World, fleet: &Fleet) -> Result<(), String> {
    let mut admin = world.admin();
    let mut the_same = |what: &str, sql: &str, wanted: BTreeSet<String>| {
        let found = ask(&mut admin, sql);
        let found: BTreeSet<String> = found.split("; ").filter(|one| !one.is_empty()).map(str::to_owned).collect();
        let (more, less): (Vec<_>, Vec<_>) = (found.difference(&wanted).collect(), wanted.difference(&found).collect());
        if more.is_empty() && less.is_empty() {
            Ok(())
        } else {
            Err(format!("{what}: too many {more:?}, missing {less:?}"))
        }
    };
    let groups = ["tenants", "owners"].map(|whose| format!("tenantry_{DATABASE}_{whose} false"));
    let mut roles = BTreeSet::from(["postgres true".to_owned()]);
    roles.extend(groups);
    for (key, tenant, state) in with_states(fleet) {
        let names = tenant.names(key);
        let may_log_in = state == "active" && !tenant.suspended;
        roles.insert(format!("{} {}", names.username, may_log_in && !tenant.two_user));
        if names.owner != names.username {
            roles.insert(format!("{} false", names.owner));
        }
        if tenant.two_user {
            // Of the two one is idle: before the first rotation, and after --end-old, it may not log in.
            roles.extend(
                tenant
                    .logins(key)
                    .into_iter()
                    .map(|user| format!("{user} {}", if may_log_in { "one" } else { "false" })),
            );
        }
    }
    let who = "SELECT rolname || ' ' || CASE WHEN rolname ~ '_[ab]$' AND bool_or(rolcanlogin) \
               OVER (PARTITION BY regexp_replace(rolname, '_[ab]$', '/')) THEN 'one' ELSE rolcanlogin::text END \
               FROM pg_roles WHERE rolname !~ '^pg_'";
    the_same("roles", who, roles)?;
    let schemas = everybody(fleet).map(|(_, names, _)| names.schema).chain(["public".into(), "tenantry".into()]);
    the_same(
        "schemas",
        "SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'",
        schemas.collect(),
    )?;
    let rows = everybody(fleet)
        .map(|(key, names, state)| format!("{key} {state} {} {} {}", names.schema, names.username, names.owner));
    the_same(
        "the registry's rows",
        "SELECT concat_ws(' ', tenant, state, schema_name, username, owner) FROM tenantry.tenants",
        rows.collect(),
    )?;
    let leftovers = "SELECT 'former secret ' || path FROM tenantry.former_secrets \
        UNION ALL SELECT 'former owner ' || role FROM tenantry.former_owners \
        UNION ALL SELECT 'function ' || oid::regprocedure FROM pg_proc WHERE proname LIKE 'tenantry\\_%' \
        UNION ALL SELECT 'invalid index ' || indexrelid::regclass FROM pg_index WHERE NOT indisvalid \
        UNION ALL SELECT 'prepared transaction ' || gid FROM pg_prepared_xacts \
        UNION ALL SELECT 'large object ' || oid FROM pg_largeobject_metadata";
    the_same("leftovers", leftovers, BTreeSet::new())?;
    // The tool's sessions end a moment after the tool.
    let locks = "SELECT pid FROM pg_locks WHERE locktype = 'advisory'";
    wait(|| ask(&mut admin, locks), "an advisory lock is still held by")
}

fn the_store_holds_these(world: &World, fleet: &Fleet) -> Result<(), String> {
    let found = world.paths();
    let wanted: BTreeMap<String, Value> = fleet
        .tenants
        .keys()
        .map(|key| (fleet.secret_path(key), json!({"managed_by": "tenantry", "tenant": key, "database": DATABASE})))
        .collect();
    for (path, custom) in &wanted {
        // Beside these the mark says whose fleet's it is.
        let has = |(name, value): (&String, &Value)| found.get(path).is_some_and(|there| there[name] == *value);
        if !custom.as_object().unwrap().iter().all(has) {
            return Err(format!("the store has at {path}: {:?}", found.get(path)));
        }
    }
    match found.keys().find(|path| !wanted.contains_key(*path)) {
        Some(orphan) => Err(format!("{orphan} is in the store, and nobody's: {}", found[orphan])),
        None => Ok(()),
    }
}

/// Who was removed so that an archive stays has one, whole and with its row; beside the archives there is nothing. Those of
/// earlier rounds are gone: each round looks at its own.
fn who_went_is_in_an_archive(world: &World, before: &Fleet, fleet: &Fleet) -> Result<(), String> {
    let dir = world.archives();
    let mut files: BTreeSet<String> = match fs::read_dir(&dir) {
        Ok(entries) => entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect(),
        Err(_) => BTreeSet::new(),
    };
    let mut archived = BTreeSet::new();
    for manifest in files.clone().iter().filter(|file| file.ends_with(".json")) {
        let archive = tenantry::archive::open(&dir.join(manifest)).map_err(|error| error.to_string())?;
        let users = archive.manifest.tables.iter().find(|table| table.table == "users");
        if users.is_none_or(|table| table.rows == 0) {
            return Err(format!("{manifest}: {} had a row", archive.manifest.tenant));
        }
        files.remove(manifest);
        files.remove(&archive.manifest.dump.file);
        archived.insert(archive.manifest.tenant.to_string());
    }
    if !files.is_empty() {
        return Err(format!("no archive's: {files:?}"));
    }
    let gone = before.tenants.iter().filter(|(key, tenant)| {
        let there = fleet.tenants.contains_key(*key) || fleet.retained.contains_key(*key);
        tenant.on_remove == "archive" && !there
    });
    if let Some((key, _)) = gone.into_iter().find(|(key, _)| !archived.contains(*key)) {
        return Err(format!("{key} is gone without an archive; of these there is one: {archived:?}"));
    }
    let _ = fs::remove_dir_all(dir);
    Ok(())
}

/// Every tenant gets a row once it is there, and keeps it for as long as it has a schema.
fn the_data_is_there(world: &World, before: &Fleet, fleet: &Fleet) -> Result<(), String> {
    let schemas: BTreeMap<&String, String> =
        everybody(fleet).map(|(key, names, _)| (key, format!("\"{}\"", names.schema))).collect();
    let without = |key: &String| {
        format!("SELECT '{key}' WHERE NOT EXISTS (SELECT FROM {}.users WHERE email = 'kept')", schemas[key])
    };
    let sql = schemas.keys().map(|key| without(key)).collect::<Vec<_>>().join(" UNION ALL ");
    let mut admin = world.admin();
    for key in ask(&mut admin, &sql).split("; ").filter(|key| !key.is_empty()).map(str::to_owned) {
        if before.tenants.contains_key(&key) || before.retained.contains_key(&key) {
            return Err(format!("{key} was there before, and its data is gone"));
        }
        admin.batch_execute(&format!("INSERT INTO {}.users (email) VALUES ('kept')", schemas[&key])).unwrap();
    }
    Ok(())
}
