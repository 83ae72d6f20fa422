//! Plans as text, Markdown and HTML.

use tenantry::model::Unseen;
use tenantry::plan::{
    About, DatabaseAction, DatabaseChange, DatabaseIdentity, Document, Hazard, HazardKind, Kind, Note, Plan,
    ShownChange, ShownTenant, Stage, Targeting, Verb,
};
use tenantry::render::list::ListRow;
use tenantry::render::{Style, html, json, markdown, metrics, text};
use tenantry::shape;

use super::{assert_is_snapshot, key, with_colours};

fn change(kind: Kind, what: &str, before: Option<&str>, after: Option<&str>, sql: &[&str]) -> ShownChange {
    let sql = sql.iter().map(|sql| (*sql).to_owned().into()).collect();
    ShownChange { kind, what: what.into(), before: before.map(str::to_owned), after: after.map(str::to_owned), sql }
}

fn tenant(name: &str, verb: Verb) -> ShownTenant {
    ShownTenant {
        tenant: key(name),
        verb,
        schema: format!("tenant_{name}"),
        username: format!("{name}_user"),
        owner: format!("{name}_owner"),
        changes: Vec::new(),
        hazards: Vec::new(),
        notes: Vec::new(),
        reason: None,
        hint: None,
        access: None,
    }
}

fn hazard(kind: HazardKind, detail: impl Into<String>) -> Hazard {
    Hazard { kind, detail: detail.into() }
}

fn note(what: &str, detail: &str) -> Note {
    Note { what: what.into(), detail: detail.into() }
}

fn of_database(action: DatabaseAction, stage: Stage) -> DatabaseChange {
    let sql = vec!["SELECT 1".to_owned().into()];
    DatabaseChange { action, detail: format!("{action:?} <of> `it`"), sql, stage, about: About::ItsSql }
}

fn created(name: &str) -> ShownTenant {
    let changes = vec![
        change(Kind::CreateRole, &format!("role {name}_user"), None, Some("LOGIN"), &["CREATE ROLE u"]),
        change(Kind::BorrowRights, "rights of x", None, Some("for this transaction"), &[]),
        change(Kind::Migrate, "migration V1__a", Some("no migration"), Some("V1"), &["-- V1__a.sql", "GRANT x\nTO y"]),
        change(Kind::WriteSecret, &format!("secret tenants/{name}"), None, Some("u@h:1/d"), &[]),
    ];
    ShownTenant { changes, access: Some(Default::default()), ..tenant(name, Verb::Create) }
}

fn updated(name: &str) -> ShownTenant {
    let long = "SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER".repeat(2);
    let changes = vec![
        change(
            Kind::SetPassword,
            &format!("password of {name}_user"),
            None,
            Some("newly generated"),
            &["ALTER ROLE u"],
        ),
        change(
            Kind::GrantObjects,
            "4 tables",
            Some(&format!("{name}_user: none")),
            Some(&format!("{name}_user: {long}")),
            &[],
        ),
        change(Kind::RevokeMembership, &format!("role {name}_user"), Some("member of x"), None, &["REVOKE x"]),
        change(Kind::WriteSecret, "secret s", Some("the same"), Some("the same"), &[]),
        change(Kind::ReturnRights, "rights of x", Some("for this transaction"), None, &[]),
        change(Kind::SetSettings, "setting work_mem", Some("1MB"), Some("2MB"), &[]),
        change(Kind::Migrate, "migrations\u{1b}", None, None, &[]),
    ];
    let hazards = vec![
        hazard(HazardKind::PrivilegedTenant, "its own"),
        hazard(HazardKind::DataLost, format!("schema tenant_{name} is gone")),
        hazard(HazardKind::MigrationEscapes, "V1__a.sql:3 names x"),
        hazard(HazardKind::MigrationEscapes, "V1__a.sql:7 names x"),
    ];
    let notes = vec![note(&format!("schema tenant_{name}"), "x_user: SELECT"), note("role x", "stays")];
    ShownTenant { changes, hazards, notes, access: Some(Default::default()), ..tenant(name, Verb::Update) }
}

fn removed(name: &str, n: usize) -> ShownTenant {
    let changes = vec![
        change(Kind::EndSessions, &format!("sessions of {name}_user"), None, None, &[]),
        change(Kind::Archive, &format!("archive of schema tenant_{name}"), None, Some("in archives"), &["-- pg_dump"]),
        change(
            Kind::DropSchema,
            &format!("schema tenant_{name}"),
            Some(&format!("{n} tables")),
            None,
            &["DROP SCHEMA s"],
        ),
        change(Kind::DropRole, &format!("role {name}_user"), Some("LOGIN"), None, &["DROP ROLE u"]),
        change(Kind::DropOwner, &format!("role {name}_owner"), Some("NOLOGIN"), Some("x"), &[]),
        change(Kind::DeleteSecret, &format!("secret tenants/{name}"), Some("delivered"), None, &[]),
    ];
    let hazards = vec![hazard(HazardKind::DeletesData, format!("{n} tables")), hazard(HazardKind::EndsSessions, "e")];
    ShownTenant { changes, hazards, ..tenant(name, Verb::Remove) }
}

fn blocked(name: &str, hint: Option<&str>) -> ShownTenant {
    let reason = Some(format!("role {name}_user exists"));
    ShownTenant { reason, hint: hint.map(str::to_owned), ..tenant(name, Verb::Blocked) }
}

fn shapes() -> shape::Report {
    super::of_shapes::report()
}

/// Something of everything.
fn everything() -> Document {
    use DatabaseAction as A;
    let shared = [
        (A::CreateRegistry, Stage::Before),
        (A::CloseRegistry, Stage::Before),
        (A::AlterGroup, Stage::Before),
        (A::ClaimSecrets, Stage::Secrets),
        (A::DropSharedOwner, Stage::After),
    ];
    let mut tenants =
        vec![created("new"), updated("acme"), updated("globex"), blocked("b1", Some("type x")), blocked("b2", None)];
    tenants.extend((0..23).map(|n| removed(&format!("gone{n:02}"), n)));
    let quiet = ShownTenant {
        notes: vec![note("schema tenant_quiet", "x_user: SELECT"), note("only", "here")],
        ..tenant("quiet", Verb::Unchanged)
    };
    tenants.push(quiet);
    tenants.sort_by(|a, b| a.tenant.cmp(&b.tenant));
    Document {
        database: DatabaseIdentity {
            host: "db.internal".into(),
            port: 5432,
            name: "app".into(),
            system_identifier: "7".into(),
        },
        database_changes: shared.map(|(action, stage)| of_database(action, stage)).into(),
        hazards: vec![
            hazard(HazardKind::GroupRole, "g & <g>"),
            hazard(HazardKind::PrivilegedTenant, "p"),
            hazard(HazardKind::WholeFleet, "w"),
        ],
        unseen: vec![
            Unseen { what: "the secrets".into(), hint: Some("log in".into()) },
            Unseen { what: "more".into(), hint: None },
        ],
        targeting: Some(Targeting { looked_at: 29, of: 40 }),
        tenants,
        shape: Some(shapes()),
        ..Document::default()
    }
}

#[test]
fn a_plan_with_everything_in_it_as_text() {
    let plan = everything();
    assert_is_snapshot("page_plan", &text::plan(&plan, &Style::default()));
    let style = Style { color: true, verbose: true, headed: true, width: 80 };
    assert_is_snapshot("page_plan_verbose", &with_colours(&text::plan(&plan, &style)));
}

#[test]
fn a_plan_with_everything_in_it_as_markdown() {
    assert_is_snapshot("page_plan_markdown", &markdown::plan(&everything()));
}

fn fleet() -> Vec<ListRow> {
    let row = |n: i64, state: &str, migration: Option<i64>| ListRow {
        tenant: format!("t{n}"),
        schema: format!("s{n}"),
        username: format!("u{n}"),
        state: state.into(),
        migration,
        size: n % 7 * 1_000,
        connections: n,
        secret_age: Some(n * 4_000),
        locks: None,
        class: None,
        declared: Some("file".into()),
        rows: Some(n * 11),
        last_migration: None,
    };
    let mut rows: Vec<_> = (0..24).map(|n| row(n, "active", if n == 0 { None } else { Some(n % 8) })).collect();
    rows.push(row(24, "retained", Some(99)));
    rows
}

/// Without the style sheet, which is a file of its own, and its digest.
fn page(plan: &Document, fleet: &[ListRow]) -> String {
    let passwords: Vec<_> = fleet.iter().map(|row| (row.tenant.as_str(), row.secret_age.unwrap_or_default())).collect();
    let report = html::Report {
        plan,
        fleet,
        passwords: &passwords,
        format: Default::default(),
        taken_at: "now <",
        planning: "tenantry plan & so on",
    };
    let page = html::report(&report);
    let (head, rest) = page.split_once("<style>").unwrap();
    let (head, policy) = head.split_once("sha256-").unwrap();
    let (_, after_digest) = policy.split_once('\'').unwrap();
    format!("{head}sha256-…'{after_digest}<style>…{}", &rest[rest.find("</style>").unwrap()..])
}

#[test]
fn a_plan_with_everything_in_it_as_a_page() {
    assert_is_snapshot("page_report", &page(&everything(), &fleet()));
    let few = &fleet()[..3];
    let mut small = everything();
    small.tenants.retain(|tenant| !tenant.tenant.as_str().starts_with("gone"));
    (small.shape, small.targeting, small.unseen) = (None, None, Vec::new());
    assert_is_snapshot("page_report_of_few", &page(&small, few));
    let many = Document {
        tenants: (0..70)
            .map(|n| ShownTenant {
                changes: vec![change(Kind::SetSettings, &format!("s{n}"), Some("a"), None, &[])],
                notes: vec![note(&format!("n{n}"), "d")],
                ..tenant(&format!("t{n:02}"), Verb::Update)
            })
            .collect(),
        ..Document::default()
    };
    assert_is_snapshot("page_report_of_many", &page(&many, &[]));
}

/// What the page, the text and the exit code say at the top: whether all is well, as far as it was seen.
#[test]
fn in_sync_is_said_of_what_was_seen_and_is_so() {
    let plan = |change: fn(&mut Document)| {
        let mut plan = Document { tenants: vec![tenant("a", Verb::Unchanged)], ..Document::default() };
        change(&mut plan);
        plan
    };
    let misshapen = |tenants: usize| {
        let group =
            shape::Group { tenants: (0..tenants).map(|n| key(&format!("t{n}"))).collect(), differences: Vec::new() };
        shape::Report { groups: vec![group], ..shape::Report::default() }
    };
    let one = misshapen(1);
    let two = misshapen(2);
    let table: Vec<(&str, Document)> = vec![
        ("nothing", plan(|_| {})),
        ("not everything was seen", plan(|p| p.unseen = vec![Unseen { what: "x".into(), hint: None }])),
        ("a part was looked at", plan(|p| p.targeting = Some(Targeting { looked_at: 1, of: 2 }))),
        (
            "a part was looked at, and not everything seen",
            plan(|p| {
                p.targeting = Some(Targeting { looked_at: 1, of: 1 });
                p.unseen = vec![Unseen { what: "x".into(), hint: None }];
            }),
        ),
        (
            "something shared differs",
            plan(|p| p.database_changes = vec![of_database(DatabaseAction::RevokeTemp, Stage::Before)]),
        ),
        ("a tenant differs", plan(|p| p.tenants.push(updated("b")))),
        ("a tenant is blocked", plan(|p| p.tenants.push(blocked("b", None)))),
        ("a hazard", plan(|p| p.hazards = vec![hazard(HazardKind::WholeFleet, "w")])),
        ("a hazard for a person", plan(|p| p.hazards = vec![hazard(HazardKind::AnotherCluster, "w")])),
        ("another hazard for a person", plan(|p| p.hazards = vec![hazard(HazardKind::AnotherCopy, "w")])),
        ("a shape differs", Document { shape: Some(one), ..plan(|_| {}) }),
        ("shapes differ", Document { shape: Some(two), ..plan(|_| {}) }),
        (
            "shapes were compared",
            plan(|p| p.shape = Some(shape::Report { as_migrated: 3, ..shape::Report::default() })),
        ),
    ];
    let mut out = String::new();
    for (name, plan) in &table {
        let page = page(plan, &[]);
        let verdict = page.lines().find(|line| line.contains("\"verdict")).unwrap();
        out += &format!(
            "== {name}: empty {}, in sync {}\n{verdict}\n{}{}",
            plan.is_empty(),
            plan.in_sync(),
            text::plan(plan, &Style::default()),
            markdown::plan(plan)
        );
        assert!(page.contains("What differs") != plan.is_empty(), "{name}");
    }
    assert_is_snapshot("page_in_sync", &out);
}

#[test]
fn a_plan_counts_as_its_document_does() {
    let mut situations = vec![Plan::default()];
    situations.push(Plan { hazards: vec![hazard(HazardKind::AnotherCopy, "w")], ..Plan::default() });
    situations.push(Plan { hazards: vec![hazard(HazardKind::GroupRole, "w")], ..Plan::default() });
    situations.push(Plan {
        database_changes: vec![of_database(DatabaseAction::GrantTemp, Stage::Before)],
        ..Plan::default()
    });
    let group = shape::Group { tenants: vec![key("a")], differences: Vec::new() };
    situations
        .push(Plan { shape: Some(shape::Report { groups: vec![group], ..Default::default() }), ..Plan::default() });
    situations.push(Plan { shape: Some(shape::Report::default()), ..Plan::default() });
    let expected = [(true, true), (false, false), (true, true), (false, false), (true, false), (true, true)];
    for (plan, (empty, in_sync)) in situations.iter().zip(expected) {
        let document = plan.document();
        assert_eq!((plan.is_empty(), plan.in_sync()), (empty, in_sync), "{plan:?}");
        assert_eq!((document.is_empty(), document.in_sync()), (empty, in_sync), "{plan:?}");
        assert_eq!(Verb::ALL.map(|verb| plan.count(verb)), Verb::ALL.map(|verb| document.count(verb)));
    }
    let document = everything();
    assert_eq!(Verb::ALL.map(|verb| document.count(verb)), [1, 2, 23, 1, 2]);
}

#[test]
fn metrics_count_what_the_plan_counts() {
    let run = metrics::Run {
        ended_at: 1.5,
        duration_seconds: 0.25,
        oldest_password_age_seconds: Some(86_400),
        passwords_due: 3,
    };
    let situation = crate::situations::Situation::applied("[tenants]\na = {}\nb = {}\nc = {}\n", &[]);
    let more = [("V1__a.sql", "CREATE TABLE a (id int);"), ("V2__b.sql", "CREATE TABLE b (id int);")];
    let plan = situation.wished("[tenants]\na = {}\nb = {}\nd = {}\n", &more).plan();
    assert_is_snapshot("metrics", &metrics::text(&plan, &run));
    let targeted = Plan { targeting: Some(Targeting { looked_at: 2, of: 5 }), ..plan };
    assert!(metrics::text(&targeted, &run).contains("\ntenantry_tenants_not_looked_at 3\n"));
}

#[test]
fn signs_and_colours_of_what_tenants_share() {
    use DatabaseAction as A;
    let makes = [
        A::CreateRegistry,
        A::UpgradeRegistry,
        A::CreateGroup,
        A::GrantConnect,
        A::GrantTemp,
        A::CreateSharedSchema,
        A::GrantSharedSchema,
        A::CreateExtension,
        A::CreateSharedOwner,
    ];
    let takes = [
        A::CloseRegistry,
        A::AlterGroup,
        A::RevokeMembership,
        A::RevokeFromGroup,
        A::ClosePublicSchema,
        A::CloseSharedSchema,
        A::RevokeTemp,
        A::DropSharedOwner,
        A::ClaimSecrets,
        A::MoveHere,
    ];
    assert!(makes.iter().all(|action| action.makes()) && !takes.iter().any(|action| action.makes()));
    let database_changes = makes.into_iter().chain(takes).map(|action| of_database(action, Stage::Before)).collect();
    assert_is_snapshot(
        "page_shared",
        &text::plan(&Document { database_changes, ..Document::default() }, &Style::default()),
    );
}

#[test]
fn headings_name_the_database_and_who_said_so() {
    let of = |host: &str| DatabaseIdentity {
        host: host.into(),
        port: 5432,
        name: "app".into(),
        system_identifier: "7".into(),
    };
    assert_eq!(text::heading(&of("db"), "admin", "PGHOST"), "app on db:5432 as admin (from PGHOST)");
    assert_eq!(text::heading(&of("::1"), "a\u{1b}", "x"), "app on [::1]:5432 as a\\u{1b} (from x)");
    let page = |host: &str| {
        let database_changes = vec![of_database(DatabaseAction::GrantTemp, Stage::Before)];
        text::plan(&Document { database: of(host), database_changes, ..Document::default() }, &Style::default())
    };
    assert!(page("db").starts_with("database app on db:5432\n"));
    assert!(page("::1").starts_with("database app on [::1]:5432\n"));
    let targeting = |looked_at: usize, of: usize| text::targeting(&Targeting { looked_at, of });
    assert_eq!(targeting(1, 2), "Targeting is in effect: 1 of 2 tenants was looked at.");
    assert_eq!(targeting(0, 1), "Targeting is in effect: 0 of 1 tenant were looked at.");
}

#[test]
fn a_lines_json_is_one_line_of_ascii_controls_escaped() {
    let line = json::line(&serde_json::json!({"a": "x\u{202e}\ny", "b": [1]}));
    assert!(!line.contains('\n') && !line.contains('\u{202e}'), "{line}");
    let read: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(read["a"], "x\u{202e}\ny");
}

#[test]
fn the_schemas_name_what_the_documents_hold() {
    use tenantry::render::schema;
    let keys = |schema: &serde_json::Value, at: &str| -> Vec<String> {
        schema
            .pointer(at)
            .and_then(|found| found.as_object())
            .map(|found| found.keys().cloned().collect())
            .unwrap_or_default()
    };
    let plan: serde_json::Value = serde_json::from_str(&json::plan(&everything())).unwrap();
    let described = keys(&schema::plan(), "/properties");
    for found in plan.as_object().unwrap().keys() {
        assert!(described.contains(found), "{found}");
    }
    assert!(schema::plan().pointer("/$defs/SavedPlan").is_some());
    assert!(schema::plan().pointer("/$defs/SavedPlan/additionalProperties").is_none());
    assert_eq!(schema::list()["title"], "The fleet, as tenantry list prints it");
    assert_eq!(schema::list()["type"], "array");
}
