//! Names that something else bears, what keeps a role or a schema, who goes before whom, and what may be rotated.

use tenantry::model::{
    Acl, Dependent, Entry, Gift, Given, Grantee, Hold, Holding, Membership, Observed, Outside, Role, Schema, State,
};
use tenantry::render::{Style, text};

use super::{CameAbout, Situation, assert_is_snapshot, key, row, told};
use crate::support_as_applied::server;

const THREE: &str = "[tenants]\nacme = {}\nglobex = { on_remove = \"drop\" }\ninitech = { on_remove = \"drop\" }\n";

fn three(change: fn(&mut Observed)) -> Situation {
    Situation::applied(THREE, &[]).then(change)
}

fn without_globex(change: fn(&mut Observed)) -> Situation {
    three(change).wished("[tenants]\nacme = {}\ninitech = { on_remove = \"drop\" }\n", &[])
}

fn dependents(many: usize, remedy: Option<&str>) -> Vec<Dependent> {
    let one = |n: usize| Dependent { what: format!("view v{n}"), remedy: remedy.filter(|_| n == 1).map(str::to_owned) };
    (0..many).map(one).collect()
}

#[test]
fn what_is_not_the_tenants_is_not_removed() {
    let depends = |many: usize, remedy: Option<&'static str>| {
        without_globex(|_| {})
            .then(move |o| o.schemas.get_mut("tenant_globex").unwrap().dependents = dependents(many, remedy))
    };
    let how = |how: &str| {
        let toml =
            THREE.replacen("globex = { on_remove = \"drop\" }", &format!("globex = {{ on_remove = \"{how}\" }}"), 1);
        Situation::applied(&toml, &[]).wished("[tenants]\nacme = {}\ninitech = { on_remove = \"drop\" }\n", &[])
    };
    let with_names = |toml: &str| three(|_| {}).wished(toml, &[]);
    assert_is_snapshot(
        "removals_and_what_keeps_them",
        &told([
            ("all its own", without_globex(|_| {})),
            ("protected", without_globex(|o| row(o, "globex").protected = true)),
            ("a row with an impossible schema", without_globex(|o| row(o, "globex").schema = "public".into())),
            ("a row with an impossible username", without_globex(|o| row(o, "globex").username = "pg_monitor".into())),
            ("a row with an impossible owner", without_globex(|o| row(o, "globex").owner = String::new())),
            (
                "the schema is another's",
                without_globex(|o| o.schemas.get_mut("tenant_globex").unwrap().owner = "somebody".into()),
            ),
            (
                "the schema was renamed",
                without_globex(|o| {
                    let gone = o.schemas.remove("tenant_globex").unwrap();
                    o.schema_names.insert(gone.oid, "renamed".into());
                }),
            ),
            (
                "the schema was replaced",
                without_globex(|o| {
                    let found = o.schemas.get_mut("tenant_globex").unwrap();
                    o.schema_names.remove(&found.oid);
                    found.oid += 100;
                }),
            ),
            ("a view depends on it", depends(1, None)),
            ("four views depend on it", depends(4, None)),
            ("a partition is attached to it", depends(3, Some("ALTER TABLE t DETACH PARTITION v1"))),
            (
                "views depend on what is retained",
                how("retain").then(|o| o.schemas.get_mut("tenant_globex").unwrap().dependents = dependents(2, None)),
            ),
            (
                "its schema is declared with another",
                with_names("[tenants]\nacme = {}\nnew = { schema = \"tenant_globex\" }\ninitech = {}\n"),
            ),
            (
                "its username is declared with another",
                with_names("[tenants]\nacme = {}\nnew = { username = \"globex_user\" }\ninitech = {}\n"),
            ),
            (
                "its owner is declared with another",
                with_names("[tenants]\nacme = {}\nnew = { owner = \"globex_owner\" }\ninitech = {}\n"),
            ),
            (
                "its removal was interrupted",
                without_globex(|o| {
                    row(o, "globex").state = State::Removing;
                    row(o, "globex").protected = true;
                }),
            ),
            ("its restore was interrupted", how("archive").then(|o| row(o, "globex").state = State::Restoring)),
            (
                "retained, and its secret is gone",
                without_globex(|o| {
                    row(o, "globex").state = State::Retained;
                    row(o, "globex").secret.version = None;
                }),
            ),
            ("retained, and its secret is not gone", without_globex(|o| row(o, "globex").state = State::Retained)),
            ("removed, and its secret is not gone", without_globex(|o| row(o, "globex").state = State::Removed)),
            (
                "removed, its secret in another store",
                without_globex(|o| {
                    row(o, "globex").state = State::Removed;
                    row(o, "globex").secret.store = "vault".into();
                }),
            ),
            ("its username is gone", without_globex(|o| _ = o.roles.remove("globex_user"))),
            ("its owner is gone", without_globex(|o| _ = o.roles.remove("globex_owner"))),
            ("its username is gone, and it is retained", how("retain").then(|o| _ = o.roles.remove("globex_user"))),
            (
                "its schema is gone, and it is archived",
                how("archive").then(|o| {
                    let gone = o.schemas.remove("tenant_globex").unwrap();
                    o.schema_names.remove(&gone.oid);
                }),
            ),
        ]),
    );
}

fn given(by: &str, gift: Gift) -> Given {
    let (kind, identity, schema) = ("table".to_owned(), "public.t".to_owned(), Some("public".to_owned()));
    Given { by: by.into(), kind, identity, schema, gift, ours: false, reaches: true }
}

fn privileges(by: &str) -> Given {
    given(by, Gift::Privileges("SELECT".into()))
}

/// With the SQL: a right that is borrowed is given back.
#[test]
fn what_others_gave_a_role_is_taken_away_by_whoever_may() {
    let gone = "[tenants]\nacme = {}\ninitech = { on_remove = \"drop\" }\n";
    let holds = |version: i32, superuser: bool, holds: Vec<Hold>| {
        let situation = Situation::applied_on(server(version, superuser), THREE, &[]).wished(gone, &[]);
        situation.then(move |o| o.roles.get_mut("globex_user").unwrap().holds = holds)
    };
    let by = |given: Given| vec![Hold::Given(given)];
    let abroad = |owned, granted| vec![Hold::Abroad { database: "other".into(), owned, granted }];
    let owned = |n: usize| Hold::Owned { kind: "foreign-data wrapper".into(), identity: format!("w{n}") };
    let is_superuser = |o: &mut Observed| _ = o.roles.get_mut("acme_owner").unwrap().powers.insert("SUPERUSER");
    let not_administered = |o: &mut Observed| o.roles.get_mut("acme_owner").unwrap().administered = false;
    let situations = [
        ("by anybody, as a superuser", holds(150_018, true, by(privileges("somebody")))),
        ("by somebody, as no superuser", holds(150_018, false, by(privileges("somebody")))),
        ("by somebody whose rights we have", holds(150_018, false, by(Given { ours: true, ..privileges("somebody") }))),
        ("by another tenant's role", holds(150_018, false, by(privileges("acme_owner")))),
        ("by another tenant's role, on 16", holds(160_000, false, by(privileges("acme_owner")))),
        (
            "by another tenant's role that is not ours to administer, on 15",
            holds(150_018, false, by(privileges("acme_owner"))).then(not_administered),
        ),
        (
            "by another tenant's role that is not ours to administer, on 16",
            holds(160_000, false, by(privileges("acme_owner"))).then(not_administered),
        ),
        (
            "by another tenant's role that is a superuser",
            holds(150_018, false, by(privileges("acme_owner"))).then(is_superuser),
        ),
        ("by its own owner", holds(150_018, false, by(privileges("globex_owner")))),
        ("by nobody that is known", holds(150_018, true, by(privileges("")))),
        (
            "by one who may not use the schema any more",
            holds(150_018, true, by(Given { reaches: false, ..privileges("somebody") })),
        ),
        (
            "by two",
            holds(
                150_018,
                true,
                vec![Hold::Given(privileges("a")), Hold::Given(privileges("b")), Hold::Given(privileges("a"))],
            ),
        ),
        (
            "a policy",
            holds(150_018, true, by(given("somebody", Gift::Policy { name: "p".into(), others: vec!["r".into()] }))),
        ),
        (
            "default privileges",
            holds(
                150_018,
                true,
                by(given("somebody", Gift::Future { plural: "TABLES".into(), privileges: "SELECT".into() })),
            ),
        ),
        ("it owns something else", holds(150_018, true, vec![owned(0)])),
        ("it owns as much as is named", holds(150_018, true, (0..3).map(owned).collect())),
        ("it owns more", holds(150_018, true, (0..5).map(owned).collect())),
        ("it owns in another database", holds(150_018, true, abroad(2, 0))),
        ("it is granted in another database", holds(150_018, true, abroad(0, 3))),
        ("both", holds(150_018, true, abroad(2, 3))),
    ];
    let style = Style { verbose: true, ..Style::default() };
    let text: String = situations
        .iter()
        .map(|(name, situation)| {
            let plan = situation.plan();
            let tenant = plan.tenants.iter().find(|tenant| tenant.tenant == key("globex")).unwrap();
            if let Some(reason) = &tenant.reason {
                return format!(
                    "== {name}\n  blocked: {reason}\n  hint: {}\n",
                    tenant.hint.as_deref().unwrap_or_default()
                );
            }
            let lines = text::plan(&plan.document(), &style);
            let about = lines.lines().take_while(|line| !line.contains("- schema tenant_globex"));
            format!("== {name}\n{}\n", about.collect::<Vec<_>>().join("\n"))
        })
        .collect();
    assert_is_snapshot("gifts_and_holds", &text);
}

#[test]
fn a_name_that_something_else_bears_blocks() {
    let wish = |toml: &str| three(|_| {}).wished(toml, &[]);
    let blocked = |situation: &Situation| {
        let plan = situation.plan();
        let tenants =
            plan.tenants.iter().filter_map(|tenant| Some(format!("{}: {}", tenant.tenant, tenant.reason.as_ref()?)));
        tenants.collect::<Vec<_>>().join("\n  ")
    };
    let new = "[tenants]\nacme = {}\nglobex = {}\ninitech = {}\nnew = {}\n";
    let member_of = |group: &str| Role { member_of: [Membership::plain(group)].into(), ..Role::default() };
    let without_oid = |owner: &'static str| {
        three(|_| {}).then(move |o| {
            row(o, "acme").schema_oid = None;
            o.schemas.get_mut("tenant_acme").unwrap().owner = owner.into();
        })
    };
    let situations = [
        ("the admin as username", wish("[tenants]\nacme = { username = \"admin\" }\n")),
        ("the admin as owner", wish("[tenants]\nacme = { owner = \"admin\" }\n")),
        ("a group role as username", wish("[tenants]\nacme = { username = \"tenantry_app_tenants\" }\n")),
        ("the owners' group role as owner", wish("[tenants]\nacme = { owner = \"tenantry_app_owners\" }\n")),
        (
            "another's schema",
            wish(
                "[tenants]\nacme = { schema = \"tenant_globex\" }\nglobex = { schema = \"elsewhere\" }\ninitech = {}\n",
            )
            .then(|o| row(o, "globex").protected = true),
        ),
        (
            "another's schema, which is no longer declared",
            wish("[tenants]\nacme = { schema = \"tenant_globex\" }\ninitech = {}\n"),
        ),
        (
            "another's username, which is no longer declared",
            wish("[tenants]\nacme = { username = \"globex_user\" }\ninitech = {}\n"),
        ),
        (
            "its own owner as username",
            wish("[tenants]\nacme = { username = \"acme_owner\", owner = \"new_owner\" }\nglobex = {}\ninitech = {}\n"),
        ),
        (
            "a role of another database's",
            wish(new).then(move |o| _ = o.roles.insert("new_user".into(), member_of("tenantry_other_tenants"))),
        ),
        (
            "a role that was made here",
            wish(new).then(move |o| _ = o.roles.insert("new_user".into(), member_of("tenantry_app_tenants"))),
        ),
        (
            "a schema whose owner was made here",
            wish(new).then(move |o| {
                o.roles.insert("lost_owner".into(), member_of("tenantry_app_tenants"));
                o.schemas.insert("tenant_new".into(), Schema { owner: "lost_owner".into(), ..Schema::default() });
            }),
        ),
        ("without its OID, of its owner", without_oid("acme_owner")),
        ("without its OID, of somebody's", without_oid("somebody")),
        ("with its OID, of somebody's", three(|o| o.schemas.get_mut("tenant_acme").unwrap().owner = "somebody".into())),
        (
            "an older row's owner has changed in tenants.toml, and by hand too",
            without_oid("new_owner")
                .wished("[tenants]\nacme = { owner = \"new_owner\" }\nglobex = {}\ninitech = {}\n", &[]),
        ),
    ];
    let text: String =
        situations.iter().map(|(name, situation)| format!("== {name}\n  {}\n", blocked(situation))).collect();
    assert_is_snapshot("names_that_block", &text);
}

/// What is named, by whom, and who waits then.
type Naming<'a> = (&'a str, Box<dyn Fn(&mut Observed) + 'a>, &'a str);

/// Whoever takes something from a role goes before the tenant whose change ends that role's name.
#[test]
fn a_role_that_is_named_is_dropped_last() {
    let removed = "[tenants]\nacme = {}\ninitech = {}\n";
    let named = |change: &dyn Fn(&mut Observed)| {
        let mut situation = three(|_| {}).wished(removed, &[]);
        change(&mut situation.observed);
        // So that it has work.
        situation.observed.roles.get_mut("acme_user").unwrap().connection_limit = 3;
        let waits = situation.plan().waits;
        let to_names = |others: &std::collections::BTreeSet<_>| {
            others.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        };
        waits
            .iter()
            .map(|(tenant, others)| format!("{tenant} waits for {}", to_names(others)))
            .collect::<Vec<_>>()
            .join("; ")
    };
    let globex = Grantee::Role("globex_user".into());
    let acl = |letters: &str| Acl::default().with(globex.clone(), letters);
    let by = |grantee: &str| {
        let grantee = Grantee::Role(grantee.into());
        Acl::default().with_entry(&Entry {
            grantee: &grantee,
            grantor: Some("globex_user"),
            privileges: "r".into(),
            grantable: String::new(),
        })
    };
    let schema = |o: &mut Observed, change: &dyn Fn(&mut Schema)| change(o.schemas.get_mut("tenant_acme").unwrap());
    let user = |o: &mut Observed, change: &dyn Fn(&mut Role)| change(o.roles.get_mut("acme_user").unwrap());
    let granted = |owner: &str, grantor: Option<&str>| Holding::Granted {
        column: None,
        privileges: "SELECT".into(),
        grantor: grantor.map(str::to_owned),
        owner: owner.into(),
        ours: true,
    };
    let outside = |held: Holding| Outside {
        kind: "table".into(),
        identity: "public.t".into(),
        schema: Some("public".into()),
        held,
    };
    let column = |acl: Acl| tenantry::model::Column { name: "c".into(), acl };
    let object = |owner: &str, acl: Acl, columns: Vec<tenantry::model::Column>| tenantry::model::ObjectGroup {
        kind: tenantry::model::ObjectKind::Table,
        owner: owner.into(),
        acl,
        columns,
        count: 1,
        examples: vec!["t".into()],
    };
    let history = |acl: Acl, columns: Vec<tenantry::model::Column>| tenantry::model::History::Unseen { acl, columns };
    let waits = "globex waits for acme";
    let table: Vec<Naming<'_>> = vec![
        ("nothing", Box::new(|_| {}), ""),
        ("it owns the schema", Box::new(|o| schema(o, &|s| s.owner = "globex_user".into())), waits),
        (
            "it has a privilege on the schema",
            Box::new(|o| schema(o, &|s| s.acl = s.acl.clone().with(globex.clone(), "U"))),
            waits,
        ),
        ("it granted one", Box::new(|o| schema(o, &|s| s.acl = by("x"))), waits),
        (
            "it owns an object",
            Box::new(|o| schema(o, &|s| s.objects.push(object("globex_user", Acl::default(), Vec::new())))),
            waits,
        ),
        ("an object", Box::new(|o| schema(o, &|s| s.objects.push(object("acme_owner", acl("r"), Vec::new())))), waits),
        (
            "a column",
            Box::new(|o| schema(o, &|s| s.objects.push(object("acme_owner", Acl::default(), vec![column(acl("r"))])))),
            waits,
        ),
        (
            "default privileges",
            Box::new(|o| {
                schema(o, &|s| {
                    s.default_acls.push(tenantry::model::DefaultAcl {
                        role: "acme_owner".into(),
                        kind: tenantry::model::ObjectKind::Table,
                        acl: acl("r"),
                    })
                })
            }),
            waits,
        ),
        (
            "default privileges of its own",
            Box::new(|o| {
                schema(o, &|s| {
                    s.default_acls.push(tenantry::model::DefaultAcl {
                        role: "globex_user".into(),
                        kind: tenantry::model::ObjectKind::Table,
                        acl: Acl::default(),
                    })
                })
            }),
            waits,
        ),
        ("the history", Box::new(|o| schema(o, &|s| s.history = history(acl("r"), Vec::new()))), waits),
        (
            "a column of the history",
            Box::new(|o| schema(o, &|s| s.history = history(Acl::default(), vec![column(acl("r"))]))),
            waits,
        ),
        (
            "a membership in it",
            Box::new(|o| user(o, &|r| _ = r.member_of.insert(Membership::plain("globex_user")))),
            waits,
        ),
        (
            "a membership of it",
            Box::new(|o| user(o, &|r| _ = r.members.insert(Membership::plain("globex_user")))),
            waits,
        ),
        (
            "a membership that it granted",
            Box::new(|o| {
                user(o, &|r| {
                    _ = r.members.insert(Membership { grantor: Some("globex_user".into()), ..Membership::plain("x") })
                })
            }),
            waits,
        ),
        (
            "default privileges in every schema",
            Box::new(|o| {
                user(o, &|r| {
                    r.default_acls.push(tenantry::model::GlobalDefaultAcl {
                        plural: "TABLES",
                        acl: acl("r"),
                        builtin: Acl::default(),
                    })
                })
            }),
            waits,
        ),
        ("what the tenant owns outside", Box::new(|o| user(o, &|r| r.outside.push(outside(Holding::Owned)))), ""),
        (
            "what it owns outside, and granted",
            Box::new(|o| user(o, &|r| r.outside.push(outside(granted("globex_user", None))))),
            waits,
        ),
        (
            "what it granted outside",
            Box::new(|o| user(o, &|r| r.outside.push(outside(granted("x", Some("globex_user")))))),
            waits,
        ),
        (
            "what it will make",
            Box::new(|o| {
                user(o, &|r| {
                    r.outside.push(outside(Holding::Future {
                        of: "globex_user".into(),
                        plural: "TABLES".into(),
                        privileges: "SELECT".into(),
                        ours: true,
                    }))
                })
            }),
            waits,
        ),
    ];
    for (name, change, expected) in table {
        assert_eq!(named(&*change), expected, "{name}");
    }
    // A removal names whoever gave it something; and nobody waits for itself.
    let both = |holds: &[(&str, &str)]| {
        let mut situation = three(|_| {}).wished("[tenants]\nacme = {}\n", &[]);
        for (role, by) in holds {
            situation.observed.roles.get_mut(*role).unwrap().holds.push(Hold::Given(privileges(by)));
        }
        format!("{:?}", situation.plan().waits)
    };
    assert_eq!(both(&[]), "{}");
    assert_eq!(both(&[("globex_user", "initech_owner")]), r#"{TenantKey("initech"): {TenantKey("globex")}}"#);
    assert_eq!(both(&[("globex_user", "globex_owner")]), "{}");
    assert_eq!(
        both(&[("globex_user", "initech_user"), ("initech_user", "globex_user")]),
        r#"{TenantKey("initech"): {TenantKey("globex")}}"#
    );
    // A rename ends a name too.
    let renamed = three(|o| {
        o.roles.get_mut("acme_user").unwrap().member_of.insert(Membership::plain("globex_user")).then_some(()).unwrap()
    });
    let renamed = renamed
        .wished("[tenants]\nacme = {}\nglobex = { username = \"other\" }\ninitech = { on_remove = \"drop\" }\n", &[]);
    assert_eq!(format!("{:?}", renamed.plan().waits), r#"{TenantKey("globex"): {TenantKey("acme")}}"#);
}

#[test]
fn only_what_is_there_and_ours_is_rotated() {
    let of = |toml: &str, change: fn(&mut Observed)| {
        let situation = Situation::applied("[tenants]\nacme = {}\n", &[]).wished(toml, &[]).then(change);
        let plan = tenantry::plan::rotation(&situation.desired, &situation.observed, &|_| true, false);
        let tenant = &plan.tenants[0];
        let missing = plan.missing.as_ref().map(|missing| missing.in_words());
        let doubts: Vec<_> = plan.doubts.iter().map(|doubt| doubt.detail.as_str()).collect();
        let write = tenant
            .phases
            .secret
            .as_ref()
            .map(|write| format!("{} at {:?} for {}", write.path, write.expected, write.fields.username));
        format!("{:?} {:?} {:?} {:?} {missing:?} {doubts:?}", tenant.verb, tenant.reason, tenant.hint, write)
    };
    let one = "[tenants]\nacme = {}\n";
    let given = "[tenants]\nacme = { password_from = \"hunter2-hunter2-hunter2\" }\n";
    let state = |state: State| -> fn(&mut Observed) {
        match state {
            State::Active => |o| row(o, "acme").state = State::Active,
            State::Retained => |o| row(o, "acme").state = State::Retained,
            State::Restoring => |o| row(o, "acme").state = State::Restoring,
            State::Removing => |o| row(o, "acme").state = State::Removing,
            State::Removed => |o| row(o, "acme").state = State::Removed,
        }
    };
    let mut out = String::new();
    for now in [State::Active, State::Retained, State::Restoring, State::Removing, State::Removed] {
        out += &format!("{}: {}\n", now.as_str(), of(one, state(now)));
    }
    let table: [(&str, &str, CameAbout); 11] = [
        ("new", "[tenants]\nnew = {}\n", |_| {}),
        ("given", given, |_| {}),
        ("another store", one, |o| row(o, "acme").secret.store = "vault".into()),
        ("another place", one, |o| row(o, "acme").secret.place = Some("/elsewhere".into())),
        ("a place that is not noted", one, |o| row(o, "acme").secret.place = None),
        ("an older registry", one, |o| o.registry.as_mut().unwrap().pending = 1),
        ("no such role", one, |o| _ = o.roles.remove("acme_user")),
        ("no such secret", one, |o| _ = o.secrets.remove("tenants/acme")),
        ("somebody else's secret", one, |o| {
            _ = o.secrets.insert("tenants/acme".into(), tenantry::model::SecretState::Foreign("why".into()))
        }),
        ("other names since", "[tenants]\nacme = { username = \"other\", schema = \"other\" }\n", |_| {}),
        ("another address", one, |o| o.server.host = "elsewhere".into()),
    ];
    for (name, toml, change) in table {
        out += &format!("{name}: {}\n", of(toml, change));
    }
    assert_is_snapshot("rotations", &out);
}
