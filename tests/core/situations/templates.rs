//! A tenant that begins with the rows of another one, or of an archive.

use tenantry::model::{Applied, State, TenantKey};
use tenantry::plan::{AfterCommit, ArchivedRows, Change, TenantPlan, from_archive};
use tenantry::render::Style;

use super::{Situation, assert_is_snapshot, key, row};
use crate::support_as_applied::server;

const DEMO: &str = "[tenants]\ndemo = {}\n";
/// The second one runs outside of the transaction, unless rows are to be copied.
const FILES: [(&str, &str); 2] = [
    ("V1__users.sql", "CREATE TABLE users (id int);"),
    ("V2__index.sql", "-- tenantry: no-transaction\nCREATE INDEX CONCURRENTLY users_id ON users (id);"),
];

fn begins(situation: Situation, keys: &str) -> Situation {
    situation.wished(&format!("{DEMO}acme = {{ template = \"demo\"{keys} }}\n"), &FILES)
}

fn demo() -> Situation {
    Situation::applied(DEMO, &FILES)
}

#[test]
fn a_new_tenant_begins_as_its_template_says() {
    const ROWS: &str = ", template_data = true";
    let by_createrole = || Situation::applied_on(server(160_009, false), DEMO, &FILES);
    let both = "[tenants]\ndemo = {}\nacme = { template = \"demo\", template_data = true }\n";
    let renamed = |keys: &str| {
        let toml = format!("[tenants]\ndemo = {{ {keys} }}\nacme = {{ template = \"demo\", template_data = true }}\n");
        demo().wished(&toml, &FILES)
    };
    let situations = [
        ("without rows", begins(demo(), "")),
        ("with rows", begins(demo(), ROWS)),
        (
            "with rows of an empty one",
            begins(demo(), ROWS).then(|o| o.schemas.get_mut("tenant_demo").unwrap().bytes = 0),
        ),
        ("with rows, by an admin who is no superuser", begins(by_createrole(), ROWS)),
        ("both are new", Situation::applied("[tenants]\n", &[]).wished(both, &FILES)),
        ("it is there already", Situation::applied(both, &FILES)),
        (
            "it was there, and its schema is gone",
            Situation::applied(both, &FILES).then(|o| {
                o.schemas.remove("tenant_acme");
                o.schema_names.clear();
            }),
        ),
        ("its template is being removed", begins(demo(), ROWS).then(|o| row(o, "demo").state = State::Removing)),
        ("its template gets another schema", renamed("schema = \"other\"")),
        ("its template gets another username", renamed("username = \"other\"")),
        ("its template gets another owner", renamed("owner = \"other\"")),
        ("without rows, its template gets another schema", {
            let toml = "[tenants]\ndemo = { schema = \"other\" }\nacme = { template = \"demo\" }\n";
            demo().wished(toml, &FILES)
        }),
    ];
    let verbose = Style { verbose: true, ..Style::default() };
    let tell = |(name, situation): (&str, Situation)| format!("== {name}\n{}\n", situation.told_with(&verbose));
    assert_is_snapshot("templates", &situations.into_iter().map(tell).collect::<String>());
}

fn rows() -> ArchivedRows {
    ArchivedRows { tenant: key("demo"), file: "demo.dump".into(), tables: 1, rows: 20 }
}

/// The plan of acme, new, with the rows of demo's archive; or why they do not fit, and what to do.
fn archived(files: &[(&str, &str)], applied: Option<&[(&str, &str)]>) -> Result<TenantPlan, String> {
    let situation = demo().wished("[tenants]\ndemo = {}\nacme = {}\n", files);
    let of = |files: &[(&str, &str)]| -> Vec<Applied> {
        let desired = super::wish("[tenants]\n", files);
        desired.migrations.iter().map(Applied::of).collect()
    };
    let acme: TenantKey = key("acme");
    let mut plan = situation.plan().tenants.into_iter().find(|tenant| tenant.tenant == acme).unwrap();
    let applied = applied.map(of);
    let tenant = &situation.desired.tenants[&acme];
    from_archive(&mut plan, tenant, &situation.desired.migrations, applied.as_deref(), rows())
        .map(|()| plan)
        .map_err(|blocked| format!("{}; {}", blocked.reason, blocked.hint.unwrap_or_default()))
}

#[test]
fn an_archives_rows_fill_the_tables_of_the_same_migrations_and_no_others() {
    let plan = archived(&FILES, Some(&FILES)).unwrap();
    let kinds: Vec<_> = plan.phases.transaction.iter().collect();
    let at = kinds.iter().position(|change| matches!(change, Change::CopyRows(_))).unwrap();
    assert!(matches!(kinds[at - 1], Change::Migrate(_)), "{kinds:#?}");
    let Change::CopyRows(copy) = kinds[at] else { unreachable!() };
    assert_eq!(
        (copy.schema.as_str(), copy.username.as_str(), copy.owner.as_str()),
        ("tenant_acme", "acme_user", "acme_owner")
    );
    assert!(
        !plan.phases.after.iter().any(|after| matches!(after, AfterCommit::Migrate(_))),
        "a migration changes the rows"
    );

    let newer = archived(&FILES, Some(&FILES[..1])).unwrap_err();
    assert_eq!(
        newer,
        "its rows are as of V1, and the migrations create the tables as of V2; \
         restore it with the migrations directory of that time, and then apply with this one"
    );
    let older = archived(&FILES, Some(&[])).unwrap_err();
    assert!(
        older.starts_with("its rows are as of no migration, and the migrations create the tables as of V2; "),
        "{older}"
    );
    let none = archived(&[], Some(&[])).unwrap_err();
    assert!(
        none.starts_with("its rows are as of no migration, and the migrations create the tables as of no migration; "),
        "{none}"
    );
    let unknown = archived(&FILES, None).unwrap_err();
    assert!(unknown.starts_with("which migrations its rows went through is not known; "), "{unknown}");
    assert!(archived(&FILES[..1], Some(&FILES)).is_err(), "the archive went through migrations that have no file");
}
