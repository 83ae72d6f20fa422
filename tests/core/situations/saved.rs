//! A saved plan is carried out only while everything it was made for is as it was.

use tenantry::model::{History, Observed, Unseen};
use tenantry::plan::{Hazard, HazardKind, Plan, ReadError, Saved, Stale, Verb};

use super::{CameAbout, Situation, key, row};

const BEFORE: &str = "[tenants]\nacme = {}\nglobex = { on_remove = \"drop\" }\ninitech = {}\n";
/// One is altered, one goes, one stays as it is, one is new.
const WISH: &str = "[tenants]\nacme = { connection_limit = 5 }\ninitech = {}\nnew = {}\n";
const MIGRATIONS: [(&str, &str); 1] = [("V1__users.sql", "CREATE TABLE users (id int);")];

fn situation() -> Situation {
    Situation::applied(BEFORE, &MIGRATIONS).wished(WISH, &MIGRATIONS)
}

fn save(situation: &Situation) -> Saved {
    let targets = ["a*".to_owned()];
    Saved::new(&situation.plan(), &situation.desired, &situation.observed, "digest", (&targets, true))
}

fn narrow(saved: &Saved, now: &Situation) -> Result<Plan, Vec<Stale>> {
    saved.narrow(now.plan(), &now.desired, &now.observed, "digest")
}

#[test]
fn a_file_is_read_as_it_was_written() {
    let situation = situation();
    let written = save(&situation).to_json();
    let saved = Saved::parse(written.as_bytes()).unwrap();
    assert_eq!(saved.to_json(), written);
    assert!(written.ends_with("}\n"));
    assert_eq!((saved.targets(), saved.deep(), saved.moved()), (&["a*".to_owned()][..], true, false));
    let moved = situation.then(|observed| observed.moved = true);
    let other = Saved::new(&moved.plan(), &moved.desired, &moved.observed, "digest", (&[], false));
    assert_eq!((other.targets(), other.deep(), other.moved()), (&[][..], false, true));
    let (shown, document) = (saved.into_document(), self::situation().plan().document());
    assert_eq!(tenantry::render::json::plan(&shown), tenantry::render::json::plan(&document));
}

#[test]
fn a_file_that_is_no_plan_of_this_version_is_refused() {
    let text = save(&situation()).to_json();
    let parse = |text: &str| Saved::parse(text.as_bytes()).unwrap_err();
    let version = format!("\"tenantry_version\": \"{}\"", env!("CARGO_PKG_VERSION"));
    assert!(text.contains(&version));
    assert!(matches!(parse(""), ReadError::NotAPlan(_)));
    assert!(matches!(parse(&text[..text.len() / 2]), ReadError::NotAPlan(_)));
    assert_eq!(parse("{}"), ReadError::NotAPlan("there is no format_version".into()));
    assert_eq!(parse(&tenantry::render::json::plan(&situation().plan().document())), ReadError::Document);
    let other = |from: &str, to: &str| parse(&text.replacen(from, to, 1));
    assert_eq!(other("\"format_version\": \"1\"", "\"format_version\": \"2\""), ReadError::OtherFormat("2".into()));
    assert_eq!(other(&version, "\"tenantry_version\": \"0.0.1\""), ReadError::OtherVersion("0.0.1".into()));
    assert_eq!(other("\"deep\": true", "\"deep\": false"), ReadError::Changed);
    assert_eq!(other("\"digest\": \"", "\"digest\": \"0"), ReadError::Changed);
    assert!(matches!(other("\"deep\": true", "\"deep\": true,\n  \"more\": 1"), ReadError::NotAPlan(_)));
    // White space alone is no change.
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert!(Saved::parse(value.to_string().as_bytes()).is_ok());
}

#[test]
fn what_is_as_it_was_is_carried_out() {
    let saved = save(&situation());
    let plan = narrow(&saved, &situation()).unwrap();
    let of = |plan: &Plan| plan.tenants.iter().map(|t| (t.tenant.to_string(), t.verb)).collect::<Vec<_>>();
    assert_eq!(of(&plan), of(&situation().plan()));
    assert_eq!(
        plan.tenants.iter().map(|tenant| tenant.verb).collect::<Vec<_>>(),
        [Verb::Update, Verb::Remove, Verb::Unchanged, Verb::Create]
    );
    // What has got work since is none of this plan's; its file neither shows nor holds it.
    let more = situation().then(|o| _ = o.roles.get_mut("initech_user").map(|role| role.can_login = false));
    let narrowed = narrow(&saved, &more).unwrap();
    assert_eq!(narrowed.tenants.len(), 3);
    assert!(narrowed.tenants.iter().all(|tenant| tenant.tenant.as_str() != "initech"));
}

/// How large a tenant is changes by itself.
#[test]
fn a_size_is_no_reason_to_look_again() {
    let sizes: [(&str, CameAbout); 5] = [
        ("bytes", |o| o.schemas.get_mut("tenant_globex").unwrap().bytes += 1_000_000),
        ("bytes of one that stays", |o| o.schemas.get_mut("tenant_acme").unwrap().bytes += 1),
        ("large tables", |o| _ = o.schemas.get_mut("tenant_acme").unwrap().large_tables.insert("users".into())),
        ("large objects", |o| o.roles.get_mut("acme_user").unwrap().large_objects = 3),
        ("their size", |o| o.roles.get_mut("globex_user").unwrap().large_object_bytes = 8_192),
    ];
    for (name, change) in sizes {
        let saved = save(&situation());
        let now = situation().then(change);
        assert!(narrow(&saved, &now).is_ok(), "{name}: {:?}", narrow(&saved, &now).err());
    }
}

#[test]
fn what_moved_is_told_and_nothing_is_carried_out() {
    let tenant = |name: &str, what: &str| Stale::Tenant { tenant: key(name), what: what.into() };
    let moves: [(&str, CameAbout, Stale); 12] = [
        (
            "the schema is not empty any more",
            |o| o.schemas.get_mut("tenant_acme").unwrap().tables = 9,
            tenant("acme", "changed since: schema tenant_acme"),
        ),
        (
            "what a removal drops has grown by a table",
            |o| o.schemas.get_mut("tenant_globex").unwrap().tables = 9,
            tenant("globex", "changed since: schema tenant_globex"),
        ),
        (
            "its history",
            |o| o.schemas.get_mut("tenant_globex").unwrap().history = History::Absent,
            tenant("globex", "changed since: schema tenant_globex"),
        ),
        (
            "its username",
            |o| o.roles.get_mut("globex_user").unwrap().admin_is_member = true,
            tenant("globex", "changed since: role globex_user"),
        ),
        (
            "its owner",
            |o| o.roles.get_mut("globex_owner").unwrap().admin_is_member = true,
            tenant("globex", "changed since: role globex_owner"),
        ),
        (
            "its row",
            |o| row(o, "acme").password_changed_at = None,
            tenant("acme", "changed since: its row in the registry"),
        ),
        (
            "several at once",
            |o| {
                row(o, "acme").password_changed_at = None;
                o.roles.get_mut("acme_owner").unwrap().admin_is_member = true;
                o.schemas.get_mut("tenant_acme").unwrap().oid += 1;
                row(o, "acme").schema_oid = row(o, "acme").schema_oid.map(|oid| oid + 1);
                let oid = row(o, "acme").schema_oid.unwrap();
                o.schema_names.insert(oid, "tenant_acme".into());
            },
            tenant("acme", "changed since: its row in the registry, role acme_owner, schema tenant_acme"),
        ),
        (
            "what is to be done",
            |o| o.roles.get_mut("acme_user").unwrap().inherit = false,
            tenant(
                "acme",
                "no longer role acme_user no connection limit → connection limit 5; now role acme_user NOINHERIT, no",
            ),
        ),
        (
            "it was done",
            |o| o.roles.get_mut("acme_user").unwrap().connection_limit = 5,
            tenant("acme", "there is nothing left to do"),
        ),
        (
            "it was removed",
            |o| _ = o.registry.as_mut().unwrap().tenants.remove(&key("globex")),
            tenant("globex", "it is no longer declared or registered"),
        ),
        (
            "it stands in the way",
            |o| row(o, "globex").protected = true,
            tenant("globex", "it is now blocked: it is protected and no longer in tenants.toml"),
        ),
        (
            "the new one is there already",
            |o| {
                let mut row = row(o, "initech").clone();
                (row.schema, row.schema_oid) = ("tenant_new".into(), None);
                (row.username, row.owner) = ("new_user".into(), "new_owner".into());
                row.secret.path = "tenants/new".into();
                (row.secret.fields.username, row.secret.fields.schema) = (row.username.clone(), row.schema.clone());
                o.registry.as_mut().unwrap().tenants.insert(key("new"), row);
            },
            tenant("new", "the file says create, but now it is update"),
        ),
    ];
    for (name, change, expected) in moves {
        let found = narrow(&save(&situation()), &situation().then(change)).err().unwrap_or_default();
        let is_it = match (&found[..], &expected) {
            ([Stale::Tenant { tenant, what }], Stale::Tenant { tenant: wanted, what: words }) => {
                tenant == wanted && what.starts_with(words.as_str())
            }
            _ => false,
        };
        assert!(is_it, "{name}: {found:?}");
    }
    let secret = situation().then(|o| {
        let other = o.secrets["tenants/acme"].clone();
        o.secrets.insert("tenants/new".into(), other);
    });
    assert!(
        matches!(&narrow(&save(&situation()), &secret).unwrap_err()[..], [Stale::Tenant { tenant, .. }] if tenant.as_str() == "new")
    );
}

#[test]
fn a_plan_of_another_database_or_configuration_is_not_carried_out() {
    let (saved, now) = (save(&situation()), situation());
    let configured = saved.narrow(now.plan(), &now.desired, &now.observed, "another");
    assert_eq!(configured.unwrap_err(), [Stale::Configuration]);

    let elsewhere: [fn(&mut Observed); 2] =
        [|o| o.database.name = "other".into(), |o| o.server.system_identifier = "8".into()];
    for change in elsewhere {
        let stale = narrow(&saved, &situation().then(change)).unwrap_err();
        assert!(matches!(&stale[..], [Stale::Database { saved, now }] if saved != now), "{stale:?}");
    }
    let [Stale::Database { saved: was, now: is }] =
        &narrow(&saved, &situation().then(|o| o.database.name = "other".into())).unwrap_err()[..]
    else {
        panic!()
    };
    assert_eq!(was, "app on db.internal (cluster 7000000000000000001)");
    assert_eq!(is, "other on db.internal (cluster 7000000000000000001)");
    // The same cluster by another way is the same.
    assert!(narrow(&saved, &situation().then(|o| o.unseen = vec![Unseen { what: "x".into(), hint: None }])).is_ok());

    let shared = narrow(&saved, &situation().then(|o| o.database.public_has_temp = true)).unwrap_err();
    assert!(matches!(&shared[..], [Stale::Shared { what }] if what.starts_with("now ")), "{shared:?}");
}

/// What is shared is compared by what is shown of it: its words, its SQL and the hazards.
#[test]
fn what_tenants_share_is_compared_as_it_is_shown() {
    let (saved, now) = (save(&situation()), situation());
    let narrowed = |plan: Plan| saved.narrow(plan, &now.desired, &now.observed, "digest").err();
    assert_eq!(narrowed(now.plan()), None);
    let hazard = Hazard { kind: HazardKind::GroupRole, detail: "d".into() };
    let mut with_hazard = now.plan();
    with_hazard.hazards.push(hazard);
    assert_eq!(narrowed(with_hazard), Some(vec![Stale::Shared { what: "now d".into() }]));
}

/// Locks and large tables are said anew each time; neither makes a plan another one. What is deleted is compared by its tables.
#[test]
fn hazards_that_come_and_go_by_themselves_are_no_difference() {
    let pending = [MIGRATIONS[0], ("V2__more.sql", "ALTER TABLE users ADD UNIQUE (id);")];
    let before = Situation::applied(BEFORE, &MIGRATIONS).wished(BEFORE, &pending);
    let large = || {
        Situation::applied(BEFORE, &MIGRATIONS)
            .wished(BEFORE, &pending)
            .then(|o| _ = o.schemas.get_mut("tenant_acme").unwrap().large_tables.insert("users".into()))
    };
    let hazards = &large().plan().tenants[0].hazards;
    assert!(hazards.iter().any(|hazard| hazard.kind == HazardKind::BlocksTable), "{hazards:?}");
    assert!(narrow(&save(&before), &large()).is_ok());
    assert!(narrow(&save(&large()), &before).is_ok());
}
