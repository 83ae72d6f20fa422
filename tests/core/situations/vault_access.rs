//! Policies and roles in Vault: tenantry's are those that the registry names and that still are what was made.

use tenantry::model::secret::Mark;
use tenantry::model::{Belongs, Observed, SecretState, TenantKey, VaultContents, VaultObject, VaultRole};

use super::{Situation, assert_is_snapshot, key, told};

const TOML: &str = "[secrets]\nstore = \"vault\"\n[vault.access]\npolicy = \"p-{tenant}\"\napprole = \"r-{tenant}\"\n\
                    [tenants]\nacme = {}\nglobex = {}\n";

fn applied() -> Situation {
    Situation::applied(TOML, &[])
}

fn policy() -> VaultObject {
    VaultObject::Policy { name: "p-acme".into() }
}

fn role() -> VaultObject {
    VaultObject::AppRole { mount: "approle".into(), name: "r-acme".into() }
}

fn contents(observed: &mut Observed, object: VaultObject) -> &mut VaultContents {
    observed.vault.as_mut().unwrap().objects.get_mut(&object).unwrap()
}

fn gives(observed: &mut Observed, policies: &[&str]) {
    let policies = policies.iter().map(|policy| (*policy).to_owned()).collect();
    *contents(observed, role()) = VaultContents::Role(VaultRole { policies, bound: None });
}

/// Below the line that says whose it is, or in its place.
fn says(observed: &mut Observed, change: impl Fn(&str) -> String) {
    let VaultContents::Policy(text) = contents(observed, policy()) else { panic!("no policy") };
    *text = change(text);
}

fn forgotten(observed: &mut Observed) {
    let acme: TenantKey = key("acme");
    observed.registry.as_mut().unwrap().vault_access.remove(&acme);
}

fn gone(observed: &mut Observed) {
    observed.vault.as_mut().unwrap().objects.clear();
}

#[test]
fn what_is_tenantrys_is_kept_right_and_what_is_not_is_left_alone() {
    let wider = |text: &str| text.replace("[\"read\"]", "[\"read\", \"list\"]");
    let unmarked = |text: &str| text.lines().skip(1).collect::<Vec<_>>().join("\n");
    let without = TOML.replace("[vault.access]\npolicy = \"p-{tenant}\"\napprole = \"r-{tenant}\"\n", "");
    let without_role = TOML.replace("approle = \"r-{tenant}\"\n", "");
    let removed = TOML.replace("acme = {}\n", "");
    let no_more = |toml: &str| applied().wished(toml, &[]);
    let anothers = |o: &mut Observed| {
        let Some(SecretState::Ours { belongs, .. }) = o.secrets.get_mut("tenants/acme") else { panic!("no secret") };
        *belongs = Belongs::AnotherFleet(Box::new(Mark { fleet: Some("f2".into()), ..Mark::default() }));
    };
    assert_is_snapshot(
        "vault_access",
        &told([
            ("as applied", applied()),
            ("somebody deleted both", applied().then(gone)),
            ("the policy opens more", applied().then(|o| says(o, wider))),
            ("the policy is somebody else's by now", applied().then(|o| says(o, unmarked))),
            ("the role gives more", applied().then(|o| gives(o, &["p-acme", "admins"]))),
            ("the role gives nothing", applied().then(|o| gives(o, &[]))),
            ("the role is somebody else's by now", applied().then(|o| gives(o, &["admins"]))),
            ("the registry names neither", applied().then(forgotten)),
            (
                "the registry names the policy alone",
                applied().then(|o| {
                    let named = o.registry.as_mut().unwrap().vault_access.get_mut(&key("acme")).unwrap();
                    named.retain(|registered| registered.object.is_policy());
                }),
            ),
            (
                "the registry names neither, and the policy opens more",
                applied().then(forgotten).then(|o| says(o, wider)),
            ),
            (
                "the registry names neither, and the role gives more",
                applied().then(forgotten).then(|o| gives(o, &["p-acme", "x"])),
            ),
            ("the registry names neither, and neither is there", applied().then(forgotten).then(gone)),
            ("nobody could look", applied().then(|o| o.vault = None)),
            ("no role any more", no_more(&without_role)),
            ("neither any more", no_more(&without)),
            (
                "neither any more, and the policy is somebody else's by now",
                no_more(&without).then(|o| says(o, unmarked)),
            ),
            (
                "neither any more, and the role is somebody else's by now",
                no_more(&without).then(|o| gives(o, &["admins"])),
            ),
            ("neither any more, and neither is there", no_more(&without).then(gone)),
            ("removed", no_more(&removed)),
            ("removed, and nobody could look", no_more(&removed).then(|o| o.vault = None)),
            ("removed, and its secret is another database's", no_more(&removed).then(anothers)),
            (
                "removed, and its secret may not be read",
                no_more(&removed).then(|o| _ = o.secrets.insert("tenants/acme".into(), SecretState::Unseen)),
            ),
        ]),
    );
}
