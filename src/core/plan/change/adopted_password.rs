//! The password of a tenant that is adopted: never another one, unless somebody says so.

use super::secret::{self, Secret};
use super::{adoption, role};
use crate::core::model::{AdoptedPassword, Adoption};
use crate::core::plan::action::WhichPassword;
use crate::core::plan::facts::{Current, Facts, Findings};
use crate::core::plan::tenant_plan::{Blocked, PasswordOrigin};

/// As [`secret::decide`].
///
/// # Errors
/// When it is not known which password is right, or whether anybody wants to keep it.
pub(in crate::core::plan) fn decide(
    facts: &Facts<'_>,
    adoption: &Adoption,
    findings: &mut Findings,
) -> Result<(PasswordOrigin, Option<String>), Blocked> {
    let role = facts.current.role;
    // To the store it is a new tenant.
    let new = Facts {
        fleet: facts.fleet,
        tenant: facts.tenant,
        registered: None,
        logins: facts.logins.clone(),
        adoption: None,
        current: Current { role, ..Current::default() },
    };
    if !role.is_some_and(adoption::has_password) {
        return secret::decide(&new, findings);
    }
    let found = secret::ours_at(&new, &facts.tenant.secret_path)?;
    let version = found.as_ref().map(|secret| secret.version.to_owned());
    if adoption.password == AdoptedPassword::Rotated {
        let given = facts.tenant.password.is_some();
        let (origin, which) = if given {
            (PasswordOrigin::Given, WhichPassword::Given)
        } else {
            (PasswordOrigin::Generated, WhichPassword::Generated)
        };
        role::set_password(facts, findings, which);
        role::warn_of_new_password(findings);
        findings.secret = Some(secret::writing(&new, found.as_ref(), None));
        return Ok((origin, version));
    }
    if adoption::keeps_password(facts, adoption) {
        return Ok((PasswordOrigin::Kept, None));
    }
    opens(facts, adoption, found.as_ref())?;
    // It opens: PostgreSQL keeps it, and what the secret says of all else is brought into line.
    let mut other = Findings::default();
    let decided = secret::decide(&new, &mut other)?;
    findings.secret = other.secret;
    findings.hazards.extend(other.hazards);
    Ok(if findings.secret.is_some() { decided } else { (PasswordOrigin::Untouched, version) })
}

fn opens(facts: &Facts<'_>, adoption: &Adoption, found: Option<&Secret<'_>>) -> Result<(), Blocked> {
    let (key, username) = (&facts.tenant.key, &facts.tenant.username);
    let where_it_is = match (&facts.tenant.password, found) {
        (Some(_), _) => "the password that password_from gives".to_owned(),
        (None, Some(_)) => format!("the password in the secret at {}", facts.tenant.secret_path),
        (None, None) => {
            return Err(Blocked::new(
                format!("role {username:?} has a password that tenantry does not know, and there is no secret"),
                format!(
                    "keep it, and write no secret: tenantry adopt {key} --keep-password   or replace it, and write a secret, which clients must read then: tenantry adopt {key} --rotate"
                ),
            ));
        }
    };
    match &adoption.opens {
        Some(Ok(true)) => Ok(()),
        Some(Err(why)) => Err(Blocked::new(
            format!("whether {where_it_is} opens the database could not be found out: {why}"),
            format!("mend that, or replace the password: tenantry adopt {key} --rotate"),
        )),
        Some(Ok(false)) | None => Err(Blocked::new(
            format!("{where_it_is} does not open the database as {username:?}"),
            format!(
                "put the right one there; or replace it in PostgreSQL and in the secret, which clients must read then: tenantry adopt {key} --rotate"
            ),
        )),
    }
}
