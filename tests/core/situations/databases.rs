//! What is found of what tenants share: group roles, the registry, shared schemas, schema public, extensions.

use tenantry::model::{
    Acl, Column, DefaultAcl, Entry, Extension, Foreign, Grantee, Group, Holding, Keeper, Membership, ObjectKind,
    Observed, Outside, RegistryObject, RegistrySchema, Role, SharedSchema,
};
use tenantry::plan::{About, DatabaseAction, foreign_code, group_role, owners_role, unreachable_extension};

use super::{Situation, assert_is_snapshot, told, wish};
use crate::support_as_applied::{server, untouched};

const TWO: &str = "[tenants]\nacme = {}\nglobex = {}\n";

fn two(change: fn(&mut Observed)) -> Situation {
    Situation::applied(TWO, &[]).then(change)
}

fn granted(kind: &str, identity: &str, privileges: &str, schema: Option<&str>) -> Outside {
    let held = Holding::Granted {
        column: None,
        privileges: privileges.into(),
        grantor: None,
        owner: "somebody".into(),
        ours: true,
    };
    Outside { kind: kind.into(), identity: identity.into(), schema: schema.map(str::to_owned), held }
}

fn group(observed: &mut Observed) -> &mut Group {
    observed.database.group.as_mut().unwrap()
}

fn joins(observed: &mut Observed, role: &str) {
    group(observed).role.members.insert(Membership::plain(role));
}

#[test]
fn the_group_role_holds_what_is_declared_and_only_tenants_are_in_it() {
    let shared = "[database]\nshared_schemas = [\"shared\"]\n[tenants]\nacme = {}\n";
    let of_shared =
        |outside: fn() -> Outside| Situation::applied(shared, &[]).then(|o| group(o).role.outside.push(outside()));
    let of = |outside: fn() -> Outside| two(|_| {}).then(|o| group(o).role.outside.push(outside()));
    let owners = |change: fn(&mut Group)| two(|_| {}).then(|o| change(o.database.owners_group.as_mut().unwrap()));
    assert_is_snapshot(
        "group_roles",
        &told([
            (
                "tenants' roles are in it",
                two(|o| ["acme_user", "acme_owner", "globex_user"].into_iter().for_each(|role| joins(o, role))),
            ),
            ("a stranger is in it", two(|o| joins(o, "somebody"))),
            (
                "strangers are in it, and there is no registry",
                two(|o| {
                    o.registry = None;
                    ["somebody", "acme_user", "another"].into_iter().for_each(|role| joins(o, role));
                }),
            ),
            (
                "a role of a tenant that is to go is in it",
                two(|o| joins(o, "globex_user")).wished("[tenants]\nacme = {}\n", &[]),
            ),
            (
                "a deputy is in it",
                two(|o| {
                    super::row(o, "acme").deputy = Some("deputy".into());
                    o.roles.insert("deputy".into(), Role::default());
                    joins(o, "deputy");
                }),
            ),
            (
                "an owner that is remembered is in it",
                two(|o| {
                    o.registry.as_mut().unwrap().former_owners.insert("former".into());
                    let member_of = [Membership::plain(group_role("app"))].into();
                    o.roles.insert("former".into(), Role { member_of, ..Role::default() });
                    joins(o, "former");
                }),
            ),
            (
                "it may log in, and more",
                two(|o| {
                    group(o).role.can_login = true;
                    group(o).role.powers = ["CREATEDB", "SUPERUSER"].into();
                }),
            ),
            (
                "it is a member of another",
                two(|o| _ = group(o).role.member_of.insert(Membership::plain("pg_read_all_data"))),
            ),
            ("it owns an object", two(|o| group(o).owns = 1)),
            ("it owns objects", two(|o| group(o).owns = 12)),
            (
                "it has CONNECT by itself",
                two(|o| {
                    group(o).has_connect = true;
                    o.database.public_has_connect = false;
                }),
            ),
            ("nobody has CONNECT", two(|o| o.database.public_has_connect = false)),
            ("CONNECT on the database is granted to it", of(|| granted("database", "app", "CONNECT", None))),
            (
                "CONNECT and more on the database is granted to it",
                of(|| granted("database", "app", "CONNECT, CREATE", None)),
            ),
            ("CONNECT on another database is granted to it", of(|| granted("database", "other", "CONNECT", None))),
            ("USAGE on a schema is granted to it", of(|| granted("schema", "shared", "USAGE", Some("shared")))),
            (
                "USAGE on a shared schema is granted to it",
                of_shared(|| granted("schema", "shared", "USAGE", Some("shared"))),
            ),
            (
                "CREATE on a shared schema is granted to it",
                of_shared(|| granted("schema", "shared", "USAGE, CREATE", Some("shared"))),
            ),
            (
                "a table of a shared schema is granted to it",
                of_shared(|| granted("table", "shared.t", "SELECT", Some("shared"))),
            ),
            ("a table is granted to it", of(|| granted("table", "public.t", "SELECT", Some("public")))),
            (
                "a table is granted to it by others",
                of(|| {
                    let mut outside = granted("table", "public.t", "SELECT", Some("public"));
                    if let Holding::Granted { ours, .. } = &mut outside.held {
                        *ours = false;
                    }
                    outside
                }),
            ),
            (
                "it owns a table",
                of(|| Outside { held: Holding::Owned, ..granted("table", "public.t", "", Some("public")) }),
            ),
            (
                "it gets what somebody will make",
                of(|| {
                    let held = Holding::Future {
                        of: "somebody".into(),
                        plural: "TABLES".into(),
                        privileges: "SELECT".into(),
                        ours: true,
                    };
                    Outside { held, ..granted("table", "public", "", Some("public")) }
                }),
            ),
            (
                "what it has of the registry",
                two(|o| {
                    group(o).role.outside.push(granted("table", "tenantry.tenants", "SELECT", Some("tenantry")));
                    o.registry_schema = Some(RegistrySchema {
                        objects: vec![of_registry(
                            "table",
                            "tenantry.tenants",
                            &[(Grantee::Role(group_role("app")), "r")],
                        )],
                        ..RegistrySchema::default()
                    });
                }),
            ),
            ("the owners' may log in", owners(|group| group.role.can_login = true)),
            (
                "the owners' has a stranger in it",
                owners(|group| _ = group.role.members.insert(Membership::plain("acme_user"))),
            ),
            (
                "the owners' has owners in it",
                owners(|group| _ = group.role.members.insert(Membership::plain("acme_owner"))),
            ),
            (
                "the owners' has an owner in it that is declared since",
                Situation::applied(TWO, &[])
                    .wished("[tenants]\nacme = { owner = \"other\" }\nglobex = {}\n", &[])
                    .then(|o| {
                        let members = &mut o.database.owners_group.as_mut().unwrap().role.members;
                        members.extend(["other", "acme_owner"].map(Membership::plain));
                    }),
            ),
            ("the owners' has no TEMPORARY", owners(|group| group.has_temp = false)),
            ("the owners' is gone", two(|o| o.database.owners_group = None)),
            (
                "the owners' is not wanted, and not there",
                Situation::applied("[database]\npublic_schema = \"keep\"\n[tenants]\nacme = {}\n", &[])
                    .then(|o| o.database.owners_group = None),
            ),
            (
                "the owners' is not wanted, and may log in",
                Situation::applied("[database]\npublic_schema = \"keep\"\n[tenants]\nacme = {}\n", &[]).then(|o| {
                    o.database.owners_group =
                        Some(Group { role: Role { can_login: true, ..Role::default() }, ..Group::default() })
                }),
            ),
        ]),
    );
}

#[test]
fn group_roles_of_databases_with_long_names_are_told_apart() {
    assert_eq!(group_role("app"), "tenantry_app_tenants");
    assert_eq!(owners_role("app"), "tenantry_app_owners");
    let fits = "d".repeat(63 - "tenantry__tenants".len());
    assert_eq!(group_role(&fits), format!("tenantry_{fits}_tenants"));
    let long = |last: char| format!("{}{last}", "d".repeat(62));
    for of in [group_role, owners_role] {
        let (one, other) = (of(&long('a')), of(&long('b')));
        assert_eq!((one.len(), other.len()), (63, 63), "{one} {other}");
        assert_ne!(one, other);
        assert_eq!(one, of(&long('a')));
        assert!(one.starts_with("tenantry_ddd") && (one.ends_with("_tenants") || one.ends_with("_owners")), "{one}");
    }
    // Cut between characters.
    let wide = group_role(&"é".repeat(31));
    assert!(wide.len() <= 63 && wide.starts_with("tenantry_é"), "{wide}");
}

fn of_registry(kind: &str, name: &str, holders: &[(Grantee, &str)]) -> RegistryObject {
    let acl = holders.iter().fold(Acl::default(), |acl, (grantee, letters)| acl.with(grantee.clone(), letters));
    let (kind, name, owner) = (kind.to_owned(), name.to_owned(), "admin".to_owned());
    RegistryObject { kind, name, owner, acl, columns: Vec::new(), ours: true }
}

#[test]
fn nobody_but_a_reader_has_a_part_of_the_registry() {
    let role = |name: &str| Grantee::Role(name.to_owned());
    let object = |kind: &'static str, name: &'static str, holders: &[(Grantee, &str)]| {
        let object = of_registry(kind, name, holders);
        two(|_| {}).then(move |o| o.registry_schema.get_or_insert_default().objects.push(object))
    };
    let column = |grantee: Grantee, letters: &str, ours: bool| {
        let columns = vec![Column { name: "c".into(), acl: Acl::default().with(grantee, letters) }];
        let object = RegistryObject { columns, ours, ..of_registry("table", "tenantry.tenants", &[]) };
        two(|_| {}).then(move |o| o.registry_schema.get_or_insert_default().objects.push(object))
    };
    let future = |of: &str, kind: ObjectKind, grantee: Grantee, letters: &str| {
        let default = DefaultAcl { role: of.into(), kind, acl: Acl::default().with(grantee, letters) };
        two(|_| {}).then(move |o| o.registry_schema.get_or_insert_default().default_acls.push(default))
    };
    let foreign = |runs: bool, remedy: Option<&str>| {
        let (what, remedy) = ("trigger t on tenantry.audit".to_owned(), remedy.map(str::to_owned));
        let foreign = Foreign { what, remedy, runs, hides: false, ours: true };
        two(|_| {}).then(move |o| o.registry_schema.get_or_insert_default().foreign.push(foreign))
    };
    let strangers = |many: usize| {
        two(|_| {}).then(move |o| {
            let strangers = (0..many).map(|n| (format!("table t{n}"), "somebody".to_owned()));
            o.registry_schema.get_or_insert_default().strangers.extend(strangers);
        })
    };
    let mut not_ours = of_registry("table", "tenantry.tenants", &[(Grantee::Public, "r")]);
    not_ours.ours = false;
    let grantable = Acl::default().with_entry(&Entry {
        grantee: &role("reader"),
        grantor: None,
        privileges: "r".into(),
        grantable: "r".into(),
    });
    let may_pass_on = RegistryObject { acl: grantable, ..of_registry("table", "tenantry.tenants", &[]) };
    let keeper = |situation: Situation| {
        situation.then(|o| o.server.keeper = Some(Keeper { name: "keeper".into(), superuser: false }))
    };
    let add = |object: RegistryObject| {
        two(|_| {}).then(move |o| o.registry_schema.get_or_insert_default().objects.push(object))
    };
    assert_is_snapshot(
        "registry_and_who_may_what",
        &told([
            ("a reader of a table", object("table", "tenantry.tenants", &[(role("reader"), "r")])),
            ("a writer of a table", object("table", "tenantry.tenants", &[(role("reader"), "rw")])),
            ("a reader who may pass it on", add(may_pass_on)),
            ("PUBLIC, of a table that is not ours", add(not_ours)),
            ("a tenant, of a table", object("table", "tenantry.tenants", &[(role("acme_user"), "r")])),
            ("the keeper, of a table", keeper(object("table", "tenantry.tenants", &[(role("keeper"), "rw")]))),
            (
                "the schema, a reader and PUBLIC",
                object("schema", "tenantry", &[(role("reader"), "UC"), (Grantee::Public, "U")]),
            ),
            ("a sequence, a reader", object("sequence", "tenantry.s", &[(role("reader"), "rU")])),
            (
                "a function, as it is by default",
                object("function", "tenantry.f()", &[(role("reader"), "X"), (Grantee::Public, "X")]),
            ),
            (
                "a type, as it is by default",
                object("type", "tenantry.t", &[(role("reader"), "U"), (Grantee::Public, "U")]),
            ),
            ("a column, a reader", column(role("reader"), "r", true)),
            ("a column, PUBLIC", column(Grantee::Public, "r", true)),
            ("a column, a writer, and not ours", column(role("reader"), "rw", false)),
            ("tables of the admin's, in future", future("admin", ObjectKind::Table, role("acme_user"), "r")),
            ("functions of the admin's, in future", future("admin", ObjectKind::Function, role("acme_user"), "X")),
            ("types of the admin's, in future", future("admin", ObjectKind::Type, role("acme_user"), "U")),
            ("tables of somebody's, in future", future("somebody", ObjectKind::Table, Grantee::Public, "r")),
            (
                "tables of somebody's, in future, and no superuser",
                future("somebody", ObjectKind::Table, Grantee::Public, "r").then(|o| o.server.admin.superuser = false),
            ),
            ("tables of a tenant's, in future", future("acme_user", ObjectKind::Table, Grantee::Public, "r")),
            ("a trigger", foreign(true, Some("DROP TRIGGER t"))),
            ("something that was altered", foreign(false, Some("ALTER TABLE t"))),
            ("something that cannot be taken away", foreign(true, None)),
            ("a stranger", strangers(1)),
            ("as many strangers as are named", strangers(3)),
            ("more strangers", strangers(5)),
            ("it is older", two(|o| o.registry.as_mut().unwrap().pending = 2)),
        ]),
    );
    let mut observed = foreign(true, None).observed;
    assert_eq!(foreign_code(&observed).count(), 1);
    observed.registry_schema.as_mut().unwrap().foreign[0].runs = false;
    assert_eq!(foreign_code(&observed).count(), 0);
}

#[test]
fn shared_schemas_are_open_to_read_and_closed_to_make() {
    let toml = "[database]\nshared_schemas = [\"shared\"]\n[tenants]\nacme = {}\n";
    let of = |acl: Acl, ours: bool, name: &str| {
        let (owner, name) = ("somebody".to_owned(), name.to_owned());
        let found = SharedSchema { owner, group_has_usage: true, may_grant: true, may_create: true, acl, ours };
        Situation::applied(toml, &[]).then(move |o| _ = o.database.shared_schemas.insert(name, found))
    };
    let public = |letters: &str| Acl::default().with(Grantee::Public, letters);
    assert_is_snapshot(
        "shared_schemas",
        &told([
            ("PUBLIC may look", of(public("U"), true, "shared")),
            ("PUBLIC may make", of(public("UC"), true, "shared")),
            ("PUBLIC may make, and it is not ours", of(public("UC"), false, "shared")),
            ("a role may make", of(public("U").with(Grantee::Role("r".into()), "UC"), true, "shared")),
            ("schema public, where PUBLIC may make", of(public("UC"), true, "public")),
            (
                "the group may not look",
                of(public(""), true, "shared")
                    .then(|o| o.database.shared_schemas.get_mut("shared").unwrap().group_has_usage = false),
            ),
        ]),
    );
}

#[test]
fn schema_public_and_temporary_are_closed_by_whoever_may() {
    let of = |toml: &str, change: fn(&mut Observed)| {
        Situation { desired: wish(toml, &[]), observed: untouched(server(150_018, false)) }.then(change)
    };
    let objects = |o: &mut Observed| {
        let public = o.database.public_schema.as_mut().unwrap();
        (public.objects, public.examples) = (2, vec!["a".into(), "b".into()]);
    };
    let one = "[tenants]\nacme = {}\n";
    let keep = "[database]\npublic_schema = \"keep\"\n[tenants]\nacme = {}\n";
    let revoke = "[database]\npublic_schema = \"revoke\"\n[tenants]\nacme = {}\n";
    let lines = |situation: &Situation| {
        let plan = situation.plan();
        let changes = plan.database_changes.iter().map(|change| format!("{:?} {}", change.action, change.detail));
        let hazards = plan.hazards.iter().map(|hazard| format!("! {:?} {}", hazard.kind, hazard.detail));
        changes.chain(hazards).collect::<Vec<_>>().join("\n  ")
    };
    let situations = [
        (
            "an owner of both",
            of(one, |o| {
                o.server.admin.owns_public = true;
            }),
        ),
        ("an owner of the database only", of(one, |_| {})),
        (
            "an owner of schema public only",
            of(one, |o| {
                o.server.admin.owns_database = false;
                o.server.admin.owns_public = true;
            }),
        ),
        (
            "a superuser",
            of(one, |o| {
                o.server.admin = tenantry::model::Admin { superuser: true, name: "admin".into(), ..Default::default() }
            }),
        ),
        ("full, and nothing said", of(one, objects)),
        ("full, and kept", of(keep, objects)),
        ("full, and revoked", of(revoke, objects).then(|o| o.server.admin.owns_public = true)),
        ("full, and revoked by one who may not", of(revoke, objects)),
        (
            "full, and closed already",
            of(revoke, objects).then(|o| o.database.public_schema.as_mut().unwrap().public_privileges.clear()),
        ),
        ("dropped", of(one, |o| o.database.public_schema = None)),
        ("no tenant, no registry", of("[tenants]\n", |_| {})),
        (
            "only a blocked tenant, no registry",
            of(one, |o| _ = o.schemas.insert("tenant_acme".into(), Default::default())),
        ),
    ];
    let text: String =
        situations.iter().map(|(name, situation)| format!("== {name}\n  {}\n", lines(situation))).collect();
    assert_is_snapshot("schema_public", &text);
}

#[test]
fn extensions_are_where_tenants_look() {
    let toml =
        "[database]\nshared_schemas = [\"shared\", \"more\"]\nextensions = [\"pg_trgm\"]\n[tenants]\nacme = {}\n";
    let pending = [("V1__a.sql", "CREATE TABLE a (id int);")];
    let found = |schema: &str, open: bool, relocatable: bool| {
        let found = Extension { schema: schema.into(), owner: "somebody".into(), relocatable, open };
        Situation::applied(toml, &[])
            .wished(toml, &pending)
            .then(move |o| _ = o.database.extensions.insert("pg_trgm".into(), found))
    };
    let of = |situation: &Situation| unreachable_extension(&situation.desired, &situation.observed, &situation.plan());
    for (schema, open, is_reached) in [
        ("shared", false, true),
        ("more", false, true),
        ("pg_catalog", false, true),
        ("elsewhere", true, true),
        ("elsewhere", false, false),
        ("public", true, true),
    ] {
        assert_eq!(of(&found(schema, open, true)).is_none(), is_reached, "{schema} {open}");
    }
    // Schema public is closed by the same plan.
    let public = |o: &mut Observed| o.database.public_schema.as_mut().unwrap().public_privileges = "U".into();
    assert!(of(&found("public", true, true).then(public)).is_some());
    assert!(of(&found("elsewhere", true, true).then(public)).is_none());
    let nothing_to_migrate = found("elsewhere", false, true).wished(toml, &[]);
    assert!(of(&nothing_to_migrate).is_none());
    let (what, remedy) = of(&found("elsewhere", false, false)).unwrap();
    assert_eq!(what, "extension pg_trgm is in schema elsewhere, where no tenant can use it; nothing was changed");
    assert!(remedy.contains("DROP EXTENSION"), "{remedy}");
    assert_is_snapshot(
        "extensions",
        &told([
            ("in the second shared schema", found("more", false, true)),
            ("elsewhere, and relocatable", found("elsewhere", false, true)),
            ("elsewhere, and fixed", found("elsewhere", false, false)),
            ("not there", Situation::applied(toml, &[]).then(|o| _ = o.database.extensions.remove("pg_trgm"))),
        ]),
    );
    let missing = Situation::applied(toml, &[]).then(|o| _ = o.database.extensions.remove("pg_trgm")).plan();
    let about = About::Extension { name: "pg_trgm".into(), schema: "shared".into() };
    assert!(
        missing
            .database_changes
            .iter()
            .any(|change| change.action == DatabaseAction::CreateExtension && change.about == about)
    );
    assert!(
        missing
            .database_changes
            .iter()
            .filter(|change| change.action == DatabaseAction::CreateExtension)
            .all(|change| change.action.makes())
    );
}
