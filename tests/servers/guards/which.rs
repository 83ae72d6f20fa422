//! What every output says: which database it is about, and which part of the tenants; and that no value from outside passes
//! for words of ours.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::fleet::{BOTH, Fleet, Run};
use crate::postgres_server::Version;

/// `app on 127.0.0.1:5433 as postgres (from TENANTRY_DATABASE_URL)`.
fn place(fleet: &Fleet) -> String {
    let port = fleet.database.server.port();
    format!("{} on 127.0.0.1:{port} as postgres (from TENANTRY_DATABASE_URL)", fleet.database.name)
}

#[track_caller]
fn begins(run: &Run, line: &str) {
    assert_eq!(run.stdout.lines().next(), Some(line), "{}\n{}", run.stdout, run.stderr);
    assert_eq!(run.stdout.matches(line).count(), 1, "{}", run.stdout);
}

#[test]
fn every_output_begins_with_the_database_it_is_about() {
    // pg_dump of the same version is installed.
    let fleet = Fleet::usual(BOTH[0], "which");
    fleet.declare("wh-one = { on_remove = \"archive\" }\nwh-two = {}");
    let place = place(&fleet);
    begins(&fleet.run(&["plan", "--out", "saved.plan"]).ends(0), &place);
    begins(&fleet.run(&["apply", "-y"]).ends(0), &place);
    let port = fleet.database.server.port();
    let saved = format!("{} on 127.0.0.1:{port} (from saved.plan)", fleet.database.name);
    begins(&fleet.run(&["show", "saved.plan"]).ends(0), &saved);
    for command in [
        &["plan"][..],
        &["drift"],
        &["list"],
        &["show", "wh-one"],
        &["show", "--shape", "wh-one"],
        &["verify"],
        &["apply", "-y"],
    ] {
        begins(&fleet.run(command).ends(0), &place);
        let with = |more: &[&'static str]| fleet.run(&[command, more].concat()).ends(0);
        begins(&with(&["--format", "markdown"]), &place);
        assert!(!with(&["-q"]).stdout.contains(" as postgres"), "{command:?}");
        let json = with(&["--format", "json"]);
        assert!(
            serde_json::from_str::<Value>(&json.stdout).is_ok() && !json.stdout.contains("(from "),
            "{}",
            json.stdout
        );
    }
    begins(&fleet.run(&["rotate", "-y", "wh-two"]).ends(0), &place);
    begins(&fleet.run(&["archive", "wh-one"]).ends(0), &place);
    fleet.declare("wh-two = {}");
    begins(&fleet.run(&["apply", "-y", "--allow-removals", "1"]).ends(0), &place);
    fleet.declare("wh-one = {}\nwh-two = {}");
    let archives = fs::read_dir(fleet.path("archives")).unwrap();
    let manifests =
        archives.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some_and(|e| e == "json"));
    let manifest = manifests.max().unwrap();
    begins(&fleet.run(&["restore", "-y", manifest.to_str().unwrap()]).ends(0), &place);
    // The address in the file, and one that others complete.
    let mut file = Fleet::usual(BOTH[0], "which_file");
    file.head.insert_str(0, &format!("[database]\nurl = \"{}\"\n", file.url));
    file.declare("");
    file.env.insert("TENANTRY_DATABASE_URL".into(), String::new());
    let name = &file.database.name;
    begins(&file.run(&["plan"]).ends(0), &format!("{name} on 127.0.0.1:{port} as postgres (from [database].url)"));
    begins(
        &fleet.run(&["plan", "--database-url", &fleet.url]).ends(0),
        &place.replace("TENANTRY_DATABASE_URL", "--database-url"),
    );
}

/// A terminal, with this typed into it.
fn on_a_terminal(fleet: &Fleet, args: &str, typed: &str) -> String {
    let line = format!("printf '{typed}' | script -qec '{} {args}' /dev/null", env!("CARGO_BIN_EXE_tenantry"));
    let mut command: Command = fleet.program("sh");
    let output = command.args(["-c", &line]).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn applys_question_names_the_database() {
    let fleet = Fleet::usual(Version::V18, "asked");
    fleet.declare("as-one = {}");
    let shown = on_a_terminal(&fleet, "apply", "no\\n");
    let question = shown.split_once("Plan: 1 to create").unwrap().1;
    assert!(question.contains(&place(&fleet)), "{shown}");
    assert!(
        question.contains("Apply these changes? Only \"yes\" is accepted: ")
            && question.contains("Nothing was changed."),
        "{shown}"
    );
    fleet.assert_no_trace_of("as-one");
    assert!(on_a_terminal(&fleet, "apply -q", "yes\\n").contains("1 applied"));
}

#[test]
fn a_look_at_a_part_says_so_and_nothing_of_the_rest() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "part");
        fleet.declare("pa-one = {}\npa-two = {}\npa-six = {}");
        fleet
            .run(&["apply", "-y", "--target", "pa-one"])
            .ends(0)
            .says("Targeting is in effect: 1 of 3 tenants was looked at.");
        let part = ["--target", "pa-one"];
        let with = |command: &[&'static str], more: &[&'static str]| fleet.run(&[command, &part, more].concat());
        for command in [&["plan"][..], &["drift"], &["apply", "-y"], &["list"], &["verify"]] {
            let run = with(command, &[]).ends(0).says("Targeting is in effect: 1 of 3 tenants was looked at.");
            assert!(!run.stdout.contains("match tenants.toml"), "{}", run.stdout);
        }
        let run = with(&["plan"], &["--format", "markdown"])
            .ends(0)
            .says("**Targeting is in effect: 1 of 3 tenants was looked at.**");
        assert!(run.stdout.contains("No changes to what was looked at."), "{}", run.stdout);
        for command in [&["plan"][..], &["drift"], &["apply", "-y"], &["verify"]] {
            let document = with(command, &["--format", "json"]).ends(0).json();
            assert_eq!(document["targeting"], json!({ "looked_at": 1, "of": 3 }), "{command:?}");
        }
        with(&["drift"], &["--metrics", "m.prom", "--report", "r.html"]).ends(0);
        let metrics = fs::read_to_string(fleet.path("m.prom")).unwrap();
        assert!(
            metrics.contains("tenantry_tenants_not_looked_at 2\n") && metrics.contains("tenantry_drift 0\n"),
            "{metrics}"
        );
        let page = fs::read_to_string(fleet.path("r.html")).unwrap();
        assert!(
            page.contains("Targeting is in effect: 1 of 3 tenants was looked at.") && !page.contains("In sync"),
            "{page}"
        );
        // All of them is no part.
        fleet.apply();
        let run = fleet.run(&["plan", "--target", "pa-*"]).ends(0).says("match tenants.toml");
        assert!(!run.stdout.contains("Targeting"), "{}", run.stdout);
        assert_eq!(fleet.run(&["plan", "--format", "json"]).json().get("targeting"), None);
        fleet.run(&["verify", "pa-two"]).ends(0).says("1 of 3 tenants was looked at");
        // What a saved plan was made of, it says.
        fleet.declare("pa-one = { connection_limit = 7 }\npa-two = {}\npa-six = {}");
        fleet.run(&["plan", "--target", "pa-one", "--out", "s.plan"]).ends(0);
        fleet.run(&["show", "s.plan"]).ends(0).says("1 of 3 tenants was looked at");
        fleet.run(&["apply", "-y", "s.plan"]).ends(0).says("1 applied").says("1 of 3 tenants was looked at");
    }
}

#[test]
fn a_target_that_matches_nothing_is_an_error_of_every_command() {
    let fleet = Fleet::usual(BOTH[0], "idle");
    fleet.declare("id-one = {}");
    fleet.applies_and_settles();
    for command in [
        &["plan"][..],
        &["apply", "-y"],
        &["drift"],
        &["list"],
        &["verify"],
        &["validate"],
        &["rotate", "-y", "--all"],
        &["show", "id-one"],
        &["archive", "id-one"],
    ] {
        // One that matches does not excuse the other.
        let both = [command, &["--target", "id-one", "--target", "id-noe"]].concat();
        fleet.run(&both).ends(1).says("--target \"id-noe\" matches no tenant");
        fleet.run(&[command, &["--target", "id-one"]].concat()).ends(0);
    }
    fleet.declare("id-one = {}\nid-two = {}");
    for command in [&["verify", "id-two"][..], &["rotate", "-y", "id-two"], &["show", "id-two"]] {
        fleet.run(&[command, &["--target", "id-one"]].concat()).ends(1).says("--target leaves out tenant id-two");
    }
}

#[test]
fn a_command_in_a_hint_keeps_the_callers_file_and_tenants() {
    let fleet = Fleet::usual(Version::V18, "hints");
    fleet.declare("hi-one = {}\nhi-two = {}");
    fleet.apply();
    fleet.declare("hi-two = {}");
    fs::rename(fleet.path("tenants.toml"), fleet.path("other.toml")).unwrap();
    let run = |args: &[&str]| fleet.run(&[&["-c", "other.toml"], args].concat());
    run(&["apply", "-y", "--target", "hi-*"])
        .ends(1)
        .says("tenantry -c other.toml --target 'hi-*' apply --allow-removals 1");
    run(&["apply", "--allow-removals", "1"])
        .ends(1)
        .says("tenantry -c other.toml plan   and apply it with: tenantry -c other.toml apply");
    run(&["show", "nobody"]).ends(1).says("tenantry -c other.toml list shows");
    run(&["plan", "--out", "a plan"]).ends(0).says("tenantry -c other.toml apply 'a plan'");
    let url = fleet.url.clone();
    let run =
        run(&["show", "nobody", "--database-url", &url]).ends(1).says("tenantry -c other.toml --database-url URL list");
    assert!(!run.stderr.contains(fleet.database.server.password()), "{}", run.stderr);
    // A tenant that a person must help has its hint in the plan.
    let secret = fleet.path(".tenantry/secrets/tenants/hi-two.json");
    let mut document: serde_json::Value = serde_json::from_slice(&fs::read(&secret).unwrap()).unwrap();
    let version = document["version"].as_u64().unwrap();
    (document["password"], document["version"]) = ("".into(), (version + 1).into());
    fs::write(&secret, document.to_string()).unwrap();
    for format in ["text", "markdown", "json"] {
        let blocked = fleet.run(&["plan", "-c", "other.toml", "--format", format]).ends(0);
        assert!(blocked.stdout.contains("tenantry -c other.toml rotate hi"), "{}", blocked.stdout);
    }
    fleet.run(&["drift", "-c", "other.toml", "--report", "page.html"]).ends(2);
    let page = fs::read_to_string(fleet.path("page.html")).unwrap();
    assert!(page.contains("tenantry -c other.toml rotate hi"), "{page}");
}

/// Neither an order to a CI system, nor a line that says that there is nothing to do.
#[track_caller]
fn nothing_forged(run: &Run) {
    for line in run.stdout.lines().chain(run.stderr.lines()) {
        let line = line.trim_start();
        assert!(
            !line.starts_with("::") && !line.starts_with("No changes. ") && !line.starts_with("Apply: 9"),
            "{line}"
        );
        assert!(!line.contains("##[error]"), "{line}");
    }
}

const FORGED: &str = "x\n::error::forged\nNo changes. PostgreSQL and the secret store match tenants.toml.\nApply: 9 applied.\n##[error]forged";

#[test]
fn no_line_of_a_value_passes_for_ours() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "forged");
        fleet.declare("fo-one = {}");
        fleet.apply();
        fleet
            .log_in("fo-one")
            .batch_execute(&format!(
                "CREATE TABLE \"{FORGED}\" (n int); CREATE FUNCTION \"{FORGED}\"() RETURNS int LANGUAGE sql AS 'SELECT 1'"
            ))
            .unwrap();
        fleet.execute(&format!("ALTER ROLE fo_one_user SET app.motto = '{FORGED}'"));
        // A name in ASCII: a shell script may be full of them.
        fleet.execute(&format!("CREATE ROLE \"fo {}\"; GRANT \"fo {}\" TO fo_one_user", &FORGED[..40], &FORGED[..40]));
        for command in [
            &["plan"][..],
            &["plan", "-v"],
            &["drift", "--deep"],
            &["list"],
            &["show", "fo-one"],
            &["show", "fo-one", "--shape"],
        ] {
            for format in ["text", "markdown", "json"] {
                nothing_forged(&fleet.run(&[command, &["--format", format]].concat()));
            }
        }
        for command in [&["verify"][..], &["verify", "-v"], &["plan", "--format", "json"]] {
            nothing_forged(&fleet.run(command));
        }
        // What a migration's error says.
        fleet.migration(
            "V3__raise.sql",
            &format!("DO $$ BEGIN RAISE EXCEPTION '{FORGED}' USING HINT = '{FORGED}'; END $$;"),
        );
        for args in [&["apply", "-y"][..], &["apply", "-y", "-v"], &["apply", "-y", "--format", "json"]] {
            nothing_forged(&fleet.run(args).ends(1));
        }
        nothing_forged(&fleet.run(&["show", FORGED]).ends(1));
        nothing_forged(&fleet.run(&["verify", FORGED]).ends(1));
        nothing_forged(&fleet.run(&["plan", "-c", FORGED]).ends(1));
        nothing_forged(&fleet.run(&["plan", "--database-url", "postgresql://x@127.0.0.1:1/a%0A::error::b"]).ends(1));
        fleet.execute(&format!("DROP ROLE \"fo {}\"", &FORGED[..40]));
    }
}
