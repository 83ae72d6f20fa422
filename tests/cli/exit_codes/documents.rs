//! The JSON documents, key by key: what scripts rely on.

use serde_json::{Value, json};

use crate::fleet::Fleet;
use crate::postgres_server::Version;
use crate::schema::assert_fits;

/// These keys, in this order, and no others.
#[track_caller]
fn keys(value: &Value, expected: &[&str]) {
    let found: Vec<_> = value.as_object().unwrap_or_else(|| panic!("{value}")).keys().map(String::as_str).collect();
    assert_eq!(found, expected, "{value}");
}

#[test]
fn a_plan_as_json() {
    let fleet = Fleet::usual(Version::V18, "plan_json");
    fleet.declare("pj-new = {}\npj-same = {}\npj-gone = {}\npj-other = {}\npj-bad = {}");
    fleet.execute("CREATE ROLE pj_bad_user");
    fleet.run(&["apply", "-y", "--target", "pj-[gos]*"]).ends(0);
    fleet.declare("pj-new = {}\npj-same = {}\npj-other = { connection_limit = 3 }\npj-bad = {}");
    let run = fleet.run(&["plan", "--format", "json"]).ends(0);
    assert_eq!(run.stderr, "");
    let plan = run.json();
    keys(&plan, &["format_version", "database", "summary", "database_changes", "hazards", "unseen", "tenants"]);
    assert_eq!(plan["format_version"], "1");
    keys(&plan["database"], &["host", "port", "name", "system_identifier"]);
    let identifier = fleet.ask("SELECT system_identifier::text FROM pg_control_system()");
    let database = json!({"host": "127.0.0.1", "port": fleet.database.server.port(), "name": fleet.database.name, "system_identifier": identifier});
    assert_eq!(plan["database"], database);
    assert_eq!(plan["summary"], json!({"create": 1, "update": 1, "remove": 1, "unchanged": 1, "blocked": 1}));
    let of =
        |key: &str| plan["tenants"].as_array().unwrap().iter().find(|tenant| tenant["tenant"] == key).unwrap().clone();
    let names: Vec<_> =
        plan["tenants"].as_array().unwrap().iter().map(|tenant| tenant["tenant"].as_str().unwrap()).collect();
    assert_eq!(names, ["pj-bad", "pj-gone", "pj-new", "pj-other", "pj-same"]);
    let all = ["tenant", "verb", "schema", "username", "owner", "changes", "hazards", "notes"];
    for (key, verb) in [("pj-new", "create"), ("pj-other", "update"), ("pj-gone", "remove"), ("pj-same", "unchanged")] {
        keys(&of(key), &all);
        assert_eq!(of(key)["verb"], verb);
    }
    keys(&of("pj-bad"), &[&all[..], &["reason", "hint"]].concat());
    assert_eq!(of("pj-bad")["verb"], "blocked");
    keys(&of("pj-other")["changes"][0], &["kind", "what", "before", "after", "sql"]);
    assert_eq!(
        of("pj-other")["changes"],
        json!([{"kind": "alter_role", "what": "role pj_other_user", "before": "no connection limit", "after": "connection limit 3",
                "sql": ["ALTER ROLE \"pj_other_user\" CONNECTION LIMIT 3"]}])
    );
    assert_eq!(of("pj-new")["changes"][0]["before"], Value::Null);
    let create = of("pj-new")["changes"]
        .as_array()
        .unwrap()
        .iter()
        .find(|change| change["kind"] == "create_role")
        .unwrap()
        .clone();
    assert_eq!(create["sql"][0], "CREATE ROLE \"pj_new_user\" LOGIN CONNECTION LIMIT -1 PASSWORD 'SCRAM-SHA-256$…'");
    keys(&of("pj-gone")["hazards"][0], &["kind", "detail"]);
    assert_eq!(of("pj-gone")["hazards"][0]["kind"], "deletes_data");
    // The same look gives the same bytes.
    assert_eq!(fleet.run(&["plan", "--format", "json"]).stdout, run.stdout);
    let shown = fleet.run(&["show", "pj-other", "--format", "json"]).ends(0).json();
    assert_eq!(shown["tenants"], json!([of("pj-other")]));
    keys(&shown, &["format_version", "database", "summary", "database_changes", "hazards", "unseen", "tenants"]);
    fleet.run(&["plan", "--out", "plan.json"]).ends(0);
    let saved: Value = serde_json::from_slice(&std::fs::read(fleet.path("plan.json")).unwrap()).unwrap();
    assert_fits(&saved, "plan.schema.json#/$defs/SavedPlan");
    let drift = fleet.run(&["drift", "--format", "json"]).ends(2).json();
    let of_the_file = fleet.run(&["show", "plan.json", "--format", "json"]).ends(0).json();
    for document in [&plan, &shown, &drift, &of_the_file] {
        assert_fits(document, "plan.schema.json");
    }
    let refused = std::panic::catch_unwind(|| assert_fits(&json!({"format_version": "1"}), "plan.schema.json"));
    assert!(refused.is_err(), "the schema takes anything");
}

#[test]
fn a_plan_for_a_new_database_lists_what_tenants_share() {
    let fleet = Fleet::usual(Version::V18, "new_json");
    fleet.declare("nj-one = {}");
    let plan = fleet.run(&["plan", "--format", "json"]).ends(0).json();
    let actions: Vec<_> =
        plan["database_changes"].as_array().unwrap().iter().map(|change| change["action"].as_str().unwrap()).collect();
    let wanted =
        ["create_registry", "create_group", "create_group", "grant_temp", "close_public_schema", "revoke_temp"];
    assert_eq!(actions, wanted);
    keys(&plan["database_changes"][1], &["action", "detail", "sql"]);
    assert_fits(&plan, "plan.schema.json");
}

#[test]
fn a_report_as_json() {
    let fleet = Fleet::usual(Version::V18, "apply_json");
    fleet.declare("aj-one = {}");
    fleet.apply();
    fleet.migration(
        "V3__x.sql",
        "SELECT 1;\nDO $$ BEGIN IF current_schema() LIKE '%bad' THEN RAISE 'no' USING HINT = 'try'; END IF; END $$;",
    );
    fleet.execute("CREATE SCHEMA tenant_aj_blocked");
    fleet.declare("aj-one = {}\naj-bad = {}\naj-blocked = {}");
    let run = fleet.run(&["apply", "-y", "--format", "json"]).ends(1);
    let report = run.json();
    keys(&report, &["format_version", "summary", "tenants"]);
    assert_eq!(report["format_version"], "1");
    assert_eq!(report["summary"], json!({"applied": 1, "unchanged": 0, "failed": 1, "skipped": 1, "unknown": 0}));
    let tenants = report["tenants"].as_array().unwrap();
    let told: Vec<_> =
        tenants.iter().map(|t| [&t["tenant"], &t["verb"], &t["outcome"]].map(|v| v.as_str().unwrap())).collect();
    assert_eq!(
        told,
        [["aj-bad", "create", "failed"], ["aj-blocked", "blocked", "skipped"], ["aj-one", "update", "applied"]]
    );
    for tenant in tenants {
        keys(tenant, &["tenant", "verb", "outcome", "error", "duration_ms"]);
        assert!(tenant["duration_ms"].is_u64());
    }
    keys(&tenants[0]["error"], &["message", "sqlstate", "hint"]);
    assert_eq!((&tenants[0]["error"]["sqlstate"], &tenants[0]["error"]["hint"]), (&json!("P0001"), &json!("try")));
    assert_eq!(tenants[2]["error"], Value::Null);
    assert_fits(&report, "report.schema.json");
    fleet.execute("DROP SCHEMA tenant_aj_blocked");
    fleet.declare("aj-one = {}");
    let report = fleet.run(&["apply", "-y", "--format", "json"]).ends(0).json();
    assert_eq!(
        report,
        json!({"format_version": "1", "summary": {"applied": 0, "unchanged": 1, "failed": 0, "skipped": 0, "unknown": 0}, "tenants": []})
    );
}

#[test]
fn the_fleet_and_the_proof_as_json() {
    let fleet = Fleet::usual(Version::V18, "list_json");
    fleet.declare("lj-one = {}\nlj-new = {}\nlj-kept = { on_remove = \"retain\" }");
    fleet.run(&["apply", "-y", "--target", "lj-[ok]*"]).ends(0);
    fleet.declare("lj-one = {}\nlj-new = {}");
    fleet.run(&["apply", "-y", "--allow-removals", "1", "--target", "lj-kept"]).ends(0);
    let _session = fleet.log_in("lj-one");
    let list = fleet.run(&["list", "--format", "json"]).ends(0).json();
    let rows = list.as_array().unwrap();
    let columns = [
        "tenant",
        "schema",
        "username",
        "state",
        "class",
        "declared",
        "migration",
        "size",
        "connections",
        "secret_age",
        "rows",
    ];
    rows.iter().for_each(|row| keys(row, &columns));
    let states: Vec<_> =
        rows.iter().map(|row| (row["tenant"].as_str().unwrap(), row["state"].as_str().unwrap())).collect();
    assert_eq!(states, [("lj-kept", "retained"), ("lj-new", "absent"), ("lj-one", "active")]);
    assert_eq!((&rows[2]["migration"], &rows[2]["connections"]), (&json!(2), &json!(1)));
    assert!(rows[2]["size"].as_i64().unwrap() > 0 && rows[2]["secret_age"].as_i64().unwrap() < 600);
    assert_eq!((&rows[1]["migration"], &rows[1]["secret_age"]), (&Value::Null, &Value::Null));
    assert_fits(&list, "list.schema.json");
    let table = fleet.run(&["list"]).ends(0).stdout;
    // No tenant has a class; the other two are shown when they are asked for.
    let mut shown = columns.iter().filter(|column| !["class", "declared", "rows"].contains(column));
    assert!(shown.all(|column| table.lines().nth(2).unwrap().contains(column)), "{table}");

    let verdict = fleet.run(&["verify", "--format", "json"]).ends(2).json();
    keys(&verdict, &["format_version", "summary", "tenants"]);
    assert_eq!(verdict["summary"], json!({"verified": 1, "failed": 1}));
    let tenants = verdict["tenants"].as_array().unwrap();
    keys(&tenants[1], &["tenant", "ok", "checks", "other_databases"]);
    assert_eq!((&tenants[0]["ok"], &tenants[1]["ok"]), (&json!(false), &json!(true)));
    assert!(tenants[1]["checks"].as_array().unwrap().len() > 10);
    let error = fleet.run(&["--format", "json", "show", "nobody"]).ends(1);
    let error: Value = serde_json::from_str(&error.stderr).unwrap();
    keys(&error["error"], &["message", "hint"]);
}
