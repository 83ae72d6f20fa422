//! What a plan takes of the server, and what the server's roles have that they should not.

use tenantry::model::{Acl, Grantee, Observed, Schema, Tablespace};
use tenantry::plan::{Hazard, HazardKind};

use super::{Situation, assert_is_snapshot};
use crate::support_as_applied::server;

const V1: [(&str, &str); 1] = [("V1__a.sql", "CREATE TABLE a (id int);")];

fn of_kind(situation: &Situation, kind: HazardKind) -> Vec<String> {
    let plan = situation.plan();
    let of_tenants = plan.tenants.iter().flat_map(|tenant| &tenant.hazards);
    let found = plan.hazards.iter().chain(of_tenants).filter(|hazard: &&Hazard| hazard.kind == kind);
    found.map(|hazard| hazard.detail.clone()).collect()
}

#[test]
fn limits_beyond_the_servers_room_are_said_where_a_plan_changes_them() {
    let fleet = |limits: &[i32]| -> String {
        let tenants = limits.iter().enumerate().map(|(n, limit)| format!("t{n} = {{ connection_limit = {limit} }}\n"));
        format!("[tenants]\n{}", tenants.collect::<String>())
    };
    let of = |before: &[i32], after: &[i32], room: i64| {
        let situation = Situation::applied(&fleet(before), &[])
            .wished(&fleet(after), &[])
            .then(|o| o.server.connection_slots = room);
        of_kind(&situation, HazardKind::ConnectionsShort)
    };
    assert_eq!(of(&[5], &[5, 5], 10), [""; 0]);
    assert_eq!(of(&[5], &[5, 5], 0), [""; 0], "not known");
    assert_eq!(of(&[5, 6], &[5, 6], 10), [""; 0], "as before");
    assert_eq!(of(&[-1, 11], &[-1, 11, -1], 10), [""; 0], "a new one without a limit changes none");
    let said = |limits: &[i32], before: &[i32]| of(before, limits, 10);
    assert!(
        said(&[5, 6], &[5])[0]
            .starts_with("the connection limits of 2 tenants add up to 11, but PostgreSQL accepts 10 connections")
    );
    assert!(
        said(&[5, 6, -1, -1], &[5])[0]
            .starts_with("the connection limits of 2 tenants (2 more have none) add up to 11")
    );
    assert!(said(&[0, 11], &[0])[0].starts_with("the connection limits of 2 tenants add up to 11"));
}

#[test]
fn a_verifier_in_the_log_is_said_where_one_is_sent() {
    let logged = |superuser: bool, logs: bool, before: &str, after: &str| {
        let situation = Situation::applied_on(server(150_018, superuser), before, &[]).wished(after, &[]);
        let situation = situation.then(|o| {
            o.server.logged_by = if logs { vec!["log_statement = ddl".into(), "x = y".into()] } else { Vec::new() }
        });
        of_kind(&situation, HazardKind::VerifiersLogged).len()
    };
    let (one, two) = ("[tenants]\na = {}\n", "[tenants]\na = {}\nb = {}\n");
    let limited = "[tenants]\na = { connection_limit = 3 }\n";
    assert_eq!(logged(false, true, one, two), 1);
    assert_eq!(logged(true, true, one, two), 0, "a superuser keeps them out");
    assert_eq!(logged(false, false, one, two), 0);
    assert_eq!(logged(false, true, one, limited), 0);
    assert_eq!(logged(false, true, one, one), 0);
    let rotated = |superuser: bool| {
        let situation = Situation::applied_on(server(150_018, superuser), one, &[])
            .then(|o| o.server.logged_by = vec!["log_statement = all".into()]);
        tenantry::plan::rotation(&situation.desired, &situation.observed, &|_| true, false).hazards.len()
    };
    assert_eq!((rotated(false), rotated(true)), (1, 0));
}

#[test]
fn locks_are_counted_from_the_smallest_tenant() {
    let (two, three) = ("[tenants]\na = {}\nb = {}\n", "[tenants]\na = {}\nb = {}\nc = {}\n");
    let of = |after: &str, small: i64, slots: i64| {
        let situation = Situation::applied(two, &[]).wished(after, &[]).then(|o| {
            o.server.lock_slots = slots;
            o.schemas.get_mut("tenant_a").unwrap().relations = 1_000;
            o.schemas.get_mut("tenant_b").unwrap().relations = small;
        });
        of_kind(&situation, HazardKind::ManyLocks).len()
    };
    assert_eq!(of(three, 21, 100), 1);
    assert_eq!(of(three, 20, 100), 0, "exactly enough");
    assert_eq!(of(three, 21, 0), 0, "not known");
    assert_eq!(of(two, 21, 100), 0, "nothing is created");
    let first = Situation::applied(two, &V1).then(|o| o.registry = None);
    assert_eq!(of_kind(&first, HazardKind::ManyLocks).len(), 0);
}

#[test]
fn what_a_removal_drops_goes_in_batches_where_it_would_not_fit() {
    let of = |relations: i64, objects: i64, slots: i64, how: &str| {
        let before = format!("[tenants]\na = {{}}\nb = {{ on_remove = \"{how}\" }}\n");
        Situation::applied(&before, &V1).wished("[tenants]\na = {}\n", &V1).then(move |o| {
            o.server.lock_slots = slots;
            let schema = o.schemas.get_mut("tenant_b").unwrap();
            (schema.relations, schema.tables) = (relations, 10);
            schema.objects.clear();
            o.roles.get_mut("b_owner").unwrap().large_objects = objects;
        })
    };
    let text: String = [
        ("fits exactly", of(10, 0, 100, "drop")),
        ("does not fit", of(11, 0, 100, "drop")),
        ("does not fit, and is archived", of(11, 0, 100, "archive")),
        ("large objects fit exactly", of(0, 50, 100, "drop")),
        ("large objects do not fit", of(0, 51, 100, "drop")),
        ("both do not fit", of(50, 51, 100, "archive")),
        ("the schema does not fit with its large objects", of(9, 6, 100, "drop")),
        ("not known", of(50, 51, 0, "drop")),
    ]
    .iter()
    .map(|(name, situation)| {
        let plan = situation.plan();
        let tenant = &plan.tenants[1];
        let hazards: Vec<_> =
            tenant.hazards.iter().filter(|h| h.kind == HazardKind::ManyLocks).map(|h| h.detail.as_str()).collect();
        let batches: Vec<_> = tenant.phases.batches.iter().map(|batch| format!("{} {batch:?}", batch.what())).collect();
        format!("== {name}\n  {}\n  {}\n", hazards.join("; "), batches.join("\n  "))
    })
    .collect();
    assert_is_snapshot("removals_in_batches", &text);
}

#[test]
fn archives_that_may_not_fit_the_disk_are_said() {
    let before = "[tenants]\na = {}\nb = { on_remove = \"archive\" }\nc = { on_remove = \"archive\" }\n";
    let of = |free: Option<u64>, change: fn(&mut Observed)| {
        let situation = Situation::applied(before, &[]).wished("[tenants]\na = {}\n", &[]).then(|o| {
            o.archive_space = free;
            o.schemas.values_mut().for_each(|schema| schema.bytes = 1_000);
        });
        of_kind(&situation.then(change), HazardKind::DiskShort)
    };
    assert_eq!(of(None, |_| {}), [""; 0]);
    assert_eq!(of(Some(2_000), |_| {}), [""; 0], "exactly enough");
    assert_eq!(of(Some(1_999), |_| {}).len(), 1);
    assert_eq!(of(Some(2_001), |o| o.roles.get_mut("b_user").unwrap().large_object_bytes = 2).len(), 1);
    assert_eq!(of(Some(2_001), |o| o.roles.get_mut("b_owner").unwrap().large_object_bytes = 2).len(), 1);
    assert_eq!(of(Some(2_001), |o| o.roles.get_mut("a_owner").unwrap().large_object_bytes = 2).len(), 0);
    // What a shared owner has goes into no archive.
    let shared = "[defaults]\nowner = \"all\"\n[tenants]\na = {}\nb = { on_remove = \"archive\" }\n";
    let situation = Situation::applied(shared, &[]).wished("[defaults]\nowner = \"all\"\n[tenants]\na = {}\n", &[]);
    let situation = situation.then(|o| {
        o.archive_space = Some(10);
        o.schemas.get_mut("tenant_b").unwrap().bytes = 10;
        (o.roles.get_mut("all").unwrap().large_object_bytes, o.roles.get_mut("all").unwrap().large_objects) = (10, 2);
    });
    assert_eq!(of_kind(&situation, HazardKind::DiskShort), [""; 0]);
    let notes = &situation.plan().tenants[1].notes;
    assert_eq!((notes.len(), notes[0].what.as_str()), (1, "2 large objects of role all"));
}

#[test]
fn a_tenant_with_power_over_others_is_said_first() {
    let many: String = (0..23).map(|n| format!("t{n:02} = {{}}\n")).collect();
    let of = |change: fn(&mut Observed)| Situation::applied("[tenants]\na = {}\nb = {}\n", &[]).then(change);
    let all = Situation::applied(&format!("[tenants]\n{many}"), &[]).then(|o| {
        o.roles
            .iter_mut()
            .filter(|(name, _)| name.ends_with("_user"))
            .for_each(|(_, role)| _ = role.powers.insert("BYPASSRLS"));
    });
    let power = |o: &mut Observed, role: &str, via: &str, powers: &[&str]| {
        let powers = powers.iter().map(|power| (*power).to_owned()).collect();
        o.roles.get_mut(role).unwrap().powerful.insert(via.into(), powers);
    };
    let group = |o: &mut Observed, via: &str, powers: &[&str]| {
        let powers = powers.iter().map(|power| (*power).to_owned()).collect();
        o.database.group.as_mut().unwrap().role.powerful.insert(via.into(), powers);
    };
    let lines = |situation: &Situation| {
        let plan = situation.plan();
        let of = |hazards: &[Hazard]| {
            hazards
                .iter()
                .filter(|h| h.kind == HazardKind::PrivilegedTenant)
                .map(|h| h.detail.clone())
                .collect::<Vec<_>>()
        };
        let tenants = plan
            .tenants
            .iter()
            .flat_map(|tenant| of(&tenant.hazards).into_iter().map(|line| format!("  {}: {line}", tenant.tenant)));
        of(&plan.hazards).into_iter().chain(tenants).map(|line| format!("  {line}\n")).collect::<String>()
    };
    let text: String = [
        ("CREATEDB", of(|o| _ = o.roles.get_mut("a_user").unwrap().powers.insert("CREATEDB"))),
        (
            "SUPERUSER and CREATEROLE",
            of(|o| o.roles.get_mut("a_user").unwrap().powers = ["CREATEROLE", "SUPERUSER", "CREATEDB"].into()),
        ),
        ("its owner", of(|o| _ = o.roles.get_mut("a_owner").unwrap().powers.insert("REPLICATION"))),
        ("by a membership", of(|_| {}).then(|o| power(o, "a_user", "pg_write_all_data", &["pg_write_all_data"]))),
        (
            "by a membership in a role that has it",
            of(|_| {}).then(|o| power(o, "a_user", "boss", &["SUPERUSER", "pg_monitor"])),
        ),
        (
            "by the group role",
            of(|_| {}).then(|o| {
                group(o, "boss", &["SUPERUSER"]);
                power(o, "a_user", "boss", &["SUPERUSER"]);
            }),
        ),
        ("the group role itself", of(|o| _ = o.database.group.as_mut().unwrap().role.powers.insert("SUPERUSER"))),
        (
            "a role of somebody else's",
            of(|_| {}).wished("[tenants]\na = {}\nb = { username = \"other\" }\n", &[]).then(|o| {
                let role = tenantry::model::Role { powers: ["SUPERUSER"].into(), ..Default::default() };
                o.roles.insert("other".into(), role);
                o.roles.insert("unrelated".into(), o.roles["other"].clone());
            }),
        ),
        ("23 tenants", all),
    ]
    .iter()
    .map(|(name, situation)| format!("== {name}\n{}", lines(situation)))
    .collect();
    assert_is_snapshot("powers_over_others", &text);
    let first =
        of(|o| _ = o.roles.get_mut("a_user").unwrap().powers.insert("SUPERUSER")).then(|o| o.moved = true).plan();
    assert_eq!(first.hazards[0].kind, HazardKind::PrivilegedTenant);
}

#[test]
fn a_tablespace_that_is_closed_to_a_tenant_is_said_where_it_matters() {
    let space = |grantee: Option<Grantee>, is_own: bool, is_default: bool| {
        let acl = grantee.map_or_else(Acl::default, |grantee| Acl::default().with(grantee, "C"));
        Tablespace { acl, is_own, is_default }
    };
    let of = |toml: &str, space: Tablespace| {
        let desired = super::wish(toml, &V1);
        let observed = crate::support_as_applied::untouched(server(150_018, true));
        Situation { desired, observed }.then(move |o| _ = o.database.tablespaces.insert("fast".into(), space))
    };
    let (full, readwrite) = ("[tenants]\na = {}\n", "[tenants]\na = { access = \"readwrite\" }\n");
    let set = "[tenants]\na = { settings = { default_tablespace = \"fast\" } }\n";
    let unset = "[tenants]\na = { settings = { default_tablespace = \"\" } }\n";
    let set_and_readwrite = "[tenants]\na = { access = \"readwrite\", settings = { default_tablespace = \"fast\" } }\n";
    let user = || Some(Grantee::Role("a_user".into()));
    let other = || Some(Grantee::Role("b_user".into()));
    let situations = [
        ("closed, the database's default", of(full, space(None, false, true))),
        ("closed, the database's default, and the tenant makes nothing", of(readwrite, space(None, false, true))),
        ("open to the tenant only", of(full, space(user(), false, true))),
        ("open to another only", of(full, space(other(), false, true))),
        ("open to everybody", of(full, space(Some(Grantee::Public), false, true))),
        ("the database's own", of(full, space(None, true, true))),
        ("closed, and nobody's default", of(full, space(None, false, false))),
        ("closed, and set for the tenant", of(set, space(None, false, false))),
        ("closed, set for the tenant, and it makes nothing", of(set_and_readwrite, space(None, false, false))),
        ("open to the tenant, and set for it", of(set, space(user(), false, false))),
        ("closed, the database's default, and set to none for the tenant", of(unset, space(None, false, true))),
        ("another is set for the tenant than there is", of(&set.replace("fast", "gone"), space(None, false, false))),
    ];
    let mut text: String = situations
        .iter()
        .map(|(name, situation)| {
            format!("== {name}\n  {}\n", of_kind(situation, HazardKind::TablespaceClosed).join("; "))
        })
        .collect();
    let by_hand = |mode: &str| {
        let toml = format!("[tenants]\na = {{ mode = \"{mode}\" }}\n");
        let situation = Situation::applied(&toml, &[]).wished(&toml, &V1);
        situation.then(|o| {
            o.database.tablespaces.insert("fast".into(), Tablespace::default());
            o.roles.get_mut("a_user").unwrap().settings.insert("default_tablespace".into(), "fast".into());
        })
    };
    for mode in ["authoritative", "additive"] {
        let said = of_kind(&by_hand(mode), HazardKind::TablespaceClosed);
        text += &format!("== set by hand, {mode}\n  {}\n", said.join("; "));
    }
    // Not to be read about every day.
    let as_applied = Situation::applied(full, &V1).then(|o| {
        _ = o.database.tablespaces.insert("fast".into(), Tablespace { is_default: true, ..Tablespace::default() })
    });
    let other_work = Situation::applied(full, &V1).then(|o| {
        o.database.tablespaces.insert("fast".into(), Tablespace { is_default: true, ..Tablespace::default() });
        o.roles.get_mut("a_user").unwrap().inherit = false;
    });
    for (name, situation) in [("nothing to do", as_applied), ("other work", other_work)] {
        text += &format!("== {name}\n  {}\n", of_kind(&situation, HazardKind::TablespaceClosed).join("; "));
    }
    assert_is_snapshot("tablespaces", &text);
}

#[test]
fn locks_of_a_schema_are_estimated_from_what_is_in_it() {
    let schema = |relations: i64| Schema { relations, ..Schema::default() };
    assert_eq!((schema(0).locks(), schema(7).locks()), (0, 35));
    let applied = Situation::applied("[tenants]\na = {}\n", &V1);
    // 8 relations, a function and a type.
    assert_eq!(applied.observed.schemas["tenant_a"].locks(), 44);
}
