use super::*;
use crate::core::model::TenantKey;
use crate::core::plan::{About, DatabaseChange, DatabaseIdentity, Hazard, ShownChange};
use crate::core::words::count;

fn tenant(key: &str, verb: Verb) -> ShownTenant {
    ShownTenant {
        tenant: TenantKey::new(key).unwrap(),
        verb,
        schema: format!("tenant_{key}"),
        username: format!("{key}_user"),
        owner: format!("{key}_owner"),
        changes: Vec::new(),
        hazards: Vec::new(),
        reason: None,
        hint: None,
        notes: Vec::new(),
        access: None,
    }
}

fn updated(key: &str) -> ShownTenant {
    let mut plan = tenant(key, Verb::Update);
    let sql = vec![format!("ALTER ROLE \"{key}_user\" CONNECTION LIMIT 50")];
    let change = ShownChange::sql(Kind::AlterRole, format!("role {key}_user"), sql);
    plan.changes.push(change.before("connection limit 10").after("connection limit 50"));
    let change = ShownChange::sql(Kind::GrantSchema, format!("schema tenant_{key}"), Vec::new());
    plan.changes.push(change.before(format!("{key}_user: USAGE")).after(format!("{key}_user: USAGE, CREATE")));
    let detail = format!("clients of {key}_user must read the secret again");
    plan.hazards.push(Hazard { kind: HazardKind::ChangesCredentials, detail });
    plan
}

fn removed(key: &str, tables: usize) -> ShownTenant {
    let mut plan = tenant(key, Verb::Remove);
    let sql = vec![format!("DROP SCHEMA \"tenant_{key}\" CASCADE")];
    let change = ShownChange::sql(Kind::DropSchema, format!("schema tenant_{key}"), sql);
    plan.changes.push(change.before(count(tables, "table")));
    let detail = format!("{}, 52 MB in schema tenant_{key}", count(tables, "table"));
    plan.hazards.push(Hazard { kind: HazardKind::DeletesData, detail });
    plan
}

fn blocked(key: &str) -> ShownTenant {
    let mut plan = tenant(key, Verb::Blocked);
    plan.reason = Some(format!("schema \"tenant_{key}\" exists but is not managed by tenantry"));
    plan.hint = Some(format!("set another schema for {key}"));
    plan
}

fn fleet(tenants: impl IntoIterator<Item = ShownTenant>) -> Document {
    let database =
        DatabaseIdentity { host: "db.internal".into(), port: 5432, name: "app".into(), system_identifier: "1".into() };
    Document { database, tenants: tenants.into_iter().collect(), ..Document::default() }
}

fn key(n: usize) -> String {
    format!("t{n:04}")
}

#[test]
fn nothing_to_do_is_said_so() {
    let text = super::plan(&fleet([tenant("acme", Verb::Unchanged)]), &Style::default());
    assert_eq!(
        text,
        "No changes. PostgreSQL and the secret store match tenants.toml.\nPlan: 0 to create, 0 to update, 0 to remove, 1 unchanged.\n"
    );
}

#[test]
fn ten_thousand_tenants_with_the_same_changes_are_one_block() {
    let mut odd = updated("odd");
    odd.changes.pop();
    let mut plan = fleet((0..10_000).map(|n| updated(&key(n))).chain([odd, blocked("b1"), blocked("b2")]));
    plan.database_changes.push(DatabaseChange {
        action: DatabaseAction::CreateGroup,
        detail: "role tenantry_app_tenants (NOLOGIN), which every tenant joins".into(),
        sql: vec!["CREATE ROLE \"tenantry_app_tenants\" NOLOGIN".to_owned().into()],
        stage: Stage::Before,
        about: About::ItsSql,
    });
    let text = super::plan(&plan, &Style::default());
    assert!(text.lines().count() < 30, "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn verbose_shows_each_tenant_with_its_sql() {
    let text = super::plan(&fleet([updated("acme"), updated("globex")]), &Style { verbose: true, ..Style::default() });
    insta::assert_snapshot!(text);
}

#[test]
fn lost_data_is_listed_tenant_by_tenant_up_to_twenty() {
    let text = super::plan(&fleet((0..25).map(|n| removed(&key(n), n + 1))), &Style::default());
    insta::assert_snapshot!(text);
}

#[test]
fn a_hostile_name_cannot_reach_the_terminal() {
    let mut plan = updated("acme");
    plan.schema = "x\x1b]0;owned\x07\n! hazard none".into();
    plan.changes[0].what = "role \x1b[2J".into();
    plan.changes[0].before = Some("\u{202e}a".into());
    plan.changes[0].sql = vec!["DROP SCHEMA \"x\x1b[1A\n\"".to_owned().into()];
    plan.hazards[0].detail = "\u{9b}2J\r".into();
    let mut stuck = blocked("b");
    stuck.reason = Some("\x1b[31m".into());
    stuck.hint = Some("\x08".into());
    let text = super::plan(&fleet([plan, stuck]), &Style { verbose: true, ..Style::default() });
    assert!(text.chars().all(|c| c == '\n' || !super::super::escape::is_active(c)), "{text}");
}

#[test]
fn colours_are_ansi_sequences_around_the_same_words() {
    let plan = fleet([updated("acme"), removed("globex", 3)]);
    let plain = super::plan(&plan, &Style::default());
    let coloured = super::plan(&plan, &Style { color: true, ..Style::default() });
    assert!(coloured.contains("\x1b[33m~ update tenant acme\x1b[0m"), "{coloured}");
    let ansi = regex::Regex::new("\x1b\\[[0-9;]*m").unwrap();
    assert_eq!(ansi.replace_all(&coloured, ""), plain);
}

#[test]
fn same_input_same_bytes() {
    let plan = fleet((0..50).map(|n| if n % 3 == 0 { removed(&key(n), n) } else { updated(&key(n)) }));
    assert_eq!(super::plan(&plan, &Style::default()), super::plan(&plan.clone(), &Style::default()));
}

#[test]
fn a_hundred_lines_of_a_file_that_say_the_same_are_one_hazard_to_read_and_each_its_own_to_a_program() {
    let plan = fleet(["acme", "globex", "initech"].map(|key| {
        let mut plan = updated(key);
        plan.hazards = (1..=130)
            .map(|line| format!("V1__init.sql:{line} names \"public.\": that is shared by all tenants"))
            .chain(["V2__x.sql:7 on table notes, which is large: it waits".to_owned()])
            .map(|detail| Hazard { kind: HazardKind::MigrationEscapes, detail })
            .collect();
        plan
    }));
    let first = "V1__init.sql:1 names \"public.\": that is shared by all tenants (the first of 130 such lines of the file; -v shows all)";
    let text = super::plan(&plan, &Style::default());
    assert!(text.matches("! hazard").count() == 2 && text.contains(first), "{text}");
    let text = super::plan(&plan, &Style { verbose: true, ..Style::default() });
    assert!(text.matches("! hazard").count() == 3 * 131 && !text.contains("the first of"), "{text}");
    let markdown = super::super::markdown::plan(&plan);
    assert_eq!(markdown.matches("the first of 130 such lines").count(), 1, "{markdown}");
    let page = super::super::html::report(&super::super::html::Report {
        plan: &plan,
        fleet: &[],
        passwords: &[],
        format: crate::core::migrations::Format::Refinery,
        taken_at: "now",
        planning: "tenantry plan",
    });
    assert_eq!(page.matches("the first of 130 such lines").count(), 1, "{page}");
    let document = serde_json::to_string(&plan).unwrap();
    assert_eq!(document.matches("V1__init.sql").count(), 3 * 130);
}
