//! A file that is not as it was saved is refused; and one that somebody made look untouched still runs nothing of its own.

use std::fs;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::save;
use crate::fleet::Fleet;
use crate::postgres_server::Version;

fn write(fleet: &Fleet, plan: &Value) {
    fs::write(fleet.path("plan.json"), serde_json::to_string_pretty(plan).unwrap()).unwrap();
}

/// Does to the file what one who has read our source would.
fn with_digest(mut plan: Value) -> Value {
    plan.as_object_mut().unwrap().shift_remove("digest");
    let digest: String = Sha256::digest(plan.to_string()).iter().map(|byte| format!("{byte:02x}")).collect();
    plan["digest"] = json!(digest);
    plan
}

fn fleet_with_a_plan(name: &str, key: &str) -> (Fleet, Value) {
    let fleet = Fleet::usual(Version::V18, name);
    fleet.execute("CREATE TABLE public.canary (id int)");
    fleet.declare(&format!("{key}-one = {{}}\n{key}-two = {{}}"));
    fleet.apply();
    fleet.declare(&format!(
        "{key}-one = {{ connection_limit = 4 }}\n{key}-two = {{ connection_limit = 5 }}\n{key}-new = {{}}"
    ));
    let plan = save(&fleet);
    (fleet, plan)
}

type Edit = fn(&mut Value);

/// What somebody who wants another plan to be carried out, or another one to be seen, would try.
const EDITS: [(&str, Edit); 10] = [
    ("a statement", |plan| plan["tenants"][1]["changes"][0]["sql"] = json!(["DROP TABLE public.canary"])),
    ("a statement more", |plan| {
        plan["tenants"][0]["changes"][0]["sql"].as_array_mut().unwrap().push(json!("DROP TABLE public.canary"));
    }),
    ("words", |plan| plan["tenants"][1]["changes"][0]["after"] = json!("connection limit 400")),
    ("a danger less", |plan| {
        assert!(!plan["hazards"].as_array().unwrap().is_empty(), "of the table in schema public");
        plan["hazards"] = json!([]);
    }),
    ("a verb", |plan| plan["tenants"][1]["verb"] = json!("remove")),
    ("a name", |plan| plan["tenants"][1]["username"] = json!("postgres")),
    ("a hazard less", |plan| plan["tenants"][0]["hazards"] = json!([{"kind": "data_lost", "detail": "nothing"}])),
    ("an observation", |plan| {
        let first = plan["observed"].as_object_mut().unwrap().values_mut().next().unwrap();
        first["its row in the registry"] = json!("00");
    }),
    ("the configuration", |plan| plan["configuration"] = json!("00")),
    ("what is shared", |plan| {
        plan["database_changes"] =
            json!([{"action": "create_group", "detail": "x\u{1b}[2J", "sql": ["DROP TABLE public.canary"]}]);
    }),
];

#[test]
fn an_edited_file_is_refused_and_an_edited_statement_never_runs() {
    let (fleet, plan) = fleet_with_a_plan("edited", "te");
    for (what, edit) in EDITS {
        let mut edited = plan.clone();
        edit(&mut edited);
        assert_ne!(edited, plan, "{what}");
        write(&fleet, &edited);
        for command in [&["apply", "-y", "plan.json"][..], &["show", "plan.json"]] {
            fleet.run(command).ends(1).says("it was changed since it was saved; nothing was changed");
        }
        // A digest is no signature: with the right one the file is read, and held against what would be done.
        write(&fleet, &with_digest(edited));
        let run = fleet.run(&["apply", "-y", "plan.json"]).ends(1).says("the saved plan is stale; nothing was changed");
        assert!(!run.stderr.contains('\x1b'), "{what}: {}", run.stderr);
        fleet.run(&["show", "plan.json"]).ends(0);
        assert_eq!(fleet.ask("SELECT count(*) FROM pg_tables WHERE tablename = 'canary'"), "1", "{what}");
        assert_eq!(fleet.ask("SELECT max(rolconnlimit) FROM pg_roles WHERE rolname ~ '^te_'"), "-1", "{what}");
    }
    write(&fleet, &plan);
    fleet.run(&["apply", "-y", "plan.json"]).ends(0);
    fleet.settled();
}

/// Tenants taken out, or their work disowned: less is done than was reviewed, and never something else.
#[test]
fn a_file_with_less_in_it_does_less_and_nothing_else() {
    let (fleet, plan) = fleet_with_a_plan("less", "tl");
    let mut less = plan.clone();
    less["tenants"].as_array_mut().unwrap().remove(1);
    write(&fleet, &less);
    fleet.run(&["apply", "-y", "plan.json"]).ends(1).says("it was changed since it was saved");
    let mut unchanged = plan.clone();
    unchanged["tenants"][1]["verb"] = json!("unchanged");
    write(&fleet, &with_digest(unchanged));
    fleet.run(&["apply", "-y", "plan.json"]).ends(0).says("Apply: 2 applied");
    let limits = "SELECT rolconnlimit FROM pg_roles WHERE rolname ~ '^tl_(one|two)_user' ORDER BY rolname";
    assert_eq!(fleet.ask(limits), "-1; 5");
    write(&fleet, &with_digest(less));
    fleet.run(&["apply", "-y", "plan.json"]).ends(1).says("there is nothing left to do");
    fleet.applies_and_settles();
}

#[test]
fn what_is_no_plan_is_told_apart() {
    let (fleet, plan) = fleet_with_a_plan("garbage", "tg");
    let text = fs::read_to_string(fleet.path("plan.json")).unwrap();
    let edited = |edit: fn(&mut Value)| {
        let mut plan = plan.clone();
        edit(&mut plan);
        serde_json::to_vec(&with_digest(plan)).unwrap()
    };
    let cases: [(Vec<u8>, &str); 13] = [
        (Vec::new(), "it is not a saved plan, or only part of one: EOF"),
        (b"garbage".to_vec(), "it is not a saved plan"),
        (vec![0xff, 0xfe, 0], "it is not a saved plan"),
        (b"[1, 2]".to_vec(), "there is no format_version"),
        (text.as_bytes()[..text.len() / 2].to_vec(), "or only part of one: EOF"),
        (format!("{text}{text}").into_bytes(), "trailing characters"),
        (fleet.run(&["plan", "--format", "json"]).stdout.into_bytes(), "it is the output of --format json"),
        (
            edited(|plan| plan["format_version"] = json!("2")),
            "it has format \"2\", but this version of tenantry reads \"1\"",
        ),
        (edited(|plan| plan["tenantry_version"] = json!("9.9.9\u{1b}")), "saved by tenantry \"9.9.9\\u{1b}\""),
        (edited(|plan| plan["tenants"][0]["verb"] = json!("destroy")), "unknown variant `destroy`"),
        (edited(|plan| plan["more"] = json!(1)), "unknown field `more`"),
        (edited(|plan| plan["tenants"][0]["more"] = json!(1)), "it was changed since it was saved"),
        (text.replacen("\"targets\": []", "\"targets\": [\"x\"], \"targets\": []", 1).into_bytes(), "duplicate field"),
    ];
    for (bytes, words) in cases {
        fs::write(fleet.path("plan.json"), &bytes).unwrap();
        let offline = ["--database-url", "postgresql://nobody@127.0.0.1:1/none", "apply", "-y", "plan.json"];
        fleet.run(&offline).ends(1).says(words).says("nothing was changed").says(" plan --out FILE");
        fleet.run(&["show", "plan.json"]).ends(1).says(words);
    }
    // White space is nobody's change.
    write(&fleet, &plan);
    fs::write(fleet.path("plan.json"), plan.to_string()).unwrap();
    fleet.run(&["apply", "-y", "plan.json"]).ends(0);
}
