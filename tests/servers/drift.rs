//! What people change by hand: seen, named in words, and healed.
mod given_away;
mod powers;
mod property;

use crate::fleet::{BOTH, Fleet, Run};
use crate::hand_made;
use crate::hand_made::{Kind, Victim};
use crate::snapshot;

/// Does it: the SQL as the superuser, or to the secret's file.
#[track_caller]
fn carry_out(fleet: &Fleet, kind: &Kind, victim: &Victim) {
    match kind.how {
        hand_made::How::Sql(_) => fleet.execute(&kind.sql(victim).unwrap()),
        hand_made::How::SecretDeleted => std::fs::remove_file(fleet.secret_file(&victim.key)).unwrap(),
        hand_made::How::SecretRewritten => {
            let mut secret = fleet.secret(&victim.key);
            secret["host"] = "elsewhere.example".into();
            secret["version"] = (secret["version"].as_u64().unwrap() + 1).into();
            std::fs::write(fleet.secret_file(&victim.key), secret.to_string()).unwrap();
        }
    }
}

/// Roles that have nothing to do with any tenant; they serve a whole server. Returns the first.
fn stranger(fleet: &Fleet) -> String {
    let create = |role: &str| {
        format!("DO $$ BEGIN CREATE ROLE {role}; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$")
    };
    fleet.execute(&format!("{}; {}", create("reporting"), create(hand_made::OTHER)));
    "reporting".to_owned()
}

/// Tenants: as many as there are kinds have something changed by hand, the others nothing.
const TENANTS: usize = 100;

#[test]
fn one_of_every_kind_in_a_fleet_of_a_hundred_is_named_in_words_and_healed() {
    for version in BOTH {
        let fleet = Fleet::usual(version, "hundred");
        let stranger = stranger(&fleet);
        let key = |n: usize| format!("dt-{:02}", n);
        let access = |n: usize| ["full", "readwrite", "readonly"][n % 3];
        let declared: String =
            (0..TENANTS).map(|n| format!("{} = {{ access = \"{}\" }}\n", key(n), access(n))).collect();
        fleet.declare(&declared);
        fleet.applies_and_settles();
        let victim = |n: usize| {
            let name = key(n).replace('-', "_");
            Victim {
                key: key(n),
                schema: format!("tenant_{name}"),
                user: format!("{name}_user"),
                owner: format!("{name}_owner"),
                owner_is_shared: false,
                access: access(n),
                database: fleet.database.name.clone(),
                stranger: stranger.clone(),
            }
        };
        let kinds = hand_made::seen();
        assert!(kinds.len() >= 30);
        kinds.iter().enumerate().for_each(|(n, kind)| carry_out(&fleet, kind, &victim(n)));
        let plan = fleet.run(&["drift", "--format", "json"]).ends(2).json();
        for (n, kind) in kinds.iter().enumerate() {
            let victim = victim(n);
            assert!(kind.is_in(&plan, &victim), "{}: {:#?}", kind.name, hand_made::lines(&plan, &victim.key));
        }
        let verbs = plan["tenants"].as_array().unwrap().iter().map(|tenant| &tenant["verb"]);
        assert!(verbs.skip(kinds.len()).all(|verb| verb == "unchanged"), "and nobody else");
        assert_words(&fleet, kinds, &fleet.run(&["drift"]).ends(2));
        fleet.apply();
        fleet.run(&["drift"]).ends(0);
        fleet.settled();
    }
}

/// The whole text is a snapshot, with each tenant's block under the kinds that it is to tell of.
fn assert_words(fleet: &Fleet, kinds: &[Kind], drift: &Run) {
    // MAINTAIN is new in 17; and which test this is, and where, is no matter.
    let place = format!(":{}", fleet.database.server.port());
    let said = drift.stdout.replace(", MAINTAIN", "").replace(&fleet.database.name, "app").replace(&place, ":5432");
    let mut text = String::new();
    for line in said.lines() {
        if let Some((_, who)) = line.split_once("~ update ") {
            let numbers = who.split("dt-").skip(1).map(|rest| rest[..2].parse::<usize>().unwrap());
            numbers.for_each(|n| text.push_str(&format!("# {}\n", kinds[n].name)));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    // Before and after have a line each where one is too short, which depends on what was left out above.
    let text = text.replace("\n      - ", " ").replace("\n      + ", " → ");
    snapshot::assert_is(&text, "tests/snapshots/drift_by_hand.txt");
}
