//! Which flag is meant: the library says what is needed, and knows no command line.

use tenantry::plan::FleetKey;
use tenantry::{Consent, Guard, NeedsConsent, Refusal};

use super::args::ApplyArgs;

/// What apply's flags consent to.
pub fn consents(args: &ApplyArgs) -> Vec<Consent> {
    let mut consents = vec![Consent::Removals(args.allow_removals), Consent::NewSecrets(args.allow_new_secrets)];
    consents.extend(args.allow_fleet_change.iter().map(|key| Consent::FleetChange(*key)));
    consents.extend(args.rename_history.then_some(Consent::RenameHistory));
    consents.extend(args.moved.then_some(Consent::Moved));
    consents
}

fn flag(consent: &Consent) -> String {
    match consent {
        Consent::Removals(tenants) => format!("--allow-removals {tenants}"),
        Consent::NewSecrets(tenants) => format!("--allow-new-secrets {tenants}"),
        Consent::FleetChange(key) => format!("--allow-fleet-change {key}"),
        Consent::RenameHistory => "--rename-history".to_owned(),
        Consent::DifferentShapes(tenants) => format!("--allow-different-shapes {tenants}"),
        Consent::Moved => "--moved".to_owned(),
        // One that this command line does not know yet.
        other => format!("{other:?}"),
    }
}

fn flags(needs: &NeedsConsent) -> String {
    needs.consents.iter().map(flag).collect::<Vec<_>>().join(" ")
}

/// The hint with the flags of apply. `command`: what was typed, with these flags too.
pub fn of_apply(needs: &NeedsConsent, command: &dyn Fn(&str) -> String) -> String {
    let keys: Vec<&str> = needs.consents.iter().filter_map(fleet_key).map(FleetKey::as_str).collect();
    match needs.consents.as_slice() {
        [Consent::NewSecrets(_)] => of_needs(needs),
        _ if keys.is_empty() => format!("if that is intended: {}", command(&flags(needs))),
        _ => format!(
            "if it is a typing error, put {} back as it was; if it is meant: {}",
            keys.join(", "),
            command(&flags(needs))
        ),
    }
}

/// The hint where a command has no flag for it: apply has.
pub fn of_needs(needs: &NeedsConsent) -> String {
    format!(
        "check whether that is the right store: its address, namespace, mount and path   if the secrets are lost, new passwords for these tenants: tenantry apply {}",
        flags(needs)
    )
}

fn fleet_key(consent: &Consent) -> Option<FleetKey> {
    match consent {
        Consent::FleetChange(key) => Some(*key),
        Consent::RenameHistory => Some(FleetKey::HistoryTable),
        _ => None,
    }
}

/// Message and hint of a refusal that is about what was typed.
pub fn of_refusal(refusal: &Refusal) -> Option<(String, String)> {
    let (message, hint) = match &refusal.guard {
        Guard::Glob { glob, why } => {
            (format!("--target {glob:?} is not a valid glob: {why}"), "write it as 'acme-*', quoted for the shell")
        }
        Guard::MatchesSome { glob } => (format!("--target {glob:?} matches no tenant"), "tenantry list shows the keys"),
        Guard::Selected { tenant } => {
            (format!("--target leaves out tenant {tenant}"), "add it to --target, or omit --target")
        }
        Guard::MovedAsAWhole => {
            ("--moved applies to the whole database, and takes no --target".to_owned(), "leave --target out")
        }
        _ => return None,
    };
    Some((message, hint.to_owned()))
}
