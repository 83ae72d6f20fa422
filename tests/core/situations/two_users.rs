//! Two users that log in for a tenant in turn, and whoever logs in when that changes; and rotations of what is not as declared any more.

use tenantry::model::{
    Observed, PasswordSource, Registered, RegisteredSecret, Role, Rotation, SecretState, State, StoreKind, Tenant,
};
use tenantry::plan::EndState;
use tenantry::render::{Style, text};

use super::{Situation, assert_is_snapshot, key, read_secret, row, told, work};
use crate::support_as_applied::server;

const ONE: &str = "[tenants]\nacme = {}\n";
const TWO: &str = "[tenants]\nacme = { rotation = \"two-user\" }\n";

fn of(toml: &str) -> Situation {
    Situation::applied(toml, &[])
}

fn gone(observed: &mut Observed, names: &[&str]) {
    for name in names {
        observed.roles.remove(*name).unwrap();
    }
}

/// As the store says, whatever the registry remembers.
fn names(observed: &mut Observed, user: &str) {
    read_secret(observed, "acme").fields.username = user.into();
}

fn unseen(observed: &mut Observed) {
    observed.secrets.insert("tenants/acme".into(), SecretState::Unseen);
}

fn keeps_its_password(observed: &mut Observed) {
    let row = row(observed, "acme");
    row.password_source = PasswordSource::Kept;
    row.secret = RegisteredSecret { version: None, ..row.secret.clone() };
    observed.secrets.clear();
}

#[test]
fn whoever_the_secret_names_can_log_in_until_it_names_another() {
    let keys = |keys: &str| format!("[tenants]\nacme = {{ {keys} }}\n");
    let two = "rotation = \"two-user\"";
    let path = "[secrets]\npath = \"other/{tenant}\"\n";
    let store = "[secrets]\nstore = \"vault\"\n";
    let with = |before: &str, section: &str, after: &str| of(before).wished(&format!("{section}{after}"), &[]);
    assert_is_snapshot(
        "two_users",
        &told([
            ("its password is kept, and it is to have two users", of(ONE).then(keeps_its_password).wished(TWO, &[])),
            ("its password is kept", of(ONE).then(keeps_its_password)),
            ("two users and another username", of(ONE).wished(&keys(&format!("{two}, username = \"x\"")), &[])),
            ("one user and another username", of(TWO).wished(&keys("username = \"x\""), &[])),
            ("another username of two users", of(TWO).wished(&keys(&format!("{two}, username = \"x\"")), &[])),
            ("two users and another path", with(ONE, path, TWO)),
            ("two users and another store", with(ONE, store, TWO)),
            ("one user and another path", with(TWO, path, ONE)),
            ("another path of two users", with(TWO, path, TWO)),
            ("two users, and the secret may not be read", of(ONE).then(unseen).wished(TWO, &[])),
            ("one user, and the secret may not be read", of(TWO).then(unseen).wished(ONE, &[])),
            ("the secret of two users may not be read", of(TWO).then(unseen)),
            ("the secret names the other", of(TWO).then(|o| names(o, "acme_user_b"))),
            ("the secret names the username", of(TWO).then(|o| names(o, "acme_user"))),
            ("the secret names somebody else", of(TWO).then(|o| names(o, "somebody"))),
            ("one user, and the secret names the other", of(TWO).then(|o| names(o, "acme_user_b")).wished(ONE, &[])),
            ("one user, and the secret names it already", of(TWO).then(|o| names(o, "acme_user")).wished(ONE, &[])),
            (
                "one user, and the two are gone",
                of(TWO).then(|o| gone(o, &["acme_user_a", "acme_user_b"])).wished(ONE, &[]),
            ),
            ("one user, and one of the two is gone", of(TWO).then(|o| gone(o, &["acme_user_b"])).wished(ONE, &[])),
            ("one user, and there is no secret", of(TWO).then(|o| o.secrets.clear()).wished(ONE, &[])),
            ("two users, and there is no secret", of(ONE).then(|o| o.secrets.clear()).wished(TWO, &[])),
            ("one of two users is gone", of(TWO).then(|o| gone(o, &["acme_user_b"]))),
            ("the user that the secret names is gone", of(TWO).then(|o| gone(o, &["acme_user_a"]))),
            (
                "one user, by an admin who is no superuser",
                Situation::applied_on(server(160_009, false), TWO, &[]).wished(ONE, &[]),
            ),
            (
                "two users, and somebody bears the name of one",
                of(ONE).then(|o| _ = o.roles.insert("acme_user_b".into(), Role::default())).wished(TWO, &[]),
            ),
        ]),
    );
}

#[test]
fn a_suspended_tenant_stays_out_whoever_logs_in_for_it() {
    let suspended = |keys: &str| format!("[tenants]\nacme = {{ suspended = true{keys} }}\n");
    let two = ", rotation = \"two-user\"";
    let can_login = |name: &'static str| move |o: &mut Observed| o.roles.get_mut(name).unwrap().can_login = true;
    assert_is_snapshot(
        "suspended_with_two_users",
        &told([
            ("both at once", of(ONE).wished(&suspended(two), &[])),
            ("one user again, at once", of(TWO).wished(&suspended(""), &[])),
            ("two users", of(TWO).wished(&suspended(two), &[])),
            ("two users, done", of(&suspended(two))),
            ("two users, done, and somebody let one of them in", of(&suspended(two)).then(can_login("acme_user_b"))),
            ("two users, done, and one is gone", of(&suspended(two)).then(|o| gone(o, &["acme_user_b"]))),
            ("one user", of(ONE).wished(&suspended(""), &[])),
            ("one user, done", of(&suspended(""))),
            ("one user, done, and somebody let it in", of(&suspended("")).then(can_login("acme_user"))),
            (
                "nobody can log in, and its sessions may not have ended",
                of(&suspended("")).then(|o| row(o, "acme").suspended = false),
            ),
            ("with another username", of(ONE).wished(&suspended(", username = \"x\""), &[])),
            ("suspended no more", of(&suspended(two)).wished(TWO, &[])),
        ]),
    );
}

/// What the registry says of the tenant afterwards.
fn left_by(target: &EndState) -> String {
    let EndState::Rotated { tenant, fields } = target else { return format!("  to {target:?}\n") };
    let Tenant { schema, username, owner_role, access, secret_path, rotation, suspended, .. } = tenant.as_ref();
    format!(
        "  leaves schema {schema}, username {username}, owner {owner_role}, {access:?}, {secret_path}, {rotation:?}, \
         suspended {suspended}, given {}, logs in as {}\n",
        tenant.password.is_some(),
        fields.username
    )
}

/// What a rotation does, in the words of the plan and as apply will read it.
fn rotated(situation: &Situation, end_old: bool) -> String {
    let plan =
        tenantry::plan::rotation(&situation.desired, &situation.observed, &|key| key.as_str() == "acme", end_old);
    let verbose = Style { verbose: true, ..Style::default() };
    let mut out = text::plan(&plan.document(), &verbose);
    plan.tenants.iter().for_each(|tenant| out += &format!("{}\n{}", work(tenant), left_by(&tenant.target)));
    out += &format!("  of {:?}, unseen {:?}\n", plan.database, plan.unseen);
    out
}

#[test]
fn a_rotation_changes_a_password_and_nothing_else() {
    let two = |keys: &str| {
        of(TWO).wished(&format!("[tenants]\nacme = {{ rotation = \"two-user\"{keys} }}\nglobex = {{}}\n"), &[])
    };
    let since = ", schema = \"s\", username = \"u\", owner = \"o\", access = \"readonly\", suspended = true";
    let single = |toml: &str| of(ONE).wished(toml, &[]);
    let returned = |toml: &str| {
        of(ONE).wished(toml, &[]).then(|o| {
            o.secrets.clear();
            let row = row(o, "acme");
            let secret = RegisteredSecret {
                store: "returned".into(),
                place: Some(String::new()),
                version: None,
                ..row.secret.clone()
            };
            *row = Registered { secret, ..row.clone() };
        })
    };
    let given_by_a_program = |toml: &str| {
        let mut situation = returned(toml);
        situation.desired.secrets.store = StoreKind::Returned;
        situation
    };
    let table = [
        ("one user", of(ONE), false),
        (
            "one user, which is declared otherwise since",
            single(&format!(
                "[secrets]\npath = \"x/{{tenant}}\"\n[tenants]\nacme = {{ rotation = \"two-user\"{since} }}\n"
            )),
            false,
        ),
        ("two users", two(""), false),
        ("two users, which are declared otherwise since", two(since), false),
        ("two users, of which one is to stay", of(TWO).wished(ONE, &[]), false),
        ("two users, and the secret names the other", two("").then(|o| names(o, "acme_user_b")), false),
        ("two users, and the secret may not be read", two("").then(unseen), false),
        ("two users, of which the next is gone", two("").then(|o| gone(o, &["acme_user_b"])), false),
        (
            "two users, of which the next was changed by hand",
            two("").then(|o| {
                let next = o.roles.get_mut("acme_user_b").unwrap();
                next.powers = ["CREATEDB"].into();
                next.settings.clear();
            }),
            false,
        ),
        ("two users, and the old one out", two(""), true),
        ("two users, and the old one out, who is gone", two("").then(|o| gone(o, &["acme_user_a"])), true),
        (
            "two users, and the old one out, by an admin who is no superuser",
            Situation::applied_on(server(160_009, false), TWO, &[]),
            true,
        ),
        ("two users, and the old one out, and there is no secret", two("").then(|o| o.secrets.clear()), true),
        ("one user, and the old one out", of(ONE), true),
        ("suspended", of("[tenants]\nacme = { suspended = true }\n"), false),
        (
            "a program gives it",
            given_by_a_program("[tenants]\nacme = { password_from = \"hunter2-hunter2-hunter2\" }\n"),
            false,
        ),
        (
            "not everything may be seen",
            of(ONE).then(|o| o.unseen = vec![tenantry::model::Unseen { what: "the secrets".into(), hint: None }]),
            false,
        ),
        ("the password is kept", of(ONE).then(keeps_its_password), false),
    ];
    let tell =
        |(name, situation, end_old): (&str, Situation, bool)| format!("== {name}\n{}\n", rotated(&situation, end_old));
    let shown: String = table.into_iter().map(tell).collect();
    assert!(!shown.contains("hunter2"), "a password is shown");
    assert_is_snapshot("rotations_of_two_users", &shown);
}

#[test]
fn a_rotation_selects_its_tenants() {
    let situation = of("[tenants]\nacme = {}\nglobex = {}\n");
    let plan =
        tenantry::plan::rotation(&situation.desired, &situation.observed, &|key| key.as_str() == "globex", false);
    assert_eq!(plan.tenants.iter().map(|tenant| tenant.tenant.clone()).collect::<Vec<_>>(), [key("globex")]);
}

#[test]
fn whoever_asks_for_a_tenants_user_is_told_whom_its_secret_names() {
    let of = |toml: &str, change: fn(&mut Observed)| {
        let Situation { desired, observed } = of(toml).then(change);
        tenantry::plan::secrets_user(&observed, &desired.tenants[&key("acme")])
    };
    assert_eq!(of(ONE, |_| {}), "acme_user");
    assert_eq!(of(TWO, |_| {}), "acme_user_a");
    assert_eq!(of(TWO, |o| names(o, "acme_user_b")), "acme_user_b");
    assert_eq!(of(TWO, |o| names(o, "somebody")), "acme_user_a");
    assert_eq!(of(TWO, |o| o.registry = None), "acme_user_a");
}

#[test]
fn every_name_that_logs_in_for_a_tenant_is_known_for_its_own() {
    let Situation { mut observed, .. } = of("[tenants]\nacme = { rotation = \"two-user\" }\nglobex = {}\nhooli = {}\n");
    row(&mut observed, "hooli").state = State::Removed;
    let known = observed.usernames();
    let known: Vec<_> = known.iter().map(|(name, key)| (name.as_str(), key.as_str())).collect();
    assert_eq!(
        known,
        [("acme_user", "acme"), ("acme_user_a", "acme"), ("acme_user_b", "acme"), ("globex_user", "globex")]
    );
    assert_eq!([Rotation::Single, Rotation::TwoUser].map(Rotation::as_str), ["single", "two-user"]);
}
