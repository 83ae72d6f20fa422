//! A tenant that was there before tenantry was, and that is to be taken over: what of it is kept, and what keeps it from being taken.

use tenantry::migrations::{Format, MigrationFile, MigrationSet};
use tenantry::model::{
    Access, AdoptedPassword, Adoption, Belongs, Distrust, Grantee, History, Holding, LockedBy, Observed, Outside,
    Registered, RegisteredSecret, Role, Schema, SecretState, TenantKey, ToolHistory,
};
use tenantry::plan::{Plan, adoptable, baselined, differently_shaped, note_shapes};
use tenantry::render::Style;
use tenantry::shape::{Difference, DifferenceKind, Report};

use super::{Situation, assert_is_snapshot, key, told};
use crate::support_as_applied::{as_applied, contents_of, server};

const ONE: &str = "[tenants]\nacme = {}\n";
const TWO: &str = "[tenants]\nacme = {}\nglobex = {}\n";
const FILES: [(&str, &str); 2] =
    [("V1__users.sql", "CREATE TABLE users (id int);"), ("V2__orders.sql", "CREATE TABLE orders (id int);")];

/// What a file of ours makes of it, made by somebody else: acme is in no registry, its roles are in no group of ours, and nothing is
/// at its secret's path.
fn unknown(situation: Situation) -> Situation {
    situation.then(|o| {
        let row = o.registry.as_mut().unwrap().tenants.remove(&key("acme")).unwrap();
        o.secrets.remove("tenants/acme");
        o.roles.retain(|name, _| !row.login_users().contains(name));
        for name in ["acme_user", "acme_owner"] {
            o.roles.entry(name.into()).and_modify(|role| role.member_of.clear());
        }
        let secret = RegisteredSecret { version: None, ..row.secret };
        let row = Registered {
            secret,
            password_changed_at: None,
            suspended: false,
            rotation: tenantry::model::Rotation::Single,
            ..row
        };
        let adoption = Adoption {
            history_owner: Some(row.owner.clone()),
            row,
            baseline: None,
            tool_history: None,
            password: AdoptedPassword::Kept,
            opens: None,
        };
        o.adoptions.insert(key("acme"), adoption);
    })
}

fn found(toml: &str) -> Situation {
    unknown(Situation::applied(toml, &FILES))
}

fn adoption(observed: &mut Observed) -> &mut Adoption {
    observed.adoptions.get_mut(&key("acme")).unwrap()
}

fn says(observed: &mut Observed, password: AdoptedPassword) {
    adoption(observed).password = password;
}

fn role<'o>(observed: &'o mut Observed, name: &str) -> &'o mut Role {
    observed.roles.entry(name.to_owned()).or_insert_with(|| Role {
        inherit: true,
        connection_limit: -1,
        administered: true,
        ..Role::default()
    })
}

fn schema(observed: &mut Observed) -> &mut Schema {
    observed.schemas.get_mut("tenant_acme").unwrap()
}

/// All of it is somebody else's.
fn owned_by(observed: &mut Observed, owner: &str) {
    role(observed, owner);
    let schema = schema(observed);
    let from = schema.owner.clone();
    schema.acl = schema.acl.handed_over(&from, owner);
    schema.owner = owner.to_owned();
    for group in &mut schema.objects {
        group.acl = group.acl.handed_over(&from, owner);
        group.owner = owner.to_owned();
    }
    let adoption = adoption(observed);
    adoption.history_owner = Some(owner.to_owned());
    adoption.row = Registered { owner: owner.to_owned(), access: Access::Owner, ..adoption.row.clone() };
}

/// The secret is there, as whoever made it by hand wrote it, and its password was tried.
fn with_a_secret(observed: &mut Observed, opens: Option<Result<bool, String>>) {
    let fields = adoption(observed).row.secret.fields.clone();
    let secret = SecretState::Ours {
        version: "3".into(),
        created: None,
        marked: true,
        belongs: Belongs::Unmarked,
        contents: Some(contents_of(fields, None)),
    };
    observed.secrets.insert("tenants/acme".into(), secret);
    let adoption = adoption(observed);
    (adoption.password, adoption.opens) = (AdoptedPassword::Unsaid, opens);
}

fn without_history(observed: &mut Observed) {
    schema(observed).history = History::Absent;
    adoption(observed).history_owner = None;
}

#[test]
fn a_password_that_works_goes_on_working() {
    let secret = |opens: Option<Result<bool, String>>| found(ONE).then(|o| with_a_secret(o, opens));
    let given = |opens: Option<Result<bool, String>>| {
        found("[tenants]\nacme = { password_from = \"hunter2\" }\n").then(|o| {
            adoption(o).opens = opens;
            says(o, AdoptedPassword::Unsaid);
        })
    };
    let unsaid = || found(ONE).then(|o| says(o, AdoptedPassword::Unsaid));
    let shown = told([
        ("kept", found(ONE)),
        ("nobody says", unsaid()),
        ("replaced", found(ONE).then(|o| says(o, AdoptedPassword::Rotated))),
        ("its secret opens", secret(Some(Ok(true)))),
        (
            "its secret opens, and says another host",
            secret(Some(Ok(true))).then(|o| {
                let Some(SecretState::Ours { contents: Some(contents), .. }) = o.secrets.get_mut("tenants/acme") else {
                    panic!("no secret")
                };
                contents.fields.host = "old.internal".into();
            }),
        ),
        ("its secret does not open", secret(Some(Ok(false)))),
        ("its secret could not be tried", secret(Some(Err("connection refused".into())))),
        ("its secret was not tried", secret(None)),
        ("kept, and there is a secret", secret(Some(Ok(true))).then(|o| says(o, AdoptedPassword::Kept))),
        (
            "its secret does not open, and is replaced",
            secret(Some(Ok(false))).then(|o| says(o, AdoptedPassword::Rotated)),
        ),
        (
            "somebody else's secret",
            found(ONE).then(|o| {
                says(o, AdoptedPassword::Rotated);
                o.secrets.insert("tenants/acme".into(), SecretState::Foreign("it is not marked as tenantry's".into()));
            }),
        ),
        ("the given one opens", given(Some(Ok(true)))),
        ("the given one does not open", given(Some(Ok(false)))),
        ("the given one replaces it", given(Some(Ok(false))).then(|o| says(o, AdoptedPassword::Rotated))),
        ("the role has none", unsaid().then(|o| role(o, "acme_user").lacks_password = true)),
        ("nobody may log in as the role", found(ONE).then(|o| role(o, "acme_user").can_login = false)),
    ]);
    assert!(!shown.contains("hunter2"), "a password is shown");
    assert_is_snapshot("adoptions_and_passwords", &shown);
}

#[test]
fn a_role_that_is_more_than_a_tenants_is_not_taken() {
    let powers = |name: &'static str, powers: &'static [&'static str]| {
        found(ONE).then(|o| role(o, name).powers = powers.iter().copied().collect())
    };
    let outside = |name: &'static str, held: Holding| {
        let thing =
            Outside { kind: "table".into(), identity: "public.users".into(), schema: Some("public".into()), held };
        found(ONE).then(|o| role(o, name).outside.push(thing))
    };
    let granted = || Holding::Granted {
        column: None,
        privileges: "SELECT".into(),
        grantor: None,
        owner: "admin".into(),
        ours: true,
    };
    let elsewhere = |owner: &'static str| {
        unknown(Situation::applied(TWO, &FILES))
            .then(|o| o.schemas.get_mut("tenant_globex").unwrap().objects[0].owner = owner.into())
    };
    let anothers = |change: fn(&mut Registered)| {
        unknown(Situation::applied(TWO, &FILES)).then(|o| {
            change(o.registry.as_mut().unwrap().tenants.get_mut(&key("globex")).unwrap());
        })
    };
    assert_is_snapshot(
        "adoptions_of_roles",
        &told([
            ("a superuser", powers("acme_user", &["SUPERUSER"])),
            ("several powers", powers("acme_user", &["BYPASSRLS", "CREATEROLE", "REPLICATION"])),
            ("CREATEDB, which is taken away", powers("acme_user", &["CREATEDB"])),
            ("an owner with powers", powers("acme_owner", &["CREATEROLE"])),
            ("an owner that may log in", found(ONE).then(|o| role(o, "acme_owner").can_login = true)),
            ("owns something outside", outside("acme_user", Holding::Owned)),
            ("an owner that owns something outside", outside("acme_owner", Holding::Owned)),
            ("was granted something outside", outside("acme_user", granted())),
            ("owns something of another tenant", elsewhere("acme_user")),
            ("an owner that owns something of another tenant", elsewhere("acme_owner")),
            ("the schema is another tenant's", anothers(|row| row.schema = "tenant_acme".into())),
            ("the username is another tenant's", anothers(|row| row.username = "acme_user".into())),
        ]),
    );
}

#[test]
fn what_is_taken_over_changes_hands_and_whoever_loses_it_is_named() {
    let by_createrole = || unknown(Situation::applied_on(server(160_009, false), ONE, &FILES));
    let a_superusers = |o: &mut Observed| {
        owned_by(o, "postgres");
        role(o, "postgres").powers = ["SUPERUSER"].into();
    };
    let granted = |toml: &str| {
        found(toml).then(|o| {
            role(o, "reporting");
            let schema = schema(o);
            schema.acl = std::mem::take(&mut schema.acl)
                .with(Grantee::Role("reporting".into()), "U")
                .with(Grantee::Role("admin".into()), "U")
                .with(Grantee::Public, "U");
        })
    };
    let gone = |names: &'static [&'static str]| {
        found(ONE).then(|o| {
            for name in names {
                o.roles.remove(*name);
            }
        })
    };
    let shared = |toml: &str| unknown(Situation::applied(toml, &FILES));
    assert_is_snapshot(
        "adoptions_of_schemas",
        &told([
            ("as it will be", found(ONE)),
            ("one role owns every tenant's schema", found(ONE).then(|o| owned_by(o, "legacy"))),
            ("a superuser owns it", found(ONE).then(a_superusers)),
            ("a superuser owns it, and the admin is none", by_createrole().then(a_superusers)),
            (
                "only the history is a superuser's",
                by_createrole().then(|o| {
                    role(o, "postgres").powers = ["SUPERUSER"].into();
                    adoption(o).history_owner = Some("postgres".into());
                }),
            ),
            (
                "one table is a superuser's",
                by_createrole().then(|o| {
                    role(o, "postgres").powers = ["SUPERUSER"].into();
                    schema(o).objects[0].owner = "postgres".into();
                }),
            ),
            ("one role owns it, and the admin is no superuser", by_createrole().then(|o| owned_by(o, "legacy"))),
            ("others may use it", granted(ONE)),
            ("others may use it, and still may", granted("[defaults]\nmode = \"additive\"\n[tenants]\nacme = {}\n")),
            ("only the schema is there", gone(&["acme_user", "acme_owner"]).then(|o| owned_by(o, "legacy"))),
            (
                "only the roles are there",
                found(ONE).then(|o| {
                    o.schemas.clear();
                    o.schema_names.clear();
                }),
            ),
            ("the username is to own", shared("[tenants]\nacme = { access = \"owner\" }\n")),
            (
                "an owner that tenants share",
                shared("[defaults]\nowner = \"everybodys\"\n[tenants]\nacme = {}\nglobex = {}\n")
                    .then(|o| owned_by(o, "legacy")),
            ),
            ("with two users", found("[tenants]\nacme = { rotation = \"two-user\" }\n")),
            (
                "to be suspended",
                found("[tenants]\nacme = { suspended = true }\n").then(|o| role(o, "acme_user").can_login = true),
            ),
            ("to be suspended, and nobody logs in", found("[tenants]\nacme = { suspended = true }\n")),
        ]),
    );
}

#[test]
fn what_it_has_of_the_migrations_is_never_run_again() {
    let baseline = |version: i64| {
        move |o: &mut Observed| {
            without_history(o);
            adoption(o).baseline = Some(version);
        }
    };
    let empty = |o: &mut Observed| {
        without_history(o);
        schema(o).objects.clear();
    };
    let no_rows = |o: &mut Observed| {
        let History::Read { applied, .. } = &mut schema(o).history else { panic!("no history") };
        *applied = Vec::new().into();
    };
    let verbose = Style { verbose: true, ..Style::default() };
    let sql = found(ONE).then(baseline(1)).told_with(&verbose);
    assert_is_snapshot(
        "adoptions_and_histories",
        &(told([
            ("none, and nobody says", found(ONE).then(without_history)),
            ("none, and nothing in it", found(ONE).then(empty)),
            ("none, and there are no migrations", unknown(Situation::applied(ONE, &[]))),
            ("an empty one", found(ONE).then(no_rows)),
            ("an empty one, and nothing else", found(ONE).then(no_rows).then(|o| schema(o).objects.clear())),
            ("none, and a person says the last", found(ONE).then(baseline(2))),
            (
                "none, a person says the last, and the admin is no superuser",
                unknown(Situation::applied_on(server(160_009, false), ONE, &FILES)).then(baseline(2)),
            ),
            ("one, and a person says so needlessly", found(ONE).then(|o| adoption(o).baseline = Some(2))),
            (
                "nothing is there, and a person says the last",
                found(ONE).then(empty).then(|o| adoption(o).baseline = Some(2)),
            ),
        ]) + &format!("== none, and a person says the first: with the SQL\n{sql}\n")),
    );
}

/// Of sqlx's files, applied with sqlx.
fn sqlx() -> Situation {
    let files: Vec<_> =
        [("1_users.sql", "CREATE TABLE users (id int);"), ("2_orders.sql", "CREATE TABLE orders (id int);")]
            .iter()
            .map(|(name, sql)| MigrationFile::read(Format::Sqlx, name, sql, None).unwrap())
            .collect();
    let toml = "[migrations]\nformat = \"sqlx\"\n[tenants]\nacme = {}\n";
    let configuration = tenantry::config::parse("tenants.toml", toml, &|_| None).unwrap();
    let set = MigrationSet::of(Format::Sqlx, configuration.migrations_table.clone(), files).unwrap();
    let desired = configuration.with_migrations(set);
    let observed = as_applied(&desired, server(150_018, true));
    unknown(Situation { desired, observed }).then(without_history)
}

#[test]
fn what_another_tool_recorded_is_taken_over() {
    let says = |history: ToolHistory| sqlx().then(|o| adoption(o).tool_history = Some(history));
    let rows = |rows: &[[&str; 2]]| {
        let row = |row: &[&str; 2]| vec![Some(row[0].to_owned()), Some(row[1].to_owned()), None];
        says(ToolHistory::Read(rows.iter().map(row).collect()))
    };
    assert_is_snapshot(
        "adoptions_from_tools",
        &told([
            ("no history of it either", sqlx()),
            ("both migrations", rows(&[["2", "t"], ["1", "t"]])),
            ("the first migration", rows(&[["1", "t"]])),
            ("one failed", rows(&[["1", "t"], ["2", "f"]])),
            ("one is not there any more", rows(&[["1", "t"], ["7", "t"]])),
            ("none", rows(&[])),
            ("it is a view", says(ToolHistory::Untrusted(Distrust::new("it is a view")))),
            (
                "somebody has locked it",
                says(ToolHistory::Locked(LockedBy { who: "PID 7".into(), hint: "end it".into() })),
            ),
            ("a person says otherwise", rows(&[["1", "t"]]).then(|o| adoption(o).baseline = Some(2))),
        ]),
    );
}

fn keys(found: &[TenantKey]) -> Vec<&str> {
    found.iter().map(TenantKey::as_str).collect()
}

#[test]
fn whoever_is_there_and_not_in_the_registry_can_be_adopted() {
    let with = |toml: &str, there: fn(&mut Observed)| {
        let mut situation = Situation::applied(toml, &FILES);
        let before = std::mem::take(&mut situation.observed);
        situation.observed.server = before.server.clone();
        situation.observed.registry = Some(tenantry::model::Registry::default());
        there(&mut situation.observed);
        let found = adoptable(&situation.desired, &situation.observed, &|_| true);
        keys(&found).iter().map(|key| (*key).to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(with(TWO, |_| {}), [""; 0]);
    assert_eq!(with(TWO, |o| _ = o.schemas.insert("tenant_acme".into(), Schema::default())), ["acme"]);
    assert_eq!(with(TWO, |o| _ = role(o, "globex_user")), ["globex"]);
    assert_eq!(with(TWO, |o| _ = role(o, "acme_owner")), ["acme"]);
    assert_eq!(with(TWO, |o| _ = role(o, "somebody")), [""; 0]);
    // A role that owns for all of them says nothing of each.
    let shared = "[defaults]\nowner = \"everybodys\"\n[tenants]\nacme = {}\nglobex = {}\n";
    assert_eq!(with(shared, |o| _ = role(o, "everybodys")), [""; 0]);
    assert_eq!(with(&shared.replace("globex = {}\n", ""), |o| _ = role(o, "everybodys")), ["acme"]);

    let Situation { desired, mut observed } = Situation::applied(TWO, &FILES);
    assert_eq!(keys(&adoptable(&desired, &observed, &|_| true)), [""; 0]);
    observed.registry = None;
    assert_eq!(keys(&adoptable(&desired, &observed, &|_| true)), ["acme", "globex"]);
    assert_eq!(keys(&adoptable(&desired, &observed, &|key| key.as_str() == "globex")), ["globex"]);
}

#[test]
fn a_schema_that_is_not_what_was_recorded_is_named_in_the_plan() {
    let plan = || -> Plan {
        unknown(Situation::applied(TWO, &FILES)).then(without_history).then(|o| adoption(o).baseline = Some(2)).plan()
    };
    assert_eq!(baselined(&plan()).into_iter().collect::<Vec<_>>(), [key("acme")]);
    assert!(baselined(&unknown(Situation::applied(TWO, &FILES)).plan()).is_empty());

    let difference = |part: &str| Difference {
        object: "table users".into(),
        part: Some(part.into()),
        kind: DifferenceKind::Missing,
        observed: None,
        desired: Some("integer".into()),
    };
    let shapes = Report::new(
        [(key("acme"), vec![difference("column id"), difference("column name")], Vec::new())],
        [(key("globex"), "it is locked".to_owned())],
    );
    let mut plan = plan();
    assert!(differently_shaped(&plan).is_empty());
    note_shapes(&mut plan, shapes.clone());
    assert_eq!(differently_shaped(&plan), [&key("acme"), &key("globex")]);
    assert_eq!(plan.shape, Some(shapes));
    let warned: Vec<_> =
        plan.tenants.iter().flat_map(|tenant| tenant.hazards.last()).map(|h| h.detail.as_str()).collect();
    assert_eq!(
        warned,
        [
            "its schema is not what the migrations that are recorded as applied would create: 2 differences, as listed below",
            "its schema could not be compared with what the migrations create: it is locked",
        ]
    );
}
