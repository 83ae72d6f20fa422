//! Whose the secrets are, and what is written to them.

use tenantry::model::{
    Belongs, Delivered, FormerSecret, Home, Observed, PasswordSource, SecretFields, SecretState, SslMode, State,
};

use tenantry::model::secret::Mark;

use super::{Situation, assert_is_snapshot, key, read_secret, row, told};

const TWO: &str = "[tenants]\nacme = {}\nglobex = {}\n";

fn two() -> Situation {
    Situation::applied(TWO, &[])
}

fn belongs(observed: &mut Observed, name: &str, whose: Belongs) {
    let found = observed.secrets.get_mut(&format!("tenants/{name}"));
    let Some(SecretState::Ours { belongs, .. }) = found else { panic!("no secret of {name}") };
    *belongs = whose;
}

fn anothers() -> Belongs {
    Belongs::AnotherFleet(Box::new(Mark { fleet: Some("f2".into()), ..Mark::default() }))
}

fn home(observed: &mut Observed) -> &mut Home {
    let home = observed.registry.as_mut().unwrap().home.get_or_insert_default();
    home.fleet = "f1".into();
    home
}

fn reached_elsewhere(observed: &mut Observed) {
    home(observed).reached = ["old.internal:5432".to_owned(), "older.internal:5432".to_owned()].into();
}

/// Its role is gone, so that the tenant's plan sets a password; the secret stays as it is.
fn recreated(observed: &mut Observed, name: &str) {
    observed.roles.remove(&format!("{name}_user")).unwrap();
}

/// Nothing at its path any more: a new password is written there.
fn deleted(observed: &mut Observed, name: &str) {
    observed.secrets.remove(&format!("tenants/{name}")).unwrap();
}

#[test]
fn a_secret_is_taken_by_its_mark() {
    let marked = |whose: Belongs| two().then(|o| belongs(o, "acme", whose));
    let not_registered = |whose: Belongs| {
        two().then(|o| {
            belongs(o, "acme", whose);
            o.registry.as_mut().unwrap().tenants.remove(&key("acme"));
            o.roles.retain(|role, _| !role.starts_with("acme_"));
            o.schemas.remove("tenant_acme");
        })
    };
    let moved = |situation: Situation| situation.then(|o| o.moved = true);
    let gone = |whose: Belongs| marked(whose).wished("[tenants]\nglobex = {}\n", &[]);
    assert_is_snapshot(
        "secrets_by_their_marks",
        &told([
            ("no mark", marked(Belongs::Unmarked)),
            ("a mark from before it moved", marked(Belongs::Former)),
            ("another fleet's", marked(anothers())),
            ("another fleet's, and this registry has an identity", marked(anothers()).then(|o| _ = home(o))),
            ("another cluster's", marked(Belongs::AnotherCluster("7".into()))),
            ("a copy's", marked(Belongs::AnotherCopy("r9".into()))),
            (
                "a copy's, and another cluster's",
                marked(Belongs::AnotherCopy("r9".into()))
                    .then(|o| belongs(o, "globex", Belongs::AnotherCluster("7".into()))),
            ),
            ("another fleet's, and it has moved here", moved(marked(anothers()))),
            ("another cluster's, and it has moved here", moved(marked(Belongs::AnotherCluster("7".into())))),
            ("of a tenant of which nothing is known: no mark", not_registered(Belongs::Unmarked)),
            ("of a tenant of which nothing is known: from before it moved", not_registered(Belongs::Former)),
            (
                "of a tenant of which nothing is known: from before it moved, and it has moved here",
                moved(not_registered(Belongs::Former)),
            ),
            ("of a tenant of which nothing is known: a copy's", not_registered(Belongs::AnotherCopy("r9".into()))),
            ("of a tenant that is to go: another fleet's", gone(anothers())),
            ("of a tenant that is to go: from before it moved", gone(Belongs::Former)),
            ("of a tenant that is to go: another fleet's, and it has moved here", moved(gone(anothers()))),
            (
                "of a tenant that is to go: another fleet's, in another store",
                gone(anothers()).then(|o| row(o, "acme").secret.store = "vault".into()),
            ),
        ]),
    );
}

/// What is only marked: an older version wrote it, and it is where the registry says.
#[test]
fn a_secret_is_marked_where_that_is_all_there_is_to_do() {
    let unmarked = || two().then(|o| belongs(o, "acme", Belongs::Unmarked));
    let of = |change: fn(&mut Observed)| unmarked().then(change);
    assert_is_snapshot(
        "secrets_that_are_marked",
        &told([
            ("both", of(|o| belongs(o, "globex", Belongs::Unmarked))),
            (
                "one whose tenant has other work",
                of(|o| _ = o.roles.get_mut("acme_user").map(|role| role.connection_limit = 7)),
            ),
            ("one that is written anyway", of(|o| read_secret(o, "acme").fields.host = "elsewhere".into())),
            ("one in another store", of(|o| row(o, "acme").secret.store = "vault".into())),
            ("one in another place", of(|o| row(o, "acme").secret.place = Some("/elsewhere".into()))),
            (
                "one in another place, and it has moved here",
                of(|o| {
                    row(o, "acme").secret.place = Some("/elsewhere".into());
                    o.moved = true;
                }),
            ),
            ("one of which the place is not noted", of(|o| row(o, "acme").secret.place = None)),
            ("one that was never delivered", of(|o| row(o, "acme").secret.version = None)),
            ("one of a tenant that is not active", of(|o| row(o, "acme").state = State::Restoring)),
            ("one that is not there", of(|o| deleted(o, "acme"))),
            ("none, and it has moved here", two().then(|o| o.moved = true)),
            ("where there is a doubt", of(|o| o.registry.as_mut().unwrap().came_from = Some("7".into()))),
            ("where this may be a copy", of(reached_elsewhere)),
            (
                "reached elsewhere, by the very same server",
                of(|o| {
                    reached_elsewhere(o);
                    home(o).is_same_start = true;
                }),
            ),
            (
                "where this may be a copy, and it has moved here",
                of(|o| {
                    reached_elsewhere(o);
                    o.moved = true;
                }),
            ),
        ]),
    );
}

#[test]
fn there_is_a_doubt_where_this_may_be_another_database() {
    let written = |change: fn(&mut Observed)| two().then(|o| deleted(o, "acme")).then(change);
    let advertised = |toml: &str| {
        two().then(|o| deleted(o, "acme")).then(|o| o.server.reached = vec!["tunnel:5432".into()]).wished(toml, &[])
    };
    assert_is_snapshot(
        "doubts_about_the_database",
        &told([
            ("it came with a dump", written(|o| o.registry.as_mut().unwrap().came_from = Some("7".into()))),
            (
                "it came with a dump, whose secrets say so too",
                written(|o| {
                    o.registry.as_mut().unwrap().came_from = Some("7".into());
                    belongs(o, "globex", Belongs::AnotherCluster("8".into()));
                }),
            ),
            (
                "it came with a dump, and a copy wrote secrets",
                written(|o| {
                    o.registry.as_mut().unwrap().came_from = Some("7".into());
                    belongs(o, "globex", Belongs::AnotherCopy("r9".into()));
                }),
            ),
            (
                "it came with a dump, and has moved here",
                written(|o| {
                    o.registry.as_mut().unwrap().came_from = Some("7".into());
                    o.moved = true;
                }),
            ),
            (
                "it came with a dump, and there is nothing to do",
                two().then(|o| o.registry.as_mut().unwrap().came_from = Some("7".into())),
            ),
            ("reached elsewhere", written(reached_elsewhere)),
            (
                "reached elsewhere, by one of two known addresses",
                written(|o| {
                    reached_elsewhere(o);
                    o.server.reached.push("old.internal:5432".into());
                }),
            ),
            (
                "reached elsewhere, by the very same server",
                written(|o| {
                    reached_elsewhere(o);
                    home(o).is_same_start = true;
                }),
            ),
            (
                "reached elsewhere, and no secret is written",
                two()
                    .then(reached_elsewhere)
                    .then(|o| _ = o.roles.get_mut("acme_user").map(|role| role.connection_limit = 7)),
            ),
            ("the secrets name another host", written(|o| o.server.host = "copy.internal".into())),
            ("the secrets name another port", written(|o| o.server.port = 5433)),
            (
                "the secrets name another host, to which it was delivered never",
                written(|o| {
                    o.server.host = "copy.internal".into();
                    ["acme", "globex"].into_iter().for_each(|name| row(o, name).secret.version = None);
                }),
            ),
            (
                "the secrets name another host, which is advertised",
                advertised(
                    "[database]\nadvertise = { host = \"pooler.internal\" }\n[tenants]\nacme = {}\nglobex = {}\n",
                ),
            ),
            (
                "the secrets name another port, which is advertised",
                advertised("[database]\nadvertise = { port = 6432 }\n[tenants]\nacme = {}\nglobex = {}\n"),
            ),
            (
                "the secrets name another host, and only a port is advertised",
                advertised("[database]\nadvertise = { port = 6432 }\n[tenants]\nacme = {}\nglobex = {}\n")
                    .then(|o| o.server.host = "copy.internal".into()),
            ),
        ]),
    );
}

/// Whatever was done to the store or the role, PostgreSQL ends with the password of record.
#[test]
fn the_password_of_record_is_found() {
    let of = |change: fn(&mut Observed)| two().then(change);
    let patched = |change: fn(&mut SecretFields)| two().then(|o| change(&mut read_secret(o, "acme").fields));
    fn version(observed: &mut Observed, new: &str) {
        let Some(SecretState::Ours { version, .. }) = observed.secrets.get_mut("tenants/acme") else { panic!() };
        *version = new.into();
    }
    let other_path = "[secrets]\npath = \"t/{tenant}\"\n[tenants]\nacme = {}\nglobex = {}\n";
    assert_is_snapshot(
        "passwords_of_record",
        &told([
            ("as applied", two()),
            ("the secret may not be read", of(|o| _ = o.secrets.insert("tenants/acme".into(), SecretState::Unseen))),
            (
                "the secret may not be read, and the role is gone",
                of(|o| {
                    o.secrets.insert("tenants/acme".into(), SecretState::Unseen);
                    recreated(o, "acme");
                }),
            ),
            ("another version", of(|o| version(o, "2"))),
            (
                "another version, read: with the same password",
                of(|o| {
                    version(o, "2");
                    read_secret(o, "acme").password_is_remembered_one = Some(true);
                }),
            ),
            (
                "another version, read: with another password",
                of(|o| {
                    version(o, "2");
                    read_secret(o, "acme").password_is_remembered_one = Some(false);
                }),
            ),
            (
                "another version, read: with the same password and another host",
                of(|o| {
                    version(o, "2");
                    read_secret(o, "acme").password_is_remembered_one = Some(true);
                    read_secret(o, "acme").fields.host = "elsewhere".into();
                }),
            ),
            ("the same version, read: another username", patched(|fields| fields.username = "other".into())),
            ("the same version, read: another url", of(|o| read_secret(o, "acme").url_says_the_same = false)),
            (
                "the same version, read: nobody could log in with it",
                of(|o| read_secret(o, "acme").unusable = Some("is empty")),
            ),
            (
                "a write was interrupted before its metadata",
                of(|o| {
                    let Some(SecretState::Ours { marked, .. }) = o.secrets.get_mut("tenants/acme") else { panic!() };
                    *marked = false;
                }),
            ),
            ("the role is gone", of(|o| recreated(o, "acme"))),
            (
                "the role is gone, and its secret too",
                of(|o| {
                    recreated(o, "acme");
                    deleted(o, "acme");
                }),
            ),
            ("the role may not log in", of(|o| _ = o.roles.get_mut("acme_user").map(|role| role.can_login = false))),
            (
                "the role has no password",
                of(|o| _ = o.roles.get_mut("acme_user").map(|role| role.lacks_password = true)),
            ),
            (
                "a deep look says that it does not open the database",
                of(|o| _ = o.delivered.insert(key("acme"), Delivered::Refused)),
            ),
            (
                "a deep look says that it opens the database",
                of(|o| _ = o.delivered.insert(key("acme"), Delivered::Opens)),
            ),
            ("it was given, and is so no more", of(|o| row(o, "acme").password_source = PasswordSource::Given)),
            ("the registry remembers another place", of(|o| row(o, "acme").secret.place = Some("/elsewhere".into()))),
            ("the registry remembers other words", of(|o| row(o, "acme").secret.fields.database = "old".into())),
            ("the registry remembers another address", of(|o| row(o, "acme").secret.fields.port = 6432)),
            (
                "the registry remembers another address, and has no place for it",
                of(|o| {
                    let secret = &mut row(o, "acme").secret;
                    (secret.fields.port, secret.version) = (6432, None);
                }),
            ),
            ("it is to be at another path", two().wished(other_path, &[])),
            ("it is to be at another path, and is gone", of(|o| deleted(o, "acme")).wished(other_path, &[])),
            ("it is to be at another path, and is another version", of(|o| version(o, "2")).wished(other_path, &[])),
            ("it is to be at another path, and the role is gone", of(|o| recreated(o, "acme")).wished(other_path, &[])),
            (
                "it is to be at another path, and was never delivered",
                of(|o| row(o, "acme").secret.version = None).wished(other_path, &[]),
            ),
            (
                "it is to be at another path, and another fleet's",
                of(|o| belongs(o, "acme", anothers())).wished(other_path, &[]),
            ),
        ]),
    );
}

#[test]
fn a_given_password_is_written_where_it_is_another() {
    let given = "[defaults]\npassword_from = \"hunter2-hunter2-hunter2\"\n[tenants]\nacme = {}\n";
    let of = |change: fn(&mut Observed)| Situation::applied(given, &[]).then(change);
    assert_is_snapshot(
        "passwords_that_are_given",
        &told([
            ("as applied", of(|_| {})),
            ("the secret has another", of(|o| read_secret(o, "acme").password_is_given_one = Some(false))),
            (
                "the secret was not read",
                of(|o| {
                    let Some(SecretState::Ours { contents, .. }) = o.secrets.get_mut("tenants/acme") else { panic!() };
                    *contents = None;
                }),
            ),
            ("the secret is gone", of(|o| deleted(o, "acme"))),
            ("it was generated before", of(|o| row(o, "acme").password_source = PasswordSource::Generated)),
            ("the role is gone", of(|o| recreated(o, "acme"))),
            (
                "a deep look says that it does not open the database",
                of(|o| _ = o.delivered.insert(key("acme"), Delivered::Refused)),
            ),
            ("the secret names another host", of(|o| read_secret(o, "acme").fields.host = "elsewhere".into())),
            (
                "the tenant is new here, and the secret a copy's",
                of(|o| {
                    belongs(o, "acme", Belongs::AnotherCopy("r9".into()));
                    o.registry.as_mut().unwrap().tenants.clear();
                    o.roles.clear();
                    o.schemas.clear();
                }),
            ),
        ]),
    );
}

#[test]
fn a_secret_that_leads_elsewhere_is_not_a_new_tenants() {
    let new = |change: fn(&mut SecretFields)| {
        two().then(|o| {
            change(&mut read_secret(o, "acme").fields);
            o.registry.as_mut().unwrap().tenants.remove(&key("acme"));
            o.roles.retain(|role, _| !role.starts_with("acme_"));
            o.schemas.remove("tenant_acme");
        })
    };
    let moved = |o: &mut Observed| o.moved = true;
    assert_is_snapshot(
        "secrets_that_lead_elsewhere",
        &told([
            ("here", new(|_| {})),
            ("another host", new(|fields| fields.host = "prod.internal".into())),
            ("another port", new(|fields| fields.port = 6432)),
            ("another host, and it has moved here", new(|fields| fields.host = "prod.internal".into()).then(moved)),
        ]),
    );
}

#[test]
fn clients_are_told_less_of_tls_only_with_a_warning() {
    let modes =
        [SslMode::Disable, SslMode::Allow, SslMode::Prefer, SslMode::Require, SslMode::VerifyCa, SslMode::VerifyFull];
    let mut out = String::new();
    for wanted in modes {
        for known in modes {
            let toml = format!("[database]\nadvertise = {{ sslmode = \"{wanted}\" }}\n[tenants]\nacme = {{}}\n");
            let situation = Situation::applied(&toml, &[]).then(|o| row(o, "acme").secret.fields.sslmode = Some(known));
            let plan = situation.plan();
            let hazards = plan.tenants[0].hazards.iter().map(|hazard| hazard.detail.as_str()).collect::<Vec<_>>();
            out += &format!("{known} → {wanted}: {}\n", hazards.join("; "));
        }
    }
    assert_is_snapshot("sslmodes_that_are_weaker", &out);
}

/// What an interrupted apply left at another path goes once nobody has it: ours, here, and as it was.
#[test]
fn a_former_secret_goes_once_it_is_nobodys() {
    let former = |path: &str| {
        let path = path.to_owned();
        two().then(|o| {
            let store = row(o, "acme").secret.store.clone();
            let place = row(o, "acme").secret.place.clone().unwrap();
            let version = "1".to_owned();
            o.secrets.insert("old/acme".into(), o.secrets["tenants/acme"].clone());
            row(o, "acme").former_secrets.push(FormerSecret { store, place, path, version });
        })
    };
    let old =
        |change: fn(&mut FormerSecret)| former("old/acme").then(|o| change(&mut row(o, "acme").former_secrets[0]));
    assert_is_snapshot(
        "secrets_that_are_former",
        &told([
            ("ours", old(|_| {})),
            ("gone", former("gone/acme")),
            ("in another store", old(|former| former.store = "vault".into())),
            ("in another place", old(|former| former.place = "/elsewhere".into())),
            ("of another version", old(|former| former.version = "2".into())),
            (
                "another fleet's",
                old(|_| {}).then(|o| {
                    let Some(SecretState::Ours { belongs, .. }) = o.secrets.get_mut("old/acme") else { panic!() };
                    *belongs = anothers();
                }),
            ),
            ("another tenant's since", former("tenants/globex")),
            ("registered with another tenant since", former("tenants/globex").wished("[tenants]\nacme = {}\n", &[])),
        ]),
    );
}

/// That the right store is asked: too many are gone at once.
#[test]
fn secrets_that_are_gone_are_counted() {
    let ten: String = (0..10).map(|n| format!("t{n} = {{}}\n")).collect();
    let gone = |most: &str, count: usize| {
        let toml = format!("[secrets]\nmax_missing = {most}\n[tenants]\n{ten}");
        Situation::applied(&toml, &[]).then(|o| (0..count).for_each(|n| deleted(o, &format!("t{n}"))))
    };
    let mut out = String::new();
    for (most, count) in [("0", 0), ("0", 1), ("2", 2), ("2", 3), ("\"20%\"", 2), ("\"20%\"", 3), ("\"100%\"", 10)] {
        let plan = gone(most, count).plan();
        let words = plan.missing.as_ref().map_or("enough are there".into(), tenantry::plan::Missing::in_words);
        out += &format!("max_missing = {most}, {count} gone: {words}\n");
    }
    let one = Situation::applied("[tenants]\nacme = {}\n", &[]).then(|o| deleted(o, "acme"));
    out += &format!("the only one: {}\n", one.told());
    assert_is_snapshot("secrets_that_are_gone", &out);
}

#[test]
fn a_password_is_due_once_it_is_as_old_as_it_may_become() {
    let at = |text: &str| Some(text.parse().unwrap());
    let Situation { mut observed, .. } = two();
    let acme = row(&mut observed, "acme");
    acme.password_changed_at = at("2026-03-01T12:00:00Z");
    let month = Some(std::time::Duration::from_secs(30 * 24 * 60 * 60));
    let due = |row: &tenantry::model::Registered, now: &str| row.password_due(month, now.parse().unwrap());
    assert_eq!(due(acme, "2026-03-31T11:59:59Z"), None);
    assert_eq!(due(acme, "2026-03-31T12:00:00Z"), at("2026-03-31T12:00:00Z"));
    assert_eq!(due(acme, "2026-12-01T00:00:00Z"), at("2026-03-31T12:00:00Z"));
    assert_eq!(acme.password_due(None, "2027-01-01T00:00:00Z".parse().unwrap()), None);
    acme.password_changed_at = None;
    assert_eq!(due(acme, "2026-12-01T00:00:00Z"), None);
}
