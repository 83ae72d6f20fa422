//! `show`: a tenant as it is declared and as it is.

use tenantry::model::{
    Acl, Column, DefaultAcl, Distrust, Entry, GlobalDefaultAcl, Grantee, History, Holding, LockedBy, Membership,
    ObjectGroup, ObjectKind, Observed, Outside, Role, Schema, SecretState, Unseen,
};
use tenantry::render::{Style, show};

use super::{assert_is_snapshot, key, with_colours};
use crate::situations::{Situation, read_secret, row};
use crate::support_as_applied::{server, untouched};

const ONE: &str = "[tenants]\nacme = {}\n";
const V1: [(&str, &str); 1] = [("V1__users.sql", "CREATE TABLE users (id int);")];

fn shown(situation: &Situation) -> String {
    show::tenant(&situation.desired, &situation.observed, &key("acme"), &Style::default()).unwrap()
}

fn user(observed: &mut Observed) -> &mut Role {
    observed.roles.get_mut("acme_user").unwrap()
}

fn schema(observed: &mut Observed) -> &mut Schema {
    observed.schemas.get_mut("tenant_acme").unwrap()
}

#[test]
fn what_is_otherwise_than_declared_stands_beside_it() {
    let of = |change: fn(&mut Observed)| Situation::applied(ONE, &V1).then(change);
    fn acl(letters: &str) -> Acl {
        Acl::default().with(Grantee::Role("x".into()), letters)
    }
    fn column(letters: &str) -> Column {
        Column { name: "c".into(), acl: acl(letters) }
    }
    fn objects(kind: ObjectKind, owner: &str, acl: Acl, columns: Vec<Column>) -> ObjectGroup {
        ObjectGroup { kind, owner: owner.into(), acl, columns, count: 2, examples: vec!["o1".into(), "o2".into()] }
    }
    let outside = |held: Holding| Outside { kind: "table".into(), identity: "public.t".into(), schema: None, held };
    let granted =
        Holding::Granted { column: None, privileges: "SELECT".into(), grantor: None, owner: "o".into(), ours: true };
    let future = Holding::Future { of: "o".into(), plural: "TABLES".into(), privileges: "INSERT".into(), ours: true };
    let out: String = [
        (
            "the owner lacks privileges",
            of(|o| schema(o).objects.iter_mut().for_each(|group| group.acl = Acl::default())),
        ),
        (
            "another holds some, with the right to pass them on",
            of(|o| {
                let grantee = Grantee::Role("x".into());
                let entry =
                    Entry { grantee: &grantee, grantor: Some("y"), privileges: "r".into(), grantable: "r".into() };
                schema(o).acl = schema(o).acl.clone().with_entry(&entry);
            }),
        ),
        (
            "PUBLIC holds some",
            of(|o| {
                schema(o).objects.iter_mut().for_each(|group| group.acl = group.acl.clone().with(Grantee::Public, "r"))
            }),
        ),
        (
            "columns",
            of(|o| schema(o).objects.push(objects(ObjectKind::Table, "acme_owner", acl("r"), vec![column("w")]))),
        ),
        (
            "what the tenant made itself",
            of(|o| schema(o).objects.push(objects(ObjectKind::Table, "acme_user", acl("r"), Vec::new()))),
        ),
        (
            "what somebody made",
            of(|o| schema(o).objects.push(objects(ObjectKind::Sequence, "x", Acl::default(), Vec::new()))),
        ),
        (
            "collations",
            of(|o| {
                schema(o).objects.extend([
                    objects(ObjectKind::Other, "x", Acl::default(), Vec::new()),
                    objects(ObjectKind::Other, "acme_owner", Acl::default(), Vec::new()),
                    objects(ObjectKind::Other, "acme_user", Acl::default(), Vec::new()),
                ])
            }),
        ),
        (
            "default privileges of another's",
            of(|o| {
                schema(o).default_acls.push(DefaultAcl { role: "x".into(), kind: ObjectKind::Table, acl: acl("r") })
            }),
        ),
        ("default privileges are gone", of(|o| schema(o).default_acls.clear())),
        (
            "the history is locked",
            of(|o| schema(o).history = History::Locked(LockedBy { who: "PID 1".into(), hint: "h".into() })),
        ),
        (
            "the history may not be read",
            of(|o| schema(o).history = History::Unseen { acl: Acl::default(), columns: Vec::new() }),
        ),
        ("the history is a view", of(|o| schema(o).history = History::Untrusted(Distrust::new("it is a view")))),
        ("the history is gone", of(|o| schema(o).history = History::Absent)),
        (
            "the history is granted, and a column of it",
            of(|o| {
                let History::Read { acl, columns, .. } = &mut schema(o).history else { panic!() };
                (*acl, *columns) = (acl.clone().with(Grantee::Role("x".into()), "r"), vec![column("w")]);
            }),
        ),
        (
            "the role",
            of(|o| {
                let role = user(o);
                (role.can_login, role.inherit, role.connection_limit) = (false, false, 7);
                role.powers = ["CREATEDB", "SUPERUSER"].into();
                role.valid_until = Some("2030-01-01".into());
                role.settings.insert("work_mem".into(), "1MB".into());
                role.database_settings.insert("jit".into(), "off".into());
                role.members.insert(Membership::plain("m"));
                role.member_of.insert(Membership { admin: true, ..Membership::plain("g") });
                role.member_of.insert(Membership {
                    admin: true,
                    inherit: false,
                    grantor: Some("x".into()),
                    ..Membership::plain("tenantry_app_tenants")
                });
            }),
        ),
        ("it is valid for ever", of(|o| user(o).valid_until = Some("infinity".into()))),
        (
            "its deputy is a member",
            of(|o| {
                user(o).members.insert(Membership::plain("deputy"));
                row(o, "acme").deputy = Some("deputy".into());
            }),
        ),
        (
            "default privileges in every schema",
            of(|o| {
                let builtin = Acl::default().with(Grantee::Role("acme_user".into()), "arwd");
                user(o).default_acls.push(GlobalDefaultAcl {
                    plural: "TABLES",
                    acl: builtin.clone().with(Grantee::Role("x".into()), "r"),
                    builtin: builtin.clone(),
                });
                user(o).default_acls.push(GlobalDefaultAcl { plural: "SEQUENCES", acl: builtin.clone(), builtin });
            }),
        ),
        (
            "things outside",
            of(|_| {}).then(|o| user(o).outside.extend([outside(Holding::Owned), outside(granted), outside(future)])),
        ),
        ("the secret may not be read", of(|o| _ = o.secrets.insert("tenants/acme".into(), SecretState::Unseen))),
        (
            "the secret is somebody's",
            of(|o| _ = o.secrets.insert("tenants/acme".into(), SecretState::Foreign("why".into()))),
        ),
        ("the secret is gone", of(|o| _ = o.secrets.remove("tenants/acme"))),
        (
            "the secret was read",
            of(|o| {
                let contents = read_secret(o, "acme");
                (contents.url_says_the_same, contents.unusable, contents.password_is_given_one) =
                    (false, Some("is empty"), Some(false));
                contents.fields.sslmode = None;
                contents.fields.host = "elsewhere".into();
            }),
        ),
        ("the secret has another version", of(|o| row(o, "acme").secret.version = Some("0".into()))),
        (
            "the secret has another version, and the same password",
            of(|o| {
                row(o, "acme").secret.version = Some("0".into());
                read_secret(o, "acme").password_is_remembered_one = Some(true);
            }),
        ),
        (
            "the registry",
            of(|o| {
                row(o, "acme").protected = true;
                row(o, "acme").on_remove = tenantry::model::OnRemove::Drop;
                row(o, "acme").state = tenantry::model::State::Retained;
            }),
        ),
        ("nothing is registered", of(|o| o.registry.as_mut().unwrap().tenants.clear())),
        (
            "not everything was seen",
            of(|o| o.unseen = vec![Unseen { what: "the secrets".into(), hint: Some("log in".into()) }]),
        ),
        (
            "a note",
            Situation::applied("[tenants]\nacme = { mode = \"additive\" }\n", &V1)
                .then(|o| schema(o).acl = schema(o).acl.clone().with(Grantee::Role("x".into()), "U")),
        ),
        ("access owner", Situation::applied("[tenants]\nacme = { access = \"owner\" }\n", &V1)),
        (
            "access readonly, and a keeper that is no superuser",
            Situation::applied_on(server(160_000, false), "[tenants]\nacme = { access = \"readonly\" }\n", &V1),
        ),
        ("it goes", of(|_| {}).wished("[tenants]\nglobex = {}\n", &V1)),
        (
            "it is not there yet",
            Situation { desired: crate::situations::wish(ONE, &V1), observed: untouched(server(150_018, true)) },
        ),
    ]
    .iter()
    .map(|(name, situation)| {
        let text = shown(situation);
        // What both sides say alike is not what is asked.
        let differs = text.lines().filter(|line| !line.starts_with("  ") || line.trim_start().starts_with("note"));
        format!("== {name}\n{}\n", differs.collect::<Vec<_>>().join("\n"))
    })
    .collect();
    assert_is_snapshot("page_show", &out);
}

#[test]
fn a_tenant_in_sync_is_shown_once_in_colour_too() {
    let situation = Situation::applied(
        "[defaults]\nsettings = { work_mem = \"1MB\" }\n[database]\nshared_schemas = [\"shared\"]\n[tenants]\nacme = { connection_limit = 3 }\n",
        &V1,
    );
    let mut out = shown(&situation);
    let styled = Style { color: true, ..Style::default() };
    let differs = situation.then(|o| user(o).can_login = false);
    out += &with_colours(&show::tenant(&differs.desired, &differs.observed, &key("acme"), &styled).unwrap());
    assert_is_snapshot("page_show_in_sync", &out);
    assert!(show::tenant(&differs.desired, &differs.observed, &key("nobody"), &Style::default()).is_none());
}
