//! What is found in the place of a tenant's history of migrations.

use tenantry::model::{Applied, Distrust, History, LockedBy, Observed};
use tenantry::plan::{AfterCommit, Verb, after_restore};

use super::{Situation, assert_is_snapshot, row, told, wish};

const ONE: &str = "[tenants]\nacme = {}\n";
const FIRST: [(&str, &str); 1] = [("V1__users.sql", "CREATE TABLE users (id int);")];
const SECOND: [(&str, &str); 2] = [FIRST[0], ("V2__more.sql", "ALTER TABLE users ADD UNIQUE (id);")];
const LATE: [(&str, &str); 3] = [
    FIRST[0],
    ("V2__more.sql", "ALTER TABLE users ADD UNIQUE (id);"),
    ("V3__late.sql", "-- tenantry: no-transaction\nCREATE INDEX CONCURRENTLY i ON users (id);"),
];

fn history(observed: &mut Observed, history: History) {
    observed.schemas.get_mut("tenant_acme").unwrap().history = history;
}

#[test]
fn no_migration_runs_twice() {
    let of = |change: fn(&mut Observed)| Situation::applied(ONE, &FIRST).wished(ONE, &SECOND).then(change);
    let called = |name: &str, like: &[&str]| {
        let (name, like) = (name.to_owned(), like.iter().map(|like| (*like).to_owned()).collect());
        of(|_| {}).then(move |o| {
            let schema = o.schemas.get_mut("tenant_acme").unwrap();
            (schema.history_called, schema.like_history) = (Some(name), like);
        })
    };
    let like = |gone: bool| {
        of(|_| {}).then(move |o| {
            let schema = o.schemas.get_mut("tenant_acme").unwrap();
            schema.like_history = vec!["flyway".into(), "other".into()];
            if gone {
                schema.history = History::Absent;
            }
        })
    };
    let locked = LockedBy { who: "PID 4711, role acme_user".into(), hint: "SELECT pg_terminate_backend(4711)".into() };
    let anothers = Distrust { why: "it belongs to somebody".into(), is_only_anothers: true };
    let distrusted = |why: Distrust| of(|_| {}).then(move |o| history(o, History::Untrusted(why)));
    assert_is_snapshot(
        "histories",
        &told([
            ("a file is pending", of(|_| {})),
            ("it is locked", of(|_| {}).then(move |o| history(o, History::Locked(locked)))),
            (
                "it may not be read",
                of(|o| history(o, History::Unseen { acl: Default::default(), columns: Vec::new() })),
            ),
            ("it is a view", distrusted(Distrust::new("it is a view, not an ordinary table"))),
            ("it belongs to another", distrusted(anothers.clone())),
            (
                "it belongs to another, and its owner is gone",
                distrusted(anothers).then(|o| _ = o.roles.remove("acme_owner")),
            ),
            ("it is gone, and what was made is there", of(|o| history(o, History::Absent))),
            (
                "it is gone, and so is what was made",
                of(|o| {
                    history(o, History::Absent);
                    o.schemas.get_mut("tenant_acme").unwrap().objects.clear();
                }),
            ),
            ("it is gone, and a table is like one", like(true)),
            ("it is there, and a table is like one", like(false)),
            ("it has the name that the registry remembers", called("old_history", &[])),
            (
                "it has the name that the registry remembers, and another has the new one",
                called("old_history", &["refinery_schema_history"]),
            ),
            ("the registry remembers another name", of(|o| row(o, "acme").history_table = Some("old_history".into()))),
            ("the registry remembers no name", of(|o| row(o, "acme").history_table = None)),
            (
                "a large table is rewritten",
                of(|o| _ = o.schemas.get_mut("tenant_acme").unwrap().large_tables.insert("users".into())),
            ),
            (
                "another table is large",
                of(|o| _ = o.schemas.get_mut("tenant_acme").unwrap().large_tables.insert("orders".into())),
            ),
            (
                "its own tables, with access owner, and no history",
                Situation::applied("[tenants]\nacme = { access = \"owner\" }\n", &FIRST)
                    .then(|o| history(o, History::Absent)),
            ),
            ("files that run outside a transaction", Situation::applied(ONE, &FIRST).wished(ONE, &LATE)),
        ]),
    );
}

/// Of an archive's tenant only what the archive does not hold yet is migrated.
#[test]
fn after_a_restore_only_the_rest_is_migrated() {
    let applied = |versions: &[i64]| -> Vec<Applied> {
        let set = wish(ONE, &LATE).migrations;
        versions.iter().map(|version| Applied::of(set.get(*version).unwrap())).collect()
    };
    let restored = |applied: Option<&[Applied]>| {
        let nothing = crate::support_as_applied::untouched(crate::support_as_applied::server(150_018, true));
        let situation = Situation { desired: wish(ONE, &LATE), observed: nothing };
        let mut plan = situation.plan().tenants.remove(0);
        assert_eq!((plan.verb, plan.pending_migrations()), (Verb::Create, vec![1, 2, 3]));
        assert!(plan.phases.late_migrations().is_some());
        let result = after_restore(&mut plan, &situation.desired.migrations, applied, 15);
        result.map(|()| plan)
    };
    for (name, held, pending, late) in [
        ("not known", None, vec![], 0),
        ("nothing", Some(applied(&[])), vec![1, 2, 3], 1),
        ("the first", Some(applied(&[1])), vec![2, 3], 1),
        ("all but what is late", Some(applied(&[1, 2])), vec![3], 1),
        ("all", Some(applied(&[1, 2, 3])), vec![], 0),
    ] {
        let plan = restored(held.as_deref()).unwrap();
        assert_eq!(plan.pending_migrations(), pending, "{name}");
        let of_late = plan.phases.after.iter().filter(|after| matches!(after, AfterCommit::Migrate(_))).count();
        assert_eq!(of_late, late, "{name}");
        let migrate = plan.phases.migrate();
        assert!(migrate.is_none_or(|migrate| migrate.new_history.is_none()), "{name}: the archive has the history");
        assert_eq!(migrate.is_some(), !pending.is_empty(), "{name}");
    }
    let strange = [Applied { version: 9, name: "x".into(), checksum: "1".into() }];
    let blocked = restored(Some(&strange)).unwrap_err();
    assert_eq!(blocked.reason, "migration V9__x was applied but its file is missing");
}
