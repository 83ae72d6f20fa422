//! Each guard, asked by a program: what it refuses, as a value, and that nothing was changed.

use std::fs;

use sha2::Digest;
use tenantry::plan::{FleetKey, Stale};
use tenantry::{Consent, Error, Guard, Intent, Options, Planned, read_plan};

use super::{apply, converging, open};
use crate::fleet::{Admin, BOTH, Fleet};
use crate::openbao;
use crate::openbao::OpenBao;

/// What would have changed.
fn state(fleet: &Fleet) -> String {
    fleet.ask(
        "SELECT (SELECT string_agg(t::text, ' ' ORDER BY t.tenant) FROM tenantry.tenants t), \
         (SELECT count(*) FROM tenantry.audit_log), (SELECT string_agg(nspname, ' ' ORDER BY 1) FROM pg_namespace)",
    )
}

fn needs(planned: &Planned) -> Vec<Consent> {
    planned.needs().iter().map(|need| need.consent.clone()).collect()
}

/// The consents that it lacks; and what was said is said of the plan.
#[track_caller]
fn lacks(error: Error, words: &str) -> Vec<Consent> {
    assert!(error.to_string().contains(words), "{error}");
    assert!(error.hint().is_some_and(|hint| hint.contains("consent to Consent::")), "{:?}", error.hint());
    match error {
        Error::Consent(needs) => needs.consents,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn refuses<T>(result: Result<T, Error>, guard: &Guard, words: &str) {
    let error = result.err().expect("it is refused");
    assert_eq!(error.guard(), Some(guard), "{error}");
    assert!(error.in_one_line().contains(words), "{}", error.in_one_line());
    assert!(error.hint().is_some_and(|hint| !hint.is_empty()), "{error}");
}

#[test]
fn no_more_tenants_are_removed_than_was_consented_to() {
    let fleet = Fleet::usual(BOTH[0], "removals");
    fleet.declare("re-one = {}\nre-two = {}\nre-three = {}");
    apply(&fleet, &[]);
    let before = state(&fleet);
    fleet.declare("re-three = {}");
    let planned = converging(&fleet);
    assert_eq!(needs(&planned), [Consent::Removals(2)]);
    let refused = planned.approve(&[Consent::Removals(1)]).err().unwrap();
    assert_eq!(lacks(refused, "would remove 2 tenants (re-one, re-two)"), [Consent::Removals(2)]);
    assert_eq!(state(&fleet), before);
    apply(&fleet, &[Consent::Removals(2)]);
    assert_eq!(fleet.ask("SELECT tenant FROM tenantry.tenants"), "re-three");
}

#[test]
fn a_copy_of_the_database_takes_no_secret_until_it_is_said_to_have_moved() {
    let fleet = Fleet::usual(BOTH[0], "copied");
    fleet.declare("co-one = {}\nco-two = {}");
    apply(&fleet, &[]);
    // As in a dump of another cluster.
    fleet.execute("UPDATE tenantry.identity SET system_identifier = '4711'");
    let (before, secret) = (state(&fleet), fleet.secret("co-one"));
    let rotate = || {
        let which = tenantry::Which::Named(vec!["co-one".into()]);
        open(&fleet, Options::default()).lock().unwrap().plan(Intent::Rotate(which)).unwrap()
    };
    refuses(rotate().approve(&[]), &Guard::ItsSecrets, "came from another cluster (system identifier 4711)");
    fleet.declare("co-one = {}\nco-two = {}\nco-new = {}");
    refuses(converging(&fleet).approve(&[Consent::Moved]), &Guard::ItsSecrets, "the plan changes secrets (co-new)");
    // To plan it that way is no consent yet.
    let moved = || {
        let options = Options { moved: true, ..Options::default() };
        open(&fleet, options).lock().unwrap().plan(Intent::Converge).unwrap()
    };
    assert_eq!(needs(&moved()), [Consent::Moved]);
    assert_eq!(lacks(moved().approve(&[]).err().unwrap(), "the one that its secrets are for"), [Consent::Moved]);
    assert_eq!((state(&fleet), fleet.secret("co-one")), (before, secret));
    assert!(moved().approve(&[Consent::Moved]).unwrap().apply(&()).unwrap().is_success());
    fleet.settled();
}

#[test]
fn that_a_database_moved_is_said_of_the_whole_of_it() {
    let fleet = Fleet::usual(BOTH[0], "in_part");
    fleet.declare("ip-one = {}");
    let options = Options { moved: true, targets: vec!["ip-*".into()], ..Options::default() };
    let env = tenantry::Environment::default();
    let opened = tenantry::Tenantry::open(&fleet.path("tenants.toml"), &env, options);
    refuses(opened, &Guard::MovedAsAWhole, "no targets can be given");
    // Nor by a file that somebody wrote.
    let mut looked = open(&fleet, Options { targets: vec!["ip-*".into()], ..Options::default() }).look().unwrap();
    let plan = looked.plan().unwrap();
    let mut file: serde_json::Value = serde_json::from_str(&looked.save(&plan).to_json()).unwrap();
    drop(looked);
    file["moved"] = true.into();
    file.as_object_mut().unwrap().shift_remove("digest");
    let digest: String = sha2::Sha256::digest(file.to_string()).iter().map(|byte| format!("{byte:02x}")).collect();
    file["digest"] = digest.into();
    fs::write(fleet.path("saved"), file.to_string()).unwrap();
    let saved = read_plan(&fleet.path("saved")).unwrap();
    let planned = open(&fleet, Options::default()).lock().unwrap().plan(Intent::Saved(Box::new(saved)));
    refuses(planned, &Guard::MovedAsAWhole, "no targets can be given");
}

#[test]
fn secrets_that_are_gone_are_not_written_anew_unasked() {
    let mut fleet = Fleet::usual(BOTH[0], "gone");
    fleet.head.push_str("[secrets]\nmax_missing = 0\n");
    fleet.declare("go-one = {}\ngo-two = {}");
    apply(&fleet, &[]);
    let before = state(&fleet);
    fs::remove_file(fleet.secret_file("go-two")).unwrap();
    let planned = converging(&fleet);
    assert_eq!(needs(&planned), [Consent::NewSecrets(1)]);
    assert_eq!(lacks(planned.approve(&[]).err().unwrap(), "the secrets of 1 of 2 tenants"), [Consent::NewSecrets(1)]);
    assert!(!fleet.secret_file("go-two").exists());
    assert_eq!(state(&fleet), before);
    apply(&fleet, &[Consent::NewSecrets(1)]);
    fleet.settled();
}

#[test]
fn what_one_key_changes_for_the_fleet_is_consented_to_by_its_name() {
    let mut fleet = Fleet::new(BOTH[0], "much");
    fleet.migration("V1__one.sql", "CREATE TABLE one (id int);");
    let tenants: Vec<String> = (b'a'..=b'k').map(|letter| format!("mu-{} = {{}}", letter as char)).collect();
    let head = fleet.head.clone();
    fleet.declare(&tenants.join("\n"));
    apply(&fleet, &[]);
    let before = state(&fleet);
    fleet.head = format!("{head}username = \"{{tenant}}_usr\"\n[migrations]\ntable = \"our_history\"\n");
    fleet.declare(&tenants.join("\n"));
    let planned = converging(&fleet);
    let both = [Consent::RenameHistory, Consent::FleetChange(FleetKey::Username)];
    assert_eq!(needs(&planned), both);
    let refused = planned.approve(&[Consent::FleetChange(FleetKey::Owner), Consent::RenameHistory]).err().unwrap();
    assert_eq!(lacks(refused, "defaults.username"), [Consent::FleetChange(FleetKey::Username)]);
    let refused = converging(&fleet).approve(&[]).err().unwrap();
    assert_eq!(lacks(refused, "a history under another name is renamed"), both);
    assert_eq!(state(&fleet), before);
}

#[test]
fn whoever_cannot_see_everything_applies_nothing() {
    let server = OpenBao::dev();
    let mut fleet = Fleet::usual(BOTH[0], "unseen");
    fleet.head.insert_str(0, &format!("[secrets]\nstore = \"vault\"\n[vault]\naddress = \"{}\"\n", server.address));
    fleet.declare("us-one = {}");
    fleet.env.insert("VAULT_TOKEN".into(), openbao::ROOT_TOKEN.into());
    apply(&fleet, &[]);
    let before = state(&fleet);
    let blind = "path \"secret/none\" { capabilities = [\"read\"] }";
    fleet.env.insert("VAULT_TOKEN".into(), server.token_with("blind", blind, serde_json::Value::Null));
    fleet.declare("us-one = { connection_limit = 3 }");
    let locked = open(&fleet, Options::default()).lock().unwrap();
    refuses(locked.plan(Intent::Converge), &Guard::SeesEverything, "could not see the secrets");
    assert_eq!(state(&fleet), before);
}

#[test]
fn whoever_may_only_look_looks_and_takes_no_lock() {
    let mut fleet = Fleet::usual(BOTH[0], "looks");
    fleet.declare("lo-one = {}");
    apply(&fleet, &[]);
    fleet.execute(
        "CREATE ROLE lo_reader LOGIN PASSWORD 'r'; GRANT pg_read_all_data TO lo_reader; \
         GRANT USAGE ON SCHEMA tenantry TO lo_reader; GRANT SELECT ON ALL TABLES IN SCHEMA tenantry TO lo_reader",
    );
    fleet.url = fleet.database.url_as("lo_reader", "r");
    let mut looked = open(&fleet, Options::default()).look().unwrap();
    assert!(looked.plan().unwrap().in_sync());
    refuses(open(&fleet, Options::default()).lock(), &Guard::Lock, "may plan but not apply");
    // One that may write to the registry's tables gets further, and no further than that.
    fleet.execute("GRANT ALL ON ALL TABLES IN SCHEMA tenantry TO lo_reader");
    let locked = open(&fleet, Options::default()).lock().unwrap();
    refuses(locked.plan(Intent::Converge), &Guard::MayApply, "may plan but not apply");
}

#[test]
fn a_target_that_matches_nothing_is_no_tenant_in_sync() {
    let fleet = Fleet::usual(BOTH[0], "nothing");
    fleet.declare("no-one = {}");
    let targets = |glob: &str| Options { targets: vec![glob.to_owned()], ..Options::default() };
    let guard = Guard::MatchesSome { glob: "no-won".into() };
    refuses(open(&fleet, targets("no-won")).look(), &guard, "matches no tenant");
    let locked = open(&fleet, targets("no-won")).lock().unwrap();
    refuses(locked.plan(Intent::Converge), &guard, "matches no tenant");
    refuses(open(&fleet, targets("no-won")).targets_match(), &guard, "matches no tenant");
    let options = targets("{no");
    let opened = tenantry::Tenantry::open(&fleet.path("tenants.toml"), &tenantry::Environment::default(), options);
    assert!(matches!(opened.err().unwrap().guard(), Some(Guard::Glob { glob, .. }) if glob == "{no"));
}

#[test]
fn a_saved_plan_is_applied_as_saved_or_not_at_all() {
    let fleet = Fleet::usual(BOTH[0], "stale");
    fleet.declare("st-one = {}\nst-two = {}");
    let mut looked = open(&fleet, Options { targets: vec!["st-one".into()], ..Options::default() }).look().unwrap();
    let plan = looked.plan().unwrap();
    fs::write(fleet.path("saved"), looked.save(&plan).to_json()).unwrap();
    drop(looked);
    let saved = || Intent::Saved(Box::new(read_plan(&fleet.path("saved")).unwrap()));
    let narrowed = open(&fleet, Options::default()).lock().unwrap().plan(saved()).unwrap();
    assert_eq!(narrowed.plan().tenants.len(), 1);
    assert!(narrowed.approve(&[]).unwrap().apply(&()).unwrap().is_success());
    assert_eq!(fleet.ask("SELECT tenant FROM tenantry.tenants"), "st-one");
    // It is done, so it is not what would be done now.
    let error = open(&fleet, Options::default()).lock().unwrap().plan(saved()).err().unwrap();
    let Some(Guard::AsSaved(stale)) = error.guard() else { panic!("{error}") };
    assert!(stale.iter().any(|stale| matches!(stale, Stale::Tenant { tenant, .. } if tenant.as_str() == "st-one")));
    fleet.declare("st-one = {}");
    let locked = open(&fleet, Options::default()).lock().unwrap();
    let error = locked.plan(saved()).err().unwrap();
    let Some(Guard::AsSaved(stale)) = error.guard() else { panic!("{error}") };
    assert!(stale.contains(&Stale::Configuration), "{stale:?}");
    fs::write(fleet.path("saved"), "{}").unwrap();
    refuses(read_plan(&fleet.path("saved")), &Guard::AsSaved(Vec::new()), "not a saved plan");
}

#[test]
fn an_admin_who_lacks_a_right_is_told_before_anything_is_made() {
    for version in BOTH {
        let fleet = Fleet::under(Admin::Createrole, version, "lacking");
        let admin = fleet.admin_name(Admin::Createrole);
        fleet.execute(&format!("REVOKE CREATE ON DATABASE {} FROM {admin}", fleet.database.name));
        fleet.declare("la-one = {}");
        refuses(converging(&fleet).approve(&[]), &Guard::Admin, "lacks CREATE on the database");
        assert_eq!(fleet.ask("SELECT to_regnamespace('tenantry')"), "-");
        fleet.execute(&format!("GRANT CREATE ON DATABASE {} TO {admin}", fleet.database.name));
        apply(&fleet, &[]);
        fleet.execute("DROP SCHEMA tenant_la_one CASCADE");
        fleet.declare("");
        apply(&fleet, &[Consent::Removals(1)]);
    }
}

#[test]
fn nothing_is_removed_that_could_not_be_archived() {
    let mut fleet = Fleet::usual(BOTH[0], "unarchived");
    fleet.head = "[archive]\ndir = \"tenants.toml\"\n[defaults]\non_remove = \"archive\"\n".into();
    fleet.declare("ua-one = {}");
    apply(&fleet, &[]);
    let before = state(&fleet);
    fleet.declare("");
    let error = converging(&fleet).approve(&[Consent::Removals(1)]).err().unwrap();
    assert_eq!(error.guard(), Some(&Guard::Archives), "{error}");
    assert!(error.to_string().starts_with("creating the archive directory"), "{error}");
    assert_eq!(state(&fleet), before);
}

#[test]
fn no_tenant_is_made_whose_secret_could_not_be_written() {
    let server = OpenBao::dev();
    let mut fleet = Fleet::usual(BOTH[0], "unwritten");
    fleet.head.insert_str(0, &format!("[secrets]\nstore = \"vault\"\n[vault]\naddress = \"{}\"\n", server.address));
    let reads =
        "path \"secret/*\" { capabilities = [\"read\", \"list\"] }\npath \"sys/*\" { capabilities = [\"read\"] }";
    fleet.env.insert("VAULT_TOKEN".into(), server.token_with("reads", reads, serde_json::Value::Null));
    fleet.declare("uw-one = {}");
    refuses(converging(&fleet).approve(&[]), &Guard::Store, "checking whether the secrets may be written");
    assert_eq!(fleet.ask("SELECT to_regnamespace('tenantry')"), "-");
    assert_eq!(fleet.ask("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'uw_%'"), "0");
}
