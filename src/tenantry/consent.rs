//! What a plan needs a person to say yes to, beyond the plan itself.

use crate::core::plan::{FleetChange, FleetKey, Plan, differently_shaped};
use crate::core::words::{count, few};

/// A yes to one thing that may be a mistake.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Consent {
    /// Up to so many tenants are removed.
    Removals(usize),
    /// What this key of tenants.toml changes for much of the fleet.
    FleetChange(FleetKey),
    /// The history tables get the configured name.
    RenameHistory,
    /// Up to so many tenants get a new password because their secret is gone.
    NewSecrets(usize),
    /// This database, which came from elsewhere, is now the one that its secrets are for.
    Moved,
    /// Up to so many tenants are adopted whose schema is not what the migrations that are recorded would create, or is not known to be.
    DifferentShapes(usize),
}

impl Consent {
    /// Whether giving this covers what `needed` says.
    #[must_use]
    pub fn covers(&self, needed: &Self) -> bool {
        match (self, needed) {
            (Self::Removals(given), Self::Removals(needed))
            | (Self::NewSecrets(given), Self::NewSecrets(needed))
            | (Self::DifferentShapes(given), Self::DifferentShapes(needed)) => given >= needed,
            (given, needed) => given == needed,
        }
    }
}

/// A consent that a plan needs, with what it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    pub consent: Consent,
    /// What the plan would do.
    pub message: String,
    /// What to look at before the consent is given.
    pub hint: String,
}

/// What a plan needs before it is applied, and was not given.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct NeedsConsent {
    pub consents: Vec<Consent>,
    pub message: String,
    /// What to look at before it is given.
    pub hint: String,
}

/// Of a plan that converges: everything.
pub(super) fn of_converging(plan: &Plan, locate: &dyn Fn(&str) -> String, moved: bool) -> Vec<Need> {
    let needs = moved.then(moving).into_iter().chain(removals(plan)).chain(fleet(plan));
    needs.chain(new_secrets(plan, locate)).collect()
}

/// Of a plan that adopts.
pub(super) fn of_adopting(plan: &Plan, locate: &dyn Fn(&str) -> String) -> Vec<Need> {
    different_shapes(plan).into_iter().chain(new_secrets(plan, locate)).collect()
}

/// Migrations to come would meet other tables than those they were written for.
fn different_shapes(plan: &Plan) -> Option<Need> {
    let tenants = differently_shaped(plan);
    let names: Vec<&str> = tenants.iter().map(|key| key.as_str()).collect();
    (!names.is_empty()).then(|| Need {
        consent: Consent::DifferentShapes(names.len()),
        message: format!(
            "the baseline does not fit {} ({}): the plan says how their schemas differ from what the migrations create; nothing was changed",
            count(names.len(), "tenant"),
            few(&names)
        ),
        hint: format!(
            "another version may fit; if the differences are meant, consent to Consent::DifferentShapes({})",
            names.len()
        ),
    })
}

/// Where the database is whose secrets they are.
fn moving() -> Need {
    Need {
        consent: Consent::Moved,
        message: "the plan makes this database the one that its secrets are for; nothing was changed".into(),
        hint: "if the database that it came from is no longer in use, consent to Consent::Moved".into(),
    }
}

fn removals(plan: &Plan) -> Option<Need> {
    let removed = plan.tenants.iter().filter(|tenant| tenant.removes());
    let names: Vec<&str> = removed.map(|tenant| tenant.tenant.as_str()).collect();
    (!names.is_empty()).then(|| Need {
        consent: Consent::Removals(names.len()),
        message: format!(
            "the plan would remove {} ({}); nothing was changed",
            count(names.len(), "tenant"),
            few(&names)
        ),
        hint: format!("if that is intended, consent to Consent::Removals({})", names.len()),
    })
}

fn fleet(plan: &Plan) -> impl Iterator<Item = Need> {
    plan.fleet_changes.iter().filter(|change| change.is_held_back()).map(|change| {
        let consent = match change.key {
            FleetKey::HistoryTable => Consent::RenameHistory,
            key => Consent::FleetChange(key),
        };
        let hint = format!(
            "if it is a typing error, put {} back as it was; if it is meant, consent to Consent::{consent:?}",
            change.key
        );
        Need { consent, message: changing(&[change]), hint }
    })
}

fn changing(changes: &[&FleetChange]) -> String {
    let why = if changes.iter().any(|change| change.key == FleetKey::HistoryTable) {
        " (a history under another name is renamed, or every migration would run again)"
    } else {
        ""
    };
    let list: Vec<String> = changes.iter().map(ToString::to_string).collect();
    format!("the plan changes much of the fleet{why}: {}; nothing was changed", list.join("; "))
}

/// A store that is not the one that the secrets were written to has none of them.
pub(super) fn new_secrets(plan: &Plan, locate: &dyn Fn(&str) -> String) -> Option<Need> {
    let missing = plan.missing.as_ref()?;
    Some(Need {
        consent: Consent::NewSecrets(missing.tenants.len()),
        message: format!(
            "{}; the first was looked for in {}; nothing was changed",
            missing.in_words(),
            locate(&missing.path)
        ),
        hint: format!(
            "check whether that is the right store: its address, namespace, mount and path; if the secrets are lost, consent to Consent::NewSecrets({})",
            missing.tenants.len()
        ),
    })
}

/// Which of a plan's needs are asked about together, in the order in which they are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum About {
    Moving,
    Removals,
    Fleet,
    Secrets,
    Shapes,
}

impl About {
    fn of(consent: &Consent) -> Self {
        match consent {
            Consent::Moved => Self::Moving,
            Consent::Removals(_) => Self::Removals,
            Consent::FleetChange(_) | Consent::RenameHistory => Self::Fleet,
            Consent::NewSecrets(_) => Self::Secrets,
            Consent::DifferentShapes(_) => Self::Shapes,
        }
    }
}

/// Refuses for want of the consents about this that `given` does not cover: all of them at once.
pub(super) fn check(plan: &Plan, needs: &[Need], given: &[Consent], about: About) -> Result<(), NeedsConsent> {
    let is_covered = |need: &&Need| given.iter().any(|consent| consent.covers(&need.consent));
    let lacking = needs.iter().filter(|need| About::of(&need.consent) == about && !is_covered(need));
    let lacking: Vec<&Need> = lacking.collect();
    let consents: Vec<Consent> = lacking.iter().map(|need| need.consent.clone()).collect();
    match lacking.as_slice() {
        [] => Ok(()),
        [one] => Err(NeedsConsent { consents, message: one.message.clone(), hint: one.hint.clone() }),
        many => {
            let keys: Vec<FleetKey> = consents.iter().filter_map(fleet_key).collect();
            let changes: Vec<&FleetChange> = plan.fleet_changes.iter().filter(|c| keys.contains(&c.key)).collect();
            let hint = many.iter().map(|need| need.hint.as_str()).collect::<Vec<_>>().join("\n");
            Err(NeedsConsent { consents, message: changing(&changes), hint })
        }
    }
}

/// The key of tenants.toml that the consent is about.
pub(super) fn fleet_key(consent: &Consent) -> Option<FleetKey> {
    match consent {
        Consent::FleetChange(key) => Some(*key),
        Consent::RenameHistory => Some(FleetKey::HistoryTable),
        Consent::Removals(_) | Consent::NewSecrets(_) | Consent::Moved | Consent::DifferentShapes(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_consent_covers_what_it_names_and_no_more_than_it_counts() {
        let covers = |given: Consent, needed: Consent| given.covers(&needed);
        assert!(covers(Consent::Removals(3), Consent::Removals(2)));
        assert!(!covers(Consent::Removals(1), Consent::Removals(2)));
        assert!(!covers(Consent::Removals(9), Consent::NewSecrets(1)));
        assert!(!covers(Consent::NewSecrets(1), Consent::NewSecrets(2)));
        assert!(covers(Consent::FleetChange(FleetKey::Owner), Consent::FleetChange(FleetKey::Owner)));
        assert!(!covers(Consent::FleetChange(FleetKey::Owner), Consent::FleetChange(FleetKey::Username)));
        assert!(!covers(Consent::FleetChange(FleetKey::HistoryTable), Consent::RenameHistory));
        assert!(!covers(Consent::Removals(usize::MAX), Consent::Moved));
    }
}
